//! Messages by e-mail, through the one server of Muster's settings.

use std::time::Duration;

use anyhow::{Context as _, bail};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message as Mailed, Tokio1Executor,
    message::{
        Mailbox, MessageBuilder,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use muster_domain::notification::{Message, email};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::NotifyConfig;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A mail server, and who mails are from.
pub(super) struct Mail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mail {
    /// From the settings; `None` when there is no server.
    pub(super) fn from_config(config: &NotifyConfig) -> anyhow::Result<Option<Self>> {
        let Some(url) = &config.smtp_url else { return Ok(None) };
        let url = SecretString::from(url.as_str());
        check_encrypted(&url)?;
        let from = config.smtp_from.as_deref().context("MUSTER_SMTP_FROM is missing: who mails are from")?;
        let from = from.parse().context("MUSTER_SMTP_FROM is no mail address")?;
        // The error would show the address, and the password in it.
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| {
                anyhow::anyhow!(
                    "MUSTER_SMTP_URL cannot be used; it is smtps://user:password@host:465 or smtp://host:25"
                )
            })?
            .timeout(Some(ANSWER_WITHIN))
            .build();
        Ok(Some(Self { server, from }))
    }

    /// Sends one mail to all recipients.
    ///
    /// # Errors
    /// Why not, in the server's words.
    pub(super) async fn send(&self, message: &Message, recipients: &[String]) -> Result<(), String> {
        let mail = self.write(message, recipients)?;
        match self.server.send(mail).await {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("the mail server did not take it: {}", crate::http::failure::chain(&e))),
        }
    }

    fn write(&self, message: &Message, recipients: &[String]) -> Result<Mailed, String> {
        let words = email(message);
        let mut builder: MessageBuilder = Mailed::builder()
            .from(self.from.clone())
            .subject(words.subject)
            .date(message.at.into())
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            // Answering machines leave these alone.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for recipient in recipients {
            let address: Address =
                recipient.parse().map_err(|_| format!("`{recipient}` is no mail address"))?;
            builder = builder.to(Mailbox::new(None, address));
        }
        builder.body(words.body).map_err(|e| format!("the mail could not be written: {e}"))
    }
}

/// A password must not cross the network readably.
fn check_encrypted(url: &SecretString) -> anyhow::Result<()> {
    let parsed = Url::parse(url.expose_secret())
        .map_err(|_| anyhow::anyhow!("MUSTER_SMTP_URL is no address like smtps://user:password@host:465"))?;
    let tls = parsed.query_pairs().any(|(key, value)| key == "tls" && value == "required");
    if parsed.scheme() == "smtp" && parsed.password().is_some() && !tls {
        bail!("MUSTER_SMTP_URL would send its password unencrypted: use smtps://, or add ?tls=required");
    }
    Ok(())
}

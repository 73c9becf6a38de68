//! Messages by e-mail, through the one server of Muster's settings.

mod server;
mod trouble;

use std::time::Duration;

use anyhow::Context as _;
use lettre::{
    Address, Message as Mailed,
    address::Envelope,
    message::{
        Mailbox, MessageBuilder,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        client::AsyncSmtpConnection,
        commands::{Data, Mail as MailFrom, Rcpt},
        extension::{Extension, MailParameter},
    },
};
use muster_domain::notification::{Message, email};
use secrecy::SecretString;

use super::NotSent;
use crate::process::config::NotifyConfig;
use server::Server;

/// From connecting to the server's word that it has the mail. Servers look into a mail before they say so, and one whose word
/// is not waited for has a mail that is then sent again.
const TAKEN_WITHIN: Duration = Duration::from_secs(14);
/// Longest reason that is told, in characters: servers may say much.
const LONGEST: usize = 600;
/// For taking leave, when it is settled who has the mail.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// A mail server, and who mails are from.
pub(super) struct Mail {
    server: Server,
    from: Mailbox,
    within: Duration,
}

impl Mail {
    /// From the settings; `None` when there is no server.
    pub(super) fn from_config(config: &NotifyConfig) -> anyhow::Result<Option<Self>> {
        let Some(url) = &config.smtp_url else { return Ok(None) };
        let server = Server::read(&SecretString::from(url.as_str()), config.smtp_ca_file.as_deref())?;
        let from = config.smtp_from.as_deref().context("MUSTER_SMTP_FROM is missing: who mails are from")?;
        let from = from.parse().context("MUSTER_SMTP_FROM is no mail address")?;
        Ok(Some(Self { server, from, within: TAKEN_WITHIN }))
    }

    /// Sends one mail to all recipients.
    ///
    /// # Errors
    /// Why it did not reach all of them, in the server's words.
    pub(super) async fn send(&self, message: &Message, recipients: &[String]) -> Result<(), NotSent> {
        let mail = self.write(message, recipients)?;
        let sent = tokio::time::timeout(self.within, self.hand_over(&mail)).await;
        let sent = sent.unwrap_or_else(|_| {
            let seconds = self.within.as_secs_f32();
            let why = format!(
                "the mail server did not answer within {seconds} s; one whose port is for smtps:// is silent to smtp://"
            );
            Err(why.into())
        });
        sent.map_err(|not| {
            // Cut only when nothing in it is secret any more.
            let why = self.server.without_secrets(&not.why).chars().take(LONGEST).collect();
            NotSent { why, ..not }
        })
    }

    async fn hand_over(&self, mail: &Mailed) -> Result<(), NotSent> {
        let mut server = self.server.connect().await?;
        let told = tell(&mut server, mail.envelope(), &mail.formatted()).await;
        // A server that is slow to say good-bye has the mail all the same.
        tokio::time::timeout(LEAVE_WITHIN, server.abort()).await.ok();
        told
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

/// Hands a mail over for everybody the server takes it for: one address that is no more must not keep it from the others.
async fn tell(server: &mut AsyncSmtpConnection, envelope: &Envelope, mail: &[u8]) -> Result<(), NotSent> {
    let from = MailFrom::new(envelope.from().cloned(), parameters(server, envelope)?);
    server.command(from).await.map_err(|e| trouble::not_taken(&e))?;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for recipient in envelope.to() {
        match server.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => taken.push(recipient),
            Err(e) if e.status().is_some() => refused.push((recipient, e)),
            Err(e) => return Err(trouble::not_taken(&e)),
        }
    }
    if taken.is_empty() {
        return Err(trouble::recipients_refused(&refused, &taken));
    }
    server.command(Data).await.map_err(|e| trouble::not_taken(&e))?;
    server.message(mail).await.map_err(|e| trouble::not_taken(&e))?;
    if refused.is_empty() { Ok(()) } else { Err(trouble::recipients_refused(&refused, &taken)) }
}

/// Addresses beyond ASCII are for servers that say they take them; what is in a mail is encoded and needs no such word.
fn parameters(server: &AsyncSmtpConnection, envelope: &Envelope) -> Result<Vec<MailParameter>, String> {
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    match addresses.find(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        None => Ok(Vec::new()),
        Some(_) if server.server_info().supports_feature(Extension::SmtpUtfEight) => {
            Ok(vec![MailParameter::SmtpUtfEight])
        }
        Some(address) => Err(format!("the mail server takes no address like `{address}` (SMTPUTF8)")),
    }
}

#[cfg(test)]
mod tests;

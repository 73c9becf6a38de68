//! What is wrong when a mail server does not take a mail, for people: what it said, what that means, what to do.

use std::error::Error as _;

use lettre::{Address, transport::smtp::Error};
use rustls::{CertificateError, Error as TlsError};

use crate::loops::courier::{NotSent, Then};

/// No conversation came about.
pub(super) fn not_connected(error: &Error) -> NotSent {
    match tls_error(error) {
        Some(tls) => format!("nothing was sent to the mail server: {}", explain(tls)).into(),
        None if error.status().is_some() => {
            format!("the mail server takes no mail now: {}", said(error)).into()
        }
        None => format!("the mail server of MUSTER_SMTP_URL is not reached: {}", said(error)).into(),
    }
}

/// The conversation would go on in the clear.
pub(super) fn no_starttls() -> NotSent {
    let why = "nothing was sent: the mail server does not offer STARTTLS, which MUSTER_SMTP_URL requires. Let it offer that, or \
               use its port for smtps://; if it is not set up so, somebody on the way may be reading";
    why.to_owned().into()
}

/// It does not take the password. That is Muster's settings, not the message: whoever mends them in time loses none.
pub(super) fn not_signed_in(error: &Error) -> NotSent {
    if error.is_client() {
        let why = "the mail server offers no way to sign in that Muster knows (PLAIN or LOGIN), and MUSTER_SMTP_URL has a password";
        return why.to_owned().into();
    }
    format!("the mail server does not take the user and password of MUSTER_SMTP_URL: {}", said(error)).into()
}

/// It does not take the mail.
pub(super) fn not_taken(error: &Error) -> NotSent {
    NotSent { why: format!("the mail server did not take it: {}", said(error)), then: then(error) }
}

/// It takes the mail for none of them, or took it for these others only.
pub(super) fn recipients_refused(refused: &[(&Address, Error)], taken: &[&Address]) -> NotSent {
    let each: Vec<String> =
        refused.iter().map(|(address, error)| format!("{address} ({})", said(error))).collect();
    let each = each.join(", ");
    if taken.is_empty() {
        let for_good = refused.iter().all(|(_, error)| then(error) == Then::AsRefused);
        let then = if for_good { Then::AsRefused } else { Then::Later };
        return NotSent { why: format!("the mail server did not take it for {each}"), then };
    }
    let taken: Vec<String> = taken.iter().map(ToString::to_string).collect();
    let why = format!(
        "it went to {} only; the mail server did not take it for {each}. Correct the recipients of this channel",
        taken.join(", ")
    );
    NotSent { why, then: Then::Nothing }
}

/// A 5xx says that the same is refused again, unless it is about who Muster is there.
fn then(error: &Error) -> Then {
    let about_signing_in = error.status().is_some_and(|code| [530, 534, 535, 538].contains(&u16::from(code)));
    if error.is_permanent() && !about_signing_in { Then::AsRefused } else { Then::Later }
}

/// A server's answer, or the innermost cause: the outer ones repeat it.
fn said(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    let code = error.status().map(|code| format!("{code} ")).unwrap_or_default();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{code}{words}").chars().filter(|c| !c.is_control()).collect()
}

/// TLS errors travel inside IO errors.
fn tls_error(error: &Error) -> Option<&TlsError> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if let Some(tls) =
            io.and_then(std::io::Error::get_ref).and_then(|inner| inner.downcast_ref::<TlsError>())
        {
            return Some(tls);
        }
        cause = inner.source();
    }
    None
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls has dozens of errors; the rest explain themselves"
)]
fn explain(error: &TlsError) -> String {
    match error {
        // A bad signature is what another authority of the same name leaves.
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by an authority that is not trusted here. If it is yours, name that authority's \
             certificate in MUSTER_SMTP_CA_FILE"
                .to_owned()
        }
        TlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("its certificate has expired ({error}). Renew it there")
        }
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            format!("its certificate is for another host name ({error}). Write that name in MUSTER_SMTP_URL")
        }
        TlsError::InvalidMessage(_) => format!(
            "its port does not begin with TLS ({error}). smtps:// is for those that do, such as 465; ports with STARTTLS, \
             such as 587, are smtp://…?tls=required"
        ),
        other => other.to_string(),
    }
}

//! TLS towards brokers: rustls with aws-lc-rs, PEM authorities or the system's, mTLS, host names always verified.

use std::sync::Arc;

use muster_domain::cluster::Tls;
use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use secrecy::{ExposeSecret, SecretString};

use crate::error::KafkaErrorKind;

/// Builds the client configuration once per cluster.
pub(crate) fn client_config(
    tls: &Tls,
    client_key: Option<&SecretString>,
) -> Result<Arc<ClientConfig>, KafkaErrorKind> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| KafkaErrorKind::Tls(e.to_string()))?
        .with_root_certificates(authorities(tls)?);
    let config = match (&tls.client_cert_pem, client_key) {
        (None, _) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(KafkaErrorKind::Tls(
                "a client certificate is set but its private key is not".to_owned(),
            ));
        }
        (Some(chain), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| {
                KafkaErrorKind::Tls("the client's private key is no PEM private key".to_owned())
            })?;
            builder
                .with_client_auth_cert(certificates(chain, "the client certificate")?, key)
                .map_err(|e| KafkaErrorKind::Tls(format!("the client certificate cannot be used: {e}")))?
        }
    };
    Ok(Arc::new(config))
}

fn authorities(tls: &Tls) -> Result<RootCertStore, KafkaErrorKind> {
    let mut store = RootCertStore::empty();
    match &tls.ca_pem {
        Some(pem) => {
            for certificate in certificates(pem, "the authority bundle")? {
                store
                    .add(certificate)
                    .map_err(|e| KafkaErrorKind::Tls(format!("the authority bundle cannot be used: {e}")))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            let (added, _) = store.add_parsable_certificates(system.certs);
            if added == 0 {
                return Err(KafkaErrorKind::Tls("the system has no certificate authorities".to_owned()));
            }
        }
    }
    Ok(store)
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, KafkaErrorKind> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| KafkaErrorKind::Tls(format!("{what} is no valid PEM: {e}")))?;
    if found.is_empty() {
        return Err(KafkaErrorKind::Tls(format!("{what} holds no PEM certificate")));
    }
    Ok(found)
}

/// What an IO error on a connection means; TLS errors travel inside IO errors.
pub(crate) fn kind_of_io(error: &std::io::Error) -> KafkaErrorKind {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => KafkaErrorKind::Tls(explain(tls)),
        None => KafkaErrorKind::Connection(error.to_string()),
    }
}

/// The same for an error of the handshake itself, where a plain disconnect has a likely cause.
pub(crate) fn kind_of_handshake(error: &std::io::Error) -> KafkaErrorKind {
    let kind = kind_of_io(error);
    if let KafkaErrorKind::Connection(text) = &kind {
        return KafkaErrorKind::Tls(format!(
            "the peer ended the handshake; is this a port without TLS? ({text})"
        ));
    }
    kind
}

fn explain(error: &rustls::Error) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls has dozens of errors; the rest explain themselves"
    )]
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => {
            format!("the broker's certificate has expired ({error})")
        }
        // A bad signature is what another authority of the same name leaves.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the broker's certificate is signed by an authority that is not trusted here".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the broker's certificate is for another host name ({error})"),
        rustls::Error::InvalidMessage(_) => format!("the port does not speak TLS ({error})"),
        rustls::Error::AlertReceived(_) => format!("the broker refused the handshake ({error})"),
        other => other.to_string(),
    }
}

//! Certificates of the security lab, made anew for each: one authority, a server, an expired server, a client.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

use crate::principals::MUSTER;

/// PEM files of one security lab.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) ca: PathBuf,
    pub(super) other_ca: PathBuf,
    /// Key and chain in one file, as Kafka's PEM key store wants them.
    pub(super) server_store: PathBuf,
    pub(super) expired_store: PathBuf,
    pub(super) client_cert: PathBuf,
    pub(super) client_key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `dir`.
    pub(super) fn make(dir: &Path) -> Result<Self> {
        let file = |name: &str, text: String| -> Result<PathBuf> {
            let path = dir.join(name);
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            Ok(path)
        };
        let (ca_pem, ca) = make_authority("Muster lab authority")?;
        let (other_pem, _) = make_authority("Another authority")?;
        let (server_cert, server_key) = make_certificate(&ca, "muster-lab-broker", false)?;
        let (expired_cert, expired_key) = make_certificate(&ca, "muster-lab-expired", true)?;
        let (client_cert, client_key) = make_certificate(&ca, MUSTER, false)?;
        Ok(Self {
            server_store: file("server.pem", format!("{server_key}{server_cert}{ca_pem}"))?,
            expired_store: file("expired.pem", format!("{expired_key}{expired_cert}{ca_pem}"))?,
            ca: file("ca.pem", ca_pem)?,
            other_ca: file("other-ca.pem", other_pem)?,
            client_cert: file("client.pem", client_cert)?,
            client_key: file("client-key.pem", client_key)?,
        })
    }
}

fn make_authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>)> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

/// A certificate for server and client use and its PKCS#8 key, both PEM.
fn make_certificate(ca: &Issuer<'_, KeyPair>, name: &str, expired: bool) -> Result<(String, String)> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    // The broker's principal is the whole name, so nothing but CN is in it.
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    if expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, ca)?.pem(), key.serialize_pem()))
}

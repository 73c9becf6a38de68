//! From an address to a connection that may be used: TCP, TLS, versions, signing in.

use std::sync::{Arc, OnceLock};

use muster_domain::cluster::{Cluster, ClusterSecrets};
use rustls::ClientConfig;

use crate::{
    connecting::{
        connection::Connection,
        sasl::{self, Credentials},
        tls,
        transport::{self, Deadline},
        versions,
    },
    error::KafkaErrorKind,
    options::ClientOptions,
};

/// How connections to one cluster are made, for one principal.
#[derive(Debug)]
pub(crate) struct Dialer {
    security: muster_domain::cluster::Security,
    secrets: ClusterSecrets,
    /// Another user than Muster's own, same mechanism.
    probe: Option<String>,
    options: ClientOptions,
    /// Reading authorities and keys costs milliseconds and may fail: done at the first use, once.
    prepared: OnceLock<Result<Prepared, KafkaErrorKind>>,
}

#[derive(Debug)]
struct Prepared {
    tls: Option<Arc<ClientConfig>>,
    credentials: Credentials,
}

impl Dialer {
    /// For Muster's own principal.
    pub(crate) fn new(cluster: &Cluster, secrets: &ClusterSecrets, options: ClientOptions) -> Self {
        Self {
            security: cluster.security.clone(),
            secrets: secrets.clone(),
            probe: None,
            options,
            prepared: OnceLock::new(),
        }
    }

    /// For the probe principal.
    pub(crate) fn for_probe(
        cluster: &Cluster,
        secrets: &ClusterSecrets,
        options: ClientOptions,
        user: &str,
    ) -> Self {
        Self { probe: Some(user.to_owned()), ..Self::new(cluster, secrets, options) }
    }

    /// What to sign in with.
    pub(crate) fn credentials(&self) -> Result<&Credentials, KafkaErrorKind> {
        self.prepare().map(|prepared| &prepared.credentials)
    }

    /// Opens a connection that is ready for requests, within the connect bound and the call's.
    pub(crate) async fn dial(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
    ) -> Result<Connection, KafkaErrorKind> {
        let prepared = self.prepare()?;
        let deadline = deadline.or_after(self.options.connect_deadline());
        let tls = prepared.tls.as_ref();
        let stream = deadline.bound(transport::open(host, port, tls)).await?;
        let connection =
            Connection::start(stream, (host.to_owned(), port), self.options.max_frame_bytes, tls.is_some());
        versions::negotiate(&connection, deadline).await?;
        sasl::sign_in(&connection, &prepared.credentials, deadline).await?;
        Ok(connection)
    }

    fn prepare(&self) -> Result<&Prepared, KafkaErrorKind> {
        let make = || {
            let key = self.secrets.client_key_pem.as_ref();
            let tls = self.security.tls.as_ref().map(|tls| tls::client_config(tls, key)).transpose()?;
            let sasl = self.security.sasl.as_ref();
            Ok(Prepared { tls, credentials: Credentials::new(sasl, &self.secrets, self.probe.as_deref())? })
        };
        self.prepared.get_or_init(make).as_ref().map_err(Clone::clone)
    }
}

//! A byte stream to a broker: TCP, with or without TLS.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::TlsConnector;

use crate::{connecting::tls, error::KafkaErrorKind};

/// Either kind of stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a stream. The caller bounds the time.
pub(crate) async fn open(
    host: &str,
    port: u16,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, KafkaErrorKind> {
    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(|e| KafkaErrorKind::Connection(format!("{host}:{port}: {e}")))?;
    // Small requests must not wait for the peer's delayed acknowledgement.
    tcp.set_nodelay(true).map_err(|e| tls::kind_of_io(&e))?;
    let Some(config) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| KafkaErrorKind::Tls(format!("`{host}` is no host name")))?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, tcp)
        .await
        .map_err(|e| tls::kind_of_handshake(&e))?;
    Ok(Box::new(stream))
}

/// Splits `host:port`; IPv6 addresses in brackets.
pub(crate) fn parse_address(address: &str) -> Result<(String, u16), KafkaErrorKind> {
    let parsed = address.trim().rsplit_once(':').and_then(|(host, port)| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some((host.to_owned(), port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
    });
    parsed.ok_or_else(|| KafkaErrorKind::Connection(format!("`{address}` is not host:port")))
}

/// When a call gives up, and how long that was from its start (for the error).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    bound: Duration,
}

impl Deadline {
    /// That long from now.
    pub(crate) fn after(bound: Duration) -> Self {
        Self { at: Instant::now() + bound, bound }
    }

    /// This one or that long from now, whichever is sooner.
    pub(crate) fn or_after(self, bound: Duration) -> Self {
        let other = Self::after(bound);
        if other.at < self.at { other } else { self }
    }

    /// Time left; zero when it passed.
    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The whole bound in milliseconds.
    pub(crate) fn bound_ms(self) -> u64 {
        u64::try_from(self.bound.as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits, but not longer than this.
    pub(crate) async fn bound<T>(
        self,
        wait: impl Future<Output = Result<T, KafkaErrorKind>>,
    ) -> Result<T, KafkaErrorKind> {
        match tokio::time::timeout_at(self.at, wait).await {
            Ok(result) => result,
            Err(_) => Err(KafkaErrorKind::Timeout(self.bound_ms())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_address;

    #[test]
    fn addresses_split_at_the_last_colon() {
        assert_eq!(parse_address("kafka-1:9092").unwrap(), ("kafka-1".to_owned(), 9092));
        assert_eq!(parse_address(" [::1]:9092 ").unwrap(), ("::1".to_owned(), 9092));
        for bad in ["kafka-1", ":9092", "kafka:99999", ""] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }
}

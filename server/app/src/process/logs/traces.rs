//! Traces by OTLP over HTTP: the spans of the logs, sent in batches by a thread of their own. A collector that is away
//! costs traces, never a request or a run.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter as Exporter},
};
use reqwest::Url;
use tracing_subscriber::Layer as _;

use super::Part;

/// Sends what is left when it is dropped.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send to a collector.
    pub(super) fn start(endpoint: &str) -> Result<(Self, Part), String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(address(endpoint)?)
            .build()
            .map_err(|e| format!("the collector of MUSTER_OTLP_ENDPOINT cannot be used: {e}"))?;
        let exporter = Telling { exporter, away: AtomicBool::new(false) };
        let resource = Resource::builder().with_service_name("muster").build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("muster");
        Ok((Self(provider), tracing_opentelemetry::layer().with_tracer(tracer).boxed()))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(e) = self.0.shutdown() {
            tracing::warn!(cause = %e, "the last traces could not be sent");
        }
    }
}

/// Says that spans do not arrive, and that they do again: each once, however many batches are lost meanwhile.
#[derive(Debug)]
struct Telling {
    exporter: SpanExporter,
    away: AtomicBool,
}

impl Exporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match (&sent, self.away.swap(sent.is_err(), Ordering::Relaxed)) {
            (Err(e), false) => {
                tracing::warn!(cause = %e, "the collector of MUSTER_OTLP_ENDPOINT does not take traces; they are lost until it does");
            }
            (Ok(()), true) => tracing::info!("the collector of MUSTER_OTLP_ENDPOINT takes traces again"),
            (Err(_), true) | (Ok(()), false) => {}
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Collectors are named by their host; traces go to a path of theirs.
fn address(endpoint: &str) -> Result<String, String> {
    let url = Url::parse(endpoint).ok();
    let usable = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !usable {
        return Err(format!("MUSTER_OTLP_ENDPOINT `{endpoint}` is no address like http://127.0.0.1:4318"));
    }
    let base = endpoint.trim_end_matches('/');
    Ok(if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_once() {
        let there = Ok("http://collector:4318/v1/traces".to_owned());
        assert_eq!(address("http://collector:4318"), there);
        assert_eq!(address("http://collector:4318/v1/traces/"), there);
        for wrong in ["collector:4318", "grpc://collector:4317", "127.0.0.1:4318", "http://", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}

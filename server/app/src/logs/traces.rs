//! Traces by OTLP over HTTP: the spans of the logs, sent in batches by a thread of their own. A collector that is away
//! costs traces, never a request or a run.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
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
            .with_endpoint(address(endpoint))
            .build()
            .map_err(|e| format!("the collector at {endpoint} cannot be used: {e}"))?;
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

/// Collectors are named by their host; traces go to a path of theirs.
fn address(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_once() {
        assert_eq!(address("http://collector:4318"), "http://collector:4318/v1/traces");
        assert_eq!(address("http://collector:4318/v1/traces/"), "http://collector:4318/v1/traces");
    }
}

//! Serving HTTP to clients that may be slow, silent or many.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way get after a signal. Streams of runs end at once; what is left then asks nothing.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Serves until the signal. A connection whose request has not begun or whose head is not complete within `patience` is
/// closed; so is one that stays idle that long between two requests. Bodies have the same patience, in `layers`.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve_http(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = listener.into_std().context("could not take the listener over")?;
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)
        .context("could not serve on the listener")?
        .handle(handle.clone())
        .first_request_timeout(patience);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(patience);
    server.http_builder().http2().timer(TokioTimer::new()).keep_alive_interval(patience);
    let serving = server.serve(router.into_make_service_with_connect_info::<SocketAddr>());
    let stopping = async move {
        shutdown.cancelled().await;
        handle.graceful_shutdown(Some(ANSWERS_WITHIN));
    };
    let (served, ()) = tokio::join!(serving, stopping);
    served.context("the HTTP server stopped")
}

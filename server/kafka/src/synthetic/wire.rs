//! Listening, framing, lateness.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, ApiVersionsResponse, RequestHeader, RequestKind, ResponseHeader, ResponseKind},
    protocol::{Decodable, Encodable},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Reply, World,
    usual::{highest, usual, versions},
};

pub(super) async fn accept(listener: TcpListener, node: i32, world: Arc<World>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let Some(config) = world.tls.clone() else { return serve(stream, node, world).await };
            // A client that does not trust this certificate ends the handshake.
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                serve(stream, node, world).await;
            }
        });
    }
}

/// Requests are read at once and answered in order, each at least `latency` after it came.
async fn serve(stream: impl AsyncRead + AsyncWrite + Send + 'static, node: i32, world: Arc<World>) {
    let (mut read, mut write) = tokio::io::split(stream);
    let (out, mut due) = mpsc::unbounded_channel::<(Instant, Option<Bytes>)>();
    let writer = tokio::spawn(async move {
        while let Some((at, frame)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            let Some(frame) = frame else { return drop(write.shutdown().await) };
            if write.write_all(&frame).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    });
    let mut hung_up = world.hang_up.subscribe();
    loop {
        let size = tokio::select! {
            size = read.read_u32() => size,
            _ = hung_up.changed() => break,
        };
        let Ok(size) = size else { break };
        let mut frame = vec![0; usize::try_from(size).unwrap()];
        if read.read_exact(&mut frame).await.is_err() {
            break;
        }
        let at = Instant::now() + world.latency;
        match answer(node, Bytes::from(frame), &world) {
            Some(frame) => drop(out.send((at, frame))),
            None => std::future::pending().await,
        }
    }
    drop(out);
    drop(writer.await);
}

/// `None` hangs, `Some(None)` closes.
fn answer(node: i32, mut frame: Bytes, world: &World) -> Option<Option<Bytes>> {
    let key = ApiKey::try_from(i16::from_be_bytes([frame[0], frame[1]])).unwrap();
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let correlation_id = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
    world.seen.lock().unwrap().push((node, key, version));
    if version > highest(key, world) {
        assert_eq!(
            key,
            ApiKey::ApiVersions,
            "only ApiVersions may be asked in a version that is not offered"
        );
        let refused = ApiVersionsResponse::default().with_error_code(35).with_api_keys(versions(world));
        return Some(Some(encode(correlation_id, key, 0, &ResponseKind::ApiVersions(refused))));
    }
    RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
    let request = RequestKind::decode(key, &mut frame, version).unwrap();
    let response = match (world.script)(node, &request, version) {
        Reply::Usual => usual(node, &request, version, world),
        Reply::Answer(response) => *response,
        Reply::Raw(bytes) => return Some(Some(bytes)),
        Reply::Hang => return None,
        Reply::Close => return Some(None),
    };
    Some(Some(encode(correlation_id, key, version, &response)))
}

fn encode(correlation_id: i32, key: ApiKey, version: i16, response: &ResponseKind) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut out, key.response_header_version(version)).unwrap();
    response.encode(&mut out, version).unwrap();
    let size = u32::try_from(out.len() - 4).unwrap();
    out[..4].copy_from_slice(&size.to_be_bytes());
    out.freeze()
}

/// A frame that holds a response, for scripts that bend it.
#[must_use]
pub fn frame(correlation_id: i32, key: ApiKey, version: i16, response: &ResponseKind) -> Bytes {
    encode(correlation_id, key, version, response)
}

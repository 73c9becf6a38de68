//! A collector of traces for tests: it takes OTLP over HTTP, on a thread of its own, and reads what it got.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, http::HeaderMap, routing::post};

/// See the module.
pub(crate) struct Collector {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Bytes>>>,
}

/// A span as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Takes traces until the test ends, whatever the test's own threads do.
    pub(crate) fn start() -> Self {
        let got: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let kept = Arc::clone(&got);
        let take = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            kept.lock().unwrap().push(body);
        };
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let router = Router::new().route("/v1/traces", post(take)).layer(DefaultBodyLimit::disable());
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url: format!("http://{}", told.recv().unwrap()), got }
    }

    /// Every span that came.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.got.lock().unwrap().iter().flat_map(|body| spans_of(body)).collect()
    }
}

/// The spans of an `ExportTraceServiceRequest`, by the numbers of opentelemetry-proto.
fn spans_of(request: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for of_resource in all(request, 1) {
        let resource =
            all(of_resource, 1).first().map(|resource| attributes(resource, 1)).unwrap_or_default();
        let service = resource.get("service.name").cloned().unwrap_or_default();
        for span in all(of_resource, 2).iter().flat_map(|scope| all(scope, 2)) {
            found.push(Span {
                service: service.clone(),
                name: text(span, 5),
                trace: bytes(span, 1),
                id: bytes(span, 2),
                parent: bytes(span, 4),
                attributes: attributes(span, 9),
            });
        }
    }
    found
}

/// Attributes that are texts.
fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let key_and_value = |pair: &[u8]| (text(pair, 1), text(&bytes(pair, 2), 1));
    all(message, number).into_iter().map(key_and_value).collect()
}

fn text(message: &[u8], number: u64) -> String {
    String::from_utf8(bytes(message, number)).unwrap()
}

fn bytes(message: &[u8], number: u64) -> Vec<u8> {
    all(message, number).first().map(|field| field.to_vec()).unwrap_or_default()
}

/// Fields of a protobuf message with a number, those that have a length: texts, bytes, messages.
fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
    let (mut at, mut found) = (0, Vec::new());
    while at < message.len() {
        let key = varint(message, &mut at);
        match key & 7 {
            0 => {
                varint(message, &mut at);
            }
            1 => at += 8,
            2 => {
                let length = usize::try_from(varint(message, &mut at)).unwrap();
                let field = &message[at..at + length];
                at += length;
                if key >> 3 == number {
                    found.push(field);
                }
            }
            5 => at += 4,
            other => panic!("no field has the type {other}"),
        }
    }
    found
}

fn varint(message: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = message[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("no number is as long")
}

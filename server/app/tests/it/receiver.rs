//! Receivers of notifications for tests: an HTTP endpoint that keeps what it gets, and a mail server.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id every attempt carries.
    pub(crate) fn id(&self) -> &str {
        self.header("idempotency-key")
    }
}

/// An HTTP endpoint.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<AtomicU16>,
    slow_ms: Arc<AtomicU64>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            got: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
            slow_ms: Arc::default(),
        };
        let router = Router::new().fallback(take).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    /// What it answers from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// How long it takes to answer from now on.
    pub(crate) fn take_ms(&self, ms: u64) {
        self.slow_ms.store(ms, Ordering::SeqCst);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn wait_for(&self, count: usize) {
        let come = async {
            while self.got.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), come).await.expect("the request never came");
    }
}

async fn take(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, raw: Bytes) -> Response {
    receiver.got.lock().unwrap().push(Got { path: uri.path().to_owned(), headers, raw });
    tokio::time::sleep(Duration::from_millis(receiver.slow_ms.load(Ordering::SeqCst))).await;
    let status = StatusCode::from_u16(receiver.status.load(Ordering::SeqCst)).unwrap();
    let elsewhere = [(header::LOCATION, format!("{}/elsewhere", receiver.url))];
    (status, elsewhere, "the words of the endpoint").into_response()
}

/// A mail server that keeps what it gets. It refuses the first mails as if it were busy.
#[derive(Clone)]
pub(crate) struct MailSink {
    pub(crate) url: String,
    mails: Arc<Mutex<Vec<Mail>>>,
}

/// A mail: who it is for, by the envelope, and its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mail {
    pub(crate) recipients: Vec<String>,
    pub(crate) data: String,
}

impl MailSink {
    pub(crate) async fn start(refused: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let sink = Self { url, mails: Arc::default() };
        let left = Arc::new(AtomicU64::new(refused));
        let this = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, left) = (this.clone(), Arc::clone(&left));
                tokio::spawn(async move { this.talk(stream, &left).await });
            }
        });
        sink
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    async fn talk(&self, stream: TcpStream, left: &AtomicU64) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 sink\r\n").await.ok()?;
        let mut mail = Mail::default();
        while let Some(line) = lines.next_line().await.ok()? {
            let word = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            let busy = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            let answer: &[u8] = match word.as_str() {
                "EHLO" => b"250-sink\r\n250 8BITMIME\r\n",
                "MAIL" if busy() => b"451 busy, come again\r\n",
                "RCPT" => {
                    mail.recipients.push(line);
                    b"250 ok\r\n"
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    while let Some(line) = lines.next_line().await.ok()? {
                        if line == "." {
                            break;
                        }
                        mail.data.push_str(&line);
                        mail.data.push('\n');
                    }
                    self.mails.lock().unwrap().push(std::mem::take(&mut mail));
                    b"250 kept\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            write.write_all(answer).await.ok()?;
        }
        Some(())
    }
}

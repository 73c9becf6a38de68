//! One connection to one broker: many requests in flight, answered in order, by two tasks that never block a caller.
//!
//! A caller that gives up (deadline or dropped future) leaves nothing half-written: frames are written whole by the
//! writer task. A connection that missed a deadline is closed, because everything behind the missing answer waits too.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use tokio::{
    sync::{OnceCell, mpsc, oneshot},
    task::AbortHandle,
    time::Instant,
};

use crate::{
    connecting::{
        closings::Closer,
        frames,
        guarded::{self, Guarded},
        pool::Address,
        transport::{Deadline, Stream},
        versions::Versions,
    },
    error::KafkaErrorKind,
};

/// A shared handle; the connection closes when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: Address,
    outbox: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<WaitingRoom>,
    tasks: [AbortHandle; 2],
    versions: OnceLock<Versions>,
    cluster_id: OnceCell<String>,
    renew_at: OnceLock<Instant>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Requests that were sent and not answered yet, in the order they were sent.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    queue: VecDeque<Asked>,
    next_id: i32,
    failed: Option<KafkaErrorKind>,
    /// Who is told when the other side closes it; nobody before it has served.
    closer: Option<Closer>,
}

impl Default for Waiting {
    fn default() -> Self {
        // Unlikely to be met in garbage, unlike 0 or 1.
        Self { queue: VecDeque::new(), next_id: 0x4D55_0001, failed: None, closer: None }
    }
}

/// Where the answer to one request arrives.
type Answer = oneshot::Receiver<Result<Bytes, KafkaErrorKind>>;

#[derive(Debug)]
struct Asked {
    id: i32,
    since: Instant,
    answer: oneshot::Sender<Result<Bytes, KafkaErrorKind>>,
}

impl Connection {
    /// Takes over a fresh stream and starts its two tasks.
    pub(crate) fn start(stream: Box<dyn Stream>, address: Address, max_frame: u32, encrypted: bool) -> Self {
        let (read, write) = tokio::io::split(stream);
        let waiting = Arc::new(WaitingRoom::default());
        let (outbox, inbox) = mpsc::unbounded_channel();
        let writer = tokio::spawn(frames::write_frames(write, inbox, Arc::clone(&waiting))).abort_handle();
        let reader = tokio::spawn(frames::read_frames(read, max_frame, encrypted, Arc::clone(&waiting)));
        Self {
            inner: Arc::new(Inner {
                address,
                outbox,
                waiting,
                tasks: [writer, reader.abort_handle()],
                versions: OnceLock::new(),
                cluster_id: OnceCell::new(),
                renew_at: OnceLock::new(),
            }),
        }
    }

    /// Sends a request in a version the broker knows and decodes the answer.
    ///
    /// It is sent at once and not kept while its answer is awaited: of a large cluster the requests under way together
    /// would take more memory than what they ask for.
    pub(crate) fn call<'a, R: Request>(
        &'a self,
        version: i16,
        request: &R,
        deadline: Deadline,
    ) -> impl Future<Output = Result<R::Response, KafkaErrorKind>> + use<'a, R> {
        let answer = self.exchange(version, request, deadline);
        async move { decode(answer.await?, version) }
    }

    /// Sends a request and answers the body's bytes, header removed.
    pub(crate) fn exchange<'a, R: Request>(
        &'a self,
        version: i16,
        request: &R,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Bytes, KafkaErrorKind>> + use<'a, R> {
        let answer = encode(version, request).and_then(|frame| self.enqueue(frame));
        self.receive::<R>(version, answer, deadline)
    }

    async fn receive<R: Request>(
        &self,
        version: i16,
        answer: Result<Answer, KafkaErrorKind>,
        deadline: Deadline,
    ) -> Result<Bytes, KafkaErrorKind> {
        let answer = answer?;
        let received = deadline
            .bound(async {
                // The sender is dropped only together with the tasks.
                answer.await.unwrap_or_else(|_| Err(KafkaErrorKind::Connection("closed".to_owned())))
            })
            .await;
        if matches!(received, Err(KafkaErrorKind::Timeout(_))) {
            self.inner
                .waiting
                .fail(&KafkaErrorKind::Connection("given up after a request timed out".to_owned()));
        }
        let mut frame = Guarded::new(received?);
        ResponseHeader::decode(&mut frame, R::Response::header_version(version))
            .map_err(|e| unreadable(&e))?;
        Ok(frame.copy_to_bytes(frame.remaining()))
    }

    /// Whether a request may be sent: not failed, and not about to outlive its SASL session.
    pub(crate) fn is_usable(&self) -> bool {
        let in_time = self.inner.renew_at.get().is_none_or(|at| Instant::now() < *at);
        in_time && self.inner.waiting.lock().failed.is_none()
    }

    /// It is ready for requests: from now on it is told when the other side closes it.
    pub(crate) fn tell_closing(&self, closer: &Closer) {
        self.inner.waiting.tell_closing(closer);
    }

    /// Where it was dialled.
    pub(crate) fn address(&self) -> &Address {
        &self.inner.address
    }

    /// How long the oldest unanswered request has been waiting: brokers that hang show here.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.inner.waiting.lock().queue.front().map(|asked| asked.since)
    }

    /// What the broker speaks; set by the handshake.
    pub(crate) fn versions(&self) -> Option<&Versions> {
        self.inner.versions.get()
    }

    /// Records what the broker speaks.
    pub(crate) fn set_versions(&self, versions: Versions) -> &Versions {
        self.inner.versions.get_or_init(|| versions)
    }

    /// After this moment the connection is replaced before its next request (KIP-368).
    pub(crate) fn set_renew_at(&self, at: Instant) {
        self.inner.renew_at.get_or_init(|| at);
    }

    /// Id of the cluster at the other end of this very connection, once somebody asked.
    pub(crate) fn cluster_id(&self) -> &OnceCell<String> {
        &self.inner.cluster_id
    }

    fn enqueue(&self, mut frame: BytesMut) -> Result<Answer, KafkaErrorKind> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.inner.waiting.lock();
        if let Some(kind) = &waiting.failed {
            return Err(kind.clone());
        }
        let id = waiting.next_id;
        waiting.next_id = id.wrapping_add(1);
        frame[CORRELATION_ID_AT..CORRELATION_ID_AT + 4].copy_from_slice(&id.to_be_bytes());
        waiting.queue.push_back(Asked { id, since: Instant::now(), answer });
        // Under the lock, so that the order of ids is the order on the wire.
        if self.inner.outbox.send(frame.freeze()).is_err() {
            return Err(KafkaErrorKind::Connection("closed".to_owned()));
        }
        Ok(receiver)
    }
}

impl WaitingRoom {
    /// Hands a frame to whoever waits longest; the frame must carry that request's id.
    pub(crate) fn answer(&self, frame: Bytes) -> Result<(), KafkaErrorKind> {
        let found = frame.get(..4).map(|mut id| id.get_i32());
        let mut waiting = self.lock();
        match (waiting.queue.front(), found) {
            (Some(asked), Some(id)) if asked.id == id => {
                if let Some(asked) = waiting.queue.pop_front() {
                    // Nobody there any more: the caller gave up, the answer is of no use.
                    let _ = asked.answer.send(Ok(frame));
                }
                Ok(())
            }
            (Some(asked), _) => Err(KafkaErrorKind::NotKafka(format!(
                "an answer carries correlation id {found:?} instead of {}",
                asked.id
            ))),
            (None, _) => Err(KafkaErrorKind::NotKafka("an answer came without a question".to_owned())),
        }
    }

    /// From now on it is told when the other side closes the connection.
    pub(crate) fn tell_closing(&self, closer: &Closer) {
        self.lock().closer = Some(closer.clone());
    }

    /// The stream broke, as one of the two tasks found. That the other side closed it is told once, and not of one that was given up.
    pub(crate) fn break_off(&self, kind: &KafkaErrorKind) {
        let closer = {
            let mut waiting = self.lock();
            let closed = waiting.failed.is_none() && matches!(kind, KafkaErrorKind::Connection(_));
            waiting.closer.take().filter(|_| closed)
        };
        // Whoever is told must not find it usable.
        self.fail(kind);
        if let Some(closer) = closer {
            closer.tell();
        }
    }

    /// Ends the connection: everybody who waits, and everybody who asks later, gets this.
    pub(crate) fn fail(&self, kind: &KafkaErrorKind) {
        let mut waiting = self.lock();
        waiting.failed.get_or_insert_with(|| kind.clone());
        for asked in waiting.queue.drain(..) {
            let _ = asked.answer.send(Err(kind.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After size, api key and api version.
const CORRELATION_ID_AT: usize = 8;

fn encode<R: Request>(version: i16, request: &R) -> Result<BytesMut, KafkaErrorKind> {
    let broken = |e: anyhow::Error| KafkaErrorKind::Protocol(format!("the request cannot be encoded: {e}"));
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("muster")));
    let mut frame = BytesMut::with_capacity(256);
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version)).map_err(broken)?;
    request.encode(&mut frame, version).map_err(broken)?;
    let size = i32::try_from(frame.len() - 4)
        .map_err(|_| KafkaErrorKind::Protocol("the request is larger than 2 GiB".to_owned()))?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame)
}

/// Decodes a response body.
pub(crate) fn decode<T: Decodable + HeaderVersion>(body: Bytes, version: i16) -> Result<T, KafkaErrorKind> {
    guarded::read(body, version).map_err(|e| unreadable(&e))
}

/// A response that is not what its header says.
fn unreadable(why: &dyn std::fmt::Display) -> KafkaErrorKind {
    KafkaErrorKind::Protocol(format!("unreadable response: {why}"))
}

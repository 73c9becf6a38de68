//! Frames on the wire: whole ones out, whole ones in, nothing larger than the cap, and a clear word when the peer
//! speaks something else.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::mpsc,
};

use crate::{
    connecting::{connection::WaitingRoom, tls},
    error::KafkaErrorKind,
};

/// Never allocate more than this ahead of data that arrived.
const STEP: usize = 256 * 1024;

/// Writes frames until the connection is dropped or breaks.
pub(crate) async fn write_frames(
    mut stream: impl AsyncWrite + Unpin,
    mut inbox: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<WaitingRoom>,
) {
    while let Some(frame) = inbox.recv().await {
        if let Err(error) = write_burst(&mut stream, frame, &mut inbox).await {
            waiting.break_off(&tls::kind_of_io(&error));
            return;
        }
    }
}

/// One flush for everything that is ready: with TLS every flush is a record and a packet.
async fn write_burst(
    stream: &mut (impl AsyncWrite + Unpin),
    first: Bytes,
    inbox: &mut mpsc::UnboundedReceiver<Bytes>,
) -> std::io::Result<()> {
    stream.write_all(&first).await?;
    while let Ok(frame) = inbox.try_recv() {
        stream.write_all(&frame).await?;
    }
    stream.flush().await
}

/// Reads frames until the connection is dropped or breaks.
pub(crate) async fn read_frames(
    stream: impl AsyncRead + Unpin,
    max_frame: u32,
    encrypted: bool,
    waiting: Arc<WaitingRoom>,
) {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let mut answered = 0_u32;
    loop {
        let result = match read_frame(&mut stream, max_frame).await {
            Ok(frame) => waiting.answer(frame),
            Err(kind) => Err(explain_end(kind, answered, encrypted)),
        };
        if let Err(kind) = result {
            waiting.break_off(&kind);
            return;
        }
        answered = answered.saturating_add(1);
    }
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin), max_frame: u32) -> Result<Bytes, KafkaErrorKind> {
    let mut head = [0_u8; 4];
    stream.read_exact(&mut head).await.map_err(|e| tls::kind_of_io(&e))?;
    let size = u32::from_be_bytes(head);
    if size > max_frame || size < 4 {
        return Err(KafkaErrorKind::NotKafka(describe_head(head, size, max_frame)));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut frame = BytesMut::with_capacity(size.min(STEP));
    while frame.len() < size {
        let missing = size - frame.len();
        if frame.capacity() == frame.len() {
            frame.reserve(missing.min(frame.len().max(STEP)));
        }
        let read = (&mut *stream)
            .take(missing as u64)
            .read_buf(&mut frame)
            .await
            .map_err(|e| tls::kind_of_io(&e))?;
        if read == 0 {
            return Err(KafkaErrorKind::Connection(
                "the peer closed the connection within a frame".to_owned(),
            ));
        }
    }
    Ok(frame.freeze())
}

fn describe_head(head: [u8; 4], size: u32, max_frame: u32) -> String {
    match &head {
        b"HTTP" | b"<htm" | b"<HTM" | b"<!DO" => "it answers HTTP".to_owned(),
        // TLS records: alert (21) or handshake (22), version 3.x.
        [0x15 | 0x16, 0x03, ..] => "it speaks TLS; switch TLS on for this cluster".to_owned(),
        b"SSH-" => "it answers SSH".to_owned(),
        _ if size > max_frame => format!("a frame of {size} bytes exceeds the cap of {max_frame}"),
        _ => format!("a frame of {size} bytes is too small"),
    }
}

/// Brokers close without a word when the protocol or the sign-in is not what the listener wants.
fn explain_end(kind: KafkaErrorKind, answered: u32, encrypted: bool) -> KafkaErrorKind {
    let hint = match answered {
        0 if !encrypted => " before its first answer; a listener that wants TLS does that",
        0 => " before its first answer",
        1 => " at the first real request; a listener that wants a sign-in does that",
        _ => "",
    };
    if let KafkaErrorKind::Connection(text) = &kind {
        return KafkaErrorKind::Connection(format!("the peer closed the connection{hint} ({text})"));
    }
    kind
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::{prelude::*, sample::Index};

    use super::*;

    const CAP: u32 = 300;

    /// What is there is there at once.
    fn read(peer: &mut &[u8]) -> Result<Bytes, KafkaErrorKind> {
        read_frame(peer, CAP).now_or_never().expect("nothing is waited for")
    }

    proptest! {
        #[test]
        fn fuzz_no_bytes_of_a_peer_make_it_panic(
            bytes in any::<Vec<u8>>(),
            small in prop::collection::vec(0_u8..12, 0..100),
        ) {
            // Three zeros before a byte are the head of a frame.
            let heads: Vec<u8> = small.iter().flat_map(|size| [0, 0, 0, *size]).collect();
            for mut peer in [bytes.as_slice(), heads.as_slice()] {
                while let Ok(frame) = read(&mut peer) {
                    assert!((4..=300).contains(&frame.len()));
                    assert!(WaitingRoom::default().answer(frame).is_err(), "nobody had asked");
                }
            }
        }

        #[test]
        fn fuzz_a_frame_is_read_whole_or_not_at_all(
            body in prop::collection::vec(any::<u8>(), 0..400),
            behind in any::<Vec<u8>>(),
            cut in any::<Index>(),
        ) {
            let size = u32::try_from(body.len()).expect("short");
            let all = [size.to_be_bytes().as_slice(), &body, &behind].concat();
            let end = 4 + body.len();
            let cut = cut.index(end + 1);
            let read_of = |bytes: &[u8]| read(&mut &*bytes);
            prop_assert!(cut == end || read_of(&all[..cut]).is_err());
            let fits = (4..=CAP).contains(&size);
            prop_assert_eq!(read_of(&all).ok(), fits.then(|| Bytes::from(body.clone())));
        }
    }
}

//! Connections that the other side closed: the first sign of a broker that was killed, long before anybody asks it again.
//!
//! The system closes the connections of a process at once when that dies. It is no proof of a death: brokers close connections nobody
//! uses, are restarted, and networks break. So nothing is concluded from it here; whoever is told goes and looks.

use tokio::sync::watch;

/// Tells of connections to one cluster that the other side closed, of those that had served: dials that fail are not told, nor what
/// Muster gave up or closed itself.
#[derive(Debug, Clone)]
pub struct Closings(watch::Receiver<u64>);

impl Closings {
    /// Waits until the other side closes a connection; at once when it did since this was handed out or had told last. Several at a time
    /// are told as one. Never comes once the client is gone. It may be dropped while it waits: what it did not tell the next call does.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Where it is told that a connection was closed. Clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct Closer(watch::Sender<u64>);

impl Default for Closer {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Closer {
    /// Whoever is told from now on.
    pub(crate) fn closings(&self) -> Closings {
        Closings(self.0.subscribe())
    }

    /// The other side closed one.
    pub(crate) fn tell(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{connecting::connection::WaitingRoom, error::KafkaErrorKind};

    fn is_told(closings: &mut Closings) -> bool {
        closings.next().now_or_never().is_some()
    }

    fn closed() -> KafkaErrorKind {
        KafkaErrorKind::Connection("the peer closed the connection".to_owned())
    }

    #[test]
    fn what_happened_since_is_told_once() {
        let closer = Closer::default();
        closer.tell();
        let mut closings = closer.closings();
        assert!(!is_told(&mut closings), "before anybody asked");
        closer.tell();
        closer.tell();
        assert!(is_told(&mut closings));
        assert!(!is_told(&mut closings), "both are told as one");
        drop(closer);
        assert!(!is_told(&mut closings), "the client is gone");
    }

    #[test]
    fn a_connection_that_serves_is_told_once_when_it_breaks() {
        let (closer, room) = (Closer::default(), WaitingRoom::default());
        let mut closings = closer.closings();
        room.tell_closing(&closer);
        room.break_off(&closed());
        assert!(is_told(&mut closings));
        // The task that writes finds out, too.
        room.break_off(&closed());
        assert!(!is_told(&mut closings));
    }

    #[test]
    fn what_never_served_was_given_up_or_does_not_speak_kafka_is_not_told() {
        let closer = Closer::default();
        let mut closings = closer.closings();
        WaitingRoom::default().break_off(&closed());
        let given_up = WaitingRoom::default();
        given_up.tell_closing(&closer);
        given_up.fail(&KafkaErrorKind::Connection("given up after a request timed out".to_owned()));
        given_up.break_off(&closed());
        let garbage = WaitingRoom::default();
        garbage.tell_closing(&closer);
        garbage.break_off(&KafkaErrorKind::NotKafka("it answers HTTP".to_owned()));
        assert!(!is_told(&mut closings));
    }
}

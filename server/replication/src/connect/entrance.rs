//! Whether Connect lets Muster in. A survey asks a dozen things at once and a step asks every 20 ms: with a password that is refused
//! that would lock the user out wherever passwords are counted. So one read goes ahead, and after a refusal nobody asks for a while.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use reqwest::RequestBuilder;
use tokio::sync::Mutex;

use super::sign_in::SignIn;
use crate::ReplicationErrorKind;

/// After a refusal nothing is tried for this long; a survey comes sooner.
pub(super) const REST: Duration = Duration::from_secs(30);
/// For this long nobody has to go ahead of the others; a survey takes less.
const SURE: Duration = Duration::from_secs(4);

/// The way into one address, for all clones of its client.
pub(super) struct Entrance {
    sign_in: SignIn,
    rest: Duration,
    seen: Mutex<Seen>,
}

/// What came of signing in the last time.
enum Seen {
    /// It was never tried.
    Nothing,
    /// It was not refused.
    Passed(Instant),
    /// It was refused like this.
    Refused(Instant, ReplicationErrorKind),
}

impl Entrance {
    pub(super) fn of(sign_in: SignIn) -> Self {
        Self { sign_in, rest: REST, seen: Mutex::new(Seen::Nothing) }
    }

    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        self.sign_in.sign(request)
    }

    /// Asks, unless what would be tried was just refused. A change is asked for behind a read, which has gone ahead of it.
    pub(super) async fn pass(
        &self,
        reads: bool,
        ask: impl Future<Output = Result<Vec<u8>, ReplicationErrorKind>>,
    ) -> Result<Vec<u8>, ReplicationErrorKind> {
        if !self.sign_in.tries() {
            return ask.await.map_err(|kind| self.sign_in.explain(kind));
        }
        let mut seen = self.seen.lock().await;
        let sure = match &*seen {
            Seen::Refused(at, kind) if at.elapsed() < self.rest => return Err(kind.clone()),
            Seen::Passed(at) => at.elapsed() < SURE,
            Seen::Nothing | Seen::Refused(..) => false,
        };
        if reads && !sure {
            // The others wait for this one; if it is dropped the next goes ahead.
            let outcome = ask.await.map_err(|kind| self.sign_in.explain(kind));
            *seen = refused(&outcome).unwrap_or_else(|| Seen::Passed(Instant::now()));
            return outcome;
        }
        drop(seen);
        let outcome = ask.await.map_err(|kind| self.sign_in.explain(kind));
        if let Some(refused) = refused(&outcome) {
            *self.seen.lock().await = refused;
        }
        outcome
    }
}

/// A 403 is no failed try: whoever asks is known.
fn refused(outcome: &Result<Vec<u8>, ReplicationErrorKind>) -> Option<Seen> {
    match outcome {
        Err(kind @ ReplicationErrorKind::NotLetIn { status: 401, .. }) => {
            Some(Seen::Refused(Instant::now(), kind.clone()))
        }
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use muster_domain::connect_credentials::ConnectSignIn;

    use super::*;

    fn kept() -> SignIn {
        SignIn::Kept(ConnectSignIn::Basic { username: "muster".to_owned(), password: "hunter2".into() })
    }

    fn answer(status: u16) -> Result<Vec<u8>, ReplicationErrorKind> {
        match status {
            200 => Ok(Vec::new()),
            status => Err(ReplicationErrorKind::Status { status, message: "no".to_owned() }),
        }
    }

    /// How often is asked when ten ask at once and are answered so; and what each was told.
    async fn asked_at_once(entrance: &Entrance, reads: bool, status: u16) -> (usize, Vec<String>) {
        let asked = AtomicUsize::new(0);
        let ask = || async {
            tokio::task::yield_now().await;
            asked.fetch_add(1, Ordering::Relaxed);
            answer(status)
        };
        let outcomes = join_all((0..10).map(|_| entrance.pass(reads, ask()))).await;
        let told = outcomes.into_iter().filter_map(|outcome| outcome.err().map(|kind| kind.to_string()));
        (asked.load(Ordering::Relaxed), told.collect())
    }

    #[tokio::test]
    async fn however_many_ask_a_refused_password_is_tried_once() {
        let entrance = Entrance::of(kept());
        let (asked, told) = asked_at_once(&entrance, true, 401).await;
        assert_eq!((asked, told.len()), (1, 10));
        assert!(
            told.iter().all(|said| said.starts_with("Connect answered 401 (no) and did nothing:")),
            "{told:?}"
        );
        let (asked, told) = asked_at_once(&entrance, false, 200).await;
        assert_eq!((asked, told.len()), (0, 10), "nor for changes, until the rest is over");
    }

    #[tokio::test]
    async fn after_a_rest_it_is_tried_again_and_then_all_are_let_in() {
        let entrance = Entrance { rest: Duration::ZERO, ..Entrance::of(kept()) };
        assert_eq!(asked_at_once(&entrance, true, 401).await.0, 10, "each after a rest of no time");
        assert_eq!(asked_at_once(&entrance, true, 200).await, (10, Vec::new()));
        // A password that was let in a moment ago is refused to those who are under way, and then to nobody else.
        let entrance = Entrance { rest: REST, ..entrance };
        assert_eq!(asked_at_once(&entrance, false, 401).await.0, 10);
        assert_eq!(asked_at_once(&entrance, true, 200).await.0, 0);
    }

    #[tokio::test]
    async fn what_is_no_failed_try_holds_up_nobody() {
        let entrance = Entrance::of(kept());
        for status in [403, 404, 500] {
            assert_eq!(asked_at_once(&entrance, true, status).await.0, 10, "{status}");
        }
        // Nothing is tried, so nobody is locked out.
        let nobody = Entrance::of(SignIn::Nothing);
        assert_eq!(asked_at_once(&nobody, true, 401).await.0, 10);
        assert_eq!(asked_at_once(&nobody, true, 401).await.0, 10);
    }
}

//! Passwords: argon2id, off the async threads, few at a time, and the one rule for new ones.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};
use serde_json::json;
use tokio::{sync::Semaphore, time::timeout};

use crate::http::{Answer, Failure};

/// Fewest characters of a new password. Length is the one rule; composition rules make passwords worse.
pub const SHORTEST: usize = 12;
/// Longest password taken: hashing costs time in its length.
pub const LONGEST: usize = 512;

/// How long a password waits for its turn. Well below the time in which a request is answered.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Hashes passwords. One hash takes some 20 MB and a core for a moment, and nobody needs to be signed in to ask for one: so
/// few are under way at a time, and who does not get a turn soon is sent away.
#[derive(Debug)]
pub struct Hashing {
    turns: Arc<Semaphore>,
    most: usize,
    turn_within: Duration,
}

impl Default for Hashing {
    /// As many at a time as there are cores, and two at least.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores.max(2), TURN_WITHIN)
    }
}

impl Hashing {
    /// So many at a time; a turn comes within that time or not at all.
    #[must_use]
    pub fn new(most: usize, turn_within: Duration) -> Self {
        Self { turns: Arc::new(Semaphore::new(most)), most, turn_within }
    }

    /// Hashes a new password for the store.
    ///
    /// # Errors
    /// `invalid-request` when it is too short or too long; `too-many-requests`.
    pub async fn hash_password(&self, password: String) -> Answer<String> {
        if password.chars().count() < SHORTEST || password.len() > LONGEST {
            return Err(Failure::invalid(format!("A password needs {SHORTEST} to {LONGEST} characters.")));
        }
        self.in_turn(move || {
            Argon2::default().hash_password(password.as_bytes()).map(|hash: PasswordHash| hash.to_string())
        })
        .await?
        .map_err(|e| Failure::internal("hash password", e))
    }

    /// Whether a password fits a stored hash. Without a hash (no such person) it takes as long and says no, so that the
    /// time of an answer does not tell who exists.
    ///
    /// # Errors
    /// `too-many-requests`; when the work could not be done at all.
    pub async fn verify_password(&self, password: String, hash: Option<String>) -> Answer<bool> {
        self.in_turn(move || match hash {
            Some(hash) => PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()),
            None => {
                let spent: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
                drop(spent);
                false
            }
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
        let turn = timeout(self.turn_within, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| self.busy())?.map_err(|e| Failure::internal("hash password", e))?;
        let worked = tokio::task::spawn_blocking(move || {
            let done = work();
            // Given back by the work and not by who asked: they may have hung up, and it goes on nevertheless.
            drop(turn);
            done
        });
        worked.await.map_err(|e| Failure::internal("hash password", e))
    }

    fn busy(&self) -> Failure {
        let waited = self.turn_within.as_secs_f64();
        let detail = format!(
            "Muster tries {} passwords at a time, and this one did not get its turn within {waited} s; it was not tried.",
            self.most
        );
        let next = "Try again in a few seconds. If it stays, somebody may be guessing passwords: the log and the audit have the \
                    refused sign-ins with their addresses.";
        Failure::new("too-many-requests", detail, next).with("retry_after_seconds", json!(5))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Many try at once; how many were under way at the most.
    async fn most_of(hashing: &Arc<Hashing>, tries: usize) -> usize {
        let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tries: Vec<_> = (0..tries)
            .map(|_| {
                let (hashing, under_way, most) =
                    (Arc::clone(hashing), Arc::clone(&under_way), Arc::clone(&most));
                tokio::spawn(async move {
                    let work = move || {
                        most.fetch_max(under_way.fetch_add(1, SeqCst) + 1, SeqCst);
                        let hash: Result<PasswordHash, _> = Argon2::default().hash_password(b"a guess");
                        under_way.fetch_sub(1, SeqCst);
                        hash.is_ok()
                    };
                    hashing.in_turn(work).await
                })
            })
            .collect();
        for one in tries {
            assert!(one.await.expect("it ends").expect("its turn comes"));
        }
        most.load(SeqCst)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn however_many_sign_in_at_once_few_passwords_are_under_way() {
        let hashing = Arc::new(Hashing::new(2, Duration::from_secs(60)));
        let most = most_of(&hashing, 30).await;
        assert!((1..=2).contains(&most), "{most}");
        assert_eq!(hashing.turns.available_permits(), 2, "every turn came back");
    }

    #[tokio::test]
    async fn who_gets_no_turn_is_sent_away_and_who_hung_up_keeps_theirs_until_the_work_is_done() {
        let hashing = Arc::new(Hashing::new(1, Duration::from_millis(20)));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let slow = {
            let hashing = Arc::clone(&hashing);
            tokio::spawn(async move {
                let work = move || {
                    begun.send(()).expect("somebody waits");
                    wait.recv().expect("it is told to go on");
                };
                hashing.in_turn(work).await
            })
        };
        has_begun.await.expect("it begins");
        slow.abort();
        let refused = hashing.verify_password("a guess a guess".to_owned(), None).await.expect_err("no turn");
        assert_eq!((refused.problem.code.as_str(), refused.status.as_u16()), ("too-many-requests", 429));
        assert_eq!(refused.more["retry_after_seconds"], 5);
        go_on.send(()).expect("it still works");
        let turn = Arc::clone(&hashing.turns).acquire_owned().await;
        assert!(turn.is_ok(), "the turn comes back once the work is done");
    }
}

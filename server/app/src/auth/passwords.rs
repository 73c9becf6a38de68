//! Passwords: argon2id, off the async threads, and the one rule for new ones.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};

use crate::http::{Answer, Failure};

/// Fewest characters of a new password. Length is the one rule; composition rules make passwords worse.
pub const SHORTEST: usize = 12;
/// Longest password taken: hashing costs time in its length.
pub const LONGEST: usize = 512;

/// Hashes a new password for the store.
///
/// # Errors
/// `invalid-request` when it is too short or too long.
pub async fn hash_password(password: String) -> Answer<String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Failure::invalid(format!("A password needs {SHORTEST} to {LONGEST} characters.")));
    }
    off_thread(move || {
        Argon2::default().hash_password(password.as_bytes()).map(|hash: PasswordHash| hash.to_string())
    })
    .await?
    .map_err(|e| Failure::internal("hash password", e))
}

/// Whether a password fits a stored hash. Without a hash (no such person) it takes as long and says no, so that the
/// time of an answer does not tell who exists.
///
/// # Errors
/// When the work could not be done at all.
pub async fn verify_password(password: String, hash: Option<String>) -> Answer<bool> {
    off_thread(move || match hash {
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

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Failure::internal("hash password", e))
}

//! The key that everything secret hangs on: 32 random bytes in a file or an environment variable, outside the database.

use std::{
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::{hmac, rand};
use base64::{Engine, engine::general_purpose::STANDARD};
use muster_domain::hash::sha256_hex;
use secrecy::{ExposeSecret, SecretBox, zeroize::Zeroize};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("could not {op} the secrets key file {path}")]
    File {
        /// `read` or `write`.
        op: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The variable is not set.
    #[error("the environment variable {0} is not set; it must hold the secrets key")]
    NotSet(String),
    /// What is there is no key. Its content is not repeated.
    #[error(
        "{0} does not hold a secrets key: 32 bytes in base64, as `head -c 32 /dev/urandom | base64` prints them"
    )]
    NotAKey(String),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// The key encryption key. Prints only its id.
pub struct SecretsKey {
    id: String,
    bytes: SecretBox<[u8; 32]>,
}

impl std::fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretsKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SecretsKey {
    /// A key of these bytes.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        // A hash of a random key tells nothing of it, and the prefix keeps it apart from other uses of the same key.
        let id = sha256_hex(&[b"muster secrets key id\0".as_slice(), bytes.as_slice()].concat());
        let boxed = SecretBox::new(Box::new(bytes));
        bytes.zeroize();
        Self { id: id.chars().take(16).collect(), bytes: boxed }
    }

    /// A new random key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self::from_bytes(bytes))
    }

    /// Reads the key from a file. Others being able to read the file is worth a warning, not a refusal: where secrets
    /// are mounted (Kubernetes) the mode is often not the operator's to choose.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { op: "read", path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "the secrets key file `{}` can be read by others (mode {mode:o}); it should be 600",
                path.display()
            );
        }
        let mut text = std::fs::read_to_string(path).map_err(failed)?;
        let key = Self::parse(&text);
        text.zeroize();
        key.ok_or_else(|| KeyError::NotAKey(format!("the file {}", path.display())))
    }

    /// Reads the key from an environment variable.
    ///
    /// # Errors
    /// When it is not set or holds no key.
    pub fn from_env(variable: &str) -> Result<Self, KeyError> {
        let mut text = std::env::var(variable).map_err(|_| KeyError::NotSet(variable.to_owned()))?;
        let key = Self::parse(&text);
        text.zeroize();
        key.ok_or_else(|| KeyError::NotAKey(format!("the environment variable {variable}")))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut decoded = STANDARD.decode(text.trim()).ok()?;
        let bytes = <[u8; 32]>::try_from(decoded.as_slice()).ok();
        decoded.zeroize();
        bytes.map(Self::from_bytes)
    }

    /// Makes a new key and writes it to a new file only its owner can read. Never overwrites: losing a key loses every
    /// secret sealed with it.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn generate_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { op: "write", path: path.to_owned(), source };
        let key = Self::generate()?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let mut text = STANDARD.encode(key.bytes.expose_secret());
        text.push('\n');
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        text.zeroize();
        written.map_err(failed)?;
        // The directory entry too must survive a power cut before anything is sealed with this key.
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(key)
    }

    /// Which key this is, without giving anything of it away.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A key for another purpose (signing session cookies), the same in every process that has this one.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> SecretBox<[u8; 32]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes.expose_secret());
        let tag = hmac::sign(&key, format!("muster derived key\0{purpose}").as_bytes());
        let mut derived = Box::new([0; 32]);
        derived.copy_from_slice(tag.as_ref());
        SecretBox::new(derived)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_file_is_private_reads_back_and_is_never_overwritten() {
        let directory = std::env::temp_dir().join(format!("muster-key-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.join("secrets.key");
        let key = SecretsKey::generate_file(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SecretsKey::from_file(&path).unwrap().id(), key.id());
        assert!(matches!(SecretsKey::generate_file(&path), Err(KeyError::File { .. })));
        assert_eq!(SecretsKey::from_file(&path).unwrap().id(), key.id());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for bad in ["", "hunter2", "aHVudGVyMg==", &STANDARD.encode([7; 33])] {
            assert!(SecretsKey::parse(bad).is_none(), "{bad}");
        }
        let missing = SecretsKey::from_env("MUSTER_NO_SUCH_VARIABLE").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the environment variable MUSTER_NO_SUCH_VARIABLE is not set; it must hold the secrets key"
        );
    }

    #[test]
    fn a_key_prints_its_id_only_and_derives_the_same_keys_everywhere() {
        let key = SecretsKey::from_bytes([7; 32]);
        assert_eq!(format!("{key:?}"), format!("SecretsKey {{ id: \"{}\", .. }}", key.id()));
        let again = SecretsKey::from_bytes([7; 32]);
        assert_eq!(key.derive("cookie").expose_secret(), again.derive("cookie").expose_secret());
        assert_ne!(key.derive("cookie").expose_secret(), key.derive("report").expose_secret());
    }
}

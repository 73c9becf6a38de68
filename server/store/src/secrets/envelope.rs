//! The sealed form of one secret: AES-256-GCM with a random key of its own (DEK), which is in turn sealed with the
//! secrets key (KEK). A new KEK therefore means rewrapping small keys, never touching the secrets themselves.
//!
//! Layout, version 1: `1 | length of kek id | kek id | nonce | sealed DEK + tag | nonce | sealed secret + tag`.
//! The place a secret belongs to (`table|row|column`) is authenticated with both layers, the kek id with the outer
//! one, so that a blob moved to another row or column does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::key::SecretsKey;

const VERSION: u8 = 1;
const NONCE: usize = 12;
/// Sealed DEK: 32 bytes and the tag.
const WRAPPED: usize = 32 + 16;

/// Why a secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It was sealed with another key.
    #[error("it needs the secrets key `{needed}`, but the key given is `{given}`")]
    WrongKey {
        /// Id of the key it was sealed with.
        needed: String,
        /// Id of the key given.
        given: String,
    },
    /// It was changed, or moved here from another place.
    #[error("the sealed secret of {place} was changed or moved from another place")]
    Tampered {
        /// Where it is stored: `table|row|column`.
        place: String,
    },
    /// It is of a format this version does not know.
    #[error("the sealed secret of {place} has the unknown format {version}: a newer Muster wrote it")]
    UnknownVersion {
        /// Where it is stored.
        place: String,
        /// Its first byte.
        version: u8,
    },
    /// Encryption itself failed (no randomness).
    #[error("the secret of {place} could not be sealed")]
    NotSealed {
        /// Where it should be stored.
        place: String,
    },
}

/// Where a secret belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub table: &'a str,
    pub row: &'a str,
    pub column: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither names nor tables contain `|`, so no two places read the same.
        write!(f, "{}|{}|{}", self.table, self.row, self.column)
    }
}

impl Place<'_> {
    fn tampered(self) -> EnvelopeError {
        EnvelopeError::Tampered { place: self.to_string() }
    }

    fn not_sealed(self) -> EnvelopeError {
        EnvelopeError::NotSealed { place: self.to_string() }
    }
}

/// Seals a secret for a place.
pub(super) fn seal(
    key: &SecretsKey,
    place: Place<'_>,
    secret: &SecretString,
) -> Result<Vec<u8>, EnvelopeError> {
    let mut dek = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(dek.as_mut()).map_err(|_| place.not_sealed())?;
    let mut blob = wrap(key, place, &dek)?;
    blob.extend(encrypt(&dek, place, place.to_string().as_bytes(), secret.expose_secret().as_bytes())?);
    Ok(blob)
}

/// Opens a secret of a place.
pub(super) fn open(key: &SecretsKey, place: Place<'_>, blob: &[u8]) -> Result<SecretString, EnvelopeError> {
    let (dek, sealed) = unwrap(key, place, blob)?;
    let secret = decrypt(&dek, place, place.to_string().as_bytes(), sealed)?;
    let text = std::str::from_utf8(&secret).map_err(|_| place.tampered())?;
    Ok(SecretString::from(text))
}

/// Seals the DEK of a blob with another key; the secret itself stays as it is.
pub(super) fn rewrap(
    old: &SecretsKey,
    new: &SecretsKey,
    place: Place<'_>,
    blob: &[u8],
) -> Result<Vec<u8>, EnvelopeError> {
    let (dek, sealed) = unwrap(old, place, blob)?;
    let mut rewrapped = wrap(new, place, &dek)?;
    rewrapped.extend_from_slice(sealed);
    Ok(rewrapped)
}

fn wrap(key: &SecretsKey, place: Place<'_>, dek: &[u8; 32]) -> Result<Vec<u8>, EnvelopeError> {
    let id = key.id();
    let mut head = vec![VERSION, u8::try_from(id.len()).map_err(|_| place.not_sealed())?];
    head.extend_from_slice(id.as_bytes());
    head.extend(encrypt(key.bytes(), place, outer_aad(place, id).as_bytes(), dek)?);
    Ok(head)
}

/// The DEK, and the rest of the blob.
fn unwrap<'a>(
    key: &SecretsKey,
    place: Place<'_>,
    blob: &'a [u8],
) -> Result<(Zeroizing<[u8; 32]>, &'a [u8]), EnvelopeError> {
    let (version, rest) = blob.split_first().ok_or_else(|| place.tampered())?;
    if *version != VERSION {
        return Err(EnvelopeError::UnknownVersion { place: place.to_string(), version: *version });
    }
    let (length, rest) = rest.split_first().ok_or_else(|| place.tampered())?;
    let (id, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(|| place.tampered())?;
    let id = std::str::from_utf8(id).map_err(|_| place.tampered())?;
    if id != key.id() {
        return Err(EnvelopeError::WrongKey { needed: id.to_owned(), given: key.id().to_owned() });
    }
    let (wrapped, sealed) = rest.split_at_checked(NONCE + WRAPPED).ok_or_else(|| place.tampered())?;
    let dek = decrypt(key.bytes(), place, outer_aad(place, id).as_bytes(), wrapped)?;
    let dek = <[u8; 32]>::try_from(dek.as_slice()).map_err(|_| place.tampered())?;
    Ok((Zeroizing::new(dek), sealed))
}

fn outer_aad(place: Place<'_>, kek_id: &str) -> String {
    format!("{place}|{kek_id}")
}

fn encrypt(key: &[u8; 32], place: Place<'_>, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| place.not_sealed())?;
    let mut sealed = plain.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(aad), &mut sealed).map_err(|_| place.not_sealed())?;
    Ok([nonce.as_ref().as_slice(), &sealed].concat())
}

fn decrypt(
    key: &[u8; 32],
    place: Place<'_>,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or_else(|| place.tampered())?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| place.tampered())?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| place.tampered())?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let length = key.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| place.tampered())?.len();
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { table: "cluster_secret", row: "eu-west", column: "password" };

    fn key(byte: u8) -> SecretsKey {
        SecretsKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_sealed_secret_opens_in_its_place_and_shows_nothing_of_itself() {
        let blob = seal(&key(1), PLACE, &SecretString::from("hunter2")).unwrap();
        assert_eq!(open(&key(1), PLACE, &blob).unwrap().expose_secret(), "hunter2");
        assert!(!blob.windows(7).any(|window| window == b"hunter2"));
        let again = seal(&key(1), PLACE, &SecretString::from("hunter2")).unwrap();
        assert_ne!(blob, again, "equal secrets must not look equal");
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_found() {
        let blob = seal(&key(1), PLACE, &SecretString::from("hunter2")).unwrap();
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(open(&key(1), PLACE, &changed).is_err(), "byte {at}");
            assert!(open(&key(1), PLACE, &blob[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_secret_moved_to_another_row_or_column_does_not_open() {
        let blob = seal(&key(1), PLACE, &SecretString::from("hunter2")).unwrap();
        for place in [Place { row: "eu-central", ..PLACE }, Place { column: "probe_password", ..PLACE }] {
            assert_eq!(open(&key(1), place, &blob).unwrap_err(), place.tampered());
        }
    }

    #[test]
    fn another_key_is_named_not_guessed() {
        let blob = seal(&key(1), PLACE, &SecretString::from("hunter2")).unwrap();
        let needed = key(1).id().to_owned();
        let given = key(2).id().to_owned();
        assert_eq!(open(&key(2), PLACE, &blob).unwrap_err(), EnvelopeError::WrongKey { needed, given });
    }

    #[test]
    fn rewrapping_changes_the_key_and_not_the_secret() {
        let blob = seal(&key(1), PLACE, &SecretString::from("hunter2")).unwrap();
        let rewrapped = rewrap(&key(1), &key(2), PLACE, &blob).unwrap();
        assert_eq!(open(&key(2), PLACE, &rewrapped).unwrap().expose_secret(), "hunter2");
        assert!(matches!(open(&key(1), PLACE, &rewrapped), Err(EnvelopeError::WrongKey { .. })));
        assert_eq!(blob[blob.len() - 23..], rewrapped[rewrapped.len() - 23..]);
    }
}

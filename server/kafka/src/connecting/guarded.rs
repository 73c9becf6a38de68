//! Bytes from a peer, read with a guard: a length or count that exceeds what is left is an error.
//!
//! The codec reserves memory for as many elements as a message claims to hold. A few bytes of garbage behind the right
//! correlation id could claim four billion and end the process (allocation failure aborts). In the compact encoding
//! every length and count is a variable-length integer, and only those and booleans are read byte by byte, so they can
//! be checked here. Counts of the older encoding cannot be told from numbers; what is read in it before the peer has
//! proven who it is (ApiVersions 0, SaslHandshake) is checked by [`expect_count`].

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::buf::ByteBuf;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Guarded {
    bytes: Bytes,
    /// Value and width of the variable-length integer that is being read.
    partial: (u64, u32),
}

impl Guarded {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, partial: (0, 0) }
    }
}

impl Buf for Guarded {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.bytes.copy_to_bytes(length)
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.bytes.try_get_u8()?;
        let (value, width) = self.partial;
        let value = value | (u64::from(byte & 0x7F) << width);
        // The codec ends an integer at its fifth byte, whatever that says.
        if byte & 0x80 != 0 && width < 28 {
            self.partial = (value, width + 7);
            return Ok(byte);
        }
        self.partial = (0, 0);
        // Compact lengths and counts are stored plus one.
        let requested = usize::try_from(value).unwrap_or(usize::MAX);
        let available = self.bytes.remaining();
        if requested > available.saturating_add(1) {
            return Err(TryGetError { requested, available });
        }
        Ok(byte)
    }
}

impl ByteBuf for Guarded {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size)
    }
}

/// Whether a count of the older encoding at that place can be true, each element taking at least `element` bytes.
pub(crate) fn expect_count(body: &Bytes, at: usize, element: usize) -> Result<(), String> {
    let Some(mut count) = body.get(at..at + 4) else { return Err("it ends too soon".to_owned()) };
    let count = count.get_i32();
    let possible = (body.len() - at - 4) / element;
    if usize::try_from(count).is_ok_and(|count| count <= possible) {
        return Ok(());
    }
    Err(format!("it claims {count} elements in {} bytes", body.len()))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{messages::MetadataResponse, protocol::Decodable};

    use super::*;

    #[test]
    fn a_claim_beyond_what_is_there_is_an_error() {
        // Throttle time, then a compact array that claims 2^28 - 2 brokers.
        let claim = Bytes::from_static(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3]);
        assert!(MetadataResponse::decode(&mut Guarded::new(claim), 12).is_err());
        // The same with a fifth byte that claims to go on.
        let claim = Bytes::from_static(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
        assert!(MetadataResponse::decode(&mut Guarded::new(claim), 12).is_err());
        let honest = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 5, 1, 0]);
        let decoded = MetadataResponse::decode(&mut Guarded::new(honest), 12);
        assert_eq!(decoded.map(|answer| answer.controller_id.0).ok(), Some(5));
    }

    #[test]
    fn counts_of_the_older_encoding_are_checked_where_asked() {
        let body = Bytes::from_static(&[0, 0, 0, 0, 0, 2, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
        assert_eq!(expect_count(&body, 2, 6), Ok(()));
        assert!(expect_count(&body, 2, 7).is_err());
        assert!(expect_count(&Bytes::from_static(&[0, 0, 0xFF, 0xFF, 0xFF, 0xFF]), 2, 1).is_err());
        assert!(expect_count(&Bytes::from_static(&[0, 0]), 2, 1).is_err());
    }
}

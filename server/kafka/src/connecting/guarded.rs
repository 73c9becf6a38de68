//! Bytes from a peer, read with a guard: a length or count that exceeds what is left is an error.
//!
//! The codec reserves memory for as many elements as a message claims to hold. A few bytes of garbage behind the right
//! correlation id could claim four billion and end the process (allocation failure aborts). In the compact encoding
//! every length and count is a variable-length integer, and only those and booleans are read byte by byte, so they can
//! be checked here. Counts of the older encoding cannot be told from other numbers. So a message in it that has a large number which
//! would be too much for a count is read twice: first with that number lowered to one more than there are bytes left. Had it been a
//! count, so many elements are not there, and reading ends with an error; where it does not, none was.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::{Decodable, HeaderVersion, buf::ByteBuf};

/// So many elements are made room for whoever claims them: some megabytes.
const FEW: usize = 1 << 16;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Guarded {
    bytes: Bytes,
    /// Value and width of the variable-length integer that is being read.
    partial: (u64, u32),
    /// Whether large numbers of four bytes are lowered, and whether one was.
    lowers: bool,
    lowered: bool,
}

impl Guarded {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, partial: (0, 0), lowers: false, lowered: false }
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

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let number = self.bytes.try_get_i32()?;
        let available = self.bytes.remaining();
        // Below zero is no count but null, or an error.
        let claimed = usize::try_from(number).unwrap_or(0);
        if !self.lowers || claimed <= available.max(FEW) {
            return Ok(number);
        }
        self.lowered = true;
        Ok(i32::try_from(available + 1).unwrap_or(i32::MAX))
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

/// Reads a message, whose counts are checked before anything is made room for. See the module's text.
pub(crate) fn read<T: Decodable + HeaderVersion>(body: Bytes, version: i16) -> anyhow::Result<T> {
    // Messages of the compact encoding have a header of their own. All but one: that is only looked at twice.
    let lowers = T::header_version(version) == 0;
    let mut first = Guarded { lowers, ..Guarded::new(body.clone()) };
    let read = T::decode(&mut first, version)?;
    if first.lowered { T::decode(&mut Guarded::new(body), version) } else { Ok(read) }
}

#[cfg(test)]
mod tests;

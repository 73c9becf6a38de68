//! Counts and stretches of bytes, one after the other, behind a mark and a hash.

use aws_lc_rs::digest::{SHA256, digest};

use super::CodecError;

/// Of the hash, so many bytes are kept.
const HASH: usize = 8;

#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn count(&mut self, count: usize) {
        self.0.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend(bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn count(&mut self) -> Result<usize, CodecError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| CodecError::Foreign("no number"))?) as usize)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.count()?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CodecError::Foreign("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }
}

pub(crate) fn sealed(mark: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let hash = digest(&SHA256, content);
    [mark.as_slice(), &hash.as_ref()[..HASH], content].concat()
}

pub(crate) fn opened<'a>(mark: &[u8; 4], body: &'a [u8]) -> Option<&'a [u8]> {
    let (hash, content) = body.strip_prefix(mark)?.split_at_checked(HASH)?;
    (hash == &digest(&SHA256, content).as_ref()[..HASH]).then_some(content)
}

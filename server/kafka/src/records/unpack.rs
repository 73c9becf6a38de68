//! Unpacking the records of a batch, within a bound.
//!
//! Who may write to a topic chooses what a batch unpacks to: a thousand times its size and more. The codec's own functions
//! unpack whatever comes, until the process ends for want of memory. Here no more than the bound is ever held.

use std::io::{self, Read};

use bytes::Bytes;
use snap::raw::decompress_len;

/// Most bytes the records of one batch may unpack to: far over what `max.message.bytes` is set to anywhere.
pub(crate) const MOST_UNPACKED: usize = 64 << 20;
/// What snappy streams of Java begin with: magic bytes and two versions. Without it, it is one raw block.
const SNAPPY_STREAM: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";

/// Unpacks what that codec (the lowest three bits of a batch's attributes) packed.
pub(crate) fn unpack(codec: i16, packed: &Bytes) -> Result<Bytes, String> {
    let unpacked = match codec {
        0 => return Ok(packed.clone()),
        1 => read_bounded(flate2::read::GzDecoder::new(&packed[..])),
        2 => unpack_snappy(packed),
        3 => lz4::Decoder::new(&packed[..]).and_then(read_bounded),
        4 => zstd::stream::read::Decoder::with_buffer(&packed[..]).and_then(read_bounded),
        codec => return Err(format!("records with unknown compression {codec}")),
    };
    unpacked.map(Bytes::from).map_err(|e| format!("records that do not decompress: {e}"))
}

fn read_bounded(packed: impl Read) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    packed.take(MOST_UNPACKED as u64 + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() > MOST_UNPACKED { Err(too_long()) } else { Ok(unpacked) }
}

fn too_long() -> io::Error {
    io::Error::other(format!("they unpack to more than {} MiB", MOST_UNPACKED >> 20))
}

/// Blocks, each after its length, or one block alone. What a block claims to unpack to is not believed further than the bound.
fn unpack_snappy(packed: &[u8]) -> io::Result<Vec<u8>> {
    let cut_off = || io::Error::other("a block that ends too soon");
    let mut unpacked = Vec::new();
    let Some(mut rest) = packed.strip_prefix(SNAPPY_STREAM) else {
        unpack_block(packed, &mut unpacked)?;
        return Ok(unpacked);
    };
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (block, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
        unpack_block(block, &mut unpacked)?;
        rest = after;
    }
    Ok(unpacked)
}

fn unpack_block(block: &[u8], unpacked: &mut Vec<u8>) -> io::Result<()> {
    let begin = unpacked.len();
    let length = decompress_len(block)?;
    if length > MOST_UNPACKED - begin {
        return Err(too_long());
    }
    unpacked.resize(begin + length, 0);
    snap::raw::Decoder::new().decompress(block, &mut unpacked[begin..])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    const MIB: usize = 1 << 20;

    /// Zeros that would be so many MiB, as gzip packs them: the packing of one, again and again.
    fn gzip_zeros(mib: usize) -> Vec<u8> {
        let mut one = Vec::with_capacity(MIB);
        Compress::new(Compression::best(), false)
            .compress_vec(&vec![0; MIB], &mut one, FlushCompress::Full)
            .expect("there is room");
        let mut packed = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
        (0..mib).for_each(|_| packed.extend(&one));
        packed.extend([1, 0, 0, 0xFF, 0xFF]);
        packed
    }

    fn zstd_zeros(mib: usize) -> Vec<u8> {
        zstd::encode_all(&vec![0; MIB][..], 3).expect("zeros").repeat(mib)
    }

    fn lz4_zeros(mib: usize) -> Vec<u8> {
        let mut encoder = lz4::EncoderBuilder::new().build(Vec::new()).expect("an encoder");
        (0..mib).for_each(|_| encoder.write_all(&vec![0; MIB]).expect("memory"));
        let (packed, done) = encoder.finish();
        done.expect("memory");
        packed
    }

    fn snappy_zeros(mib: usize) -> Vec<u8> {
        let block = snap::raw::Encoder::new().compress_vec(&vec![0; MIB]).expect("short");
        let mut packed = SNAPPY_STREAM.to_vec();
        for _ in 0..mib {
            packed.extend(u32::try_from(block.len()).expect("short").to_be_bytes());
            packed.extend(&block);
        }
        packed
    }

    /// A block of five bytes that claims to unpack to four gigabytes, in a stream and alone.
    fn snappy_claims() -> [Vec<u8>; 2] {
        let claim = vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
        [[&SNAPPY_STREAM[..], &[0, 0, 0, 5], &claim].concat(), claim]
    }

    #[test]
    fn a_bomb_is_refused_whatever_packed_it() {
        let [in_stream, alone] = snappy_claims();
        let bombs = [
            (1, gzip_zeros(300)),
            (2, snappy_zeros(70)),
            (2, in_stream),
            (2, alone),
            (3, lz4_zeros(80)),
            (4, zstd_zeros(300)),
        ];
        for (codec, bomb) in bombs {
            assert!(bomb.len() < 4 * MIB, "codec {codec}: {} bytes are no bomb", bomb.len());
            let refused = unpack(codec, &bomb.into());
            let expected = "records that do not decompress: they unpack to more than 64 MiB";
            assert_eq!(refused.map(|held| held.len()), Err(expected.to_owned()), "codec {codec}");
        }
    }

    #[test]
    fn what_fits_is_unpacked_whole() {
        let text = b"the same again, the same again, the same again".repeat(40);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&text).expect("memory");
        let mut lz4 = lz4::EncoderBuilder::new().build(Vec::new()).expect("an encoder");
        lz4.write_all(&text).expect("memory");
        let raw = snap::raw::Encoder::new().compress_vec(&text).expect("short");
        let length = u32::try_from(raw.len()).expect("short").to_be_bytes();
        let packed = [
            (0, text.clone()),
            (1, gzip.finish().expect("memory")),
            (2, [&SNAPPY_STREAM[..], &length, &raw].concat()),
            (2, raw),
            (3, lz4.finish().0),
            (4, zstd::encode_all(&text[..], 3).expect("memory")),
        ];
        for (codec, packed) in packed {
            assert_eq!(unpack(codec, &packed.into()).as_deref(), Ok(&text[..]), "codec {codec}");
        }
        assert!(unpack(1, &gzip_zeros(2).into()).is_err(), "its checksum is missing");
    }
}

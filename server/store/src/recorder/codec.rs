//! How samples become bytes, and bytes samples.
//!
//! A value is kept as what it moved since the sample before, less what the column it goes along with moved; tracks that do
//! not move cost nothing. The columns that are left are packed by pco. A body says its hash first: bytes that are cut, torn
//! or somebody else's are refused before anything is made of them.

pub(crate) mod bytes;
#[cfg(test)]
mod tests;

use muster_domain::recorder::Block;
use pco::{ChunkConfig, DeltaSpec, ModeSpec, data_types::Number, standalone};

use self::bytes::{Reader, Writer};
use super::MOST_TRACKS;

/// The first bytes of every body: its format.
const MARK: &[u8; 4] = b"MFR1";
/// More samples are in no block.
const MOST_SAMPLES: usize = 4096;
/// More columns are in no block.
const MOST_COLUMNS: usize = 64;

/// Bytes that are no samples.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// They were never written by this, or not all of them are there.
    #[error("these bytes are no samples: {0}")]
    Foreign(&'static str),
    /// A column does not unpack, or does not pack.
    #[error("a column of numbers could not be packed or unpacked")]
    Numbers(#[from] pco::errors::PcoError),
}

/// The last known value of each track by column: what the next sample is told as a difference from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain(Vec<Vec<i64>>);

impl Chain {
    fn cover(&mut self, columns: usize, tracks: usize) {
        self.0.resize_with(columns.max(self.0.len()), Vec::new);
        for column in &mut self.0 {
            column.resize(tracks.max(column.len()), 0);
        }
    }
}

/// Packs a block, as a continuation of what the chain has seen; the chain moves on to its end.
///
/// # Errors
/// When there are more tracks or samples than a block holds.
pub fn encode(block: &Block, parents: &[Option<usize>], chain: &mut Chain) -> Result<Vec<u8>, CodecError> {
    let (tracks, samples) = (block.tracks, block.at.len());
    if tracks > MOST_TRACKS || samples > MOST_SAMPLES || block.columns.len() != parents.len() {
        return Err(CodecError::Foreign("too many tracks or samples for one block"));
    }
    chain.cover(parents.len(), tracks);
    let mut writer = Writer::default();
    for count in [parents.len(), tracks, samples] {
        writer.count(count);
    }
    writer.bytes(&pack(&block.at, DeltaSpec::TryConsecutive(1))?);
    let before = chain.clone();
    let mut filled: Vec<Vec<i64>> = Vec::with_capacity(parents.len());
    for (column, values) in block.columns.iter().enumerate() {
        let known = fill(values, &before.0[column], samples);
        write_list(&mut writer, &missing_runs(values))?;
        let parent = parents[column].map(|parent| (&filled[parent], &before.0[parent]));
        let moves = moves(&known, &before.0[column], parent, samples);
        write_moves(&mut writer, &moves, tracks, samples)?;
        if samples > 0 {
            for track in 0..tracks {
                chain.0[column][track] = known[track * samples + samples - 1];
            }
        }
        filled.push(known);
    }
    Ok(bytes::sealed(MARK, &writer.into_bytes()))
}

/// Unpacks a block that continues what the chain has seen; the chain moves on to its end.
///
/// # Errors
/// When the bytes are not a whole block of so many columns.
pub fn decode(body: &[u8], parents: &[Option<usize>], chain: &mut Chain) -> Result<Block, CodecError> {
    let mut reader = Reader(bytes::opened(MARK, body).ok_or(CodecError::Foreign("the hash is another"))?);
    let (columns, tracks, samples) = (reader.count()?, reader.count()?, reader.count()?);
    if columns != parents.len() || columns > MOST_COLUMNS || tracks > MOST_TRACKS || samples > MOST_SAMPLES {
        return Err(CodecError::Foreign("it has another shape"));
    }
    chain.cover(columns, tracks);
    let at = unpack(reader.bytes()?, samples)?;
    let before = chain.clone();
    let mut filled: Vec<Vec<i64>> = Vec::with_capacity(columns);
    let mut block = Block { at, tracks, columns: Vec::with_capacity(columns) };
    for (column, parent) in parents.iter().enumerate() {
        let missing = read_list(&mut reader, tracks * samples + 1)?;
        let mut known = read_moves(&mut reader, tracks, samples)?;
        let parent = parent.map(|parent| (&filled[parent], &before.0[parent]));
        add_up(&mut known, &before.0[column], parent, samples);
        if samples > 0 {
            for track in 0..tracks {
                chain.0[column][track] = known[track * samples + samples - 1];
            }
        }
        let mut values: Vec<Option<i64>> = known.iter().copied().map(Some).collect();
        for run in missing.chunks(2) {
            let &[from, length] = run else { return Err(CodecError::Foreign("half a run")) };
            let until = (from as usize).saturating_add(length as usize);
            let gone =
                values.get_mut(from as usize..until).ok_or(CodecError::Foreign("a run beyond the end"))?;
            gone.fill(None);
        }
        block.columns.push(values);
        filled.push(known);
    }
    Ok(block)
}

/// Values with the gaps filled by the last known one.
fn fill(values: &[Option<i64>], before: &[i64], samples: usize) -> Vec<i64> {
    let mut known = Vec::with_capacity(values.len());
    for (of_track, before) in values.chunks(samples.max(1)).zip(before) {
        let mut last = *before;
        known.extend(of_track.iter().map(|value| {
            last = value.unwrap_or(last);
            last
        }));
    }
    known
}

/// Where values are missing: begin and length of each run.
fn missing_runs(values: &[Option<i64>]) -> Vec<u32> {
    let mut runs: Vec<u32> = Vec::new();
    for (position, _) in (0_u32..).zip(values).filter(|(_, value)| value.is_none()) {
        match runs.as_mut_slice() {
            [.., from, length] if *from + *length == position => *length += 1,
            _ => runs.extend([position, 1]),
        }
    }
    runs
}

type Along<'a> = Option<(&'a Vec<i64>, &'a Vec<i64>)>;

/// What each value moved beyond its parent. Wrapping, so that any number comes back.
fn moves(known: &[i64], before: &[i64], parent: Along<'_>, samples: usize) -> Vec<i64> {
    let step = |values: &[i64], before: &[i64], position: usize| {
        let last =
            if position.is_multiple_of(samples) { before[position / samples] } else { values[position - 1] };
        values[position].wrapping_sub(last)
    };
    let along = |position| parent.map_or(0, |(values, before)| step(values, before, position));
    (0..known.len()).map(|position| step(known, before, position).wrapping_sub(along(position))).collect()
}

/// The way back of [`moves`], in place.
fn add_up(moves: &mut [i64], before: &[i64], parent: Along<'_>, samples: usize) {
    for position in 0..moves.len() {
        let first = position.is_multiple_of(samples);
        let last = if first { before[position / samples] } else { moves[position - 1] };
        let along = parent.map_or(0, |(values, before)| {
            let last = if first { before[position / samples] } else { values[position - 1] };
            values[position].wrapping_sub(last)
        });
        moves[position] = moves[position].wrapping_add(last).wrapping_add(along);
    }
}

/// First moves and later ones apart (they are of another size), each of the tracks that have any.
fn write_moves(writer: &mut Writer, moves: &[i64], tracks: usize, samples: usize) -> Result<(), CodecError> {
    let of_track = |track: usize| &moves[track * samples..(track + 1) * samples];
    for (from, until) in parts(samples) {
        let moving = (0..tracks).filter(|track| of_track(*track)[from..until].iter().any(|step| *step != 0));
        let moving: Vec<u32> = moving.map(|track| u32::try_from(track).unwrap_or(u32::MAX)).collect();
        let steps: Vec<i64> =
            moving.iter().flat_map(|track| of_track(*track as usize)[from..until].iter().copied()).collect();
        write_list(writer, &moving)?;
        writer.bytes(&pack(&steps, DeltaSpec::NoOp)?);
    }
    Ok(())
}

fn read_moves(reader: &mut Reader<'_>, tracks: usize, samples: usize) -> Result<Vec<i64>, CodecError> {
    let mut moves = vec![0; tracks * samples];
    for (from, until) in parts(samples) {
        let moving = read_list(reader, tracks)?;
        let steps = unpack(reader.bytes()?, moving.len() * (until - from))?;
        for (track, steps) in moving.iter().zip(steps.chunks(until - from)) {
            let begin = (*track as usize).saturating_mul(samples);
            let place = moves.get_mut(begin.saturating_add(from)..begin.saturating_add(until));
            place.ok_or(CodecError::Foreign("a track beyond the last"))?.copy_from_slice(steps);
        }
    }
    Ok(moves)
}

/// The first sample, and the rest.
fn parts(samples: usize) -> impl Iterator<Item = (usize, usize)> {
    [(0, samples.min(1)), (1, samples)].into_iter().filter(|(from, until)| from < until)
}

pub(crate) fn write_list(writer: &mut Writer, list: &[u32]) -> Result<(), CodecError> {
    writer.count(list.len());
    writer.bytes(&pack(list, DeltaSpec::TryConsecutive(1))?);
    Ok(())
}

pub(crate) fn read_list(reader: &mut Reader<'_>, most: usize) -> Result<Vec<u32>, CodecError> {
    let count = reader.count()?;
    if count > most {
        return Err(CodecError::Foreign("a list is too long"));
    }
    unpack(reader.bytes()?, count)
}

pub(crate) fn pack<T: Number>(numbers: &[T], delta: DeltaSpec) -> Result<Vec<u8>, CodecError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let config = ChunkConfig::default().with_mode_spec(ModeSpec::Classic).with_delta_spec(delta);
    Ok(standalone::simple_compress(numbers, &config)?)
}

pub(crate) fn unpack<T: Number>(packed: &[u8], count: usize) -> Result<Vec<T>, CodecError> {
    if packed.is_empty() && count == 0 {
        return Ok(Vec::new());
    }
    let mut numbers = vec![T::default(); count];
    let progress = standalone::simple_decompress_into(packed, &mut numbers)?;
    if progress.n_processed != count || !progress.finished {
        return Err(CodecError::Foreign("a column has another length"));
    }
    Ok(numbers)
}

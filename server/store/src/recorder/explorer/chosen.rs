//! Which tracks a question is about, and how much it would be to look at them.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::explorer::{Resolution, RowsOf, Track, Wanted},
};
use sqlx::PgConnection;

use super::{LOOK_BACK, Question, hours_in};
use crate::{
    error::{StoreError, failed},
    recorder::{BLOCK_MS, MOST_TRACKS},
};

/// Samples of partitions that are unpacked for one answer in full resolution; beyond it is shown by the hour.
const MOST_FINE: i64 = 8_000_000;
/// Of more topics than this no row each is made: what they were like is held until all of them are read.
const MOST_TOPICS: usize = 10_000;

/// Partitions of a stream that were ever recorded, and tracks that are unpacked of each hour of all of them.
pub(super) async fn count_tracks(conn: &mut PgConnection, stream: i64) -> Result<(usize, i64), StoreError> {
    let partitions =
        sqlx::query_scalar!(r#"select count(*) as "count!" from recorder_track where stream = $1"#, stream)
            .fetch_one(&mut *conn)
            .await
            .map_err(failed("count recorded partitions"))?;
    Ok((usize::try_from(partitions).unwrap_or_default(), all_tracks(conn, stream).await?))
}

/// Whether each hour of a time that was rolled up has a band of the whole flow. Those from before bands were kept have none, nor those in
/// which a process of the version before took part.
pub(super) async fn bands_tell_all(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    stream: i64,
    asked: Question<'_>,
) -> Result<bool, StoreError> {
    let frame = asked.frame(Resolution::Hour);
    let hours = hours_in(conn, of, &frame).await?;
    let told: Vec<DateTime<Utc>> =
        hours.iter().filter(|hour| hour.whole_band().is_some()).map(|hour| hour.rpo.at).collect();
    sqlx::query_scalar!(
        r#"select not exists (
            select
            from recorder_hour
            where stream = $1
                and at >= $2
                and at < $3
                and at <> all($4)
        ) as "told!""#,
        stream,
        frame.begin(0),
        asked.to,
        &told
    )
    .fetch_one(conn)
    .await
    .map_err(failed("look whether each hour of a flow is told of the whole"))
}

async fn all_tracks(conn: &mut PgConnection, stream: i64) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"select coalesce(max(number) + 1, 0)::bigint as "all!" from recorder_track where stream = $1"#,
        stream
    )
    .fetch_one(conn)
    .await
    .map_err(failed("count the recorder's tracks"))
}

/// The tracks asked about, by chunk.
pub(super) struct Chosen {
    stream: i64,
    pub(super) tracks: BTreeMap<i32, Vec<Track>>,
    pub(super) partitions: usize,
    topics: usize,
    /// Tracks of the whole stream.
    all: i64,
}

impl Chosen {
    pub(super) async fn read(
        conn: &mut PgConnection,
        stream: i64,
        asked: Question<'_>,
        keeps_all: impl Fn(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let rows = sqlx::query!(
            "select number, topic, partition
            from recorder_track
            where stream = $1
                and ($2::text is null or topic = $2)
                and ($3::integer is null or partition = $3)
            order by number",
            stream,
            asked.topic,
            asked.partition
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("read the recorder's tracks"))?;
        let all = all_tracks(conn, stream).await?;
        let mut tracks: BTreeMap<i32, Vec<Track>> = BTreeMap::new();
        let partitions = rows.len();
        let mut topics: BTreeMap<Arc<str>, bool> = BTreeMap::new();
        for row in rows {
            let Ok(number) = usize::try_from(row.number) else { continue };
            let known = topics.get_key_value(row.topic.as_str());
            let (topic, keeps_all) = match known.map(|(topic, keeps_all)| (Arc::clone(topic), *keeps_all)) {
                Some(known) => known,
                None => {
                    let (topic, keeps_all) = (Arc::<str>::from(row.topic.as_str()), keeps_all(&row.topic));
                    topics.insert(Arc::clone(&topic), keeps_all);
                    (topic, keeps_all)
                }
            };
            let chunk = i32::try_from(number / MOST_TRACKS).unwrap_or(i32::MAX);
            let track = Track { slot: number % MOST_TRACKS, topic, partition: row.partition, keeps_all };
            tracks.entry(chunk).or_default().push(track);
        }
        Ok(Self { stream, tracks, partitions, topics: topics.len(), all })
    }

    pub(super) fn rows(&self, wanted: Wanted) -> Wanted {
        let of = if self.topics > MOST_TOPICS { RowsOf::Partitions } else { wanted.of };
        Wanted { of, ..wanted }
    }

    /// Tracks that are unpacked with those of a chunk.
    fn width(&self, chunk: i32) -> i64 {
        let whole = i64::try_from(MOST_TRACKS).unwrap_or(i64::MAX);
        (self.all - i64::from(chunk) * whole).clamp(0, whole)
    }

    /// Tracks that are unpacked of each hour.
    pub(super) fn of_an_hour(&self) -> i64 {
        self.tracks.keys().map(|chunk| self.width(*chunk)).sum()
    }

    /// Whether surveys of every hour of the time are still there, and not too much to unpack.
    pub(super) async fn fine_is_kept(
        &self,
        conn: &mut PgConnection,
        asked: Question<'_>,
    ) -> Result<bool, StoreError> {
        let chunks: Vec<i32> = self.tracks.keys().copied().collect();
        let sealed = sqlx::query!(
            r#"select chunk as "chunk!", sum(samples)::bigint as "samples!"
            from (
                select stream, chunk, from_at, to_at, samples from recorder_block
                union all
                select stream, chunk, from_at, to_at, samples from recorder_frozen
            ) as kept
            where stream = $1
                and chunk = any($2)
                and from_at >= $3::timestamptz - $5::interval
                and from_at < $4
                and to_at >= $3
            group by chunk"#,
            self.stream,
            &chunks,
            asked.from - LOOK_BACK,
            asked.to,
            TimeDelta::milliseconds(BLOCK_MS) as _
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(failed("count samples of a time"))?;
        let work: i64 = sealed.iter().map(|row| row.samples.saturating_mul(self.width(row.chunk))).sum();
        if work > MOST_FINE {
            return Ok(false);
        }
        self.hides_no_hour(conn, asked).await
    }

    /// Whether of each hour of a time that was rolled up its surveys are still there, or those of them around incidents: what is frozen around
    /// one says nothing of the hours beside it.
    async fn hides_no_hour(&self, conn: &mut PgConnection, asked: Question<'_>) -> Result<bool, StoreError> {
        let chunks: Vec<i32> = self.tracks.keys().copied().collect();
        sqlx::query_scalar!(
            r#"select not exists (
                select
                from recorder_hour hour
                where hour.stream = $1
                    and hour.chunk = any($2)
                    and hour.at > $3::timestamptz - interval '1 hour'
                    and hour.at < $4
                    -- A block is of one hour: who seals it adds it to that.
                    and not exists (
                        select
                        from recorder_block block
                        where block.stream = hour.stream
                            and block.chunk = hour.chunk
                            and block.from_at >= hour.at
                            and block.from_at < hour.at + interval '1 hour'
                            -- Said once more, so that only the partitions of the time are looked at.
                            and block.from_at >= $3::timestamptz - interval '1 hour'
                            and block.from_at < $4::timestamptz + interval '1 hour'
                    )
                    and not exists (
                        select
                        from recorder_frozen frozen
                        where frozen.stream = hour.stream
                            and frozen.chunk = hour.chunk
                            and frozen.from_at >= hour.at
                            and frozen.from_at < hour.at + interval '1 hour'
                    )
            ) as "kept!""#,
            self.stream,
            &chunks,
            asked.from,
            asked.to
        )
        .fetch_one(conn)
        .await
        .map_err(failed("look whether surveys of a time are kept"))
    }
}

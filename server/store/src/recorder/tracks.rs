//! Which track has which number. A recreated topic has another id, so its partitions get numbers of their own.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::recorder::{Block, TopicSample};
use sqlx::PgConnection;
use uuid::Uuid;

use super::MOST_TRACKS;
use crate::error::{StoreError, failed};

/// That a track was seen is kept once in so long.
const DAY_MS: i64 = 86_400_000;

/// The newest tracks by group and topic.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    by_topic: BTreeMap<(String, String), OfTopic>,
    /// The next number.
    count: usize,
    /// By number, the day that is kept as the last on which it had values.
    days: Vec<i64>,
}

#[derive(Debug, Clone, Default)]
struct OfTopic {
    id: Uuid,
    /// Number of each partition that was ever seen with values.
    numbers: Vec<Option<usize>>,
}

/// A track that was not there before, or is seen for the first time on a day.
#[derive(Debug)]
pub(super) struct SeenTrack {
    number: usize,
    group: String,
    topic: String,
    id: Uuid,
    partition: usize,
}

impl Tracks {
    /// All tracks of a stream.
    pub(super) async fn read(conn: &mut PgConnection, stream: i64) -> Result<Self, StoreError> {
        let rows = sqlx::query!(
            "select number, group_id, topic, topic_id, partition, seen_at
            from recorder_track
            where stream = $1
            order by number",
            stream
        )
        .fetch_all(conn)
        .await
        .map_err(failed("read the recorder's tracks"))?;
        let mut tracks = Self::default();
        for row in rows {
            let (Ok(number), Ok(partition)) = (usize::try_from(row.number), usize::try_from(row.partition))
            else {
                continue;
            };
            let of_topic = tracks.by_topic.entry((row.group_id, row.topic)).or_default();
            // In the order of numbers, so the newest topic of a name is the last.
            of_topic.take_id(row.topic_id);
            of_topic.put(partition, number);
            tracks.count = number + 1;
            see(&mut tracks.days, number, row.seen_at.timestamp_millis().div_euclid(DAY_MS));
        }
        Ok(tracks)
    }

    /// Puts values where their tracks are: by chunk, one block of one sample each; and the tracks that are to be kept as seen. Of a chunk
    /// in which nothing has a value there is none: its topics may be gone for months, and it would be written with every survey.
    pub(super) fn place(
        &mut self,
        at_ms: i64,
        columns: usize,
        samples: Vec<TopicSample>,
    ) -> (BTreeMap<usize, Block>, Vec<SeenTrack>) {
        let day = at_ms.div_euclid(DAY_MS);
        let mut seen = Vec::new();
        let mut placed = Vec::with_capacity(self.count);
        for TopicSample { group, topic, id, tracks } in samples {
            let of_topic = self.by_topic.entry((group.clone(), topic.clone())).or_default();
            // Who does not answer has the topics it had.
            of_topic.take_id(id.unwrap_or(of_topic.id));
            for (partition, cells) in tracks.into_iter().enumerate() {
                if cells.iter().all(Option::is_none) {
                    continue;
                }
                let number = of_topic.numbers.get(partition).copied().flatten().unwrap_or_else(|| {
                    let number = self.count;
                    self.count += 1;
                    of_topic.put(partition, number);
                    number
                });
                let id = of_topic.id;
                if see(&mut self.days, number, day) {
                    let (group, topic) = (group.clone(), topic.clone());
                    seen.push(SeenTrack { number, group, topic, id, partition });
                }
                placed.push((number, cells));
            }
        }
        let mut chunks: BTreeMap<usize, Block> = BTreeMap::new();
        for (number, cells) in placed {
            let chunk = number / MOST_TRACKS;
            let tracks = (self.count - chunk * MOST_TRACKS).min(MOST_TRACKS);
            let empty = || Block { at: vec![at_ms], tracks, columns: vec![vec![None; tracks]; columns] };
            let block = chunks.entry(chunk).or_insert_with(empty);
            for (column, value) in block.columns.iter_mut().zip(cells) {
                column[number % MOST_TRACKS] = value;
            }
        }
        (chunks, seen)
    }
}

impl OfTopic {
    fn take_id(&mut self, id: Uuid) {
        if self.id != id {
            *self = Self { id, numbers: Vec::new() };
        }
    }

    fn put(&mut self, partition: usize, number: usize) {
        if self.numbers.len() <= partition {
            self.numbers.resize(partition + 1, None);
        }
        self.numbers[partition] = Some(number);
    }
}

/// Notes on which day a track was seen; answers whether that is new.
fn see(days: &mut Vec<i64>, number: usize, day: i64) -> bool {
    if days.len() <= number {
        days.resize(number + 1, i64::MIN);
    }
    let new = days[number] < day;
    days[number] = days[number].max(day);
    new
}

/// Keeps new tracks, and of those that are there when they were seen. A number that is another track's is refused: whoever asks
/// knows tracks as they were before somebody else kept some, and would write one partition's values among another's.
pub(super) async fn keep(
    conn: &mut PgConnection,
    stream: i64,
    at: DateTime<Utc>,
    seen: &[SeenTrack],
) -> Result<(), StoreError> {
    if seen.is_empty() {
        return Ok(());
    }
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let numbers: Vec<i32> = seen.iter().map(|track| number(track.number)).collect();
    let groups: Vec<String> = seen.iter().map(|track| track.group.clone()).collect();
    let topics: Vec<String> = seen.iter().map(|track| track.topic.clone()).collect();
    let ids: Vec<Uuid> = seen.iter().map(|track| track.id).collect();
    let partitions: Vec<i32> = seen.iter().map(|track| number(track.partition)).collect();
    let kept = sqlx::query!(
        "insert into recorder_track as kept (stream, number, group_id, topic, topic_id, partition, seen_at)
        select $1, number, group_id, topic, topic_id, partition, $2
        from unnest($3::integer[], $4::text[], $5::text[], $6::uuid[], $7::integer[])
            as row (number, group_id, topic, topic_id, partition)
        on conflict (stream, number) do update
        set seen_at = excluded.seen_at
        where kept.group_id = excluded.group_id
            and kept.topic = excluded.topic
            and kept.topic_id = excluded.topic_id
            and kept.partition = excluded.partition",
        stream,
        at,
        &numbers,
        &groups,
        &topics,
        &ids,
        &partitions
    )
    .execute(conn)
    .await
    .map_err(failed("keep the recorder's tracks"))?;
    let expected = u64::try_from(seen.len()).unwrap_or(u64::MAX);
    StoreError::expect_rows("keep the recorder's tracks", kept.rows_affected(), expected)
}

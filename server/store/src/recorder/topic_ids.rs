//! Topics that were recreated while they were recorded: their tracks have more than one id.

use muster_domain::{
    ids::PairName,
    pair::Direction,
    recorder::{Kind, RecreatedTopic, TopicIdSeen},
};
use sqlx::PgConnection;

use super::find_stream;
use crate::error::{StoreError, failed};

/// Topics of a flow's source that had more than one id and have this text in their names, in the order of names; at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn recreated(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    text: &str,
    most: i64,
) -> Result<Vec<RecreatedTopic>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok(Vec::new());
    };
    let rows = sqlx::query!(
        r#"select topic, topic_id, max(seen_at) as "seen_at!"
        from recorder_track
        where stream = $1
            and group_id = ''
            and topic in (
                select topic
                from recorder_track
                where stream = $1
                    and group_id = ''
                    -- Every topic has it: a tenth of the tracks, or fewer, are looked at.
                    and partition = 0
                    and strpos(topic, $2) > 0
                group by topic
                having count(distinct topic_id) > 1
                order by topic
                limit $3
            )
        group by topic, topic_id
        -- Numbers are given in the order tracks are first seen.
        order by topic, min(number)"#,
        stream,
        text,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list topics that were recreated"))?;
    let mut found: Vec<RecreatedTopic> = Vec::new();
    for row in rows {
        let seen = TopicIdSeen { id: row.topic_id, seen_at: row.seen_at };
        match found.last_mut().filter(|last| last.topic == row.topic) {
            Some(last) => last.ids.push(seen),
            None => {
                found.push(RecreatedTopic { side: direction.from, topic: row.topic, ids: vec![seen] });
            }
        }
    }
    Ok(found)
}

//! What a process that begins recalls of a source: its ends, transactions that were open, and topics made anew.

use muster_domain::loss::{LastEnd, LastEnds};

use super::*;

#[tokio::test]
async fn what_was_in_open_transactions_reads_back_beside_what_could_be_copied() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    for (seconds, end) in [(0, 100), (5, 150), (10, 200)] {
        let mut sample = orders(1, end, 0);
        // In the first partition a transaction is open since the first survey, and the flow copies committed records only.
        let held = &mut sample[0].tracks[0];
        (held[Column::Stable as usize], held[Column::Reach as usize]) = (Some(100), Some(100));
        recording.append(conn, begin + TimeDelta::seconds(seconds), sample).await.unwrap();
        recording.committed();
    }
    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let first = TopicPartition::new("orders", 0);
    let reaches: Vec<i64> = recent.reaches.iter().map(|(_, ends)| ends[&first]).collect();
    assert_eq!(reaches, [100, 100, 100]);
    let held = |seconds, end| (begin + TimeDelta::seconds(seconds), BTreeMap::from([(first.clone(), end)]));
    assert_eq!(recent.open, [held(5, 150), held(10, 200)]);
    assert_eq!(recent.high.unwrap().ends[&first].unwrap().end, 200);
}

/// The same where these partitions did not answer.
fn unread(mut samples: Vec<TopicSample>, partitions: &[usize]) -> Vec<TopicSample> {
    for partition in partitions {
        let mut cells = vec![None; Column::COUNT];
        cells[Column::Class as usize] = Some(4);
        samples[0].tracks[*partition] = cells;
    }
    samples
}

#[tokio::test]
async fn a_source_that_died_piece_by_piece_is_recalled_as_each_partition_was_last_read() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let second = |n: i64| begin + TimeDelta::seconds(n);
    let gone = || TopicSample { topic: "gone".to_owned(), ..orders(7, 50, 0).remove(0) };
    let mut recording = open(conn).await;
    for (seconds, sample) in [
        (0, [orders(1, 100, 1), vec![gone()]].concat()),
        (5, [unread(orders(1, 150, 1), &[1]), vec![gone()]].concat()),
        (10, unread(orders(1, 180, 1), &[0, 1])),
    ] {
        recording.append(conn, second(seconds), sample).await.unwrap();
        recording.committed();
    }
    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let [first, other] = [0, 1].map(|partition| TopicPartition::new("orders", partition));
    let both = BTreeMap::from([(first.clone(), 100), (other.clone(), 200)]);
    assert_eq!(recent.reaches, [(second(0), both), (second(5), BTreeMap::from([(first.clone(), 150)]))]);
    let last = |at, end| Some(LastEnd { at, end, start: None, leader_epoch: None, topic_id: None });
    let last_read = BTreeMap::from([(first, last(second(5), 150)), (other, last(second(0), 200))]);
    assert_eq!(recent.high, Some(LastEnds { at: second(5), ends: last_read }));
}

#[tokio::test]
async fn a_recreated_topic_is_another_track() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let begin = at(2, 0);
    let mut recording = open(conn).await;
    for (seconds, sample) in [(0, orders(1, 5000, 7)), (5, orders(2, 10, 1)), (10, orders(2, 20, 1))] {
        recording.append(conn, begin + TimeDelta::seconds(seconds), sample).await.unwrap();
        recording.committed();
    }
    assert_eq!(behind(conn, begin, 3).await, [Some(14), Some(2), Some(2)]);
    let tracks: Vec<(i32, i32)> =
        sqlx::query_as("select number, partition from recorder_track order by number")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert_eq!(tracks, [(0, 0), (1, 1), (2, 0), (3, 1)]);
    let name = pair_name("payments");
    let recent = recorder::recent_ends(conn, (&name, FORWARD), begin, (120, 1_000_000)).await.unwrap();
    let ends = recent.reaches;
    let of_first: Vec<Option<&i64>> =
        ends.iter().map(|(_, ends)| ends.get(&TopicPartition::new("orders", 0))).collect();
    assert_eq!(of_first, [Some(&10), Some(&20)], "the ends of the topic before say nothing of this one");
    assert_eq!(recent.ids, BTreeMap::from([("orders".to_owned(), Uuid::from_u128(2))]));
}

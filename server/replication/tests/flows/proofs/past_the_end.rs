//! Groups past the end of a source that lost records are refused, today and on the day it is dead.

use super::*;

/// Replicas that lagged were elected: 50 offsets are gone, fewer were written and copied since, and both sides end with the
/// same record. The group has not read them.
#[tokio::test]
async fn a_group_past_the_end_of_the_source_is_refused_and_not_put_behind_what_took_the_place_of_what_it_had_read()
 {
    let mut logs = Logs::new();
    logs.fill(1_000);
    let (group, _) = logs.ends();
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").truncate(group - 50);
    for number in 5_000..5_030 {
        for name in ["A", "B"] {
            let mut state = logs.world.lock();
            state.cluster_mut(name).log_mut(&at(0)).expect("the topic").append(payload(number), 0, false);
        }
    }
    let (end, _) = logs.ends();
    assert_eq!(end, group - 20);
    for offset in [end + 1, group, i64::MAX] {
        let found = logs.translate(&[(0, offset)]).await.remove(&at(0)).expect("asked");
        let untranslatable = Untranslatable::PastEnd { offset, end };
        assert_eq!(found, Err(NotTranslated::Untranslatable { untranslatable }));
    }
    let why =
        logs.translate(&[(0, group)]).await.remove(&at(0)).expect("asked").expect_err("refused").to_string();
    let expected =
        format!("the group's position {group} is past the end {end} of the source: records were lost there");
    assert!(why.starts_with(&expected), "{why}");
    let negative = logs.translate(&[(0, -1)]).await.remove(&at(0)).expect("asked");
    assert!(matches!(
        negative,
        Err(NotTranslated::Untranslatable { untranslatable: Untranslatable::BadOffset { offset: -1 } })
    ));
}

/// The same for the day the source is dead. Of a group that reads what is not committed yet, and so stands past the end of
/// what is, something is kept.
#[tokio::test]
async fn nothing_is_kept_of_a_group_past_the_end_of_everything() {
    let mut logs = Logs::new();
    logs.fill(1_000);
    {
        let mut state = logs.world.lock();
        let log = state.cluster_mut("A").log_mut(&at(0)).expect("the topic");
        for number in 0..5 {
            log.append(payload(6_000 + number), 9, true);
        }
    }
    let (end, _) = logs.ends();
    let rings = logs.keep(&[end - 3, end, end + 1, end + 30], true).await;
    let resumed = logs.resume(&rings, &[end - 3, end, end + 1, end + 30]).await;
    for offset in [end - 3, end] {
        let found = resumed[&offset].as_ref().expect("it reads what is not committed");
        assert!(found.translated.mapping.target_offset <= logs.ends().1, "{found:?}");
    }
    for offset in [end + 1, end + 30] {
        let untranslatable = Untranslatable::NoSyncKept { offset };
        assert_eq!(resumed[&offset], Err(NotTranslated::Untranslatable { untranslatable }));
    }
}

//! The explorer on the real lab: under load its figures are those of the recorder's series, and a source that was killed leaves a
//! gap that is named, not a zero. So it is with what a death would have cost, by the hour.

use chrono::{TimeDelta, Utc};
use muster_app::acts::lag_explorer::{Asked, ROWS, explore, rows_of};
use muster_domain::recorder::explorer::{LagExplorer, MarkKind, Resolution, Wanted, Why};
use muster_it::WEST;
use muster_lab::{Lab, LabOptions, Workload, WorkloadOptions, wait_until};
use muster_store::{
    pairs,
    recorder::{self, Selection},
};

use crate::{
    ONE_AT_A_TIME, SOON,
    hours::Hours,
    observer::{FORWARD, Observer, PERIOD},
};

const TOPIC: &str = "payments.captured";
/// Surveys under load.
const SURVEYS: u32 = 10;

/// All topics, or one, since a time; in stretches of about one survey.
async fn explored(
    observer: &Observer,
    topic: Option<&str>,
    from: chrono::DateTime<Utc>,
) -> anyhow::Result<LagExplorer> {
    let mut conn = observer.database.pool().acquire().await?;
    let pair = pairs::get(&mut conn, &observer.pair).await?.expect("it was inserted");
    let to = Utc::now();
    // Whole stretches of one width, so that the series is cut at the same moments.
    let points = usize::try_from((to - from).num_seconds() / 2)? + 1;
    let from = to - TimeDelta::from_std(PERIOD)? * i32::try_from(points)?;
    let asked = Asked {
        direction: FORWARD,
        topic: topic.map(str::to_owned),
        partition: None,
        from,
        to,
        points,
        rows: Wanted::worst(rows_of(topic), ROWS),
        rows_asked: false,
    };
    match explore(&mut conn, &pair, &asked, to).await {
        Ok(found) => Ok(found),
        Err(failure) => anyhow::bail!("{}", failure.problem.detail),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_explorer_shows_what_was_recorded_and_a_death_as_a_gap() -> anyhow::Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let lab = Lab::start(LabOptions::default()).await?;
    let _workload = Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let observer = Observer::start(&lab).await?;
    let from = Utc::now() - TimeDelta::seconds(1);
    let hours = Hours::default();
    let mut ticks = tokio::time::interval(PERIOD);
    for _ in 0..SURVEYS {
        ticks.tick().await;
        assert_eq!(observer.observe().await?, None, "nobody died");
        hours.see(&observer).await?;
    }
    hours.hold_what_surveys_told(&observer).await?;
    let alive = explored(&observer, Some(TOPIC), from).await?;
    assert_eq!(alive.resolution, Resolution::Survey);
    let mut conn = observer.database.pool().acquire().await?;
    let selection = Selection { topic: TOPIC, partition: None };
    let points = i32::try_from((alive.to - alive.from).num_milliseconds() / alive.width_ms)?;
    let span = (alive.from, alive.to);
    let series = recorder::series(&mut conn, (&observer.pair, FORWARD), selection, span, points).await?;
    println!("{:#?}", alive.items.last());
    let shown: Vec<_> =
        alive.items.iter().map(|item| (item.at, item.records.worst, item.total_records)).collect();
    let recorded: Vec<_> =
        series.iter().map(|point| (point.at, point.worst_lag_records, point.total_lag_records)).collect();
    assert_eq!(shown, recorded);
    // Never surer than what was recorded: where offsets are no records it is at most so many.
    assert!(alive.items.iter().zip(&series).all(|(item, point)| item.records.class >= point.records_class));
    for item in &alive.items {
        assert!(item.records.p50 <= item.records.p99 && item.records.p99 <= item.records.worst, "{item:?}");
    }
    assert!(alive.items.len() >= 5, "{:#?}", alive.items);
    let most = alive.items.iter().filter_map(|item| item.rpo?.records_at_most).max();
    assert!(most > Some(0), "under load something would be lost: {:#?}", alive.items);
    assert!(alive.items.iter().filter_map(|item| item.rpo).all(|rpo| {
        rpo.records_at_most.is_none_or(|most| rpo.records_at_least <= Some(most))
            && rpo.ms_at_most.is_none_or(|most| rpo.ms_at_least <= Some(most))
    }));

    lab.kill(WEST).await?;
    wait_until("the death to be stated", SOON, || async {
        let stated = observer.observe().await?;
        hours.see(&observer).await?;
        Ok(stated)
    })
    .await?;
    let killed = alive.items.last().expect("it has samples").at;
    for _ in 0..3 {
        ticks.tick().await;
        observer.observe().await?;
        hours.see(&observer).await?;
    }
    hours.hold_what_surveys_told(&observer).await?;
    let all = explored(&observer, None, from).await?;
    let dead: Vec<_> = all.items.iter().filter(|item| item.why == Some(Why::SourceNotRead)).collect();
    assert!(dead.len() >= 2, "{:#?}", all.items);
    for item in &dead {
        assert_eq!(
            (item.records.worst, item.records.p50, item.total_records),
            (None, None, None),
            "{item:#?}"
        );
        assert_eq!(item.rpo.and_then(|rpo| rpo.records_at_most), None, "{item:#?}");
    }
    let gap = all.gaps.iter().find(|gap| gap.why == Why::SourceNotRead).expect("it is named");
    assert!(gap.from > killed && gap.unknown == gap.partitions && gap.partitions > 0, "{gap:?}");
    assert!(
        all.marks.iter().any(|mark| matches!(mark.what, MarkKind::Loss { .. }) && mark.to.is_none()),
        "{:?}",
        all.marks
    );
    // What was before it is as it was.
    let again = explored(&observer, Some(TOPIC), from).await?;
    assert!(again.items.iter().any(|item| item.records.worst.is_some()));
    drop(conn);
    hours.are_shown_a_day_later(&observer).await
}

//! The explorer on the real lab, asked as programs ask: under load its figures are those of the recorder's series, all together, of a topic and
//! of a partition, as JSON and as a table. A source that was killed leaves a gap that is named, not a zero, and says how old it is. So it is
//! with what a death would have cost, by the hour.

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use muster_domain::{
    reading::ReadingClass,
    recorder::explorer::{LagExplorer, Mark, MarkKind, Resolution, RowsOf, Why},
};
use muster_it::WEST;
use muster_lab::{Lab, LabOptions, Workload, WorkloadOptions, wait_until};
use muster_store::recorder::{self, Selection};

use crate::{
    ONE_AT_A_TIME, SOON,
    hours::{Hours, cell},
    observer::{FORWARD, Observer, PERIOD},
    raw::Raw,
    served::Served,
};

const TOPIC: &str = "payments.captured";
/// Partitions of all topics of the pair.
const PARTITIONS: usize = 7;
/// Surveys under load.
const SURVEYS: u32 = 10;

/// A time in whole stretches of one width, about a survey each, so that everything is cut at the same moments.
#[derive(Clone, Copy)]
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    points: i64,
}

impl Span {
    /// Until now.
    fn since(from: DateTime<Utc>) -> anyhow::Result<Self> {
        let to = Utc::now().trunc_subsecs(3);
        let points = (to - from).num_seconds() / 2 + 1;
        let from = to - TimeDelta::from_std(PERIOD)? * i32::try_from(points)?;
        Ok(Self { from, to, points })
    }

    /// The address of the explorer over it.
    fn address(self, more: &str) -> String {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (from, to, points) = (time(self.from), time(self.to), self.points);
        format!("/api/v1/pairs/orders/lag/explorer?source={WEST}&from={from}&to={to}&points={points}{more}")
    }
}

async fn explored(served: &Served, span: Span, more: &str) -> anyhow::Result<LagExplorer> {
    Ok(serde_json::from_str(&served.get(&span.address(more)).await?)?)
}

/// All, a topic, a partition and the rows of partitions are what was recorded of them, and the table says the same.
async fn is_what_was_recorded(observer: &Observer, served: &Served, span: Span) -> anyhow::Result<()> {
    let raw = Raw::read(observer, (span.from, span.to)).await?;
    assert_eq!(raw.partitions(), PARTITIONS);
    let objective_ms = observer.clients.pair.objectives.rpo_seconds * 1_000;
    let of_topic = format!("&topic={TOPIC}");
    let of_partition = format!("{of_topic}&partition=1");
    for more in ["", of_topic.as_str(), of_partition.as_str(), "&rows=partitions&limit=500"] {
        let found = explored(served, span, more).await?;
        assert_eq!((found.resolution, found.from, found.to), (Resolution::Survey, span.from, span.to));
        assert_eq!(found.objective_ms, objective_ms);
        raw.holds_what_is_shown(&found);
        if found.strip.of == RowsOf::Partitions && found.topic.is_none() {
            raw.holds_what_rows_show(&found)?;
        }
        let table = served.get(&span.address(&format!("{more}&format=csv"))).await?;
        says_the_same(&found, &table)?;
    }
    Ok(())
}

/// The table has a line for each stretch, with the same figures, what it is of and what it is to be compared with.
fn says_the_same(found: &LagExplorer, table: &str) -> anyhow::Result<()> {
    let not_recorded = found.gaps.iter().filter(|gap| gap.why == Why::NotRecorded).count();
    assert_eq!(table.lines().count(), 1 + found.items.len() + not_recorded, "{table}");
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    for item in &found.items {
        let (records, rpo) = (&item.records, item.rpo.context("each survey says what a death would cost")?);
        let cells = [
            ("records_p50", number(records.p50)),
            ("records_p90", number(records.p90)),
            ("records_p99", number(records.p99)),
            ("records_worst", number(records.worst)),
            ("records_class", records.class.as_str().to_owned()),
            ("records_total", number(item.total_records)),
            ("rpo_records_at_most", number(rpo.records_at_most)),
            ("objective_ms", found.objective_ms.to_string()),
            ("source", found.source.to_string()),
            ("topic", found.topic.clone().unwrap_or_default()),
            ("partition", number(found.partition.map(i64::from))),
        ];
        for (name, expected) in cells {
            assert_eq!(cell(table, item.at, name)?, expected, "{name}: {table}");
        }
    }
    Ok(())
}

/// The last survey could not read the source: it is said how old that is, that it is not how it is now, and of the target, which answers,
/// all is as fresh as the survey. An age grows from answer to answer.
async fn says_how_old_it_is(observer: &Observer, served: &Served, span: Span) -> anyhow::Result<()> {
    let last = observer.survey().await?;
    let (source, target) = (&last.sides.a.topics, &last.sides.b.topics);
    assert!(source.value().is_none() && target.value().is_some(), "{last:#?}");
    let mut ages = Vec::new();
    for _ in 0..2 {
        let found = explored(served, span, "").await?;
        assert!(found.freshness.len() >= 3, "{:#?}", found.freshness);
        for fresh in &found.freshness {
            let newest = fresh.newest.with_context(|| format!("it has a sample: {fresh:?}"))?;
            assert_eq!((newest, fresh.survey), (last.began_at, Some(last.number)), "{fresh:?}");
            assert_eq!(fresh.age_ms, Some((found.answered_at - newest).num_milliseconds()), "{fresh:?}");
            assert!(fresh.class >= ReadingClass::Stale, "the source does not answer: {fresh:?}");
        }
        ages.push((found.answered_at, found.freshness[0].age_ms));
    }
    assert!(ages[0] < ages[1], "{ages:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_explorer_shows_what_was_recorded_and_a_death_as_a_gap() -> anyhow::Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let lab = Lab::start(LabOptions::default()).await?;
    let _workload = Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let observer = Observer::start(&lab).await?;
    let served = Served::of(&observer).await?;
    let from = Utc::now() - TimeDelta::seconds(1);
    let hours = Hours::default();
    let mut ticks = tokio::time::interval(PERIOD);
    for _ in 0..SURVEYS {
        ticks.tick().await;
        assert_eq!(observer.observe().await?, None, "nobody died");
        hours.see(&observer).await?;
    }
    hours.hold_what_surveys_told(&observer).await?;
    let span = Span::since(from)?;
    is_what_was_recorded(&observer, &served, span).await?;
    let of_topic = format!("&topic={TOPIC}");
    let alive = explored(&served, span, &of_topic).await?;
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
    let span = Span::since(from)?;
    is_what_was_recorded(&observer, &served, span).await?;
    says_how_old_it_is(&observer, &served, span).await?;
    let all = explored(&served, span, "").await?;
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
    let stated = observer.newest_loss().await?.context("it is stated")?;
    let marked = |mark: &&Mark| matches!(mark.what, MarkKind::Loss { .. });
    let mark = all.marks.iter().find(marked).with_context(|| format!("it is marked: {:?}", all.marks))?;
    let MarkKind::Loss { noticed_at, records_at_least, records_at_most, records, .. } = &mark.what else {
        anyhow::bail!("{mark:?}")
    };
    assert_eq!(noticed_at.timestamp_millis(), stated.noticed_at.timestamp_millis(), "{mark:?}");
    let said = (*records_at_least, *records_at_most, *records, mark.to);
    assert_eq!(said, (stated.total.records_at_least, stated.total.records_at_most, None, None), "{mark:?}");
    // What was before it is as it was.
    let again = explored(&served, span, &of_topic).await?;
    assert!(again.items.iter().any(|item| item.records.worst.is_some()));
    drop(conn);
    hours.are_shown_a_day_later(&observer).await
}

use std::collections::BTreeMap;

use super::*;
use crate::{
    lag::Rate,
    pair::{Direction, Side},
    topic::TopicPartition,
};

/// So many seconds after a full hour.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_400 + seconds, 0).expect("in range")
}

fn reading(value: Option<i64>, class: ReadingClass, at: DateTime<Utc>) -> Reading {
    value.map_or_else(|| Reading::unknown(at, "not read"), |value| Reading::new(value, class, at, ""))
}

/// Partitions that are so many records and ten times as many milliseconds behind, and what is said of all of them. Ten records a second
/// are written, and it is looked at every five seconds.
fn judged(at: DateTime<Utc>, behind: &[Option<i64>]) -> (FlowLag, Vec<PartitionLag>) {
    let class = |records: i64| if records > 0 { ReadingClass::Tight } else { ReadingClass::Exact };
    let lag = |(number, records): (i32, &Option<i64>)| {
        let class = records.map_or(ReadingClass::Unknown, class);
        PartitionLag {
            partition: TopicPartition::new("orders".to_owned(), number),
            through: reading(*records, class, at),
            records: reading(*records, class, at),
            ms: reading(records.map(|records| records * 10), class, at),
            in_open_transactions: None,
            hole: None,
            surely_missing: 0,
            surely_missing_ms: 0,
            first_missing_timestamp: None,
        }
    };
    let all: Option<Vec<i64>> = behind.iter().copied().collect();
    let worst = all.as_ref().map(|all| all.iter().max().copied().unwrap_or(0));
    let total = all.map(|all| all.iter().sum::<i64>());
    let of_all = |value: Option<i64>| reading(value, value.map_or(ReadingClass::Unknown, class), at);
    let written = Rate { records: 50, ms: 5_000 };
    let rpo = Rpo {
        records_at_least: total.map(|_| 0),
        records_at_most: total.map(|total| total + written.most_within(5_000)),
        ms_at_most: worst.map(|worst| worst * 10 + 5_000),
        reason: String::new(),
        unseen: total.map(|_| Unseen { since: at, ms: 5_000, written: Some(written) }),
    };
    let flow = FlowLag {
        direction: Direction { from: Side::A },
        worst_records: of_all(worst),
        total_records: of_all(total),
        worst_ms: of_all(worst.map(|worst| worst * 10)),
        worst: None,
        topics: BTreeMap::new(),
        in_open_transactions: None,
        holes: Vec::new(),
        first_missing_timestamp: None,
        rpo,
    };
    (flow, (0..).zip(behind).map(lag).collect())
}

impl HourBand {
    /// Of one survey of partitions that are so many records behind.
    pub(in crate::recorder::explorer) fn sample(at: DateTime<Utc>, behind: &[Option<i64>]) -> Self {
        let (flow, lags) = judged(at, behind);
        Self::of(&flow, &lags, at)
    }
}

fn look(seconds: i64, behind: &[Option<i64>]) -> FlowLook {
    let (flow, lags) = judged(at(seconds), behind);
    FlowLook::of(&flow, &lags, at(seconds))
}

/// The hour after some surveys that all are in one.
fn hour(looks: &[FlowLook]) -> FlowHour {
    let with = |hour: Option<FlowHour>, look| FlowHour::with(hour.as_ref(), look).or(hour);
    looks.iter().fold(None, with).expect("surveys")
}

/// A hundred partitions, each as many records behind as its number.
fn hundred() -> Vec<Option<i64>> {
    (1..=100).map(Some).collect()
}

#[test]
fn percentiles_are_over_partitions_and_unknown_ones_rank_above_all_others() {
    let band = look(0, &hundred()).band;
    let of = |band: Band| (band.p50, band.p90, band.p99, band.worst);
    assert_eq!(of(band.records), (Some(50), Some(90), Some(99), Some(100)));
    assert_eq!(of(band.ms), (Some(500), Some(900), Some(990), Some(1_000)));
    assert_eq!((band.total_records, band.unknown_surveys), (Some(5_050), 0));
    assert_eq!(band.by_class, ByClass { tight: 100, ..ByClass::default() });

    let mut some = hundred();
    (some[0], some[1]) = (None, None);
    let band = look(0, &some).band;
    assert_eq!(of(band.records), (Some(52), Some(92), None, None), "two of a hundred are not known");
    assert_eq!(
        (band.records.class, band.records.known_class),
        (ReadingClass::Unknown, Some(ReadingClass::Tight))
    );
    assert_eq!((band.total_records, band.unknown_surveys, band.by_class.unknown), (None, 1, 2));
}

#[test]
fn of_an_hour_the_worst_survey_of_each_figure_stands_and_unknown_is_worst() {
    let whole = hour(&[
        look(0, &[Some(0), Some(0), Some(90)]),
        look(5, &[Some(4), Some(4), Some(4)]),
        look(10, &[Some(0), Some(0), Some(0)]),
    ]);
    let band = whole.whole_band().expect("all surveys are in it");
    assert_eq!((band.records.p50, band.records.worst, band.total_records), (Some(4), Some(90), Some(90)));
    assert_eq!((band.surveys, band.unknown_surveys, band.until), (3, 0, at(10)));
    assert_eq!((band.records_at_least, band.ms_at_least), (Some(0), Some(0)));
    assert_eq!(band.by_class, ByClass { tight: 3, ..ByClass::default() }, "the least sure of them");

    let unknown = [look(0, &[Some(0), Some(7)]), look(5, &[Some(1), None]), look(10, &[Some(0), Some(0)])];
    let once = hour(&unknown);
    let band = once.whole_band().expect("all surveys are in it");
    assert_eq!((band.records.p50, band.records.p90, band.records.worst), (Some(1), None, None));
    assert_eq!((band.records_at_most, band.records_at_least, band.total_records), (None, None, None));
    assert_eq!((band.surveys, band.unknown_surveys), (3, 1));
    assert_eq!(FlowHour::with(Some(&once), &unknown[2]), None, "a survey counts once");
}

#[test]
fn where_there_is_no_partition_it_is_what_is_said_of_the_flow() {
    let none = look(0, &[]).band;
    assert_eq!((none.partitions, none.records.worst, none.unknown_surveys), (0, Some(0), 0));
    let (mut flow, _) = judged(at(0), &[]);
    flow.worst_records = Reading::unknown(at(0), "the source never answered");
    let unknown = HourBand::of(&flow, &[], at(0));
    assert_eq!((unknown.records.p50, unknown.records.worst, unknown.unknown_surveys), (None, None, 1));
    assert_eq!((unknown.records.class, unknown.records.known_class), (ReadingClass::Unknown, None));
}

#[test]
fn while_nobody_looks_what_may_have_been_written_counts_in_the_hour_that_is_looked_at_next() {
    let (before, _) = judged(at(3_590), &[Some(7)]);
    let first = hour(&[look(3_590, &[Some(7)])]);
    let late = look(3_650, &[Some(0)]);
    let next = FlowHour::with(Some(&first), &late).expect("it is new");
    let grown = before.rpo.clone().told_at(at(3_650)).records_at_most;
    let band = next.whole_band().expect("all surveys are in it");
    assert!(grown > before.rpo.records_at_most, "{grown:?}");
    assert_eq!((next.rpo.at, band.records_at_most, band.surveys), (at(3_600), grown, 1));
    let until_its_end = band.records_at_most_until(at(7_200));
    assert!(until_its_end > grown, "and nobody looked until its end: {until_its_end:?}");
}

#[test]
fn an_hour_that_a_process_of_the_version_before_took_part_in_has_no_band() {
    let ours = hour(&[look(0, &[Some(3)])]);
    // It moves what it knows, and leaves the band.
    let theirs = RpoHour::with(Some(&ours.rpo), look(5, &[Some(900)]).rpo).expect("it is new");
    let both = FlowHour { rpo: theirs, ..ours };
    assert_eq!(both.whole_band(), None);
    let again = FlowHour::with(Some(&both), &look(10, &[Some(0)])).expect("it is new");
    assert_eq!(again.band, None, "nobody knows any more what was in between");
    let next = FlowHour::with(Some(&again), &look(3_600, &[Some(0)])).expect("it is new");
    let band = next.whole_band().expect("all surveys of this one are in it");
    assert_eq!((band.records.worst, band.surveys), (Some(0), 1));
    assert_eq!(band.records_at_most, None, "what was written before its first survey is not bounded");
}

#[test]
fn it_reads_back_as_it_was_kept() {
    let whole = hour(&[look(0, &hundred()), look(5, &[Some(1), None])]);
    let band = whole.band.expect("a band");
    let text = serde_json::to_string(&band).expect("it is JSON");
    assert_eq!(serde_json::from_str::<HourBand>(&text).expect("its own"), band);
    assert!(text.len() < 1_000, "one row an hour and flow stays narrow: {} bytes", text.len());
}

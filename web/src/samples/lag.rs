//! `sample()` of the lag over time: the hour in which eu-west died.

use chrono::Duration;
use muster_domain::{
    pair::{Direction, Side},
    reading::ReadingClass,
    recorder::{
        Block, Cells, Column, class_number,
        explorer::{
            Band, ByClass, Course, Explorer, FlowStretch, Frame, Freshness, Gap, LagExplorer, Mark, MarkKind,
            OfSurveys, Resolution, RowsOf, RpoSpan, RpoStretch, Series, Stretch, Strip, Track, Wanted, Why,
        },
    },
    run::{Operation, RunState},
};
use uuid::Uuid;

use super::{ago, night::chrome, now, pairs};
use crate::lag::{LagDetail, LagFilter, LagPage};

/// Partitions of the sample.
const PARTITIONS: i64 = 12;

/// Surveys of an hour: a burst after a quarter of it, a dead source near its end, the last partition without a position for a
/// while.
fn block() -> Block {
    let samples: Vec<(i64, Vec<Cells>)> = (0..720_i64)
        .map(|survey| {
            let at = (now() - Duration::seconds(3_600 - survey * 5)).timestamp_millis();
            (at, (0..PARTITIONS).map(|partition| cells(survey, partition)).collect())
        })
        .collect();
    Block::of(Column::COUNT, &samples)
}

fn cells(survey: i64, partition: i64) -> Cells {
    let dead = (640..690).contains(&survey);
    let end = 10_000 + survey * 400;
    let burst = if (180..230).contains(&survey) { (25 - (survey - 205).abs()) * 90 } else { 0 };
    let behind = (partition * 37 + survey * 13) % 200 + burst * (partition + 4) / 12;
    let lost = partition == 11 && (300..340).contains(&survey);
    let class = if dead || lost { ReadingClass::Unknown } else { ReadingClass::Tight };
    let mut cells = vec![None; Column::COUNT];
    for column in [Column::End, Column::Stable, Column::Reach] {
        cells[column as usize] = (!dead).then_some(end);
    }
    cells[Column::Through as usize] = (!lost).then_some(end - 1 - behind);
    cells[Column::Class as usize] = Some(class_number(class));
    cells
}

fn course(frame: Frame, rows: Wanted) -> Course {
    let mut explorer = Explorer::new(frame, rows);
    let track = |slot| Track {
        slot,
        topic: if slot < 8 { "payments.captured".into() } else { "payments.refunded".into() },
        partition: i32::try_from(slot % 8).unwrap_or_default(),
        keeps_all: true,
    };
    let mut chunk = explorer.chunk((0..12).map(track).collect());
    chunk.add_block(&block());
    chunk.done();
    explorer.finish(now())
}

fn marks() -> Vec<Mark> {
    vec![
        Mark {
            from: ago(3_300),
            to: Some(ago(3_240)),
            what: MarkKind::Run {
                id: Uuid::from_u128(214),
                number: 214,
                operation: Operation::ReadinessDrill,
                drill: true,
                state: RunState::Passed,
            },
        },
        Mark {
            from: ago(2_100),
            to: Some(ago(1_900)),
            what: MarkKind::Alarm {
                id: Uuid::from_u128(9_042),
                number: 42,
                code: "replication-hole".to_owned(),
                subject: "payments.captured".to_owned(),
            },
        },
        Mark {
            from: ago(1_205),
            to: Some(ago(1_200)),
            what: MarkKind::Recreated {
                side: Side::B,
                topic: "payments.refunded".to_owned(),
                id_before: Uuid::from_u128(0x70),
                id: Uuid::from_u128(0x71),
            },
        },
        Mark {
            from: ago(405),
            to: Some(ago(150)),
            what: MarkKind::Loss {
                noticed_at: ago(400),
                records_at_least: 12,
                records_at_most: Some(1_904),
                records: None,
                reason: "connect to 10.20.0.11:9093: connection refused".to_owned(),
            },
        },
    ]
}

fn fresh(series: Series, seconds: i64, class: ReadingClass) -> Freshness {
    let age_ms = Some(seconds * 1_000);
    Freshness {
        series,
        newest: Some(ago(seconds)),
        age_ms,
        class,
        survey: Some(4_711),
        reason: String::new(),
    }
}

fn found(resolution: Resolution) -> LagExplorer {
    let pair = pairs::payments().pair;
    let (from, to) = (ago(3_600), now());
    let frame = Frame::new(from, to, 240, resolution);
    let course = course(frame, Wanted::worst(RowsOf::Topics, 40));
    LagExplorer {
        pair: pair.name.clone(),
        direction: Direction { from: Side::A },
        source: pair.cluster(Side::A).clone(),
        target: pair.cluster(Side::B).clone(),
        topic: None,
        partition: None,
        answered_at: to,
        from,
        to,
        resolution,
        width_ms: frame.width,
        objective_ms: pair.objectives.rpo_seconds * 1_000,
        partitions: 12,
        too_many: false,
        longest_ms: None,
        items: course.items,
        gaps: course.gaps,
        strip: course.strip,
        flow: Vec::new(),
        rpo_course: Vec::new(),
        marks: marks(),
        freshness: vec![
            fresh(Series::FlowTime, 2, ReadingClass::Tight),
            fresh(Series::FlowRecords, 2, ReadingClass::Tight),
            fresh(Series::Partitions, 2, ReadingClass::Tight),
            fresh(Series::Rpo, 2, ReadingClass::Tight),
        ],
    }
}

/// Of 100,000 partitions what surveys said of the later half of the hour.
fn together() -> Vec<Stretch> {
    let band = |most: i64, class| Band {
        p50: Some(0),
        p90: Some(most / 20),
        p99: Some(most / 4),
        worst: Some(most),
        class,
        known_class: Some(class),
    };
    let partitions = ByClass { tight: 20_000, exact: 80_000, ..ByClass::default() };
    let stretch = |minute: i64| Stretch {
        at: ago(3_600 - minute * 60),
        partitions: 100_000,
        unknown: 0,
        why: None,
        records: band(minute * 10, ReadingClass::LowerBound),
        ms: Some(band(minute * 120, ReadingClass::Tight)),
        total_records: Some(minute * 400),
        rpo: None,
        of_surveys: Some(OfSurveys { surveys: 12, unknown: 0, partitions }),
    };
    (31..60).map(stretch).collect()
}

fn page(found: &LagExplorer, filter: &LagFilter, errors: &[(String, String)]) -> LagPage {
    let pair = pairs::payments().pair;
    let topics = ["payments.captured".to_owned(), "payments.refunded".to_owned()];
    let behind = if found.too_many { topics.as_slice() } else { &[] };
    let detail = LagDetail {
        pair: &pair,
        filter,
        topics: &topics,
        more_topics: false,
        furthest_behind: behind,
        found,
        errors,
    };
    LagPage::new(chrome("/pairs/payments/lag"), &detail)
}

fn filter() -> LagFilter {
    LagFilter { source: pairs::payments().pair.cluster(Side::A).to_string(), ..LagFilter::default() }
}

impl LagPage {
    /// The hour in which eu-west died.
    #[must_use]
    pub fn sample() -> Self {
        page(&found(Resolution::Survey), &filter(), &[])
    }

    /// The second page of its partitions.
    #[must_use]
    pub fn sample_partitions() -> Self {
        let rows = Wanted { of: RowsOf::Partitions, skip: 4, most: 4 };
        let mut found = found(Resolution::Survey);
        found.strip = course(Frame::new(found.from, found.to, 240, Resolution::Survey), rows).strip;
        let filter = LagFilter { rows: "partitions".to_owned(), skip: "4".to_owned(), ..filter() };
        page(&found, &filter, &[])
    }

    /// One topic of it.
    #[must_use]
    pub fn sample_topic() -> Self {
        let topic = "payments.captured".to_owned();
        let rows = Wanted { of: RowsOf::Partitions, skip: 0, most: 8 };
        let found = found(Resolution::Survey);
        let strip = course(Frame::new(found.from, found.to, 240, Resolution::Survey), rows).strip;
        let found = LagExplorer { topic: Some(topic.clone()), strip, ..found };
        page(&found, &LagFilter { topic, ..filter() }, &[])
    }

    /// The same over so long that only hours are left.
    #[must_use]
    pub fn sample_topic_by_hour() -> Self {
        let topic = "payments.captured".to_owned();
        let mut found = LagExplorer { topic: Some(topic.clone()), ..found(Resolution::Hour) };
        for item in &mut found.items {
            (item.ms, item.rpo) = (None, None);
        }
        page(&found, &LagFilter { topic, ..filter() }, &[])
    }

    /// Hours of it, of which only the later ones are kept in time.
    #[must_use]
    pub fn sample_topic_in_time() -> Self {
        let topic = "payments.captured".to_owned();
        let found = found(Resolution::Survey);
        let mut found = LagExplorer { topic: Some(topic.clone()), resolution: Resolution::Hour, ..found };
        for (number, item) in found.items.iter_mut().enumerate() {
            if number < 80 {
                (item.ms, item.rpo) = (None, None);
            }
            item.rpo = item.rpo.map(|rpo| RpoSpan { records_at_least: None, records_at_most: None, ..rpo });
        }
        page(&found, &LagFilter { topic, ..filter() }, &[])
    }

    /// A pair that was just made.
    #[must_use]
    pub fn sample_empty() -> Self {
        let frame = Frame::new(ago(3_600), now(), 240, Resolution::Survey);
        let course = Explorer::new(frame, Wanted::worst(RowsOf::Topics, 40)).finish(now());
        let mut nothing = found(Resolution::Survey);
        (nothing.items, nothing.gaps, nothing.strip) = (course.items, course.gaps, course.strip);
        (nothing.partitions, nothing.marks) = (0, Vec::new());
        for fresh in &mut nothing.freshness {
            (fresh.newest, fresh.age_ms) = (None, None);
            (fresh.class, fresh.survey) = (ReadingClass::Unknown, None);
        }
        page(&nothing, &filter(), &[])
    }

    /// A whole flow of very many partitions, with a form that was not understood.
    #[must_use]
    pub fn sample_too_many() -> Self {
        let mut many = found(Resolution::Hour);
        let (from, to, why) = (ago(3_600), ago(3_600 - 31 * 60), Why::NotRecorded);
        (many.items, many.gaps) = (together(), vec![Gap { from, to, why, unknown: 0, partitions: 0 }]);
        many.strip = Strip::empty(Wanted::worst(RowsOf::Topics, 40));
        (many.partitions, many.too_many, many.longest_ms) = (100_000, true, Some(239 * 3_600_000));
        many.flow = (0..60)
            .map(|minute| FlowStretch {
                at: ago(3_600 - minute * 60),
                worst_records: (minute != 30).then_some(minute * 10),
                total_records: (minute != 30).then_some(minute * 400),
                records_class: if minute == 30 { ReadingClass::Unknown } else { ReadingClass::LowerBound },
                worst_ms: (minute != 30).then_some(minute * 120),
                ms_class: if minute == 30 { ReadingClass::Unknown } else { ReadingClass::Stale },
            })
            .collect();
        many.rpo_course = (0..60)
            .map(|minute| RpoStretch {
                at: ago(3_600 - minute * 60),
                // What was proven to be missing for a while, and was kept of the later half only.
                ms_at_least: (minute > 30).then_some((minute - 40).clamp(0, 10) * 120),
                records_at_least: (minute > 30).then_some((minute - 40).clamp(0, 10) * 4),
                records_at_most: (minute > 30).then_some(minute * 400),
                ms_at_most: (minute >= 10 && minute != 30).then_some(5_000 + minute * 120),
                why: match minute {
                    ..10 => Some(Why::NotRecorded),
                    30 => Some(Why::InTheHour),
                    _ => None,
                },
            })
            .collect();
        let errors = [("partition".to_owned(), "Choose its topic, too.".to_owned())];
        let filter = LagFilter { partition: "3".to_owned(), ..filter() };
        page(&many, &filter, &errors)
    }
}

//! Somebody else writes into the copy: what the target has behind the newest offset sync is not believed for long.

use proptest::prelude::*;

use super::*;
use crate::survey::ConnectState;

/// A survey as a process takes it.
fn look(copies: &mut UnprovenCopies, previous: Option<&Survey>, survey: &Survey, seconds: i64) -> Survey {
    let (pair, mut survey) = (samples::pair(), survey.clone());
    survey.began_at = at(seconds);
    copies.mark(&pair, &pair.flows[0], &mut survey, previous);
    survey
}

fn told(survey: &Survey, history: &[EndsAt]) -> PartitionLag {
    let pair = samples::pair();
    let past = Past { ends: history, ..Past::default() };
    let clock = Clock { now: survey.began_at, period: TimeDelta::hours(1) };
    partition_lags(&pair, &pair.flows[0], survey, past, clock).remove(0)
}

fn records(survey: &Survey) -> (Option<i64>, ReadingClass) {
    let records = told(survey, &[]).records;
    (records.value, records.class)
}

/// The source ends at `source`, the copy at `copy`; this is committed, and what the newest sync says.
fn stands(source: i64, copy: i64, committed: i64, pair: (i64, i64)) -> Survey {
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(source));
    topics(&mut survey, Side::B).insert("orders".to_owned(), samples::topic(copy));
    known(&mut survey.flows[0].committed).offsets.insert(orders(), committed);
    let pair = OffsetPair { upstream: pair.0, downstream: pair.1 };
    known(&mut survey.flows[0].newest_pairs).0.insert(orders(), pair);
    survey
}

/// The task is dead: the source has 500 records more, and somebody else wrote 500 into the copy.
fn hidden() -> Survey {
    stands(600, 600, 99, (99, 99))
}

#[test]
fn what_no_position_proves_in_time_has_not_arrived() {
    let mut copies = UnprovenCopies::default();
    let mut last = look(&mut copies, None, &samples::survey(), 0);
    for seconds in (5..125).step_by(5) {
        last = look(&mut copies, Some(&last), &hidden(), seconds);
        assert_eq!(records(&last), (Some(0), ReadingClass::Tight), "after {seconds} s");
    }
    last = look(&mut copies, Some(&last), &hidden(), 125);
    assert_eq!(records(&last), (Some(500), ReadingClass::LowerBound));
    let lag = told(&last, &[ends(0, 100), ends(5, 600)]);
    assert_eq!(lag.ms.value, Some(125_000), "in time it is behind since the last end that is proven");
    assert!(lag.records.reason.contains("somebody else's"), "{:?}", lag.records);
    // Whoever takes over reads it in the survey before, as that was kept.
    last = serde_json::from_value(serde_json::to_value(&last).expect("JSON")).expect("reads back");
    let mut taken_over = UnprovenCopies::default();
    last = look(&mut taken_over, Some(&last), &hidden(), 300);
    assert_eq!(records(&last), (Some(500), ReadingClass::LowerBound));
    // What was not read has not moved.
    let mut unread = hidden();
    unread.flows[0].committed = Observed::unknown("refused", at(0));
    last = look(&mut taken_over, Some(&last), &unread, 305);
    assert_eq!(records(&last), (Some(500), ReadingClass::LowerBound));
    // The task is back: the first record it copies is an offset sync.
    last = look(&mut taken_over, Some(&last), &stands(600, 650, 99, (100, 600)), 310);
    assert_eq!(records(&last), (Some(450), ReadingClass::Tight));
}

#[test]
fn positions_that_move_prove_and_where_all_is_proven_nothing_waits() {
    let mut copies = UnprovenCopies::default();
    let mut last = samples::survey();
    for minute in 0..10 {
        // Written slowly, committed once a minute; syncs of versions before 3.7 wait for a hundred records.
        for second in (0..60).step_by(5) {
            let end = 101 + minute * 12 + second / 5;
            let survey = stands(end, end, 99 + minute * 12, (99, 99));
            last = look(&mut copies, Some(&last), &survey, minute * 60 + second);
            assert_eq!(records(&last).0, Some(0), "minute {minute}, second {second}");
            assert!(last.flows[0].unproven.is_empty(), "minute {minute}, second {second}");
        }
    }
    // Somebody wrote into the copy of a partition at rest: the clock begins when a record waits.
    let mut copies = UnprovenCopies::default();
    for seconds in (0..1_000).step_by(5) {
        last = look(&mut copies, None, &stands(100, 600, 99, (99, 99)), seconds);
        assert_eq!(records(&last), (Some(0), ReadingClass::Exact));
    }
    last = look(&mut copies, Some(&last), &stands(101, 600, 99, (99, 99)), 1_000);
    assert!(last.flows[0].unproven.is_empty());
}

#[test]
fn a_connector_that_stands_on_purpose_is_not_waited_for() {
    let mut copies = UnprovenCopies::default();
    let mut paused = hidden();
    let source = paused.flows[0].connectors.get_mut(&ConnectorRole::Source).expect("there");
    known(source).state = ConnectState::Paused;
    let mut last = look(&mut copies, None, &hidden(), 0);
    last = look(&mut copies, Some(&last), &paused, 200);
    assert!(last.flows[0].unproven.is_empty());
    // It goes on, and has as long as ever to commit.
    last = look(&mut copies, Some(&last), &hidden(), 205);
    last = look(&mut copies, Some(&last), &hidden(), 320);
    assert!(last.flows[0].unproven.is_empty());
    last = look(&mut copies, Some(&last), &hidden(), 325);
    assert_eq!(last.flows[0].unproven.get(&orders()), Some(&at(205)));
}

#[test]
fn of_a_dead_source_nothing_that_is_written_into_the_copy_later_has_arrived() {
    let mut copies = UnprovenCopies::default();
    let history = [ends(-5, 150)];
    let mut dead = behind(5_000);
    dead.sides.a.topics = Observed::unknown("connection refused", at(0));
    let mut last = look(&mut copies, None, &dead, 0);
    last = look(&mut copies, Some(&last), &dead, 120);
    let lag = told(&last, &history);
    assert_eq!((lag.through.value, lag.records.value), (Some(109), Some(40)));
}

/// What happens between two surveys.
#[derive(Debug, Clone)]
struct Period {
    written: i64,
    /// Records the task can copy.
    copied: i64,
    /// Records of somebody else on the target.
    foreign: i64,
    dies: bool,
    comes_back: bool,
}

fn periods(foreign: bool) -> impl Strategy<Value = Vec<Period>> {
    let some = || prop_oneof![3 => Just(0), 2 => 1_i64..5, 1 => 5_i64..300];
    let rarely = move || any::<u8>().prop_map(move |byte| foreign && byte < 10);
    let period = (some(), 0_i64..300, some(), rarely(), rarely()).prop_map(
        move |(written, copied, others, dies, comes_back)| Period {
            written,
            copied,
            foreign: if foreign { others } else { 0 },
            dies,
            comes_back,
        },
    );
    prop::collection::vec(period, 30..150)
}

/// One partition, its copy and the task between them.
struct World {
    end: i64,
    copy_end: i64,
    /// One past the last record of the source that is on the target.
    reached: i64,
    /// What the task copies next; `None` while it is dead.
    next: Option<i64>,
    committed: i64,
    pair: OffsetPair,
    /// Whether this life of the task has no sync yet.
    new_life: bool,
    /// Copied last, and not told by a sync yet.
    delayed: Option<OffsetPair>,
}

impl World {
    /// Five seconds, of which every twelfth time ends with a flush.
    fn pass(&mut self, period: &Period, flushes: bool) {
        if period.dies {
            (self.next, self.delayed) = (None, None);
        } else if period.comes_back && self.next.is_none() {
            (self.next, self.new_life) = (Some(self.committed + 1), true);
        }
        self.end += period.written;
        self.copy_end += period.foreign;
        let Some(mut next) = self.next else { return };
        for _ in 0..period.copied.min(self.end - next) {
            let copied = OffsetPair { upstream: next, downstream: self.copy_end };
            next += 1;
            self.copy_end += 1;
            if self.new_life || copied.downstream - self.pair.downstream > 100 {
                (self.pair, self.new_life, self.delayed) = (copied, false, None);
            } else {
                self.delayed = Some(copied);
            }
        }
        (self.next, self.reached) = (Some(next), self.reached.max(next));
        if flushes {
            self.committed = next - 1;
            self.pair = self.delayed.take().unwrap_or(self.pair);
        }
    }

    fn survey(&self) -> Survey {
        let pair = (self.pair.upstream, self.pair.downstream);
        stands(self.end, self.copy_end, self.committed, pair)
    }
}

/// Each survey of a history beside how many records are missing then.
fn told_and_true(periods: &[Period]) -> Vec<(Survey, i64)> {
    let synced = OffsetPair { upstream: 99, downstream: 99 };
    let mut world = World {
        end: 100,
        copy_end: 100,
        reached: 100,
        next: Some(100),
        committed: 99,
        pair: synced,
        new_life: false,
        delayed: None,
    };
    let mut copies = UnprovenCopies::default();
    let mut surveys: Vec<(Survey, i64)> = Vec::new();
    for (number, period) in (1_i64..).zip(periods) {
        world.pass(period, number % 12 == 0);
        let previous = surveys.last().map(|(survey, _)| survey);
        let survey = look(&mut copies, previous, &world.survey(), 5 * number);
        surveys.push((survey, world.end - world.reached));
    }
    surveys
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written where and however often the task dies: what is missing is at most what is told, but for what others wrote
    /// since the positions last moved, and for that within two flushes only.
    #[test]
    fn what_is_told_holds_the_truth_whoever_writes_into_the_copy(periods in periods(true)) {
        let positions = |survey: &Survey| {
            (survey.flows[0].committed_offset(&orders()), survey.flows[0].newest_pair(&orders()))
        };
        let mut wrong: Option<(DateTime<Utc>, _)> = None;
        for (survey, missing) in told_and_true(&periods) {
            let lag = told(&survey, &[]);
            let most = lag.records.value.expect("all of it was read");
            if most >= missing {
                wrong = None;
                continue;
            }
            prop_assert_eq!(lag.records.class, ReadingClass::Tight, "{} told, {} missing", most, missing);
            let stand = positions(&survey);
            let stood = wrong.filter(|(_, then)| *then == stand);
            let (since, _) = *wrong.insert(stood.unwrap_or((survey.began_at, stand)));
            prop_assert!(survey.began_at - since < TimeDelta::seconds(120), "wrong since {}", since);
        }
    }

    /// Nothing is held against a flow that copies when it can and commits once a minute.
    #[test]
    fn a_task_that_runs_is_never_doubted(periods in periods(false)) {
        for (survey, missing) in told_and_true(&periods) {
            prop_assert!(survey.flows[0].unproven.is_empty());
            let most = told(&survey, &[]).records.value;
            prop_assert!(most >= Some(missing), "{:?} told, {} missing", most, missing);
        }
    }
}

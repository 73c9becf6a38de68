//! The lag of a flow, a topic or a partition over a time, with what happened in it. Read from what is stored; nothing here waits
//! for Kafka.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    lag::leaves_nothing_out,
    pair::{Direction, Pair},
    reading::{Reading, ReadingClass},
    recorder::{
        CleanupPolicies,
        explorer::{
            FlowHour, FlowStretch, Freshness, LagExplorer, Mark, Resolution, RowsOf, Series, Strip, Wanted,
            rpo_course,
        },
    },
};
use muster_store::{
    lag::{self, LagSample},
    marks,
    readiness::Kept,
    recorder::{self, Explored, Question},
    surveys,
};
use sqlx::PgConnection;

use crate::{
    http::{Answer, Failure},
    standing::judgement::{self, FRESH, Judgement},
};

/// The longest time that is looked at.
const LONGEST: TimeDelta = TimeDelta::days(400);
/// Topics or partitions that are shown one by one on a page.
pub const ROWS: usize = 40;
/// The most of them in one answer.
pub const MOST_ROWS: usize = 500;
/// No page begins behind so many rows: those before it are kept until the last is read.
pub const MOST_SKIPPED: usize = 20_000;
/// Marks of each kind.
pub const MARKS: i64 = 50;
/// An hour is added up so long after its end at the latest.
const HOUR_LATE: TimeDelta = TimeDelta::minutes(75);

/// What is asked about.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which flow.
    pub direction: Direction,
    /// A source topic, or all.
    pub topic: Option<String>,
    /// One of its partitions, or all.
    pub partition: Option<i32>,
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// At most so many stretches, 1 to 500.
    pub points: usize,
    /// Topics or partitions one by one.
    pub rows: Wanted,
    /// Whether these were asked for. Else they are left out of a whole flow over more than a day where they would take long.
    pub rows_asked: bool,
}

/// What rows are of when nobody says: the topics of a flow, the partitions of a topic.
#[must_use]
pub fn rows_of(topic: Option<&str>) -> RowsOf {
    if topic.is_some() { RowsOf::Partitions } else { RowsOf::Topics }
}

impl Asked {
    /// Whether it can be answered.
    ///
    /// # Errors
    /// `invalid-request`.
    pub fn check(&self) -> Answer<()> {
        let sane = |at: DateTime<Utc>| (1970..=9999).contains(&at.year());
        if !sane(self.from) || !sane(self.to) {
            return Err(Failure::invalid("`from` and `to` must be in the years 1970 to 9999."));
        }
        if self.from >= self.to {
            return Err(Failure::invalid("`from` must be before `to`."));
        }
        if self.to - self.from > LONGEST {
            return Err(Failure::invalid("A time of at most 400 days can be looked at."));
        }
        if self.partition.is_some() && self.topic.is_none() {
            return Err(Failure::invalid("`partition` needs a `topic`."));
        }
        if self.rows.skip > MOST_SKIPPED {
            return Err(Failure::invalid(
                "At most 20,000 rows can be skipped: choose a topic to see its partitions.",
            ));
        }
        Ok(())
    }
}

/// All that is shown of it.
///
/// # Errors
/// `invalid-request`; when the database refuses.
pub async fn explore(
    conn: &mut PgConnection,
    pair: &Pair,
    asked: &Asked,
    now: DateTime<Utc>,
) -> Answer<LagExplorer> {
    asked.check()?;
    let of = (&pair.name, asked.direction);
    let question = Question {
        topic: asked.topic.as_deref(),
        partition: asked.partition,
        from: asked.from,
        to: asked.to,
        points: asked.points,
        rows: asked.rows,
        rows_asked: asked.rows_asked,
        now,
    };
    let keeping = keeping_topics(conn, &pair.name, asked.direction, asked.to).await?;
    let explored = recorder::explore(conn, of, question, |topic| {
        keeping.as_ref().is_some_and(|policies| policies.keep_all_records(topic))
    })
    .await?;
    let whole = asked.topic.is_none() && explored.frame.resolution == Resolution::Hour;
    let flow = if whole { of_flow(conn, pair, asked).await? } else { Vec::new() };
    let rpo_course = if whole { rpo_course(&explored.frame, &explored.hours, now) } else { Vec::new() };
    let marks = marks_of(conn, pair, asked).await?;
    let kept = judgement::latest(conn, &pair.name).await?;
    let mut freshness = freshness(&explored, kept.as_ref(), asked.direction, now);
    freshness.extend(whole.then(|| of_course(&flow, kept.as_ref(), asked, now)));
    freshness.extend(explored.hours.last().map(|hour| of_rpo(hour, kept.as_ref(), now)));
    freshness.extend(of_hours_in_time(&explored, now));
    let course = explored.course;
    let too_many = explored.rows_left_out;
    let longest_ms = too_many.then(|| explored.longest.num_milliseconds());
    let (items, gaps, strip) = match course {
        Some(course) => (course.items, course.gaps, course.strip),
        None => (Vec::new(), Vec::new(), Strip::empty(asked.rows)),
    };
    Ok(LagExplorer {
        pair: pair.name.clone(),
        direction: asked.direction,
        source: pair.cluster(asked.direction.from).clone(),
        target: pair.cluster(asked.direction.to()).clone(),
        topic: asked.topic.clone(),
        partition: asked.partition,
        answered_at: now,
        from: asked.from,
        to: asked.to,
        resolution: explored.frame.resolution,
        width_ms: explored.frame.width,
        objective_ms: pair.objectives.rpo_seconds.saturating_mul(1000),
        partitions: explored.partitions,
        too_many,
        longest_ms,
        items,
        gaps,
        strip,
        flow,
        rpo_course,
        marks,
        freshness,
    })
}

/// The policies by which topics keep every record; `None` when the flow leaves out what transactions give up or what its transforms
/// do, or that is not known: then nothing is taken for proven to be missing.
async fn keeping_topics(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    at: DateTime<Utc>,
) -> Answer<Option<CleanupPolicies>> {
    let source = surveys::source_connector(conn, pair, direction).await?;
    if !source.as_ref().is_some_and(leaves_nothing_out) {
        return Ok(None);
    }
    Ok(Some(recorder::cleanup_policies(conn, (pair, direction.from), at).await?))
}

async fn marks_of(conn: &mut PgConnection, pair: &Pair, asked: &Asked) -> Answer<Vec<Mark>> {
    let other = pair.course(asked.direction.reverse());
    let of = (&pair.name, asked.direction, other.as_str());
    Ok(marks::between(conn, of, (asked.from, asked.to), MARKS).await?)
}

async fn of_flow(conn: &mut PgConnection, pair: &Pair, asked: &Asked) -> Answer<Vec<FlowStretch>> {
    let points = i32::try_from(asked.points).unwrap_or(i32::MAX);
    let samples = lag::history(conn, &pair.name, asked.direction, asked.from, asked.to, points).await?;
    let stretch = |sample: LagSample| FlowStretch {
        at: sample.at,
        worst_records: sample.worst_lag_records,
        total_records: sample.total_lag_records,
        records_class: sample.records_class,
        worst_ms: sample.lag_ms,
        ms_class: sample.ms_class,
    };
    Ok(samples.into_iter().map(stretch).collect())
}

fn freshness(
    explored: &Explored,
    kept: Option<&Kept<Judgement>>,
    direction: Direction,
    now: DateTime<Utc>,
) -> Vec<Freshness> {
    let judged = kept.and_then(|kept| kept.results.lag.iter().find(|lag| lag.direction == direction));
    let survey = kept.map(|kept| (kept.survey_number, kept.at));
    let of_flow = |series, reading: Option<&Reading>| Freshness {
        series,
        newest: survey.filter(|_| reading.is_some()).map(|(_, at)| at),
        age_ms: survey.filter(|_| reading.is_some()).map(|(_, at)| age(at, now)),
        class: reading.map_or(ReadingClass::Unknown, |reading| reading.class),
        survey: survey.filter(|_| reading.is_some()).map(|(number, _)| number),
        reason: reading.map(|reading| reading.reason.clone()).unwrap_or_default(),
    };
    let newest = explored.course.as_ref().and_then(|course| course.newest);
    let class = explored.course.as_ref().map_or(ReadingClass::Unknown, |course| course.newest_class);
    let hourly = explored.frame.resolution == Resolution::Hour;
    let stands = kept.map_or(FRESH, |kept| kept.results.stands());
    // What is told from surveys is as old as the last of them; a roll-up is added up later.
    let last = explored.hours.last().map(|hour| hour.rpo.last_at);
    let of_survey = last.zip(newest).is_some_and(|(last, newest)| same_moment(last, newest));
    let late = if hourly && !of_survey { HOUR_LATE } else { stands };
    let recorded = |series| Freshness {
        series,
        newest,
        age_ms: newest.map(|at| age(at, now)),
        class: if newest.is_some_and(|at| now - at > late) { class.max(ReadingClass::Stale) } else { class },
        survey: survey
            .filter(|(_, at)| newest.is_some_and(|newest| same_moment(newest, *at)))
            .map(|(number, _)| number),
        reason: String::new(),
    };
    let mut all = vec![
        of_flow(Series::FlowTime, judged.map(|lag| &lag.worst_ms)),
        of_flow(Series::FlowRecords, judged.map(|lag| &lag.worst_records)),
        recorded(Series::Partitions),
    ];
    all.extend((!hourly).then(|| recorded(Series::Rpo)));
    all
}

/// Of the whole flow. Every survey is judged, so the newest one is its newest sample where that is in the last stretch; else of
/// that stretch nothing but its begin is known.
fn of_course(
    flow: &[FlowStretch],
    kept: Option<&Kept<Judgement>>,
    asked: &Asked,
    now: DateTime<Utc>,
) -> Freshness {
    let last = flow.last();
    let survey = last.zip(kept).filter(|(last, kept)| kept.at >= last.at && kept.at <= asked.to);
    let newest = survey.map(|(_, kept)| kept.at).or(last.map(|last| last.at));
    let class = last.map_or(ReadingClass::Unknown, |last| last.ms_class);
    let old = newest.is_some_and(|at| now - at > FRESH);
    Freshness {
        series: Series::FlowCourse,
        newest,
        age_ms: newest.map(|at| age(at, now)),
        class: if old { class.max(ReadingClass::Stale) } else { class },
        survey: survey.map(|(_, kept)| kept.survey_number),
        reason: String::new(),
    }
}

/// Of the hours of a whole flow: the last survey of the last of them.
fn of_rpo(hour: &FlowHour, kept: Option<&Kept<Judgement>>, now: DateTime<Utc>) -> Freshness {
    let at = hour.rpo.last_at;
    let class = if hour.rpo.last_ms.is_some() { ReadingClass::LowerBound } else { ReadingClass::Unknown };
    Freshness {
        series: Series::Rpo,
        newest: Some(at),
        age_ms: Some(age(at, now)),
        class: if now - at > FRESH { class.max(ReadingClass::Stale) } else { class },
        survey: kept.filter(|kept| same_moment(kept.at, at)).map(|kept| kept.survey_number),
        reason: String::new(),
    }
}

/// Of the hours of a topic or partition in time; nothing where none is told. An hour is told with the one after it.
fn of_hours_in_time(explored: &Explored, now: DateTime<Utc>) -> Option<Freshness> {
    let course = explored.course.as_ref().filter(|_| explored.frame.resolution == Resolution::Hour)?;
    let last = course.items.iter().rfind(|item| item.rpo.is_some())?;
    let class = last.ms.map_or(ReadingClass::Unknown, |ms| ms.class);
    let late = told_late(TimeDelta::milliseconds(explored.frame.width));
    Some(Freshness {
        series: Series::Rpo,
        newest: Some(last.at),
        age_ms: Some(age(last.at, now)),
        class: if now - last.at > late { class.max(ReadingClass::Stale) } else { class },
        survey: None,
        reason: String::new(),
    })
}

/// So old the begin of the newest stretch of so many hours that is told can be while hours are told in time: the one after it is told
/// once its last hour is over and the hour after that is added up.
fn told_late(width: TimeDelta) -> TimeDelta {
    width + width + HOUR_LATE - TimeDelta::hours(1)
}

fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (now - at).num_milliseconds().max(0)
}

/// The recorder keeps milliseconds.
fn same_moment(a: DateTime<Utc>, b: DateTime<Utc>) -> bool {
    a.timestamp_millis() == b.timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_are_told_with_the_next_are_not_called_stale_however_wide_their_stretches_are() {
        for hours in [1, 2, 4, 24] {
            let width = TimeDelta::hours(hours);
            // Blocks are sealed five minutes after their begin at the earliest.
            let next_is_told = width * 2 + TimeDelta::minutes(5);
            assert!(told_late(width) > next_is_told, "{hours} h");
            assert!(told_late(width) < next_is_told + TimeDelta::minutes(15), "{hours} h");
        }
    }
}

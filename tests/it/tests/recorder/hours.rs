//! What a death would have cost, by the hour: what surveys of the real flow told is what is kept of them, and what API and table show a day
//! later.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_app::{
    acts::lag_explorer::{Asked, ROWS, explore, rows_of},
    api::lag_explorer::table,
};
use muster_domain::{
    lag::{RpoHour, RpoLook},
    recorder::{
        Kind,
        explorer::{LagExplorer, Resolution, Wanted, Why},
    },
};
use muster_store::{pairs, recorder, rpo_hours};

use crate::observer::{FORWARD, Observer};

/// What each survey said, from the first that could tell on.
#[derive(Debug, Default)]
pub(crate) struct Hours(tokio::sync::Mutex<Vec<RpoLook>>);

impl Hours {
    /// Takes what the newest survey said. Until there is a history nothing is known, and the hour of such a survey is not: it is kept from the
    /// first figure on.
    pub(crate) async fn see(&self, observer: &Observer) -> anyhow::Result<()> {
        let look = observer.look().await?;
        let mut looks = self.0.lock().await;
        if looks.is_empty() && look.ms_at_most.is_none() {
            sqlx::query("delete from flow_rpo_hour").execute(observer.database.pool()).await?;
        } else {
            looks.push(look);
        }
        Ok(())
    }

    /// The hours hold the worst of the surveys and of the time between them, and where the last of them left it.
    pub(crate) async fn hold_what_surveys_told(&self, observer: &Observer) -> anyhow::Result<()> {
        let looks = self.0.lock().await;
        println!("{looks:#?}");
        ensure!(looks.len() >= 3, "too few surveys could tell: {looks:#?}");
        let hours = kept(observer).await?;
        let worst_kept = hours.iter().try_fold(0, |worst: i64, hour| Some(worst.max(hour.ms_at_most?)));
        assert_eq!(worst_kept, worst(&looks), "{hours:#?}, {looks:#?}");
        let since = hours.first().map(|hour| hour.since);
        assert_eq!(since, looks.first().map(|look| look.at), "{hours:#?}");
        let last = hours.last().map(|hour| (hour.last_at, hour.last_ms));
        assert_eq!(last, looks.last().map(|look| (look.at, look.ms_then)), "{hours:#?}");
        Ok(())
    }

    /// A day later, when nobody has looked since: the hours that were looked at are told, each with the time up to its end, and no other.
    pub(crate) async fn are_shown_a_day_later(&self, observer: &Observer) -> anyhow::Result<()> {
        let (now, later) = (Utc::now(), Utc::now() + TimeDelta::hours(26));
        roll_up(observer, Kind::Partitions, later).await?;
        let found = asked_about(observer, now - TimeDelta::hours(24), later).await?;
        assert_eq!(found.resolution, Resolution::Hour);
        let not_recorded = |found: &LagExplorer| {
            found.rpo_course.iter().filter(|one| one.why == Some(Why::NotRecorded)).count()
        };
        let hours = kept(observer).await?;
        let first = hours.first().context("an hour is kept")?.at;
        let told = found.rpo_course.iter().find(|one| one.at == first).context("it is asked about")?;
        assert_eq!(
            (told.ms_at_most, told.why),
            (None, Some(Why::NotRecorded)),
            "it was not kept from its begin"
        );

        // As if it had been looked at in the hour before, too.
        let sql = "update flow_rpo_hour set since = at where at = $1";
        sqlx::query(sql).bind(first).execute(observer.database.pool()).await?;
        let found = asked_about(observer, now - TimeDelta::hours(24), later).await?;
        assert_eq!(not_recorded(&found) + hours.len(), found.rpo_course.len(), "{:#?}", found.rpo_course);
        let csv = table(&found);
        for hour in &hours {
            let worst = hour.worst_until(hour.end());
            let told = found.rpo_course.iter().find(|one| one.at == hour.at).context("it is asked about")?;
            let why = worst.is_none().then_some(Why::InTheHour);
            assert_eq!((told.ms_at_most, told.why), (worst, why), "{hour:#?}");
            let class = if worst.is_some() { "lower_bound" } else { "unknown" };
            let cells = [
                ("rpo_ms_at_most", worst.map(|ms| ms.to_string()).unwrap_or_default()),
                ("rpo_class", class.to_owned()),
            ];
            for (name, expected) in cells {
                assert_eq!(cell(&csv, hour.at, name)?, expected, "{name}: {csv}");
            }
        }
        Ok(())
    }
}

/// The worst that a survey said, or that it had come to until the next; `None` when one of them could not tell.
fn worst(looks: &[RpoLook]) -> Option<i64> {
    let said = looks.iter().map(|look| look.ms_at_most);
    let between = looks.windows(2).map(|two| {
        let unseen = (two[1].at - two[0].at).num_milliseconds();
        Some(two[0].ms_then? + unseen)
    });
    said.chain(between).try_fold(0, |worst: i64, one| Some(worst.max(one?)))
}

/// All hours of the flow.
async fn kept(observer: &Observer) -> anyhow::Result<Vec<RpoHour>> {
    let mut conn = observer.database.pool().acquire().await?;
    let day = (Utc::now() - TimeDelta::days(1), Utc::now() + TimeDelta::days(1));
    let hours = rpo_hours::between(&mut conn, (&observer.pair, FORWARD), day).await?;
    Ok(hours.into_iter().map(|hour| hour.rpo).collect())
}

/// Adds what was recorded to its hours, as whoever observes the pair does after a survey at that time.
pub(crate) async fn roll_up(observer: &Observer, kind: Kind, at: DateTime<Utc>) -> anyhow::Result<()> {
    let mut conn = observer.database.pool().acquire().await?;
    let stream = recorder::find_stream(&mut conn, &observer.pair, FORWARD, kind).await?;
    let stream = stream.context("it was observed")?;
    while recorder::seal(&mut conn, stream, kind, at).await? {}
    Ok(())
}

/// What the API answers of the whole flow at the end of that time: hour by hour, or by surveys where it is no longer than a day.
pub(crate) async fn asked_about(
    observer: &Observer,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> anyhow::Result<LagExplorer> {
    let mut conn = observer.database.pool().acquire().await?;
    let pair = pairs::get(&mut conn, &observer.pair).await?.context("it was inserted")?;
    let rows = Wanted::worst(rows_of(None), ROWS);
    let asked = Asked {
        direction: FORWARD,
        topic: None,
        partition: None,
        from,
        to,
        points: 100,
        rows,
        rows_asked: false,
    };
    match explore(&mut conn, &pair, &asked, to).await {
        Ok(found) => Ok(found),
        Err(failure) => anyhow::bail!("{}", failure.problem.detail),
    }
}

/// What stands in a column of the line that begins at a time.
pub(crate) fn cell(csv: &str, at: DateTime<Utc>, name: &str) -> anyhow::Result<String> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().context("a table has a head")?.split(',').collect();
    let number = head.iter().position(|head| *head == name).with_context(|| format!("no column {name}"))?;
    let begin = format!("{},", at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let line =
        lines.find(|line| line.starts_with(&begin)).with_context(|| format!("no line of {at}: {csv}"))?;
    Ok(line.split(',').nth(number).context("a short line")?.to_owned())
}

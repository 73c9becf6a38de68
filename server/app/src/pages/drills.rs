//! `/drills`: the drill programme.

use axum::extract::State;
use chrono::{NaiveDate, NaiveTime, Utc};
use muster_domain::{
    ids::PairName,
    people::Role,
    schedule::{Blackout, Cadence, Drill},
};
use muster_store::{runs, schedules as stored};
use muster_web::{
    drills::{DrillsPage, DueDrill},
    forms::ScheduleForm,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        pairs,
        schedules::{self, NewSchedule},
    },
    api::{runs::teams, schedules::recorded},
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: String,
}

/// Most drills that came due looked at for the page.
const SHOWN: i64 = 200;

/// `GET /drills`.
pub async fn list(State(app): State<App>, asking: Asking, Query(done): Query<Done>) -> Answer {
    html(&page(&app, &asking, None, &[], &done.done).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    form: Option<&ScheduleForm>,
    errors: &[(String, String)],
    done: &str,
) -> Answer<DrillsPage> {
    let chrome = asking.chrome(app).await;
    let actor = asking.actor()?;
    let occurrences = recorded(app, actor, None, None, SHOWN).await?;
    let mut conn = app.pool.acquire().await?;
    let mine = pairs::list(&mut conn, actor).await?;
    let owns =
        |name: &PairName| mine.iter().any(|pair| pair.name == *name && actor.has(Role::Owner, &pair.team));
    let schedules = stored::list(&mut conn, teams(actor).as_deref()).await?;
    let schedules: Vec<_> = schedules
        .into_iter()
        .map(|schedule| {
            let may = owns(&schedule.pair);
            (schedule, may)
        })
        .collect();
    let names: Vec<_> = mine.iter().map(|pair| (pair.name.to_string(), owns(&pair.name))).collect();
    let mut due = Vec::new();
    for one in occurrences {
        let run = match one.run {
            Some(run) => runs::get(&mut conn, run).await?,
            None => None,
        };
        due.push(DueDrill {
            pair: one.pair,
            drill: Drill::parse(&one.drill),
            occurrence: one.occurrence,
            standing: one.standing,
            run,
            trouble: one.trouble,
        });
    }
    Ok(DrillsPage::new(chrome, &schedules, &names, &due, form, errors, done))
}

/// `POST /drills`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<ScheduleForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(()) => Ok(see("/drills?done=created")),
        Err((field, failure)) if is_about_the_form(&failure) => {
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &page(&app, &asking, Some(&form), &errors, "").await?)
        }
        Err((_, failure)) => Err(failure),
    }
}

async fn try_create(app: &App, asking: &Asking, form: &ScheduleForm) -> Result<(), (&'static str, Failure)> {
    let new = parse(form).map_err(|(field, wrong)| (field, Failure::invalid(wrong)))?;
    let field = if form.every == "cron" { "cron" } else { "day" };
    let create = async {
        let mut tx = muster_store::begin(&app.pool).await?;
        schedules::create(&mut tx, new, asking.actor()?, Utc::now()).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    create.await.map_err(|failure| (field, failure))
}

/// A field and what is wrong with what was typed there.
type Wrong = (&'static str, String);

fn parse(form: &ScheduleForm) -> Result<NewSchedule, Wrong> {
    let number = |field: &'static str, text: &str| -> Result<u32, Wrong> {
        text.trim().parse().map_err(|_| (field, format!("`{text}` is not a whole number.")))
    };
    let cadence = match form.every.as_str() {
        "cron" => Cadence::Cron { expression: form.cron.trim().to_owned() },
        _ => Cadence::Quarter {
            month: number("month", &form.month)?,
            day: number("day", &form.day)?,
            at: NaiveTime::parse_from_str(form.at.trim(), "%H:%M")
                .map_err(|_| ("at", format!("`{}` is not a time like 09:00.", form.at)))?,
        },
    };
    let blackouts = form.blackouts.lines().filter(|line| !line.trim().is_empty()).map(blackout);
    Ok(NewSchedule {
        pair: PairName::new(form.pair.trim()).map_err(|e| ("pair", e.to_string()))?,
        drill: Drill::parse(&form.drill)
            .ok_or_else(|| ("drill", format!("There is no drill `{}`.", form.drill)))?,
        cadence,
        zone: form
            .zone
            .trim()
            .parse()
            .map_err(|_| ("zone", format!("`{}` is not a time zone of the IANA database.", form.zone)))?,
        window_minutes: number("window_minutes", &form.window_minutes)?,
        blackouts: blackouts.collect::<Result<_, _>>()?,
        owners: form
            .owners
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        lead_days: number("lead_days", &form.lead_days)?,
        enabled: true,
    })
}

/// `2026-12-10 to 2027-01-06 peak season`, or one day alone.
fn blackout(line: &str) -> Result<Blackout, Wrong> {
    let wrong = || {
        let text = format!("`{}` does not begin with a day like 2026-12-10.", line.trim());
        ("blackouts", text)
    };
    let (first, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let from: NaiveDate = first.parse().map_err(|_| wrong())?;
    let Some(rest) = rest.trim().strip_prefix("to ") else {
        return Ok(Blackout { from, until: from, reason: rest.trim().to_owned() });
    };
    let (last, reason) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    Ok(Blackout { from, until: last.parse().map_err(|_| wrong())?, reason: reason.trim().to_owned() })
}

/// What removing a schedule sends.
#[derive(Debug, Deserialize)]
pub struct RemoveForm {
    version: i64,
}

/// `POST /drills/{schedule}/remove`.
pub async fn remove(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<RemoveForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    schedules::remove(&mut tx, id, Some(form.version), asking.actor()?).await?;
    tx.commit().await?;
    Ok(see("/drills?done=removed"))
}

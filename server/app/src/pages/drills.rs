//! `/drills`: the drill programme.

use axum::extract::State;
use chrono::{NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use muster_domain::{
    ids::PairName,
    people::Role,
    schedule::{Blackout, Cadence, Drill, Standing},
};
use muster_store::{
    clock,
    programme::{self, Listed, Place, Standings, Turn},
    runs, schedules as stored,
};
use muster_web::{
    drills::{DrillsPage, DueDrill, Programme, ProgrammePair, Waiting},
    forms::ScheduleForm,
    parts::Ends,
    schedule_form::SchedulePage,
};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PAGE, asking::Asking, cut, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        pairs,
        schedules::{self, NewSchedule, ScheduleEdit},
    },
    api::{
        cursor,
        runs::teams,
        schedules::{read_cursor, write_cursor},
    },
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// What is shown, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    done: String,
    /// Cursor of the page of schedules before.
    after: String,
    /// Cursor of the page before of what is due.
    due_after: String,
}

/// What cursors of what is due are known by.
const DUE: &str = "due";

/// `GET /drills`.
pub async fn list(State(app): State<App>, asking: Asking, Query(shown): Query<Shown>) -> Answer {
    html(&page(&app, &asking, None, &[], &shown).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    form: Option<&ScheduleForm>,
    errors: &[(String, String)],
    shown: &Shown,
) -> Answer<DrillsPage> {
    let chrome = asking.chrome(app).await;
    let actor = asking.actor()?;
    let teams = teams(actor);
    let mut conn = app.pool.acquire().await?;
    let behind = read_place(&shown.due_after);
    let (mut waiting, mut listed) = due(&mut conn, teams.as_deref(), behind).await?;
    if behind.is_some() && listed.is_empty() {
        // What was there is gone: the list from its beginning says how things stand.
        (waiting, listed) = due(&mut conn, teams.as_deref(), None).await?;
    }
    let next = cut(&mut listed, |last| write_place(last.place));
    let ends = Ends::new(
        "drills",
        behind.map(|_| "/drills".to_owned()),
        next.map(|next| format!("/drills?due_after={next}")),
    );
    let due = came_of(&mut conn, listed).await?;
    let mine = pairs::list(&mut conn, actor).await?;
    let owns =
        |name: &PairName| mine.iter().any(|pair| pair.name == *name && actor.has(Role::Owner, &pair.team));
    let after = read_cursor(Some(&shown.after)).unwrap_or_default();
    let mut found = stored::list(&mut conn, teams.as_deref(), after, PAGE + 1).await?;
    let more_after = cut(&mut found, write_cursor);
    let schedules: Vec<_> = found
        .into_iter()
        .map(|schedule| {
            let may = owns(&schedule.pair);
            (schedule, may)
        })
        .collect();
    let scheduled = stored::scheduled_pairs(&mut conn).await?;
    let pairs: Vec<ProgrammePair> = mine
        .iter()
        .map(|pair| ProgrammePair {
            name: pair.name.to_string(),
            owned: actor.has(Role::Owner, &pair.team),
            scheduled: scheduled.contains(pair.name.as_str()),
        })
        .collect();
    let programme = Programme {
        schedules: &schedules,
        more_after: more_after.as_deref(),
        pairs: &pairs,
        waiting,
        due: &due,
        ends: &ends,
    };
    Ok(DrillsPage::new(chrome, programme, form, errors, &shown.done))
}

/// A page of what is due behind a place, with one more; and how much waits in all.
async fn due(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    behind: Option<Place>,
) -> Answer<(Waiting, Vec<Listed>)> {
    let now = clock::now(conn).await?;
    let (Standings { overdue, due, ahead }, listed) =
        programme::list(conn, teams, now, behind, PAGE + 1).await?;
    Ok((Waiting { overdue, due, ahead }, listed))
}

/// The drills with their runs.
async fn came_of(conn: &mut PgConnection, listed: Vec<Listed>) -> Answer<Vec<DueDrill>> {
    let now = clock::now(conn).await?;
    let asked: Vec<Uuid> = listed.iter().filter_map(|one| one.run).collect();
    let runs = runs::of_ids(conn, &asked).await?;
    let due = listed.into_iter().map(|one| {
        let standing = one.occurrence.standing(one.passed, one.skipped.is_some(), now);
        DueDrill {
            pair: one.pair,
            drill: Drill::parse(&one.drill),
            occurrence: one.occurrence,
            missed: standing == Standing::Overdue && one.place.is_over(),
            standing,
            run: one.run.and_then(|run| runs.get(&run).cloned()),
            trouble: one.trouble,
            skipped: one.skipped.unwrap_or_default(),
        }
    });
    Ok(due.collect())
}

fn write_place(place: Place) -> String {
    cursor::write(DUE, &[&place.turn.number(), &place.due, &place.schedule, &place.nominal])
}

/// The place a cursor speaks of; none for what is no cursor, which is the beginning of the list.
fn read_place(after: &str) -> Option<Place> {
    let [turn, due, schedule, nominal] = cursor::read::<4>(DUE, after).ok()?;
    Some(Place {
        turn: Turn::of_number(turn.parse().ok()?)?,
        due: due.parse().ok()?,
        schedule: schedule.parse().ok()?,
        nominal: nominal.parse().ok()?,
    })
}

/// `POST /drills`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<ScheduleForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(()) => Ok(see("/drills?done=created")),
        Err((field, failure)) if is_about_the_form(&failure) => {
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &page(&app, &asking, Some(&form), &errors, &Shown::default()).await?)
        }
        Err((_, failure)) => Err(failure),
    }
}

/// A field of the form and what is wrong with it.
type Refused = (&'static str, Failure);

async fn try_create(app: &App, asking: &Asking, form: &ScheduleForm) -> Result<(), Refused> {
    let new = parse_new(form).map_err(|(field, wrong)| (field, Failure::invalid(wrong)))?;
    let create = async {
        let mut tx = muster_store::begin(&app.pool).await?;
        schedules::create(&mut tx, new, asking.actor()?, Utc::now()).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    create.await.map_err(|failure| (cadence_field(form), failure))
}

/// Where it is said what is wrong with the whole: mostly how often it comes.
fn cadence_field(form: &ScheduleForm) -> &'static str {
    if form.every == "cron" { "cron" } else { "day" }
}

/// A field and what is wrong with what was typed there.
type Wrong = (&'static str, String);

fn parse_new(form: &ScheduleForm) -> Result<NewSchedule, Wrong> {
    let When { cadence, zone, window_minutes, blackouts, owners, lead_days } = parse(form)?;
    Ok(NewSchedule {
        pair: PairName::new(form.pair.trim()).map_err(|e| ("pair", e.to_string()))?,
        drill: Drill::parse(&form.drill)
            .ok_or_else(|| ("drill", format!("There is no drill `{}`.", form.drill)))?,
        cadence,
        zone,
        window_minutes,
        blackouts,
        owners,
        lead_days,
        enabled: true,
    })
}

/// When drills are due, as typed.
struct When {
    cadence: Cadence,
    zone: Tz,
    window_minutes: u32,
    blackouts: Vec<Blackout>,
    owners: Vec<String>,
    lead_days: u32,
}

fn parse(form: &ScheduleForm) -> Result<When, Wrong> {
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
    let owners = form.owners.split(',').map(str::trim).filter(|name| !name.is_empty());
    Ok(When {
        cadence,
        zone: form
            .zone
            .trim()
            .parse()
            .map_err(|_| ("zone", format!("`{}` is not a time zone of the IANA database.", form.zone)))?,
        window_minutes: number("window_minutes", &form.window_minutes)?,
        blackouts: blackouts.collect::<Result<_, _>>()?,
        owners: owners.map(str::to_owned).collect(),
        lead_days: number("lead_days", &form.lead_days)?,
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

/// `GET /drills/{schedule}/edit`.
pub async fn edit(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let schedule = schedules::get(&mut *app.pool.acquire().await?, id, asking.actor()?).await?;
    html(&SchedulePage::new(chrome, &schedule, None, &[], None))
}

/// `POST /drills/{schedule}/edit`.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<ScheduleForm>,
) -> Answer {
    match try_change(&app, &asking, id, &form).await {
        Ok(()) => Ok(see("/drills?done=changed")),
        Err((field, failure)) if is_about_the_form(&failure) => {
            let chrome = asking.chrome(&app).await;
            let schedule = schedules::get(&mut *app.pool.acquire().await?, id, asking.actor()?).await?;
            let errors = field.map(|field| (field.to_owned(), failure.problem.detail.clone()));
            let whole = errors.is_none().then_some(&failure.problem);
            let errors: Vec<_> = errors.into_iter().collect();
            refused_form(&failure, &SchedulePage::new(chrome, &schedule, Some(&form), &errors, whole))
        }
        Err((_, failure)) => Err(failure),
    }
}

/// What went wrong, beside a field where it is about one.
async fn try_change(
    app: &App,
    asking: &Asking,
    id: Uuid,
    form: &ScheduleForm,
) -> Result<(), (Option<&'static str>, Failure)> {
    let when = parse(form).map_err(|(field, wrong)| (Some(field), Failure::invalid(wrong)))?;
    let change = async {
        let actor = asking.actor()?;
        let mut tx = muster_store::begin(&app.pool).await?;
        let shown = ScheduleForm::from(&schedules::get(&mut tx, id, actor).await?);
        let edit = ScheduleEdit {
            cadence: Some(when.cadence),
            zone: Some(when.zone),
            window_minutes: Some(when.window_minutes),
            // Programs may have kept what a line of a form cannot say; who leaves it alone keeps it.
            blackouts: (!same_lines(&form.blackouts, &shown.blackouts)).then_some(when.blackouts),
            owners: (form.owners != shown.owners).then_some(when.owners),
            lead_days: Some(when.lead_days),
            enabled: Some(form.enabled == "on"),
        };
        schedules::change(&mut tx, id, Some(form.version), edit, actor, Utc::now()).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    change.await.map_err(|failure| {
        let of_cadence = failure.problem.code == "invalid-request";
        (of_cadence.then(|| cadence_field(form)), failure)
    })
}

/// Browsers end lines in their own way.
fn same_lines(one: &str, other: &str) -> bool {
    one.lines().map(str::trim_end).eq(other.lines().map(str::trim_end))
}

//! Removing a schedule, a channel, a team, a pair or a cluster, and stopping a canary: `GET` shows the page before it, `POST`
//! does it. A refused one is that page again, with what was wrong and what was typed.

use axum::extract::State;
use chrono::Utc;
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    notification::Channel,
};
use muster_store::{channels as stored_channels, schedules as stored_schedules};
use muster_web::{danger::DangerPage, forms::DangerForm};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{asking::Asking, clusters::pair_names, html, is_about_the_form, refused_form, see, teams::seen};
use crate::{
    acts::{
        channels, clusters,
        pairs::{self, InTheWay, PairEdit},
        schedules, teams,
    },
    app::App,
    http::{Answer, Failure, Form, Path},
};

/// Messages of a channel that are looked at for how many still wait.
const LAST_MESSAGES: i64 = 1_000;

/// The name typed again must be that of what is removed.
fn typed_is(form: &DangerForm, what: &str, name: &str) -> Answer<()> {
    if form.typed.trim() == name {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "The name typed must be `{name}`, the {what} this removes. Nothing was changed."
    )))
}

/// Keeps what an act did, and goes on to another page. One that was refused is told on the page before it, where that can be told
/// there.
async fn conclude(
    tx: Transaction<'_, Postgres>,
    done: Answer<()>,
    next: &str,
    form: &DangerForm,
    page: impl Future<Output = Answer<DangerPage>>,
) -> Answer {
    match done {
        Ok(()) => {
            tx.commit().await?;
            Ok(see(next))
        }
        Err(failure) if is_about_the_act(&failure) => {
            drop(tx);
            refused_form(&failure, &page.await?.refused(form, &failure.problem))
        }
        Err(failure) => Err(failure),
    }
}

/// Whether a refusal is told on the page before the act; any other goes on to the error page.
fn is_about_the_act(failure: &Failure) -> bool {
    let in_the_way = ["pair-has-active-run", "pair-in-use", "team-in-use"];
    is_about_the_form(failure) || in_the_way.contains(&failure.problem.code.as_str())
}

/// `GET /drills/{schedule}/remove`.
pub async fn schedule(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&schedule_page(&app, &asking, id).await?)
}

async fn schedule_page(app: &App, asking: &Asking, id: Uuid) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let schedule = schedules::get(&mut conn, id, asking.actor()?).await?;
    let team = pairs::get(&mut conn, &schedule.pair).await?.team.to_string();
    let all = stored_schedules::list(&mut conn, Some(&[team]), None, i64::MAX).await?;
    let others = all.iter().filter(|other| other.pair == schedule.pair && other.id != id).count();
    Ok(DangerPage::remove_schedule(chrome, &schedule, others))
}

/// `POST /drills/{schedule}/remove`.
pub async fn remove_schedule(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let removed = schedules::remove(&mut tx, id, Some(form.version), asking.actor()?, Utc::now()).await;
    conclude(tx, removed, "/drills?done=removed", &form, schedule_page(&app, &asking, id)).await
}

/// `GET /notifications/{channel}/remove`.
pub async fn channel(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&channel_page(&app, &asking, id).await?)
}

async fn channel_page(app: &App, asking: &Asking, id: Uuid) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let channel = channels::get(&mut conn, id, asking.actor()?).await?;
    let of_team = stored_channels::list(&mut conn, Some(&[channel.team.to_string()])).await?;
    let told = |other: &&Channel| other.enabled && other.id != id;
    let others = of_team.iter().filter(told).count();
    let last = stored_channels::deliveries(&mut conn, None, Some(id), None, LAST_MESSAGES).await?;
    let waiting = last.iter().filter(|delivery| delivery.next_at.is_some()).count();
    Ok(DangerPage::remove_channel(chrome, &channel, others, waiting))
}

/// `POST /notifications/{channel}/remove`.
pub async fn remove_channel(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let removed = channels::remove(&mut tx, id, Some(form.version), asking.actor()?).await;
    conclude(tx, removed, "/notifications?done=removed", &form, channel_page(&app, &asking, id)).await
}

/// `GET /teams/{team}/remove`.
pub async fn team(State(app): State<App>, asking: Asking, Path(name): Path<TeamName>) -> Answer {
    html(&team_page(&app, &asking, &name).await?)
}

async fn team_page(app: &App, asking: &Asking, name: &TeamName) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let team = teams::get(&mut *app.pool.acquire().await?, name).await?;
    Ok(DangerPage::remove_team(chrome, &seen(team)))
}

/// `POST /teams/{team}/remove`.
pub async fn remove_team(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<TeamName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let removed = teams::delete(&mut tx, &name, Some(form.version), asking.actor()?).await;
    conclude(tx, removed, "/teams?done=removed", &form, team_page(&app, &asking, &name)).await
}

/// `GET /pairs/{pair}/remove`.
pub async fn pair(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    html(&pair_page(&app, &asking, &name).await?)
}

async fn pair_page(app: &App, asking: &Asking, name: &PairName) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let InTheWay { runs, scheduled } = pairs::in_the_way(&mut conn, name).await?;
    Ok(DangerPage::remove_pair(chrome, &pair, &runs, scheduled))
}

/// `POST /pairs/{pair}/remove`.
pub async fn remove_pair(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let removed = match typed_is(&form, "pair", name.as_str()) {
        Ok(()) => pairs::delete(&mut tx, &name, Some(form.version), asking.actor()?).await,
        wrong => wrong,
    };
    conclude(tx, removed, "/", &form, pair_page(&app, &asking, &name)).await
}

/// `GET /pairs/{pair}/canary/remove`.
pub async fn canary(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    html(&canary_page(&app, &asking, &name).await?)
}

async fn canary_page(app: &App, asking: &Asking, name: &PairName) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let pair = pairs::get(&mut *app.pool.acquire().await?, name).await?;
    Ok(DangerPage::stop_canary(chrome, &pair))
}

/// `POST /pairs/{pair}/canary/remove`: an edit of the pair, as any other.
pub async fn stop_canary(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let stopped = try_stop_canary(&mut tx, &asking, &name, form.version).await;
    conclude(tx, stopped, &format!("/pairs/{name}"), &form, canary_page(&app, &asking, &name)).await
}

async fn try_stop_canary(
    conn: &mut PgConnection,
    asking: &Asking,
    name: &PairName,
    version: i64,
) -> Answer<()> {
    if pairs::get(conn, name).await?.canary_topic.is_none() {
        return Err(Failure::invalid(format!("Pair `{name}` has no canary.")));
    }
    let edit = PairEdit { canary_topic: Some(None), ..PairEdit::default() };
    pairs::change(conn, name, Some(version), edit, (asking.actor()?, asking.since_shown)).await?;
    Ok(())
}

/// `GET /clusters/{cluster}/remove`.
pub async fn cluster(State(app): State<App>, asking: Asking, Path(name): Path<ClusterName>) -> Answer {
    html(&cluster_page(&app, &asking, &name).await?)
}

async fn cluster_page(app: &App, asking: &Asking, name: &ClusterName) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let cluster = clusters::get(&mut conn, name).await?;
    let pairs = pair_names(&mut conn, name).await?;
    Ok(DangerPage::remove_cluster(chrome, &cluster, &pairs))
}

/// `POST /clusters/{cluster}/remove`.
pub async fn remove_cluster(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<ClusterName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let removed = match typed_is(&form, "cluster", name.as_str()) {
        Ok(()) => clusters::delete(&mut tx, &name, Some(form.version), asking.actor()?).await,
        wrong => wrong,
    };
    conclude(tx, removed, "/clusters", &form, cluster_page(&app, &asking, &name)).await
}

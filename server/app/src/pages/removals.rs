//! Removing a schedule, a channel, a team, a pair or a cluster, and stopping a canary: `GET` shows the page before it, `POST`
//! does it. A refused one is that page again, with what was wrong and what was typed.

use axum::extract::State;
use chrono::Utc;
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    notification::Channel,
};
use muster_store::{channels as stored_channels, schedules as stored_schedules};
use muster_web::{
    danger::{DangerPage, Sent},
    forms::DangerForm,
};
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

/// A refusal that is told on the page before the act; any other goes on to the error page.
fn told_on_the_page(failure: Failure) -> Answer<Failure> {
    let in_the_way = ["pair-has-active-run", "pair-in-use", "team-in-use"];
    match is_about_the_form(&failure) || in_the_way.contains(&failure.problem.code.as_str()) {
        true => Ok(failure),
        false => Err(failure),
    }
}

fn sent<'a>(form: &'a DangerForm, failure: &'a Failure) -> Sent<'a> {
    Sent { form, problem: &failure.problem }
}

/// `GET /drills/{schedule}/remove`.
pub async fn schedule(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&schedule_page(&app, &asking, id, None).await?)
}

async fn schedule_page(app: &App, asking: &Asking, id: Uuid, sent: Option<Sent<'_>>) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let schedule = schedules::get(&mut conn, id, asking.actor()?).await?;
    let team = pairs::get(&mut conn, &schedule.pair).await?.team.to_string();
    let all = stored_schedules::list(&mut conn, Some(&[team]), None, i64::MAX).await?;
    let others = all.iter().filter(|other| other.pair == schedule.pair && other.id != id).count();
    Ok(DangerPage::remove_schedule(chrome, &schedule, others, sent))
}

/// `POST /drills/{schedule}/remove`.
pub async fn remove_schedule(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let removed = async {
        let mut tx = muster_store::begin(&app.pool).await?;
        schedules::remove(&mut tx, id, Some(form.version), asking.actor()?, Utc::now()).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    let Err(failure) = removed.await else { return Ok(see("/drills?done=removed")) };
    let failure = told_on_the_page(failure)?;
    refused_form(&failure, &schedule_page(&app, &asking, id, Some(sent(&form, &failure))).await?)
}

/// `GET /notifications/{channel}/remove`.
pub async fn channel(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&channel_page(&app, &asking, id, None).await?)
}

async fn channel_page(app: &App, asking: &Asking, id: Uuid, sent: Option<Sent<'_>>) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let channel = channels::get(&mut conn, id, asking.actor()?).await?;
    let of_team = stored_channels::list(&mut conn, Some(&[channel.team.to_string()])).await?;
    let told = |other: &&Channel| other.enabled && other.id != id;
    let others = of_team.iter().filter(told).count();
    let last = stored_channels::deliveries(&mut conn, None, Some(id), None, LAST_MESSAGES).await?;
    let waiting = last.iter().filter(|delivery| delivery.next_at.is_some()).count();
    Ok(DangerPage::remove_channel(chrome, &channel, others, waiting, sent))
}

/// `POST /notifications/{channel}/remove`.
pub async fn remove_channel(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let removed = async {
        let mut tx = muster_store::begin(&app.pool).await?;
        channels::remove(&mut tx, id, Some(form.version), asking.actor()?).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    let Err(failure) = removed.await else { return Ok(see("/notifications?done=removed")) };
    let failure = told_on_the_page(failure)?;
    refused_form(&failure, &channel_page(&app, &asking, id, Some(sent(&form, &failure))).await?)
}

/// `GET /teams/{team}/remove`.
pub async fn team(State(app): State<App>, asking: Asking, Path(name): Path<TeamName>) -> Answer {
    html(&team_page(&app, &asking, &name, None).await?)
}

async fn team_page(
    app: &App,
    asking: &Asking,
    name: &TeamName,
    sent: Option<Sent<'_>>,
) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let team = teams::get(&mut *app.pool.acquire().await?, name).await?;
    Ok(DangerPage::remove_team(chrome, &seen(team), sent))
}

/// `POST /teams/{team}/remove`.
pub async fn remove_team(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<TeamName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let removed = async {
        let mut tx = muster_store::begin(&app.pool).await?;
        teams::delete(&mut tx, &name, Some(form.version), asking.actor()?).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    let Err(failure) = removed.await else { return Ok(see("/teams?done=removed")) };
    let failure = told_on_the_page(failure)?;
    refused_form(&failure, &team_page(&app, &asking, &name, Some(sent(&form, &failure))).await?)
}

/// `GET /pairs/{pair}/remove`.
pub async fn pair(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    html(&pair_page(&app, &asking, &name, None).await?)
}

async fn pair_page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    sent: Option<Sent<'_>>,
) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let InTheWay { runs, scheduled } = pairs::in_the_way(&mut conn, name).await?;
    Ok(DangerPage::remove_pair(chrome, &pair, &runs, scheduled, sent))
}

/// `POST /pairs/{pair}/remove`.
pub async fn remove_pair(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let removed = async {
        typed_is(&form, "pair", name.as_str())?;
        let mut tx = muster_store::begin(&app.pool).await?;
        pairs::delete(&mut tx, &name, Some(form.version), asking.actor()?).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    let Err(failure) = removed.await else { return Ok(see("/")) };
    let failure = told_on_the_page(failure)?;
    refused_form(&failure, &pair_page(&app, &asking, &name, Some(sent(&form, &failure))).await?)
}

/// `GET /pairs/{pair}/canary/remove`.
pub async fn canary(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    html(&canary_page(&app, &asking, &name, None).await?)
}

async fn canary_page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    sent: Option<Sent<'_>>,
) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let pair = pairs::get(&mut *app.pool.acquire().await?, name).await?;
    Ok(DangerPage::stop_canary(chrome, &pair, sent))
}

/// `POST /pairs/{pair}/canary/remove`: an edit of the pair, as any other.
pub async fn stop_canary(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let stopped = async {
        let mut tx = muster_store::begin(&app.pool).await?;
        let before = pairs::get(&mut tx, &name).await?;
        if before.canary_topic.is_none() {
            return Err(Failure::invalid(format!("Pair `{name}` has no canary.")));
        }
        let edit = PairEdit { canary_topic: Some(None), ..PairEdit::default() };
        pairs::change(&mut tx, &name, Some(form.version), edit, (asking.actor()?, asking.proven)).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    let Err(failure) = stopped.await else { return Ok(see(&format!("/pairs/{name}"))) };
    let failure = told_on_the_page(failure)?;
    refused_form(&failure, &canary_page(&app, &asking, &name, Some(sent(&form, &failure))).await?)
}

/// `GET /clusters/{cluster}/remove`.
pub async fn cluster(State(app): State<App>, asking: Asking, Path(name): Path<ClusterName>) -> Answer {
    html(&cluster_page(&app, &asking, &name, None).await?)
}

async fn cluster_page(
    app: &App,
    asking: &Asking,
    name: &ClusterName,
    sent: Option<Sent<'_>>,
) -> Answer<DangerPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let cluster = clusters::get(&mut conn, name).await?;
    let pairs = pair_names(&mut conn, name).await?;
    Ok(DangerPage::remove_cluster(chrome, &cluster, &pairs, sent))
}

/// `POST /clusters/{cluster}/remove`.
pub async fn remove_cluster(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<ClusterName>,
    Form(form): Form<DangerForm>,
) -> Answer {
    let removed = async {
        typed_is(&form, "cluster", name.as_str())?;
        let mut tx = muster_store::begin(&app.pool).await?;
        clusters::delete(&mut tx, &name, Some(form.version), asking.actor()?).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    let Err(failure) = removed.await else { return Ok(see("/clusters")) };
    let failure = told_on_the_page(failure)?;
    refused_form(&failure, &cluster_page(&app, &asking, &name, Some(sent(&form, &failure))).await?)
}

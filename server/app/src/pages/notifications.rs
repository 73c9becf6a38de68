//! `/notifications`: where teams are told what happens.

use std::collections::BTreeSet;

use axum::extract::State;
use muster_domain::{
    ids::{ChannelName, TeamName},
    notification::{ChannelKind, EventKind},
    people::Role,
};
use muster_store::{channels as stored, secrets, teams as stored_teams};
use muster_web::{
    channel_form::ChannelPage,
    forms::ChannelForm,
    notifications::{ChannelsSeen, NotificationsPage, Seen},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{PAGE, asking::Asking, cut, ends, html, is_about_the_form, refused_form, see};
use crate::{
    acts::channels::{self, ChannelEdit, NewChannel},
    api::{
        channels::{read_cursor, write_cursor},
        runs::teams,
    },
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// Deliveries on the page.
const SHOWN: i64 = 50;

/// Which page of the channels, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    done: String,
    /// Cursor of the page before.
    after: String,
}

/// `GET /notifications`.
pub async fn list(State(app): State<App>, asking: Asking, Query(shown): Query<Shown>) -> Answer {
    html(&page(&app, &asking, None, None, &shown).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    form: Option<&ChannelForm>,
    wrong: Option<&Failure>,
    shown: &Shown,
) -> Answer<NotificationsPage> {
    let chrome = asking.chrome(app).await;
    let actor = asking.actor()?;
    let mine = teams(actor);
    let mut conn = app.pool.acquire().await?;
    let owned: Vec<String> = stored_teams::list(&mut conn)
        .await?
        .into_iter()
        .filter(|team| actor.has(Role::Owner, &team.name))
        .map(|team| team.name.to_string())
        .collect();
    let after = read_cursor(Some(&shown.after)).unwrap_or_default();
    let mut channels = stored::page(&mut conn, mine.as_deref(), after, PAGE + 1).await?;
    let next = cut(&mut channels, write_cursor);
    let any_enabled = stored::any_enabled(&mut conn, mine.as_deref()).await?;
    let deliveries = stored::deliveries(&mut conn, mine.as_deref(), None, None, SHOWN).await?;
    let seen = |delivery: stored::Delivery| Seen {
        channel: delivery.channel,
        channel_name: delivery.channel_name.to_string(),
        event: delivery.event,
        at: delivery.created_at,
        attempts: delivery.attempts,
        next_at: delivery.next_at,
        delivered_at: delivery.delivered_at,
        gave_up_at: delivery.gave_up_at,
        last_error: delivery.last_error,
    };
    let seen: Vec<Seen> = deliveries.into_iter().map(seen).collect();
    let channels_seen = ChannelsSeen {
        channels: &channels,
        any_enabled,
        seen: &seen,
        owned: &owned,
        has_mail: app.courier.has_mail(),
        // What was sent in time and is to be corrected is not taken away.
        may_enter_secrets: form.is_some() || asking.since_shown.opens(),
    };
    let wrong = wrong.map(|failure| &failure.problem);
    let page = NotificationsPage::new(chrome, channels_seen, form, wrong, &shown.done);
    Ok(page.part(ends("channels", "/notifications", after.is_some(), next)))
}

/// `POST /notifications`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<ChannelForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(()) => Ok(see("/notifications?done=created")),
        Err(failure) if is_about_the_form(&failure) => refused_form(
            &failure,
            &page(&app, &asking, Some(&form), Some(&failure), &Shown::default()).await?,
        ),
        Err(failure) => Err(failure),
    }
}

async fn try_create(app: &App, asking: &Asking, form: &ChannelForm) -> Answer<()> {
    let new = NewChannel {
        team: TeamName::new(form.team.trim()).map_err(|e| Failure::invalid(e.to_string()))?,
        name: name(form)?,
        kind: ChannelKind::parse(&form.kind)
            .ok_or_else(|| Failure::invalid(format!("There is no kind of channel `{}`.", form.kind)))?,
        events: events(form),
        enabled: true,
        recipients: recipients(form),
        url: Some(form.url.clone()),
        routing_key: Some(form.routing_key.clone()),
        signing_key: Some(form.signing_key.clone()),
    };
    let mut tx = muster_store::begin(&app.pool).await?;
    channels::create(app, &mut tx, new, asking.actor()?).await?;
    Ok(tx.commit().await?)
}

fn name(form: &ChannelForm) -> Answer<ChannelName> {
    ChannelName::new(form.name.trim()).map_err(|e| Failure::invalid(format!("{e}.")))
}

fn events(form: &ChannelForm) -> BTreeSet<EventKind> {
    EventKind::ALL.into_iter().filter(|kind| kind.is_always_told() || form.asks_for(*kind)).collect()
}

fn recipients(form: &ChannelForm) -> Vec<String> {
    let parts = form.recipients.split([',', '\n', '\r', ' ']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `GET /notifications/{channel}/edit`.
pub async fn edit(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&edit_page(&app, &asking, id, None, None).await?)
}

async fn edit_page(
    app: &App,
    asking: &Asking,
    id: Uuid,
    form: Option<&ChannelForm>,
    wrong: Option<&Failure>,
) -> Answer<ChannelPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let channel = channels::get(&mut conn, id, asking.actor()?).await?;
    let kept = secrets::channels::fields(&mut conn, id).await?;
    Ok(ChannelPage::new(chrome, &channel, &kept, form, wrong.map(|failure| &failure.problem)))
}

/// `POST /notifications/{channel}/edit`.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<ChannelForm>,
) -> Answer {
    match try_change(&app, &asking, id, &form).await {
        Ok(()) => Ok(see("/notifications?done=changed")),
        Err(failure) if is_about_the_form(&failure) => {
            refused_form(&failure, &edit_page(&app, &asking, id, Some(&form), Some(&failure)).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_change(app: &App, asking: &Asking, id: Uuid, form: &ChannelForm) -> Answer<()> {
    let edit = ChannelEdit {
        name: Some(name(form)?),
        events: Some(events(form)),
        enabled: Some(form.enabled == "on"),
        recipients: Some(recipients(form)),
        url: Some(form.url.clone()),
        routing_key: Some(form.routing_key.clone()),
        signing_key: Some(form.signing_key.clone()),
    };
    let mut tx = muster_store::begin(&app.pool).await?;
    channels::change(app, &mut tx, id, Some(form.version), edit, asking.actor()?).await?;
    Ok(tx.commit().await?)
}

/// `POST /notifications/{channel}/test`.
pub async fn test(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    channels::test(&mut tx, id, asking.actor()?).await?;
    tx.commit().await?;
    Ok(see("/notifications?done=tested"))
}

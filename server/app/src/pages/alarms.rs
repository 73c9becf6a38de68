//! `/alarms`: silent loss, open and ended.

use axum::{extract::State, http::Uri};
use muster_domain::{alarm::AlarmCode, people::Role};
use muster_store::alarms::{self as stored, AlarmFilter as Wanted};
use muster_web::{
    alarms::{AlarmsPage, Refused, address},
    forms::{AcknowledgeForm, AlarmFilter},
};
use uuid::Uuid;

use super::{asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{alarms, pairs},
    api::runs::teams,
    app::App,
    http::{Answer, Form, Path, Query},
};

/// Alarms on one page.
const PAGE: i64 = 50;

/// `GET /alarms`.
pub async fn list(State(app): State<App>, asking: Asking, Query(filter): Query<AlarmFilter>) -> Answer {
    html(&list_page(&app, &asking, &filter, None).await?)
}

async fn list_page(
    app: &App,
    asking: &Asking,
    filter: &AlarmFilter,
    refused: Option<Refused<'_>>,
) -> Answer<AlarmsPage> {
    let chrome = asking.chrome(app).await;
    let actor = asking.actor()?;
    let mut conn = app.pool.acquire().await?;
    let pair = filter.pair.trim();
    let wanted = Wanted {
        pair: (!pair.is_empty()).then(|| pair.to_owned()),
        code: AlarmCode::parse(&filter.code),
        open: match filter.state.as_str() {
            "all" => None,
            "ended" => Some(false),
            _ => Some(true),
        },
        teams: teams(actor),
    };
    let mut found = stored::list(&mut conn, &wanted, filter.after.parse().ok(), PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    if let Some(refused) = refused {
        // Whatever page of the list it is on, what was wrong is read first.
        found.retain(|alarm| alarm.id != refused.id);
        found.insert(0, alarms::get(&mut conn, refused.id).await?);
    }
    let pairs = pairs::list(&mut conn, actor).await?;
    let names: Vec<String> = pairs.iter().map(|pair| pair.name.to_string()).collect();
    let may = |alarm: &muster_domain::alarm::StandingAlarm| {
        alarm.waits_for_somebody() && actor.has(Role::Operator, &alarm.team)
    };
    let shown: Vec<_> = found.iter().map(|alarm| (alarm, may(alarm))).collect();
    Ok(AlarmsPage::new(chrome, filter, &names, &shown, more, refused))
}

/// `POST /alarms/{alarm}/acknowledge`.
pub async fn acknowledge(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<AcknowledgeForm>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    match alarms::acknowledge(&mut tx, id, &form.comment, asking.actor()?).await {
        Ok(_) => {
            tx.commit().await?;
            let done = "acknowledged".to_owned();
            Ok(see(&address(&AlarmFilter { done, ..shown_in(&form.back) })))
        }
        Err(failure) if is_about_the_form(&failure) => {
            drop(tx);
            let refused = Refused { id, why: &failure.problem.detail, comment: &form.comment };
            let filter = shown_in(&form.back);
            let page = list_page(&app, &asking.clone().at(address(&filter)), &filter, Some(refused)).await?;
            refused_form(&failure, &page)
        }
        Err(failure) => Err(failure),
    }
}

/// The list a form was sent from, without what was just done; all open alarms when its address tells none. Only what it filters by is
/// taken from the address: the way back is ours.
fn shown_in(back: &str) -> AlarmFilter {
    let filter = back.parse::<Uri>().ok().and_then(|uri| axum::extract::Query::try_from_uri(&uri).ok());
    let filter: AlarmFilter = filter.map(|axum::extract::Query(filter)| filter).unwrap_or_default();
    AlarmFilter { done: String::new(), ..filter }
}

//! Making and editing a pair by form.

use std::collections::BTreeMap;

use axum::extract::State;
use muster_domain::{
    canary,
    ids::{ClusterName, PairName, TeamName},
    pair::{
        ApprovalRule, BySide, Direction, Flow, Mechanism, NamingPolicy, Objectives, Pair, PairMode,
        RoutingTarget, Side,
    },
    run::Operation,
};
use muster_store::{clusters, teams};
use muster_web::{forms::PairForm, pair_form::PairFormPage};

use super::{asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::pairs::{self, NewPair, PairEdit},
    app::App,
    http::{Answer, Failure, Form, Path},
};

/// `GET /pairs/new`.
pub async fn new(State(app): State<App>, asking: Asking) -> Answer {
    let objectives = pairs::default_objectives();
    let approval = pairs::default_approval();
    let form = PairForm {
        mode: "active_passive".to_owned(),
        topics: ".*".to_owned(),
        groups: ".*".to_owned(),
        naming: "identity".to_owned(),
        separator: ".".to_owned(),
        a_to_b: "on".to_owned(),
        rpo_seconds: objectives.rpo_seconds.to_string(),
        rto_seconds: objectives.rto_seconds.to_string(),
        verify_within_days: objectives.verify_within_days.to_string(),
        approvals_needed: approval.needed.to_string(),
        decide_within_minutes: approval.decide_within_minutes.to_string(),
        use_within_minutes: approval.use_within_minutes.to_string(),
        canary_partitions: canary::default_partitions().to_string(),
        canary_seconds: canary::default_seconds().to_string(),
        ..PairForm::default()
    };
    html(&page(&app, &asking, None, &form, None).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    editing: Option<&str>,
    form: &PairForm,
    refused: Option<&Failure>,
) -> Answer<PairFormPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let names: Vec<String> =
        clusters::list(&mut conn).await?.into_iter().map(|c| c.name.to_string()).collect();
    let teams: Vec<String> =
        teams::list(&mut conn).await?.into_iter().map(|team| team.name.to_string()).collect();
    let problem = refused.map(|failure| &failure.problem);
    Ok(PairFormPage::new(chrome, editing, form, &names, &teams, &[], problem))
}

/// `POST /pairs`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<PairForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(name) => Ok(see(&format!("/pairs/{name}"))),
        Err(failure) if is_about_the_form(&failure) => {
            refused_form(&failure, &page(&app, &asking, None, &form, Some(&failure)).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_create(app: &App, asking: &Asking, form: &PairForm) -> Answer<PairName> {
    let clusters = BySide { a: cluster(&form.cluster_a)?, b: cluster(&form.cluster_b)? };
    let new = NewPair {
        name: PairName::new(form.name.trim()).map_err(|e| Failure::invalid(e.to_string()))?,
        team: team(form)?,
        mode: mode(form)?,
        topics: lines(&form.topics),
        topics_exclude: lines(&form.topics_exclude),
        groups: lines(&form.groups),
        groups_exclude: lines(&form.groups_exclude),
        flows: flows(form, &clusters, None)?,
        objectives: objectives(form)?,
        approval: approval(form)?,
        routing: routing(form),
        canary_topic: filled(&form.canary_topic),
        canary_partitions: canary_partitions(form)?,
        canary_seconds: canary_seconds(form)?,
        clusters,
    };
    let mut tx = muster_store::begin(&app.pool).await?;
    let pair = pairs::create(&mut tx, new, asking.actor()?).await?;
    tx.commit().await?;
    Ok(pair.name)
}

/// `GET /pairs/{pair}/edit`.
pub async fn edit(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    let pair = pairs::get(&mut *app.pool.acquire().await?, &name).await?;
    html(&page(&app, &asking, Some(name.as_str()), &PairForm::from(&pair), None).await?)
}

/// `POST /pairs/{pair}/edit`.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<PairForm>,
) -> Answer {
    match try_change(&app, &asking, &name, &form).await {
        Ok(()) => Ok(see(&format!("/pairs/{name}"))),
        Err(failure) if is_about_the_form(&failure) || keeps_the_form(&failure) => {
            refused_form(&failure, &page(&app, &asking, Some(name.as_str()), &form, Some(&failure)).await?)
        }
        Err(failure) => Err(failure),
    }
}

/// What is wrong is no field, and what was filled in is not to be lost for it.
fn keeps_the_form(failure: &Failure) -> bool {
    matches!(failure.problem.code.as_str(), "pair-has-active-run" | "reauthentication-needed")
}

async fn try_change(app: &App, asking: &Asking, name: &PairName, form: &PairForm) -> Answer<()> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let before = pairs::get(&mut tx, name).await?;
    if before.canary_topic.is_some() && filled(&form.canary_topic).is_none() {
        return Err(Failure::invalid(format!(
            "An empty canary topic would stop the canary of `{name}`. That has a page of its own: `/pairs/{name}/canary/remove`."
        )));
    }
    let edit = PairEdit {
        team: Some(team(form)?).filter(|team| *team != before.team),
        mode: Some(mode(form)?),
        topics: Some(lines(&form.topics)),
        topics_exclude: Some(lines(&form.topics_exclude)),
        groups: Some(lines(&form.groups)),
        groups_exclude: Some(lines(&form.groups_exclude)),
        flows: Some(flows(form, &before.clusters, Some(&before))?),
        attach: Vec::new(),
        objectives: Some(objectives(form)?),
        approval: Some(approval(form)?),
        routing: Some(routing(form)),
        canary_topic: Some(filled(&form.canary_topic)),
        canary_partitions: Some(canary_partitions(form)?),
        canary_seconds: Some(canary_seconds(form)?),
        show_payload: Some(form.show_payload == "on"),
    };
    pairs::change(&mut tx, name, Some(form.version), edit, (asking.actor()?, asking.since_shown)).await?;
    Ok(tx.commit().await?)
}

fn cluster(name: &str) -> Answer<ClusterName> {
    ClusterName::new(name.trim()).map_err(|e| Failure::invalid(e.to_string()))
}

fn team(form: &PairForm) -> Answer<TeamName> {
    TeamName::new(form.team.trim()).map_err(|e| Failure::invalid(e.to_string()))
}

fn mode(form: &PairForm) -> Answer<PairMode> {
    match form.mode.as_str() {
        "" | "active_passive" => Ok(PairMode::ActivePassive),
        "active_active" => Ok(PairMode::ActiveActive),
        other => Err(Failure::invalid(format!("There is no mode `{other}`."))),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn filled(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Answer<T> {
    text.trim().parse().map_err(|_| Failure::invalid(format!("{what} is a whole number.")))
}

/// Forms of before have no such field: what is not sent is the default.
fn canary_partitions(form: &PairForm) -> Answer<i32> {
    match form.canary_partitions.trim() {
        "" => Ok(canary::default_partitions()),
        sent => number(sent, "The number of partitions"),
    }
}

fn canary_seconds(form: &PairForm) -> Answer<i64> {
    match form.canary_seconds.trim() {
        "" => Ok(canary::default_seconds()),
        sent => number(sent, "The time between two canary records"),
    }
}

fn objectives(form: &PairForm) -> Answer<Objectives> {
    Ok(Objectives {
        rpo_seconds: number(&form.rpo_seconds, "The RPO in seconds")?,
        rto_seconds: number(&form.rto_seconds, "The RTO in seconds")?,
        verify_within_days: number(&form.verify_within_days, "The age of a proof in days")?,
    })
}

fn approval(form: &PairForm) -> Answer<ApprovalRule> {
    Ok(ApprovalRule {
        needed: number(&form.approvals_needed, "The number of approvals")?,
        by_operation: by_operation(&form.approvals_by_operation)?,
        decide_within_minutes: number(&form.decide_within_minutes, "The time to decide in minutes")?,
        use_within_minutes: number(&form.use_within_minutes, "The time to start in minutes")?,
    })
}

/// One operation a line, with its number: `failover 2`.
fn by_operation(text: &str) -> Answer<BTreeMap<Operation, u32>> {
    let line = |line: String| {
        let (operation, needed) = line.rsplit_once(' ').unwrap_or((&line, ""));
        let known = Operation::parse(operation.trim()).filter(|operation| !operation.only_looks());
        let known = known.ok_or_else(|| {
            Failure::invalid(format!("`{operation}` is no operation that is approved; write `failover 2`."))
        })?;
        Ok((known, number(needed, &format!("The number of approvals of `{operation}`"))?))
    };
    lines(text).into_iter().map(line).collect()
}

fn routing(form: &PairForm) -> Vec<RoutingTarget> {
    let book = filled(&form.address_book).map(|path| RoutingTarget::AddressBook { path });
    let hook = filled(&form.webhook).map(|url| RoutingTarget::Webhook { url });
    book.into_iter().chain(hook).collect()
}

/// The flows of a form. Aliases of an imported pair stay as they were; a new pair's are its clusters' names.
fn flows(form: &PairForm, clusters: &BySide<ClusterName>, before: Option<&Pair>) -> Answer<Vec<Flow>> {
    let naming = match form.naming.as_str() {
        "" | "identity" => NamingPolicy::Identity,
        "prefixed" => {
            NamingPolicy::Prefixed { separator: filled(&form.separator).unwrap_or_else(|| ".".to_owned()) }
        }
        other => return Err(Failure::invalid(format!("There is no naming `{other}`."))),
    };
    let ways = [(Side::A, form.a_to_b == "on", a_to_b(form)), (Side::B, form.b_to_a == "on", b_to_a(form))];
    let kept = ways.into_iter().filter(|(_, is_there, _)| *is_there);
    Ok(kept
        .map(|(from, _, mechanism)| {
            let direction = Direction { from };
            let old = before.and_then(|pair| pair.flow(direction));
            Flow {
                direction,
                mechanism,
                source_alias: old
                    .map_or_else(|| clusters.get(from).to_string(), |flow| flow.source_alias.clone()),
                target_alias: old
                    .map_or_else(|| clusters.get(from.other()).to_string(), |flow| flow.target_alias.clone()),
                naming: naming.clone(),
                enabled: old.is_none_or(|flow| flow.enabled),
            }
        })
        .collect())
}

fn a_to_b(form: &PairForm) -> Mechanism {
    mechanism([&form.a_to_b_connect, &form.a_to_b_source, &form.a_to_b_checkpoint, &form.a_to_b_heartbeat])
}

fn b_to_a(form: &PairForm) -> Mechanism {
    mechanism([&form.b_to_a_connect, &form.b_to_a_source, &form.b_to_a_checkpoint, &form.b_to_a_heartbeat])
}

fn mechanism([connect, source, checkpoint, heartbeat]: [&String; 4]) -> Mechanism {
    match (filled(connect), filled(source)) {
        (Some(connect_url), Some(source_connector)) => Mechanism::Mm2OnConnect {
            connect_url,
            source_connector,
            checkpoint_connector: filled(checkpoint),
            heartbeat_connector: filled(heartbeat),
        },
        _ => Mechanism::Unattached,
    }
}

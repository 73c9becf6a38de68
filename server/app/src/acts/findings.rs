//! Findings: raised by people, changed, closed. What runs raise is written by the engine.

use chrono::{DateTime, NaiveDate, Utc};
use muster_domain::{
    finding::{Closing, Finding, Severity},
    ids::{PairName, TeamName},
    people::{Actor, Role},
    record::Person,
};
use muster_store::{
    StoreError,
    findings::{self, NewFinding as Row},
    runs,
};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audit_trail::{self, Entry},
    clusters::present,
    pairs,
};
use crate::http::{Answer, Failure, check_version, times};

/// Who may raise, change and close findings of a team.
pub const MAY_WRITE: &[Role] = &[Role::Operator, Role::Approver, Role::Owner];
/// Longest text, resolution and address, in characters.
const LONGEST: usize = 4_000;

/// A finding to raise.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"pair": "orders", "text": "Clients kept the old address for 5 minutes", "severity": "medium",
    "owner": "mira", "due": "2027-01-31"}))]
pub struct NewFinding {
    /// The pair it is about.
    pub pair: PairName,
    /// The run it came up in.
    #[serde(default)]
    pub run: Option<Uuid>,
    /// What was found; it cannot be changed later.
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who sees to it, by the name they sign in with.
    #[serde(default)]
    pub owner: String,
    /// Until when.
    #[serde(default)]
    pub due: Option<NaiveDate>,
    /// Address of evidence outside Muster, http or https.
    #[serde(default)]
    pub link: String,
}

/// Changes to a finding; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"closed": {"resolution": "TTL lowered to 30 s"}}))]
pub struct FindingEdit {
    /// How bad it is.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Who sees to it; empty for nobody.
    #[serde(default)]
    pub owner: Option<String>,
    /// Until when; null for no date.
    #[serde(default, deserialize_with = "present")]
    pub due: Option<Option<NaiveDate>>,
    /// Address of evidence outside Muster; empty for none.
    #[serde(default)]
    pub link: Option<String>,
    /// Closes it; null opens it again.
    #[serde(default, deserialize_with = "present")]
    pub closed: Option<Option<Close>>,
}

/// How it was closed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// What was done about it.
    pub resolution: String,
    /// The run that showed it is mended.
    #[serde(default)]
    pub retest: Option<Uuid>,
}

/// A finding.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Answer<Finding> {
    findings::get(conn, id).await?.ok_or_else(|| Failure::not_found("finding", &id.to_string()))
}

/// Raises a finding.
///
/// # Errors
/// `forbidden`, `not-found`, `invalid-request`.
pub async fn raise(conn: &mut PgConnection, new: NewFinding, actor: &Actor) -> Answer<Finding> {
    let pair = pairs::held(conn, &new.pair).await?;
    needs_any(actor, &pair.team)?;
    let text = said(&new.text, "what was found")?;
    check_link(&new.link)?;
    check_due(new.due)?;
    if let Some(run) = new.run {
        check_run(conn, run, &new.pair, "it came up in").await?;
    }
    let row = Row {
        pair: &new.pair,
        team: &pair.team,
        run: new.run,
        about: None,
        text: &text,
        severity: new.severity,
        owner: new.owner.trim(),
        due: new.due,
        link: new.link.trim(),
        raised_by: &Person { id: actor.id, name: actor.name.clone() },
    };
    let id = findings::insert(conn, &row).await?;
    let id = id.ok_or_else(|| Failure::internal("raise a finding", "the row was not kept"))?;
    let detail = json!({"pair": new.pair, "run": new.run, "severity": new.severity, "owner": row.owner});
    audit_trail::record(conn, actor, Entry::done("finding.raise", &object(id), detail)).await?;
    get(conn, id).await
}

/// Changes, closes or opens a finding.
///
/// # Errors
/// `edited-in-between`, `forbidden`, `not-found`, `invalid-request`.
pub async fn change(
    conn: &mut PgConnection,
    id: Uuid,
    version: Option<i64>,
    edit: FindingEdit,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Answer<Finding> {
    let mut finding = get(conn, id).await?;
    needs_any(actor, &finding.team)?;
    check_version(version, finding.version)?;
    finding.severity = edit.severity.unwrap_or(finding.severity);
    finding.owner = edit.owner.map_or(finding.owner, |owner| owner.trim().to_owned());
    finding.due = edit.due.unwrap_or(finding.due);
    check_due(finding.due)?;
    finding.link = edit.link.map_or(finding.link, |link| link.trim().to_owned());
    check_link(&finding.link)?;
    match edit.closed {
        None => {}
        Some(None) => finding.closed = None,
        Some(Some(close)) => {
            let resolution = said(&close.resolution, "what was done about it")?;
            if let Some(retest) = close.retest {
                check_run(conn, retest, &finding.pair, "that showed it is mended").await?;
            }
            let by = actor.name.clone();
            finding.closed = Some(Closing { at: now, by, resolution, retest: close.retest });
        }
    }
    if !findings::update(conn, &finding).await? {
        return Err(StoreError::Stale { op: "change finding" }.into());
    }
    let closed = finding.closed.as_ref().map(|closed| json!({"retest": closed.retest}));
    let detail = json!({"pair": finding.pair, "severity": finding.severity, "owner": finding.owner,
        "due": finding.due, "closed": closed});
    audit_trail::record(conn, actor, Entry::done("finding.change", &object(id), detail)).await?;
    get(conn, id).await
}

/// Whether this person may write findings of a team.
#[must_use]
pub fn may_write(actor: &Actor, team: &TeamName) -> bool {
    MAY_WRITE.iter().any(|role| actor.has(*role, team))
}

fn needs_any(actor: &Actor, team: &TeamName) -> Answer<()> {
    if may_write(actor, team) {
        return Ok(());
    }
    Err(Failure::new(
        "forbidden",
        format!("You may not do this: it needs the role operator, approver or owner for the team `{team}`."),
        "Ask an admin for a role, or somebody who has one to do this.",
    ))
}

fn said(text: &str, what: &str) -> Answer<String> {
    match text.trim() {
        "" => Err(Failure::invalid(format!("Say {what}."))),
        long if long.chars().count() > LONGEST => {
            Err(Failure::invalid(format!("That is more than {LONGEST} characters; link to the rest.")))
        }
        text => Ok(text.to_owned()),
    }
}

fn check_due(due: Option<NaiveDate>) -> Answer<()> {
    match due {
        Some(day) if !times::is_kept_day(day) => {
            Err(Failure::invalid("A finding is due on a day of the years 1 to 9999."))
        }
        Some(_) | None => Ok(()),
    }
}

/// Only addresses a browser may follow: others (`javascript:`) would act in the reader's name.
fn check_link(link: &str) -> Answer<()> {
    let wrong = |why: &str| Failure::invalid(format!("The link to the evidence {why}."));
    if link.trim().is_empty() {
        return Ok(());
    }
    if link.chars().count() > LONGEST {
        return Err(wrong("is too long"));
    }
    let url = reqwest::Url::parse(link.trim()).map_err(|_| wrong("is not a whole address"))?;
    if matches!(url.scheme(), "http" | "https") { Ok(()) } else { Err(wrong("is not http or https")) }
}

async fn check_run(conn: &mut PgConnection, run: Uuid, pair: &PairName, what: &str) -> Answer<()> {
    match runs::get(conn, run).await? {
        Some(run) if run.pair == *pair => Ok(()),
        Some(_) | None => Err(Failure::invalid(format!("The run {what} is no run of pair `{pair}`."))),
    }
}

fn object(id: Uuid) -> String {
    format!("finding {id}")
}

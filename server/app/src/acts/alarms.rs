//! Alarms of silent loss: acknowledged by people. Surveys open them, and end those whose cause can be gone.

use muster_domain::{alarm::StandingAlarm, people::Actor};
use muster_store::alarms;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit_trail::{self, Entry};
use crate::http::{Answer, Failure};

/// Longest comment, in characters.
const LONGEST: usize = 4_000;

/// What is said when an alarm is acknowledged.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"comment": "The 700 records were test orders; retention is seven days now."}))]
pub struct Acknowledge {
    /// What was done about it, or why nothing has to be.
    pub comment: String,
}

/// An alarm.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Answer<StandingAlarm> {
    alarms::get(conn, id).await?.ok_or_else(|| Failure::not_found("alarm", &id.to_string()))
}

/// Ends an alarm of something that happened and is dealt with. One whose cause goes on cannot be acknowledged away.
///
/// # Errors
/// `not-found`, `invalid-request`; `alarm-ended` when it has; `alarm-stands` when a survey has to show that its cause is
/// gone.
pub async fn acknowledge(
    conn: &mut PgConnection,
    id: Uuid,
    comment: &str,
    actor: &Actor,
) -> Answer<StandingAlarm> {
    let alarm = get(conn, id).await?;
    let comment = comment.trim();
    if comment.is_empty() {
        return Err(Failure::invalid("Say what was done about it, or why nothing has to be."));
    }
    if comment.chars().count() > LONGEST {
        return Err(Failure::invalid(format!("That is more than {LONGEST} characters; link to the rest.")));
    }
    if alarm.ended.is_none() && !alarm.alarm.code.stays() {
        return Err(Failure::new(
            "alarm-stands",
            format!("Alarm {} is about something that is still so.", alarm.number),
            "Remove its cause: the next survey that shows that it is gone ends the alarm.",
        ));
    }
    if !alarms::acknowledge(conn, id, &actor.name, comment).await? {
        return Err(Failure::new(
            "alarm-ended",
            format!("Alarm {} has ended already.", alarm.number),
            "Nothing is to be done.",
        ));
    }
    let alarm = get(conn, id).await?;
    muster_store::outbox::write(conn, &alarm.team, &alarm.event(true)).await?;
    let detail = json!({"pair": alarm.pair, "code": alarm.alarm.code, "subject": alarm.alarm.subject,
        "comment": comment});
    audit_trail::record(conn, actor, Entry::done("alarm.acknowledge", &format!("alarm {id}"), detail))
        .await?;
    Ok(alarm)
}

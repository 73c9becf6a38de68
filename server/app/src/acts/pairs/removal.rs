//! Removing a pair, and what keeps it from being removed.

use muster_domain::{ids::PairName, people::Actor, record::Run};
use muster_store::{pairs, runs, schedules};
use serde_json::json;
use sqlx::PgConnection;

use super::{lock_free, object};
use crate::{
    acts::audit_trail::{self, Entry},
    http::{Answer, Failure, check_version},
};

/// Removes a pair. Its plans, runs and audit entries stay. Refused while something goes on or comes due for it: a request of a
/// pair that is gone could still be approved, and a schedule would record drills of it for ever.
///
/// # Errors
/// `pair-has-active-run`, `pair-in-use` with what is in the way, `edited-in-between`, `not-found`.
pub async fn delete(
    conn: &mut PgConnection,
    name: &PairName,
    version: Option<i64>,
    actor: &Actor,
) -> Answer<()> {
    let pair = lock_free(conn, name).await?;
    check_version(version, pair.version)?;
    let InTheWay { runs, scheduled } = in_the_way(conn, name).await?;
    if !runs.is_empty() || scheduled {
        return Err(in_use(name, &runs, scheduled));
    }
    pairs::delete(conn, name, pair.version).await?;
    audit_trail::record(conn, actor, Entry::done("pair.delete", &object(name), json!({}))).await
}

/// What keeps a pair from being removed.
#[derive(Debug)]
pub struct InTheWay {
    /// Runs of it that are not over, newest first, those that wait for approval among them.
    pub runs: Vec<Run>,
    /// Whether drills of it are scheduled.
    pub scheduled: bool,
}

/// What keeps a pair from being removed now.
///
/// # Errors
/// When the database refuses.
pub async fn in_the_way(conn: &mut PgConnection, name: &PairName) -> Answer<InTheWay> {
    let runs = runs::open_of_pair(conn, name).await?;
    let scheduled = schedules::scheduled_pairs(conn).await?.contains(name.as_str());
    Ok(InTheWay { runs, scheduled })
}

fn in_use(name: &PairName, runs: &[Run], scheduled: bool) -> Failure {
    let numbers: Vec<String> = runs.iter().map(|run| run.number.to_string()).collect();
    let runs = (!numbers.is_empty()).then(|| format!("runs that are not over: {}", numbers.join(", ")));
    let drills = scheduled.then(|| "drill schedules".to_owned());
    let said: Vec<String> = runs.into_iter().chain(drills).collect();
    Failure::new(
        "pair-in-use",
        format!(
            "Something of pair `{name}` still goes on or comes due: {}. Nothing was changed.",
            said.join("; ")
        ),
        "Remove its schedules, which takes back what they asked for, and let its runs end, or have them rejected. Then remove \
         the pair.",
    )
}

//! How much one person may change in a minute. Counted in the database, so it holds across processes.

use chrono::Utc;
use muster_domain::people::Actor;
use muster_store::happenings;
use serde_json::json;

use super::failure::{Answer, Failure};
use crate::app::App;

/// The window, in seconds.
const MINUTE: f64 = 60.0;

/// Counts a request of somebody that may change something: by who they are, whatever token it came by, or every further token
/// would be a further budget.
///
/// # Errors
/// `too-many-requests` beyond the limit of this installation; when the database refuses.
pub(super) async fn count_write(app: &App, actor: &Actor) -> Answer<()> {
    let mut conn = app.pool.acquire().await?;
    let counted = happenings::count(&mut conn, &format!("writes by {}", actor.id), MINUTE).await?;
    let most = app.writes_per_minute;
    if u32::try_from(counted.count).is_ok_and(|count| count <= most) {
        return Ok(());
    }
    let seconds = (counted.until - Utc::now()).num_seconds().clamp(1, 60);
    let detail = format!(
        "{} asked for more than {most} changes within a minute, all API tokens of the same person together; nothing was changed.",
        actor.name
    );
    let next = format!("Wait {seconds} s, and ask less often. MUSTER_WRITES_PER_MINUTE sets the limit.");
    Err(Failure::new("too-many-requests", detail, next).with("retry_after_seconds", json!(seconds)))
}

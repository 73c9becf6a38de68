//! Every group's position translated once without writing it, so that what cannot be translated is found before writes are away.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    step::{Done, StepCtx, StepError},
    switchover::{
        consumers::{self, Translated},
        fence::locked,
        scope::count,
    },
};

/// How long the rehearsal waits for groups to leave records that were copied twice behind.
const REHEARSAL_BOUND_MS: u64 = 60_000;

/// What the rehearsal found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rehearsed {
    /// Records that all groups together read again at most, if the move was now.
    pub(super) read_again: i64,
}

/// Translates every group's present position as the run will do later, so that a group that cannot be translated is
/// found now and not after the fence. The restart of the flow just before may have copied records twice; groups that
/// read on leave such copies behind, so a while is given to them. Only looks.
pub(in crate::switchover) async fn rehearse_translation(ctx: StepCtx) -> Result<Done, StepError> {
    let last: Mutex<Option<Translated>> = Mutex::new(None);
    let exact = ctx
        .wait_until("exact positions", REHEARSAL_BOUND_MS, || async {
            let translated = consumers::translate_all(&ctx).await?;
            let inexact = translated.inexact();
            *locked(&last) = Some(translated);
            Ok(match inexact.first() {
                None => Ok(()),
                Some((group, why)) => Err(format!("group `{group}`: {why}")),
            })
        })
        .await;
    let last = locked(&last).take();
    match (exact, last) {
        (Ok(()), Some(translated)) => Done::new(
            format!("{} can be given exact positions", count(translated.groups.len(), "group")),
            json!({"groups": translated.evidence()}),
        )
        .with_output(&Rehearsed { read_again: 0 }),
        (Err(StepError::Retry(_)), Some(translated)) => {
            if let Some((group, why)) = translated.refused().first() {
                return Err(StepError::Fail(format!(
                    "group `{group}` cannot be given an exact position: {why}"
                )));
            }
            let inexact = translated.inexact();
            let list: Vec<String> = inexact.iter().map(|(group, why)| format!("`{group}` ({why})")).collect();
            let read_again = ctx.plan.groups.iter().filter_map(|group| translated.reprocessed(group)).sum();
            Done::new(
                format!("not exact, because the flow copied records twice: {}", list.join(", ")),
                json!({"groups": translated.evidence()}),
            )
            .with_output(&Rehearsed { read_again })
        }
        (Err(why), _) => Err(why),
        (Ok(()), None) => Err(StepError::retry("no group was looked at")),
    }
}

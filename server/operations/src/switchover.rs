//! Planned switchover: applications move to the other side, no record is lost, no group skips.
//!
//! Two lanes share the run. The write path (fence, settle, drain, prove, unfence, redirect producers) never waits for
//! the read path (groups finish or are moved out, exact positions are written, redirect consumers), so writes are away
//! for seconds while consumers take the time they need.
//!
//! The order and its reasons are in docs/decisions/0003-switchover-order.md; facts about MirrorMaker 2 it rests on are
//! proven in tests/it.

mod consumers;
mod drain;
mod fence;
pub mod narrate;
mod outcome;
mod prepare;
pub mod readiness_drill;
mod redirect;
mod reverse;
mod scope;
mod settle;
mod watch;

use muster_domain::run::Phase;

pub(crate) use self::settle::{CLOSE_IT, closing, why_it_stays_open};
use crate::{
    engine::Runbook,
    step::{Step, step},
};

/// The runbook.
#[must_use]
pub fn runbook() -> Runbook {
    Runbook { steps: steps(), outcome: outcome::measure }
}

/// The table. Names are stored for ever: never rename, only add.
#[must_use]
pub fn steps() -> Vec<Step> {
    use Phase::{Decide, Drain, Fence, Prepare, Redirect, Settle, Translate};
    vec![
        // Before anything is taken away: no time pressure, everything can be undone.
        step("survey_again", Prepare, &[], prepare::survey_again),
        step("stage_standby_grants", Prepare, &["survey_again"], prepare::stage_grants)
            .undo(prepare::capture_grants, prepare::unstage_grants),
        step("freeze_drift", Prepare, &["survey_again"], prepare::freeze_drift)
            .undo(prepare::capture_drift, prepare::unfreeze_drift)
            .bound_ms(120_000),
        step("stop_checkpoint_sync", Prepare, &["freeze_drift"], prepare::stop_checkpoints)
            .undo(prepare::capture_checkpoints, prepare::resume_checkpoints)
            .bound_ms(120_000),
        step("catch_up", Prepare, &["stop_checkpoint_sync", "stage_standby_grants"], prepare::catch_up)
            .bound_ms(3_600_000),
        step("rehearse_translation", Prepare, &["catch_up"], prepare::rehearse_translation).bound_ms(300_000),
        step("calibrate_fence_probe", Prepare, &["survey_again"], fence::calibrate),
        // A day for a person, and an hour for replication to catch up after that.
        step("confirm_go", Decide, &["rehearse_translation", "calibrate_fence_probe"], prepare::confirm_go)
            .bound_ms(90_000_000),
        // The write path.
        step("fence_source", Fence, &["confirm_go"], fence::fence_writes)
            .undo(fence::capture_fence, fence::unfence_writes)
            .bound_ms(30_000)
            .writes_away(),
        step("settle_transactions", Fence, &["fence_source"], fence::settle_transactions)
            .bound_ms(60_000)
            .writes_away(),
        step("mark_cut_line", Fence, &["settle_transactions"], fence::mark_cut_line)
            .bound_ms(30_000)
            .writes_away(),
        step("drain", Drain, &["mark_cut_line"], drain::drain).bound_ms(120_000).writes_away(),
        step("stop_flow", Drain, &["drain"], drain::stop_flow)
            .undo(drain::capture_flow, drain::resume_flow)
            .bound_ms(90_000)
            .writes_away(),
        step("prove_content", Drain, &["drain"], drain::prove_content).bound_ms(60_000).writes_away(),
        step("mark_target_ends", Drain, &["stop_flow", "prove_content"], drain::mark_target_ends)
            .bound_ms(30_000)
            .writes_away(),
        step("pass_point_of_no_return", Redirect, &["mark_target_ends"], redirect::pass_point_of_no_return)
            .bound_ms(30_000)
            .writes_away()
            .point_of_no_return(),
        step("unfence_standby", Redirect, &["pass_point_of_no_return"], redirect::unfence_standby)
            .bound_ms(300_000)
            .writes_away(),
        step("redirect_producers", Redirect, &["unfence_standby"], redirect::redirect_producers)
            .bound_ms(300_000)
            .writes_away(),
        step("watch_first_write", Redirect, &["unfence_standby"], watch::watch_first_write)
            .bound_ms(300_000)
            .writes_away(),
        // The read path, at the same time from here on.
        step("drain_groups", Translate, &["mark_cut_line"], consumers::drain_groups).bound_ms(600_000),
        step("hold_consumers", Translate, &["drain_groups", "mark_target_ends"], redirect::hold_consumers)
            .undo(redirect::capture_consumers, redirect::release_consumers)
            .bound_ms(300_000),
        step("fence_consumers", Translate, &["hold_consumers"], consumers::fence_consumers)
            .undo(consumers::capture_consumer_fence, consumers::unfence_consumers),
        step("remove_members", Translate, &["fence_consumers"], consumers::remove_members),
        step("translate_groups", Translate, &["remove_members"], consumers::translate_groups)
            .bound_ms(600_000),
        step("write_group_offsets", Translate, &["translate_groups"], consumers::write_group_offsets)
            .undo(consumers::capture_group_offsets, consumers::restore_group_offsets),
        step(
            "redirect_consumers",
            Redirect,
            &["write_group_offsets", "pass_point_of_no_return"],
            redirect::redirect_consumers,
        )
        .bound_ms(300_000),
        // The way back is set up and the groups are watched.
        step("prepare_reverse", Settle, &["unfence_standby"], reverse::prepare_reverse).bound_ms(120_000),
        step(
            "convert_source_fence",
            Settle,
            &["redirect_producers", "redirect_consumers", "prepare_reverse"],
            settle::convert_source_fence,
        )
        .bound_ms(120_000),
        step("thaw_drift", Settle, &["convert_source_fence"], settle::thaw_drift).bound_ms(120_000),
        step("start_reverse_flow", Settle, &["thaw_drift"], reverse::start_reverse_flow).bound_ms(180_000),
        // A group can only show that it reads where there is something to read.
        step("watch_groups", Settle, &["redirect_consumers", "redirect_producers"], watch::watch_groups)
            .bound_ms(3_600_000),
        step(
            "verify_outcome",
            Settle,
            &["start_reverse_flow", "watch_groups", "watch_first_write"],
            watch::verify_outcome,
        )
        .bound_ms(300_000),
    ]
}

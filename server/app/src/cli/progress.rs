//! How far a watched run is, in one line below its events. Only where somebody looks: nothing of it goes into files.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::print;

/// Between two pictures of the moving parts.
const TICK: Duration = Duration::from_millis(120);

/// See the module.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Nothing is known of the run yet.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        bar.set_style(
            ProgressStyle::with_template("{spinner} [{elapsed}] {bar:24} {pos} of {len} steps  {wide_msg}")
                .expect("the template is right"),
        );
        Self(bar)
    }

    /// Whether anybody sees it.
    pub(super) fn is_seen(&self) -> bool {
        !self.0.is_hidden()
    }

    /// Prints something above it.
    pub(super) fn above(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// The steps of the run as they are now.
    pub(super) fn show(&self, steps: &Value) {
        let steps = print::items(steps);
        self.0.enable_steady_tick(TICK);
        self.0.set_length(steps.len() as u64);
        self.0.set_position(steps.iter().filter(|step| is_done(step)).count() as u64);
        self.0.set_message(under_way(steps));
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn is_done(step: &Value) -> bool {
    ["succeeded", "skipped", "undone"].iter().any(|state| step["state"] == *state)
}

/// What is being done now, and how long that usually takes.
fn under_way(steps: &[Value]) -> String {
    let moves = |step: &&Value| ["running", "undoing"].iter().any(|state| step["state"] == *state);
    let told = steps.iter().filter(moves).map(|step| {
        let title = print::word(step, "title");
        match step["expected_ms"].is_null() {
            true => title,
            false => format!("{title} (about {})", print::duration(&step["expected_ms"])),
        }
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_done_is_counted_and_what_is_under_way_is_named() {
        let step = |state: &str, title: &str, expected: Value| json!({"state": state, "title": title, "expected_ms": expected});
        let steps = [
            step("succeeded", "Look again", json!(900)),
            step("skipped", "Watch groups", json!(null)),
            step("running", "Fence eu-west", json!(2000)),
            step("running", "Hold consumers", json!(null)),
            step("not_started", "Drain", json!(null)),
        ];
        assert_eq!(steps.iter().filter(|step| is_done(step)).count(), 2);
        let about = print::duration(&json!(2000));
        assert_eq!(under_way(&steps), format!("Fence eu-west (about {about}), Hold consumers"));
    }
}

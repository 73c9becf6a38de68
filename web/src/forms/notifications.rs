//! Channels of notifications.

use muster_domain::notification::EventKind;
use secrecy::SecretString;
use serde::Deserialize;

/// `POST /notifications` (create) and `POST /notifications/{channel}/edit`. Empty secrets keep those that are stored; what is
/// not ticked is not sent at all, so left out means no.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ChannelForm {
    /// Team; ignored on edit.
    pub team: String,
    /// Name.
    pub name: String,
    /// Stored word of the kind; ignored on edit.
    pub kind: String,
    /// Mail addresses, separated by commas, spaces or lines.
    pub recipients: String,
    /// Address messages are posted to.
    pub url: SecretString,
    /// PagerDuty's key.
    pub routing_key: SecretString,
    /// Key of signatures.
    pub signing_key: SecretString,
    /// `on` when messages are sent; ignored on create.
    pub enabled: String,
    /// Row version the form was made from.
    pub version: i64,
    /// `on` when it is told of [`EventKind::ApprovalNeeded`].
    pub approval_needed: String,
    /// `on` when it is told of [`EventKind::RunStarted`].
    pub run_started: String,
    /// `on` when it is told of [`EventKind::WaitingForInput`].
    pub waiting_for_input: String,
    /// `on` when it is told of [`EventKind::PausedByFailure`].
    pub paused_by_failure: String,
    /// `on` when it is told of [`EventKind::Ended`].
    pub ended: String,
    /// `on` when it is told of [`EventKind::ReadinessWorse`].
    pub readiness_worse: String,
    /// `on` when it is told of [`EventKind::ReadinessBetter`].
    pub readiness_better: String,
    /// `on` when it is told of [`EventKind::DrillDue`].
    pub drill_due: String,
    /// `on` when it is told of [`EventKind::DrillOverdue`].
    pub drill_overdue: String,
    /// `on` when it is told of [`EventKind::BreakGlass`].
    pub break_glass: String,
    /// `on` when it is told of [`EventKind::Alarm`].
    pub alarm: String,
}

impl ChannelForm {
    /// A new channel, told of everything.
    #[must_use]
    pub(crate) fn fresh() -> Self {
        let mut form = Self { kind: "slack".to_owned(), ..Self::default() };
        for kind in EventKind::ALL {
            form.ask_for(kind, true);
        }
        form
    }

    /// Whether a kind of event is ticked.
    #[must_use]
    pub fn asks_for(&self, kind: EventKind) -> bool {
        let word = match kind {
            EventKind::ApprovalNeeded => &self.approval_needed,
            EventKind::RunStarted => &self.run_started,
            EventKind::WaitingForInput => &self.waiting_for_input,
            EventKind::PausedByFailure => &self.paused_by_failure,
            EventKind::Ended => &self.ended,
            EventKind::ReadinessWorse => &self.readiness_worse,
            EventKind::ReadinessBetter => &self.readiness_better,
            EventKind::DrillDue => &self.drill_due,
            EventKind::DrillOverdue => &self.drill_overdue,
            EventKind::BreakGlass => &self.break_glass,
            EventKind::Alarm => &self.alarm,
            EventKind::Test => return false,
        };
        word == "on"
    }

    /// Ticks a kind of event, or takes the tick away.
    pub(crate) fn ask_for(&mut self, kind: EventKind, ticked: bool) {
        let word = match kind {
            EventKind::ApprovalNeeded => &mut self.approval_needed,
            EventKind::RunStarted => &mut self.run_started,
            EventKind::WaitingForInput => &mut self.waiting_for_input,
            EventKind::PausedByFailure => &mut self.paused_by_failure,
            EventKind::Ended => &mut self.ended,
            EventKind::ReadinessWorse => &mut self.readiness_worse,
            EventKind::ReadinessBetter => &mut self.readiness_better,
            EventKind::DrillDue => &mut self.drill_due,
            EventKind::DrillOverdue => &mut self.drill_overdue,
            EventKind::BreakGlass => &mut self.break_glass,
            EventKind::Alarm => &mut self.alarm,
            EventKind::Test => return,
        };
        *word = if ticked { "on".to_owned() } else { String::new() };
    }
}

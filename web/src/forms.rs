//! What the pages' forms send, field by field. Everything is text as browsers send it; the app turns it into domain
//! values and answers with the same page and the errors beside the fields.

use muster_domain::notification::EventKind;
use secrecy::SecretString;
use serde::Deserialize;

/// `POST /sign-in`.
#[derive(Debug, Deserialize)]
pub struct SignInForm {
    /// User name.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// Where the person wanted to go; must start with one `/`.
    #[serde(default)]
    pub next: String,
}

/// `POST /setup`: the first administrator.
#[derive(Debug, Deserialize)]
pub struct SetupForm {
    /// One-time code from Muster's log; proves that whoever fills this in can read it.
    pub code: SecretString,
    /// User name.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// The same again.
    pub password_again: SecretString,
}

/// `POST /theme`: kept in a cookie.
#[derive(Debug, Deserialize)]
pub struct ThemeForm {
    /// `system`, `light` or `dark`.
    pub theme: String,
    /// Where to go back to.
    #[serde(default)]
    pub next: String,
}

/// `POST /clusters` (create) and `POST /clusters/{name}/edit`. An empty secret keeps the one that is stored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClusterForm {
    /// Name; ignored on edit.
    pub name: String,
    /// `host:port`, separated by commas, spaces or lines.
    pub bootstrap: String,
    /// Region or site.
    pub region: String,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: String,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`; ignored without SASL.
    pub mechanism: String,
    /// User name, or client id for OAUTHBEARER.
    pub username: String,
    /// Password, or client secret for OAUTHBEARER.
    pub password: SecretString,
    /// Token endpoint for OAUTHBEARER.
    pub token_url: String,
    /// Scope for OAUTHBEARER.
    pub scope: String,
    /// SASL extensions for OAUTHBEARER, `key=value` a line.
    pub extensions: String,
    /// PEM bundle of the brokers' authorities; empty uses the system's.
    pub ca_pem: String,
    /// PEM chain of Muster's certificate for mTLS.
    pub client_cert_pem: String,
    /// PEM key of that certificate.
    pub client_key_pem: SecretString,
    /// User of the fence probe.
    pub probe_username: String,
    /// Its password.
    pub probe_password: SecretString,
    /// Cluster id the brokers must report; empty until the first check found one.
    pub expected_cluster_id: String,
    /// Row version the form was made from.
    pub version: i64,
}

/// `POST /pairs/import`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ImportForm {
    /// Content of the properties file.
    pub properties: String,
    /// Team the pairs will belong to.
    pub team: String,
    /// `look` shows what would be made; `import` makes it.
    pub act: String,
}

/// `POST /pairs` (create) and `POST /pairs/{name}/edit`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PairForm {
    /// Name; ignored on edit.
    pub name: String,
    /// Team.
    pub team: String,
    /// Cluster A.
    pub cluster_a: String,
    /// Cluster B.
    pub cluster_b: String,
    /// `active_passive` or `active_active`.
    pub mode: String,
    /// Topic patterns, one a line.
    pub topics: String,
    /// Topic patterns left out, one a line.
    pub topics_exclude: String,
    /// Group patterns, one a line.
    pub groups: String,
    /// Group patterns left out, one a line.
    pub groups_exclude: String,
    /// `identity` or `prefixed`, for both flows.
    pub naming: String,
    /// Separator of prefixed names.
    pub separator: String,
    /// `on` when the flow A → B exists.
    pub a_to_b: String,
    /// Connect address of A → B; empty while unattached.
    pub a_to_b_connect: String,
    /// Source connector of A → B.
    pub a_to_b_source: String,
    /// Checkpoint connector of A → B.
    pub a_to_b_checkpoint: String,
    /// Heartbeat connector of A → B.
    pub a_to_b_heartbeat: String,
    /// `on` when the flow B → A exists.
    pub b_to_a: String,
    /// Connect address of B → A.
    pub b_to_a_connect: String,
    /// Source connector of B → A.
    pub b_to_a_source: String,
    /// Checkpoint connector of B → A.
    pub b_to_a_checkpoint: String,
    /// Heartbeat connector of B → A.
    pub b_to_a_heartbeat: String,
    /// RPO objective in seconds.
    pub rpo_seconds: String,
    /// RTO objective in seconds.
    pub rto_seconds: String,
    /// Days a proof counts.
    pub verify_within_days: String,
    /// Approvals needed.
    pub approvals_needed: String,
    /// The same of single operations, one a line: `failover 2`.
    pub approvals_by_operation: String,
    /// Minutes to decide.
    pub decide_within_minutes: String,
    /// Minutes to start once approved.
    pub use_within_minutes: String,
    /// Address book file; empty for none.
    pub address_book: String,
    /// Webhook; empty for none.
    pub webhook: String,
    /// Canary topic; empty for none.
    pub canary_topic: String,
    /// How many of its partitions are written.
    pub canary_partitions: String,
    /// Seconds between two canary records of a partition.
    pub canary_seconds: String,
    /// `on` when payload of differing records may be shown.
    pub show_payload: String,
    /// Row version the form was made from.
    pub version: i64,
}

/// `POST /pairs/{name}/plan`: makes a plan and goes to it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PlanForm {
    /// `switchover` or `readiness_drill`; empty for the first.
    pub operation: String,
    /// `a` or `b`: the side applications leave; what the page showed as active.
    pub from: String,
    /// `on` when its end is attested as a drill.
    pub drill: String,
    /// `on` when a person gives the final go before the fence.
    pub confirm_before_fence: String,
    /// `wait` or `roll_back`.
    pub if_unproven: String,
    /// `drain_then_move` or `move_out`.
    pub consumers: String,
    /// Longest time writes may be away, seconds.
    pub max_write_outage_seconds: String,
}

/// `POST /plans/{id}/request`: makes a run that waits for approval.
#[derive(Debug, Clone, Deserialize)]
pub struct RequestForm {
    /// Why, in the requester's words; kept in the evidence.
    pub reason: String,
    /// Hash of the plan that was shown.
    pub plan_hash: String,
}

/// `POST /runs/{id}/approve` and `/reject`.
#[derive(Debug, Clone, Deserialize)]
pub struct VoteForm {
    /// Hash of the plan that was shown.
    pub plan_hash: String,
    /// Words kept in the evidence; needed to reject.
    #[serde(default)]
    pub comment: String,
    /// `on`: the person accepts the warnings listed; needed to approve when there are any.
    #[serde(default)]
    pub accept: String,
}

/// `POST /runs/{id}/{start|pause|resume|retry|skip|confirm|abort|attest|close|break-glass|review}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ActForm {
    /// Name of the step it is about: `retry`, `skip`, `confirm`.
    pub step: String,
    /// Why: needed for `skip`, `abort`, `close`; the verdict's words for `attest`.
    pub reason: String,
    /// The target typed again, for the severe ones: the name of the pair.
    pub typed: String,
    /// `passed`, `failed` or `inconclusive`, for `attest`; `justified` or `not_justified`, for `review`.
    pub verdict: String,
    /// Codes of blockers that are answered for, parted by commas or spaces: `break-glass`.
    pub overridden: String,
}

/// `POST /reauthenticate`.
#[derive(Debug, Deserialize)]
pub struct ReauthenticateForm {
    /// Password.
    pub password: SecretString,
    /// Where to go on to.
    #[serde(default)]
    pub next: String,
}

/// `POST /people`.
#[derive(Debug, Deserialize)]
pub struct PersonForm {
    /// User name.
    pub name: String,
    /// First password.
    pub password: SecretString,
    /// `viewer`, `operator`, `approver`, `owner` or `admin`.
    pub role: String,
    /// Team; empty for all teams.
    #[serde(default)]
    pub team: String,
}

/// `POST /brake`: `set` with a reason, or `release`.
#[derive(Debug, Clone, Deserialize)]
pub struct BrakeForm {
    /// `set` or `release`.
    pub act: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// `GET /runs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunFilter {
    /// Pair.
    pub pair: String,
    /// Operation.
    pub operation: String,
    /// State.
    pub state: String,
    /// `drill` for drills only, `real` for others only.
    pub kind: String,
    /// Words in the reason, in what was said of it, or in its course.
    pub text: String,
    /// First day, `2026-07-01`.
    pub since: String,
    /// Last day.
    pub until: String,
    /// Cursor: number of the last run of the page before.
    pub after: String,
}

/// `GET /audit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// Actor.
    pub actor: String,
    /// Action, or its beginning: `run.`.
    pub action: String,
    /// Object.
    pub object: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// First day.
    pub since: String,
    /// Cursor: number of the last entry of the page before.
    pub after: String,
    /// `on` to verify the whole chain.
    pub verify: String,
}

/// `POST /drills`: a schedule, every field as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ScheduleForm {
    /// Pair.
    pub pair: String,
    /// `switchover` or `readiness_drill`.
    pub drill: String,
    /// `quarter` or `cron`.
    pub every: String,
    /// 1 to 3, for `quarter`.
    pub month: String,
    /// 1 to 28, for `quarter`.
    pub day: String,
    /// `HH:MM`, for `quarter`.
    pub at: String,
    /// Five fields, for `cron`.
    pub cron: String,
    /// Name of the IANA database.
    pub zone: String,
    /// Minutes.
    pub window_minutes: String,
    /// Days.
    pub lead_days: String,
    /// One a line: `2026-12-10 to 2027-01-06 peak season`.
    pub blackouts: String,
    /// Names, separated by commas.
    pub owners: String,
}

impl Default for ScheduleForm {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            pair: String::new(),
            drill: text("switchover"),
            every: text("quarter"),
            month: text("2"),
            day: text("12"),
            at: text("09:00"),
            cron: String::new(),
            zone: text("UTC"),
            window_minutes: text("240"),
            lead_days: text("7"),
            blackouts: String::new(),
            owners: String::new(),
        }
    }
}

/// `GET /pairs/{pair}/translation`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TranslationFilter {
    /// Only groups with this verdict: `exactly`, `reprocesses` or `cannot_say`.
    pub verdict: String,
    /// Only groups with this in their name.
    pub group: String,
    /// The proof to show, by its id; the newest that is done when empty.
    pub proof: String,
}

/// `GET /pairs/{pair}/content`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContentFilter {
    /// The proof to show, by its id; the newest that is done when empty.
    pub proof: String,
}

/// `POST /pairs/{pair}/content`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContentForm {
    /// Topics by the source's names, apart by spaces or lines; all when empty.
    pub topics: String,
    /// Hours back from now; everything when empty.
    pub hours: String,
    /// Percent of stretches that would have to differ to be found; everything is compared when empty.
    pub sample: String,
    /// Most megabytes a second; no bound when empty.
    pub mb_per_second: String,
}

/// `POST /pairs/{pair}/content/record`: a record that the proof cites, by where it stands on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecordForm {
    /// The proof.
    pub proof: String,
    /// `source` or `target`.
    pub side: String,
    /// The topic as that side names it.
    pub topic: String,
    /// Partition.
    pub partition: String,
    /// Offset.
    pub offset: String,
}

/// Which differences of a pair are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DifferenceFilter {
    /// `topics`, `access`, `limits` or `groups`.
    pub part: String,
    /// Part of the name of a topic, group or principal.
    pub who: String,
}

/// `GET /alarms`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AlarmFilter {
    /// `ended` or `all`; open ones otherwise.
    pub state: String,
    /// Pair.
    pub pair: String,
    /// Code of the alarm.
    pub code: String,
    /// Cursor: number of the last alarm of the page before.
    pub after: String,
    /// What was just done.
    pub done: String,
}

/// `POST /alarms/{id}/acknowledge`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AcknowledgeForm {
    /// What was done about it.
    pub comment: String,
}

/// `GET /findings`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FindingFilter {
    /// `open` or `closed`.
    pub state: String,
    /// Pair.
    pub pair: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Words in the text or the resolution.
    pub text: String,
    /// Cursor: number of the last finding of the page before.
    pub after: String,
    /// What was just done.
    pub done: String,
    /// Run the form is about, when its page led here.
    pub run: String,
}

/// `POST /findings` and `POST /findings/{id}`: every field as typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct FindingForm {
    /// `change`, `close` or `open`, for an existing one.
    pub act: String,
    /// Version it was read at, for an existing one.
    pub version: String,
    /// Pair.
    pub pair: String,
    /// Id of the run it came up in, if any.
    pub run: String,
    /// What was found.
    pub text: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Name of who sees to it.
    pub owner: String,
    /// Day.
    pub due: String,
    /// Address of evidence.
    pub link: String,
    /// What was done about it, for `close`.
    pub resolution: String,
    /// Number of the run that showed it is mended, for `close`.
    pub retest: String,
}

impl Default for FindingForm {
    fn default() -> Self {
        let none = String::new;
        Self {
            act: none(),
            version: none(),
            pair: none(),
            run: none(),
            text: none(),
            severity: "medium".to_owned(),
            owner: none(),
            due: none(),
            link: none(),
            resolution: none(),
            retest: none(),
        }
    }
}

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

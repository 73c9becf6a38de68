//! What the pages' forms send, field by field. Everything is text as browsers send it; the app turns it into domain
//! values and answers with the same page and the errors beside the fields.

mod danger;
mod drills;
mod notifications;
mod pairs;
mod people;
mod runs;
mod truth;

pub use self::{
    danger::DangerForm,
    drills::{FindingFilter, FindingForm, ScheduleForm},
    notifications::ChannelForm,
    pairs::{ClusterForm, ConnectForm, ImportForm, PairForm},
    people::{PersonForm, ReauthenticateForm, SetupForm, SignInForm, ThemeForm},
    runs::{ActForm, AuditFilter, BrakeForm, PlanForm, RequestForm, RunFilter, VoteForm},
    truth::{
        AcknowledgeForm, AlarmFilter, ContentFilter, ContentForm, DifferenceFilter, RecordForm,
        TranslationFilter, TranslationForm,
    },
};

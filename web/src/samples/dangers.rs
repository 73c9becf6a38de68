//! `sample()` of the pages before something is removed, ended or stopped.

use muster_domain::{
    notification::ChannelKind,
    people::Role,
    problem::Problem,
    schedule::{Cadence, Schedule},
};

use super::{
    account::{sessions, tokens},
    drills::schedule,
    night::{actor, chrome, chrome_of, cluster},
    notifications::channel,
    pairs,
    people::{admin, nobodys, payments_core},
    runs,
};
use crate::{
    chrome::{Brake, Chrome},
    danger::DangerPage,
    forms::DangerForm,
};

fn owner(path: &str) -> Chrome {
    chrome_of(Some(actor(9, "marta.kowalczyk", &[Role::Owner])), path, Brake::Released)
}

fn weekly() -> Schedule {
    schedule(1, "payments", Cadence::Cron { expression: "0 6 * * 1".to_owned() })
}

impl DangerPage {
    /// The only schedule of a pair.
    #[must_use]
    pub fn sample_schedule() -> Self {
        Self::remove_schedule(owner("/drills/1/remove"), &weekly(), 0)
    }

    /// A team's last channel, with messages on their way, edited by somebody meanwhile.
    #[must_use]
    pub fn sample_channel() -> Self {
        let form = DangerForm { version: 1, typed: String::new() };
        let problem = Problem::new(
            "edited-in-between",
            "It was edited by somebody else since it was read; nothing was changed.",
            "Read it again, look at what changed, and send the edit with the new ETag.",
        );
        let channel = channel(3, "room", ChannelKind::Slack, "hooks.chat.example");
        Self::remove_channel(owner("/notifications/3/remove"), &channel, 0, 2).refused(&form, &problem)
    }

    /// A team nothing belongs to.
    #[must_use]
    pub fn sample_team() -> Self {
        Self::remove_team(admin("/teams/new-team/remove"), &nobodys())
    }

    /// A team with pairs and channels.
    #[must_use]
    pub fn sample_team_refused() -> Self {
        Self::remove_team(admin("/teams/payments-core/remove"), &payments_core())
    }

    /// A pair with nothing in the way.
    #[must_use]
    pub fn sample_pair() -> Self {
        Self::remove_pair(owner("/pairs/payments/remove"), &pairs::payments().pair, &[], false)
    }

    /// Another name was typed.
    #[must_use]
    pub fn sample_pair_wrong_name() -> Self {
        let form = DangerForm { version: 1, typed: "payment".to_owned() };
        let problem = Problem::new(
            "invalid-request",
            "The name typed must be `payments`, the pair this removes. Nothing was changed.",
            "Correct the request and send it again.",
        );
        let pair = pairs::payments().pair;
        Self::remove_pair(owner("/pairs/payments/remove"), &pair, &[], false).refused(&form, &problem)
    }

    /// A run waits for its approval.
    #[must_use]
    pub fn sample_pair_refused() -> Self {
        let pair = pairs::payments().pair;
        Self::remove_pair(owner("/pairs/payments/remove"), &pair, &[runs::asked()], true)
    }

    /// A cluster no pair is made of.
    #[must_use]
    pub fn sample_cluster() -> Self {
        let cluster = cluster("eu-west", "Zq3vW8mYTk2xN1oP5rL7dg");
        Self::remove_cluster(admin("/clusters/eu-west/remove"), &cluster, &[])
    }

    /// A pair's canary.
    #[must_use]
    pub fn sample_canary() -> Self {
        let mut pair = pairs::payments().pair;
        pair.canary_topic = Some("muster.canary.payments".to_owned());
        Self::stop_canary(owner("/pairs/payments/canary/remove"), &pair)
    }

    /// A session of the command line.
    #[must_use]
    pub fn sample_session() -> Self {
        Self::end_session(chrome("/account/sessions/2/revoke"), &sessions()[1])
    }

    /// All but the one it is read in.
    #[must_use]
    pub fn sample_other_sessions() -> Self {
        Self::end_other_sessions(chrome("/account/sessions/revoke"), &sessions())
    }

    /// Of somebody, by an admin.
    #[must_use]
    pub fn sample_sessions_of() -> Self {
        let path = "/people/tomas.ferreira/sessions/revoke";
        Self::end_sessions_of(admin(path), "tomas.ferreira", &sessions()[1..])
    }

    /// The token of a program that used it a minute ago.
    #[must_use]
    pub fn sample_token() -> Self {
        Self::revoke_token(chrome("/account/tokens/1/revoke"), &tokens()[0], None)
    }
}

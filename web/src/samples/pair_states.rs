//! The page of payments in states of its own: to who may only read, under the brake, of an old survey, after a refused form.

use chrono::Duration;
use muster_domain::{people::Role, problem::Problem};

use super::{
    ago,
    night::{actor, adaeze, chrome, chrome_of},
    pair::pair_page_of,
};
use crate::{chrome::Brake, forms::PlanForm, pair::PairPage};

const PATH: &str = "/pairs/payments";

impl PairPage {
    /// As somebody sees it who may only read.
    #[must_use]
    pub fn sample_reader() -> Self {
        let viewer = actor(10, "wei", &[Role::Viewer]);
        pair_page_of(false, chrome_of(Some(viewer), PATH, Brake::Released), None)
    }

    /// Under the brake.
    #[must_use]
    pub fn sample_braked() -> Self {
        let brake = Brake::Set {
            by: "wei.zhang".to_owned(),
            at: ago(600),
            reason: "Maintenance of the network between both regions".to_owned(),
        };
        pair_page_of(false, chrome_of(Some(adaeze()), PATH, brake), None)
    }

    /// Three hours later, without another survey.
    #[must_use]
    pub fn sample_old() -> Self {
        let mut chrome = chrome(PATH);
        chrome.facts.now += Duration::hours(3);
        pair_page_of(false, chrome, None)
    }

    /// After a plan form whose longest time without writes was not understood.
    #[must_use]
    pub fn sample_plan_refused() -> Self {
        let sent = PlanForm {
            operation: "switchover".to_owned(),
            from: "a".to_owned(),
            drill: "on".to_owned(),
            confirm_before_fence: String::new(),
            if_unproven: "wait".to_owned(),
            consumers: "move_out".to_owned(),
            max_write_outage_seconds: "two minutes".to_owned(),
        };
        let problem = Problem::new(
            "invalid-request",
            "The longest time without writes is a whole number of seconds.",
            "Change it as the sentence says and send it again.",
        );
        pair_page_of(false, chrome(PATH), Some((&sent, &problem)))
    }
}

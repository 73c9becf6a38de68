//! Payments with both sides active: both flows copy, under prefixed names, and the way back is further behind.

use muster_domain::{
    direction::ActiveSides,
    pair::{Direction, NamingPolicy, PairMode, Side},
    reading::{Reading, ReadingClass},
};

use super::{
    ago, canary,
    fleet::{facts, rpo},
    night::chrome,
    pairs::{self, Seen},
    survey,
};
use crate::{
    fleet::FleetPage,
    pair::{FlowFigures, PairDetail, PairPage},
};

/// How long the way back is behind, in milliseconds.
const BACK_MS: i64 = 61_000;

fn seen() -> Seen {
    let mut seen = pairs::payments();
    seen.pair.mode = PairMode::ActiveActive;
    for flow in &mut seen.pair.flows {
        flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
    }
    seen.active = ActiveSides::Both;
    seen.lag = reading(BACK_MS);
    // One of them is of a way back that is stopped.
    seen.checks.retain(|check| !check.reason.contains("way back"));
    seen
}

fn reading(value: i64) -> Reading {
    Reading::new(value, ReadingClass::Tight, ago(2), "")
}

fn figures(from: Side, ms: i64, records: i64) -> FlowFigures {
    FlowFigures {
        direction: Direction { from },
        rpo: rpo(&reading(ms)),
        lag: reading(ms),
        behind: reading(records),
        first_missing: None,
        in_open_transactions: Some(0),
        topics: survey::lag(),
    }
}

impl PairPage {
    /// See the module.
    #[must_use]
    pub fn sample_both_active() -> Self {
        let (seen, survey) = (seen(), survey::both_active());
        let flows = [figures(Side::A, 4_200, 8_020), figures(Side::B, BACK_MS, 120_455)];
        let canaries = canary::both_ways(&seen.pair);
        let detail = PairDetail {
            facts: facts(&seen),
            survey: Some(&survey),
            flows: &flows,
            canaries: &canaries,
            tried: None,
            hours: 24,
            loss: None,
            runs: &[],
        };
        Self::new(chrome("/pairs/payments"), &detail, None)
    }
}

impl FleetPage {
    /// Only payments.
    #[must_use]
    pub fn sample_both_active() -> Self {
        let seen = seen();
        Self::new(chrome("/"), &[facts(&seen)])
    }
}

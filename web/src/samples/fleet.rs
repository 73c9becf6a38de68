//! `sample()` of the fleet, and a pair as it is in it.

use muster_domain::{
    reading::{Reading, ReadingClass},
    record::Run,
    run::RunState,
};

use super::{
    ago, loss,
    night::{chrome, pair_name},
    pairs::{self, Seen},
    runs, steps,
};
use crate::fleet::{DrillDuty, Duties, FleetPage, PairFacts, Verification};

pub(super) fn facts(seen: &Seen) -> PairFacts<'_> {
    PairFacts {
        alarms: &[],
        losses: &[],
        pair: &seen.pair,
        active: seen.active,
        checks: &seen.checks,
        rpo: rpo(&seen.lag),
        lag: seen.lag.clone(),
        history: &seen.history,
        verification: seen.verification.clone(),
        last_proof: None,
        active_run: None,
        waiting: None,
        duties: None,
    }
}

/// A survey every five seconds: writes of as long may be lost on top.
pub(super) fn rpo(lag: &Reading) -> Reading {
    match lag.value {
        Some(ms) => {
            Reading::new(ms + 5_000, lag.class.max(ReadingClass::LowerBound), lag.at, lag.reason.clone())
        }
        None => lag.clone(),
    }
}

impl FleetPage {
    /// Eight pairs, one moving, one asked for.
    #[must_use]
    pub fn sample() -> Self {
        let (fleet, drill) = (pairs::fleet(), runs::drill());
        let (moving, steps, asked) =
            (runs::under_way(RunState::Running, ""), steps::steps_running(), runs::asked());
        let failed = Run { state: RunState::Failed, ended_at: Some(ago(8 * 86_400)), ..drill.clone() };
        let facts = fleet.iter().map(|seen| {
            let mut facts = facts(seen);
            match seen.pair.name.as_str() {
                "orders" => facts.active_run = Some((&moving, &steps)),
                "payments" => facts.waiting = Some(&asked),
                _ => {}
            }
            let drill_duty = match &seen.verification {
                Verification::Failed { .. } => Some(DrillDuty::Overdue { since: ago(14 * 86_400) }),
                Verification::Verified { .. } => Some(DrillDuty::Ahead { due: ago(-29 * 86_400) }),
                Verification::NeedsVerification { .. } => None,
            };
            let open_findings = i64::from(drill_duty.is_none()) * 3;
            facts.duties = Some(Duties { drill: drill_duty, open_findings });
            facts.last_proof = match &seen.verification {
                Verification::Failed { .. } => Some(&failed),
                Verification::Verified { .. } => Some(&drill),
                Verification::NeedsVerification { .. } => None,
            };
            facts
        });
        Self::new(chrome("/"), &facts.collect::<Vec<_>>())
    }

    /// Payments with alarms and a loss besides its checks, and another pair that was never observed.
    #[must_use]
    pub fn sample_problems() -> Self {
        let (seen, mut fresh) = (pairs::payments(), pairs::payments());
        fresh.pair.name = pair_name("fresh");
        fresh.checks.clear();
        let (alarms, open) = (super::alarms::alarms(), [loss::brief(loss::bounded(&seen.pair), 0)]);
        let payments = PairFacts { alarms: &alarms[..2], losses: &open, ..facts(&seen) };
        Self::new(chrome("/"), &[payments, facts(&fresh)])
    }

    /// The first thing a new Muster shows.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::new(chrome("/"), &[])
    }
}

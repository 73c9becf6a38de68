//! `sample()` of the page of payments: well, with its source away, dead or back, and just imported.

use std::collections::BTreeMap;

use muster_domain::{
    direction::ActiveSides,
    loss::{BriefLoss, Loss},
    pair::{Direction, Mechanism, Side},
    problem::Problem,
    reading::{Reading, ReadingClass},
};

use super::{
    ago, canary,
    fleet::{facts, rpo},
    loss,
    night::chrome,
    pairs, runs, survey,
};
use crate::{
    chrome::Chrome,
    fleet::PairFacts,
    forms::PlanForm,
    pair::{FlowFigures, PairDetail, PairPage},
};

/// The page with a loss, if there was one, and those of it that are open.
fn pair_page(dark: bool, loss: Option<&Loss>, open: &[BriefLoss]) -> PairPage {
    page_of(dark, chrome("/pairs/payments"), (loss, open), None)
}

/// Payments as somebody sees it, at the time of their frame, perhaps after a plan form that was refused.
pub(super) fn pair_page_of(dark: bool, chrome: Chrome, refused: Option<(&PlanForm, &Problem)>) -> PairPage {
    page_of(dark, chrome, (None, &[]), refused)
}

fn page_of(
    dark: bool,
    chrome: Chrome,
    (loss, open): (Option<&Loss>, &[BriefLoss]),
    refused: Option<(&PlanForm, &Problem)>,
) -> PairPage {
    let (mut seen, asked, drill, runs) = (pairs::payments(), runs::asked(), runs::drill(), runs::history());
    seen.history = pairs::history(24, 4200, 21_900, Some((240, 216)));
    // Of a loss that waits for some leaders only the source is read again.
    let away = loss.is_some_and(|loss| loss.truth.is_none() && loss.waits_for_leaders == 0);
    let survey = survey::payments(dark || away);
    let mut behind = Reading::new(8020, ReadingClass::Tight, ago(2), "");
    if dark {
        seen.active = ActiveSides::NotKnown;
        seen.checks.clear();
        seen.lag = Reading::new(4200, ReadingClass::Stale, ago(252), "eu-west does not answer");
        behind = Reading::unknown(ago(2), "eu-west does not answer");
    }
    let flows = [FlowFigures {
        direction: Direction { from: Side::A },
        rpo: rpo(&seen.lag),
        lag: seen.lag.clone(),
        behind,
        first_missing: (!dark).then(|| ago(7)),
        in_open_transactions: (!dark).then_some(1_204),
        topics: survey::lag(),
    }];
    let canaries = canary::of(&seen.pair, dark);
    let alarms = super::alarms::alarms();
    let facts = PairFacts {
        waiting: Some(&asked),
        last_proof: Some(&drill),
        alarms: &alarms[..2],
        losses: open,
        ..facts(&seen)
    };
    let detail = PairDetail {
        facts,
        survey: Some(&survey),
        flows: &flows,
        canaries: &canaries,
        tried: None,
        hours: 24,
        loss,
        runs: &runs,
    };
    PairPage::new(chrome, &detail, refused)
}

impl PairPage {
    /// Payments.
    #[must_use]
    pub fn sample() -> Self {
        pair_page(false, None, &[])
    }

    /// Payments with eu-west gone.
    #[must_use]
    pub fn sample_unknown() -> Self {
        let pair = pairs::payments().pair;
        pair_page(true, Some(&loss::of(&pair)), &[loss::brief(loss::of(&pair), 0)])
    }

    /// Payments with eu-west dead, where Connect still calls its connectors running; another loss is open besides.
    #[must_use]
    pub fn sample_dead() -> Self {
        let pair = pairs::payments().pair;
        let open = [0, 9].map(|days| loss::brief(loss::bounded(&pair), days));
        pair_page(false, Some(&loss::bounded(&pair)), &open)
    }

    /// Payments with eu-west read again, but for partitions without a leader.
    #[must_use]
    pub fn sample_waiting() -> Self {
        let pair = pairs::payments().pair;
        pair_page(false, Some(&loss::waiting(&pair)), &[loss::brief(loss::waiting(&pair), 0)])
    }

    /// Payments with eu-west back, and nothing lost.
    #[must_use]
    pub fn sample_back() -> Self {
        pair_page(false, Some(&loss::nothing(&pairs::payments().pair)), &[])
    }

    /// Payments just imported: nobody said yet what carries its flows.
    #[must_use]
    pub fn sample_imported() -> Self {
        let mut seen = pairs::payments();
        for flow in &mut seen.pair.flows {
            flow.mechanism = Mechanism::Unattached;
        }
        seen.active = ActiveSides::NotKnown;
        seen.checks.clear();
        let facts = facts(&seen);
        let flows = [FlowFigures {
            direction: Direction { from: Side::A },
            rpo: Reading::unknown(ago(2), "never surveyed"),
            lag: Reading::unknown(ago(2), "never surveyed"),
            behind: Reading::unknown(ago(2), "never surveyed"),
            first_missing: None,
            in_open_transactions: None,
            topics: BTreeMap::new(),
        }];
        let detail = PairDetail {
            facts,
            survey: None,
            flows: &flows,
            canaries: &[],
            tried: None,
            hours: 24,
            loss: None,
            runs: &[],
        };
        Self::new(chrome("/pairs/payments"), &detail, None)
    }
}

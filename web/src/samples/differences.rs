//! `sample()` of the page of what differs between both sides of payments.

use chrono::Duration;
use muster_domain::{
    difference::{Differences, LastCompared, differences},
    pair::BySide,
    survey::Survey,
};

use super::{
    ago,
    night::{chrome, cluster},
    pairs, survey,
};
use crate::{differences::DifferencesPage, forms::DifferenceFilter};

/// Payments as a survey shows it, `who` typed.
fn differences_of(survey: &Survey, before: Option<&Survey>, who: &str) -> DifferencesPage {
    let clusters = BySide { a: cluster("eu-west", "ew-core-1"), b: cluster("eu-central", "ec-core-1") };
    let pair = pairs::payments().pair;
    let mut found = differences(&pair, &clusters, survey);
    if let Some(last) = LastCompared::after(&pair, &clusters, survey, before, None) {
        found = found.with_earlier(&pair, &last);
    }
    let found = found.filtered(&[], who).shortened();
    let filter = DifferenceFilter { who: who.to_owned(), ..DifferenceFilter::default() };
    let chrome = chrome("/pairs/payments/differences");
    DifferencesPage::new(chrome, &pair, &filter, Some((&found, survey.began_at)))
}

impl DifferencesPage {
    /// Payments: two applications without a password, a shorter retention, a consumer on the wrong side.
    #[must_use]
    pub fn sample() -> Self {
        differences_of(&survey::payments(false), None, "")
    }

    /// Nothing matches what was typed.
    #[must_use]
    pub fn sample_none() -> Self {
        differences_of(&survey::payments(false), None, "nobody")
    }

    /// One side does not answer any more.
    #[must_use]
    pub fn sample_unknown() -> Self {
        differences_of(&survey::payments(true), Some(&survey::payments(false)), "")
    }

    /// Alike when it was looked at, three hours ago.
    #[must_use]
    pub fn sample_old() -> Self {
        let (pair, mut chrome) = (pairs::payments().pair, chrome("/pairs/payments/differences"));
        chrome.facts.now += Duration::hours(3);
        let (active, standby) = (Some(pair.clusters.a.clone()), Some(pair.clusters.b.clone()));
        let found = Differences { active, standby, ..Differences::default() };
        Self::new(chrome, &pair, &DifferenceFilter::default(), Some((&found, ago(2))))
    }
}

//! `sample()` of the page of what differs between both sides of payments.

use chrono::Duration;
use muster_domain::{
    difference::{Differences, LastCompared, differences},
    pair::BySide,
    quota::ClientQuota,
    reading::Observed,
    survey::Survey,
};

use super::{
    ago,
    night::{chrome, cluster},
    pairs, survey,
};
use crate::{
    differences::{DifferencesPage, Shown},
    forms::DifferenceFilter,
};

/// Payments as a survey shows it, asked for by a filter; of those who are affected a page of a dozen.
fn differences_of(survey: &Survey, before: Option<&Survey>, filter: &DifferenceFilter) -> DifferencesPage {
    let clusters = BySide { a: cluster("eu-west", "ew-core-1"), b: cluster("eu-central", "ec-core-1") };
    let pair = pairs::payments().pair;
    let mut found = differences(&pair, &clusters, survey);
    if let Some(last) = LastCompared::after(&pair, &clusters, survey, before, None) {
        found = found.with_earlier(&pair, &last);
    }
    let found = found.filtered(&[], &filter.who);
    let (by_who, more) = found.by_who(&filter.who).page(None, 12);
    let found = found.shortened();
    let next = more.then_some("who~costs~1~principal~x557365723a6170702d3135");
    let shown = Shown {
        differences: &found,
        at: survey.began_at,
        by_who: filter.is_by_who().then_some((&by_who, next)),
    };
    DifferencesPage::new(chrome("/pairs/payments/differences"), &pair, filter, Some(shown))
}

/// What is asked for: by cause or by `who`, and what was typed.
fn asked(by: &str, who: &str) -> DifferenceFilter {
    DifferenceFilter { by: by.to_owned(), who: who.to_owned(), ..DifferenceFilter::default() }
}

/// Payments where eu-central slows down a client, too, and nobody knows who goes by its name.
fn with_a_client() -> Survey {
    let mut survey = survey::payments(false);
    if let Observed::Known { value, .. } = &mut survey.sides.b.quotas {
        value.push(ClientQuota {
            entity: [("client-id".to_owned(), Some("batch-loader".to_owned()))].into(),
            limits: [("consumer_byte_rate".to_owned(), 1_048_576.0)].into(),
        });
    }
    survey
}

impl DifferencesPage {
    /// Payments: two applications without a password, a shorter retention, a consumer on the wrong side.
    #[must_use]
    pub fn sample() -> Self {
        differences_of(&survey::payments(false), None, &asked("", ""))
    }

    /// Nothing matches what was typed.
    #[must_use]
    pub fn sample_none() -> Self {
        differences_of(&survey::payments(false), None, &asked("", "nobody"))
    }

    /// One side does not answer any more.
    #[must_use]
    pub fn sample_unknown() -> Self {
        differences_of(&survey::payments(true), Some(&survey::payments(false)), &asked("", ""))
    }

    /// By who is affected: everybody, a client nobody can name, the first dozen of those who are named.
    #[must_use]
    pub fn sample_by_who() -> Self {
        differences_of(&with_a_client(), None, &asked("who", ""))
    }

    /// By who is affected of those with this in their name.
    #[must_use]
    pub fn sample_by_who_typed() -> Self {
        differences_of(&with_a_client(), None, &asked("who", "fraud-scorer"))
    }

    /// By who is affected while one side does not answer any more.
    #[must_use]
    pub fn sample_by_who_unknown() -> Self {
        differences_of(&survey::payments(true), Some(&survey::payments(false)), &asked("who", ""))
    }

    /// Alike when it was looked at, three hours ago.
    #[must_use]
    pub fn sample_old() -> Self {
        let (pair, mut chrome) = (pairs::payments().pair, chrome("/pairs/payments/differences"));
        chrome.facts.now += Duration::hours(3);
        let (active, standby) = (Some(pair.clusters.a.clone()), Some(pair.clusters.b.clone()));
        let found = Differences { active, standby, ..Differences::default() };
        let shown = Shown { differences: &found, at: ago(2), by_who: None };
        Self::new(chrome, &pair, &DifferenceFilter::default(), Some(shown))
    }
}

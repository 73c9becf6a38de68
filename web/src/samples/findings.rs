//! `sample()` of findings.

use chrono::{Days, Duration};
use muster_domain::{
    finding::{Closing, Finding, Severity},
    people::Role,
    record::Person,
};
use uuid::Uuid;

use super::{
    ago,
    night::{actor, chrome_of, pair_name, team},
    now, runs,
};
use crate::{
    chrome::Brake,
    findings::{FindingPage, FindingsPage, empty_form},
    forms::FindingFilter,
};

fn finding(number: i64, text: &str, severity: Severity) -> Finding {
    Finding {
        id: Uuid::from_u128(7_000 + number.unsigned_abs() as u128),
        number,
        pair: pair_name("payments"),
        team: team("payments"),
        run: Some(runs::drill().id),
        text: text.to_owned(),
        severity,
        owner: "jonas.lindqvist".to_owned(),
        due: now().date_naive().checked_add_days(Days::new(12)),
        link: String::new(),
        raised_by: Person { id: Uuid::nil(), name: "muster".to_owned() },
        raised_at: ago(7_200),
        closed: None,
        version: 1,
    }
}

/// What came up in the drill.
pub(super) fn findings() -> Vec<Finding> {
    let late = finding(
        16,
        "The settlement job had eu-west-1.kafka:9092 written into its image and did not follow the switch.",
        Severity::High,
    );
    let closed = Closing {
        at: now() - Duration::days(3),
        by: "jonas.lindqvist".to_owned(),
        resolution: "TTL of the bootstrap name lowered to 30 s; measured in the next drill.".to_owned(),
        retest: Some(runs::drill().id),
    };
    vec![
        finding(
            17,
            "Check `groups_resume_exactly` could not be determined: `fraud` had no member.",
            Severity::Medium,
        ),
        Finding {
            due: now().date_naive().checked_sub_days(Days::new(4)),
            link: "https://tickets.example/OPS-2217".to_owned(),
            raised_by: Person { id: Uuid::from_u128(4), name: "wei.zhang".to_owned() },
            ..late
        },
        Finding {
            closed: Some(closed),
            ..finding(12, "Clients kept the old address for 5 minutes: DNS cached in the JVM.", Severity::Low)
        },
    ]
}

impl FindingsPage {
    /// Three findings as an operator sees them.
    #[must_use]
    pub fn sample() -> Self {
        let operator = actor(4, "wei.zhang", &[Role::Operator]);
        let form = empty_form(&operator, "payments", "");
        let chrome = chrome_of(Some(operator), "/findings", Brake::Released);
        let pairs = [("payments".to_owned(), true), ("orders".to_owned(), false)];
        Self::new(chrome, &FindingFilter::default(), &pairs, &findings(), true, &form, &[])
    }

    /// Nothing found, for somebody who only reads.
    #[must_use]
    pub fn sample_empty() -> Self {
        let viewer = actor(10, "wei", &[Role::Viewer]);
        let form = empty_form(&viewer, "", "");
        let chrome = chrome_of(Some(viewer), "/findings", Brake::Released);
        Self::new(chrome, &FindingFilter::default(), &[], &[], false, &form, &[])
    }
}

impl FindingPage {
    /// An open one, overdue, with a form that was refused.
    #[must_use]
    pub fn sample() -> Self {
        let operator = actor(4, "wei.zhang", &[Role::Operator]);
        let chrome = chrome_of(Some(operator), "/findings/x", Brake::Released);
        let names = [(runs::drill().id, crate::words::run_name(&runs::drill()))];
        let errors = [("retest".to_owned(), "There is no run 999.".to_owned())];
        Self::new(chrome, &findings()[1], &names, None, &errors, "")
    }

    /// A closed one.
    #[must_use]
    pub fn sample_closed() -> Self {
        let operator = actor(4, "wei.zhang", &[Role::Operator]);
        let chrome = chrome_of(Some(operator), "/findings/x", Brake::Released);
        let names = [(runs::drill().id, crate::words::run_name(&runs::drill()))];
        Self::new(chrome, &findings()[2], &names, None, &[], "closed")
    }
}

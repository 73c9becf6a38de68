//! `sample()` of what the flight recorder kept: a group that was set back, and what changed before eu-west died.

use chrono::{DurationRound as _, TimeDelta};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    pair::{Direction, Pair, Side},
    recorder::{
        Changed, FactChange, FactKind, FactsLeftOut, GroupHour, GroupThen, PositionThen, RecreatedTopic,
        TopicIdSeen, WhatChanged, explorer::Resolution,
    },
    topic::{ConfigEntry, ConfigSource},
};
use uuid::Uuid;

use super::{ago, night::chrome, now, pairs};
use crate::recorded::{RecordedDetail, RecordedFilter, RecordedPage};

fn positions() -> Vec<PositionThen> {
    let position = |partition, position, lowest| PositionThen {
        topic: "payments.captured".to_owned(),
        topic_id: Uuid::from_u128(0x51),
        partition,
        position,
        lowest,
        highest: position,
    };
    vec![position(0, 183_390, 90_000), position(1, 183_398, 181_002)]
}

fn hours() -> Vec<GroupHour> {
    let hour = now().duration_trunc(TimeDelta::hours(1)).unwrap_or_else(|_| now());
    (1..6)
        .rev()
        .map(|back| GroupHour {
            at: hour - TimeDelta::hours(back),
            partitions: 2,
            moved: (back < 5).then_some(if back == 1 { -88_401 } else { 4_800 }),
            set_back: usize::from(back == 1),
        })
        .collect()
}

fn changes() -> Vec<FactChange> {
    let entry = |value: &str, source| Some(ConfigEntry { value: Some(value.to_owned()), source });
    let resource = (ResourceType::Topic, PatternType::Prefixed, "payments.");
    let binding =
        AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:settlement-batch");
    let change = |side, kind, seconds, what| FactChange { side, kind, at: ago(seconds), what };
    vec![
        change(Side::A, FactKind::Acls, 3_600, WhatChanged::These(vec![Changed::AclAdded(binding)])),
        change(
            Side::B,
            FactKind::Configs,
            90_000,
            WhatChanged::These(vec![
                Changed::Config {
                    key: "retention.ms".to_owned(),
                    before: entry("604800000", ConfigSource::Topic),
                    after: entry("259200000", ConfigSource::DynamicBroker),
                    topics: vec!["payments.settlement.v2".to_owned()],
                },
                Changed::TopicsAdded(vec!["payments.refunds".to_owned()]),
            ]),
        ),
        change(Side::B, FactKind::Acls, 200_000, WhatChanged::CannotBeTold),
        change(Side::A, FactKind::Configs, 250_000, WhatChanged::KeptAgain),
        change(Side::A, FactKind::Configs, 290_000, WhatChanged::LeftOut),
        change(Side::A, FactKind::Configs, 400_000, WhatChanged::FirstKept),
    ]
}

fn recreated() -> Vec<RecreatedTopic> {
    let seen = |id: u128, days: i64| TopicIdSeen {
        id: Uuid::from_u128(id),
        seen_at: ago(days * 86_400),
        surveys: None,
    };
    let by_surveys = |id: u128, from: i64, until: Option<i64>| TopicIdSeen {
        surveys: Some((ago(from), until.map(ago))),
        ..seen(id, 0)
    };
    let topic = |side, ids| RecreatedTopic { side, topic: "payments.captured".to_owned(), ids };
    vec![
        topic(Side::A, vec![seen(0x50, 12), seen(0x51, 0)]),
        topic(Side::B, vec![by_surveys(0x60, 90_000, Some(2_705)), by_surveys(0x61, 2_700, None)]),
    ]
}

/// Nothing asked, nothing kept.
fn empty<'a>(pair: &'a Pair, filter: &'a RecordedFilter, groups: &'a [String]) -> RecordedDetail<'a> {
    RecordedDetail {
        pair,
        filter,
        direction: Direction { from: Side::A },
        groups,
        more_groups: false,
        at: now(),
        then: None,
        hours: &[],
        within: (ago(7 * 86_400), now()),
        changes: &[],
        next: None,
        looked_until: None,
        left_out: &[],
        recreated: &[],
        errors: &[],
    }
}

fn filter(group: &str) -> RecordedFilter {
    RecordedFilter { source: "eu-west".to_owned(), group: group.to_owned(), ..RecordedFilter::default() }
}

impl RecordedPage {
    /// Settlement at two o'clock, and a week of changes.
    #[must_use]
    pub fn sample() -> Self {
        let (pair, groups) = (pairs::payments().pair, ["settlement".to_owned()]);
        let filter = RecordedFilter {
            at: "2026-11-19T02:00".to_owned(),
            name: "payments".to_owned(),
            ..filter("settlement")
        };
        let then = GroupThen { resolution: Resolution::Hour, at: ago(4_360), positions: positions() };
        let (hours, changes, recreated) = (hours(), changes(), recreated());
        let (side, kind) = (Side::A, FactKind::Configs);
        let left_out = [FactsLeftOut { side, kind, since: ago(290_000), until: Some(ago(250_000)) }];
        let detail = RecordedDetail {
            at: ago(4_360),
            then: Some(&then),
            hours: &hours,
            changes: &changes,
            next: Some("fact~1794657160000000~a~configs".to_owned()),
            looked_until: Some(ago(400_000)),
            left_out: &left_out,
            recreated: &recreated,
            ..empty(&pair, &filter, &groups)
        };
        Self::new(chrome("/pairs/payments/recorded"), &detail)
    }

    /// A pair that was just made.
    #[must_use]
    pub fn sample_empty() -> Self {
        let (pair, filter) = (pairs::payments().pair, filter(""));
        Self::new(chrome("/pairs/payments/recorded"), &empty(&pair, &filter, &[]))
    }

    /// A group of which nothing is kept, at a time nobody understands.
    #[must_use]
    pub fn sample_not_known() -> Self {
        let (pair, filter) =
            (pairs::payments().pair, RecordedFilter { at: "yesterday".to_owned(), ..filter("nobody") });
        let errors = [("at".to_owned(), "Write a time in UTC: 2026-11-19T03:00.".to_owned())];
        let detail = RecordedDetail { errors: &errors, ..empty(&pair, &filter, &[]) };
        Self::new(chrome("/pairs/payments/recorded"), &detail)
    }
}

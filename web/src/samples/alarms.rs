//! `sample()` of alarms.

use chrono::Duration;
use muster_domain::{
    alarm::{Alarm, AlarmCode, Ending, Lost, Place, Since, StandingAlarm},
    people::Role,
    topic::TopicPartition,
};
use uuid::Uuid;

use super::{
    ago,
    night::{actor, chrome_of, pair_name, team},
    now,
};
use crate::{
    alarms::{AlarmsPage, Refused},
    chrome::Brake,
    forms::AlarmFilter,
};

fn kept(number: i64, code: AlarmCode, subject: &str, said: &str) -> StandingAlarm {
    let alarm = Alarm {
        code,
        subject: subject.to_owned(),
        course: "eu-west → eu-central".to_owned(),
        said: said.to_owned(),
        places: Vec::new(),
        likely: false,
        more_places: 0,
        since: Since { after: Some(ago(305)), by: ago(300) },
        lost: Lost::NOTHING,
        facts: Vec::new(),
        next_step: "Look at the worker's log, then restart the connector with its tasks.".to_owned(),
        command: None,
    };
    StandingAlarm {
        id: Uuid::from_u128(9_000 + number.unsigned_abs() as u128),
        number,
        pair: pair_name("payments"),
        team: team("payments"),
        severity: code.severity().as_str().to_owned(),
        alarm,
        opened_survey: 4711,
        opened_at: ago(300),
        last_seen_at: ago(2),
        not_seen_because: String::new(),
        ended: None,
    }
}

/// Four that are open, two of which wait for somebody, and one that ended.
pub(super) fn alarms() -> Vec<StandingAlarm> {
    let mut hole = kept(
        42,
        AlarmCode::ReplicationHole,
        "payments.captured",
        "Records of `payments.captured` were removed from `eu-west` before they were copied: `eu-central` will never have them.",
    );
    hole.alarm.places = vec![Place {
        name: "payments.captured-3".to_owned(),
        said: "offsets 1000 to 1699 were not copied".to_owned(),
        mark: 1000,
        lost: Lost::up_to(700),
        partition: Some(TopicPartition::new("payments.captured", 3)),
    }];
    hole.alarm.lost = Lost::up_to(700);
    hole.alarm.facts =
        vec!["The first offset on the source is past the last one that was copied.".to_owned()];
    hole.alarm.command = Some(
        "kafka-configs.sh --bootstrap-server eu-west-1.kafka:9092 --command-config admin.properties --describe --all \
         --entity-type topics --entity-name 'payments.captured'"
            .to_owned(),
    );
    let mut gone = kept(
        43,
        AlarmCode::WorkerGone,
        "payments-eu-west-source",
        "`payments-eu-west-source` says RUNNING, `eu-west` takes writes and nothing arrives on `eu-central`.",
    );
    gone.alarm.lost = Lost::up_to(8_120);
    let unseen = StandingAlarm {
        not_seen_because: "connection to eu-central-1.kafka:9092 refused".to_owned(),
        last_seen_at: ago(400),
        ..kept(
            41,
            AlarmCode::GroupActive,
            "ledger",
            "`ledger` has members on `eu-central`, so its offsets are not synced.",
        )
    };
    let ending = Ending {
        at: now() - Duration::hours(3),
        by: Some("wei.zhang".to_owned()),
        comment: "A load test wrote there; the topic was copied anew.".to_owned(),
    };
    let ended = StandingAlarm {
        ended: Some(ending),
        ..kept(
            40,
            AlarmCode::ForeignWriter,
            "payments.refunded",
            "`payments.refunded` on `eu-central` has grown by records that replication did not bring.",
        )
    };
    let recreated = kept(
        39,
        AlarmCode::TopicRecreated,
        "payments.refunded",
        "`payments.refunded` was deleted on `eu-west` and made anew: what `eu-central` has of it is of the one before.",
    );
    vec![gone, hole, unseen, ended, recreated]
}

impl AlarmsPage {
    /// Open and ended ones as an operator sees them.
    #[must_use]
    pub fn sample() -> Self {
        let operator = actor(4, "wei.zhang", &[Role::Operator]);
        let chrome = chrome_of(Some(operator), "/alarms", Brake::Released);
        let alarms = alarms();
        let shown: Vec<_> = alarms.iter().map(|alarm| (alarm, alarm.waits_for_somebody())).collect();
        let filter = AlarmFilter { state: "all".to_owned(), ..AlarmFilter::default() };
        let refused = Refused {
            id: alarms[1].id,
            why: "That is more than 4000 characters; link to the rest.",
            comment: "Retention of payments.captured was one hour.",
        };
        Self::new(chrome, &filter, &["payments".to_owned()], &shown, true, Some(refused))
    }

    /// The same as somebody sees them who may acknowledge none.
    #[must_use]
    pub fn sample_reader() -> Self {
        let viewer = actor(10, "wei", &[Role::Viewer]);
        let chrome = chrome_of(Some(viewer), "/alarms?state=all", Brake::Released);
        let alarms = alarms();
        let shown: Vec<_> = alarms.iter().map(|alarm| (alarm, false)).collect();
        let filter = AlarmFilter { state: "all".to_owned(), ..AlarmFilter::default() };
        Self::new(chrome, &filter, &["payments".to_owned()], &shown, false, None)
    }

    /// No alarm is open.
    #[must_use]
    pub fn sample_empty() -> Self {
        let viewer = actor(10, "wei", &[Role::Viewer]);
        let chrome = chrome_of(Some(viewer), "/alarms", Brake::Released);
        Self::new(chrome, &AlarmFilter::default(), &[], &[], false, None)
    }
}

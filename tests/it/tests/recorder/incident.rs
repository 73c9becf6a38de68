//! How things stood before a source died, told once it is dead: where a group stood, who might do what, how a topic was configured, and what
//! of that had changed. What lies around the death, and the hours, are there when everything else that was recorded is gone.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    group::CommittedOffset,
    pair::Side,
    recorder::{
        Changed, FactKind, Kind, WhatChanged,
        explorer::{Resolution, Why},
    },
    survey::AclObservation,
    topic::TopicPartition,
};
use muster_it::pair;
use muster_lab::{Lab, address_book_path};
use muster_store::recorder::{self, FactFilter};
use serde_json::Value;

use crate::{
    hours::{asked_about, roll_up},
    observer::{FORWARD, Observer},
};

/// It reads nothing: where it stands is what was committed for it.
const GROUP: &str = "incident-reader";
const TOPIC: &str = "payments.captured";
/// Where it stood at first, and since the change.
const STOOD: i64 = 5;
const STANDS: i64 = 9;
/// A config of the topic that no test needs, and what it is set to.
const CONFIG: &str = "segment.ms";
const SET: &str = "3600000";

/// Added with the change.
fn binding() -> AclBinding {
    let resource = (ResourceType::Topic, PatternType::Literal, TOPIC);
    AclBinding::new(AclPermission::Allow, AclOperation::Read, resource, "User:incident-auditor")
}

/// A Muster that observes the lab's `orders`, with one more group that stands somewhere.
pub(crate) async fn observer(lab: &Lab) -> Result<Observer> {
    let mut described = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
    described.groups.push(GROUP.to_owned());
    let observer = Observer::of(lab, described).await?;
    stand(&observer, STOOD).await?;
    Ok(observer)
}

async fn stand(observer: &Observer, offset: i64) -> Result<()> {
    let at = CommittedOffset { offset, leader_epoch: None, metadata: String::new() };
    let positions = BTreeMap::from([(TopicPartition::new(TOPIC, 0), at)]);
    Ok(observer.clients.admin.a.alter_group_offsets(GROUP, &positions).await?)
}

/// The group moves, and somebody changes configs and ACLs of the source. Answers a time before that, between two surveys.
pub(crate) async fn change(observer: &Observer) -> Result<DateTime<Utc>> {
    let before = Utc::now();
    stand(observer, STANDS).await?;
    let admin = &observer.clients.admin.a;
    let changes = BTreeMap::from([(CONFIG.to_owned(), Some(SET.to_owned()))]);
    admin.alter_topic_configs(TOPIC, &changes).await?;
    admin.create_acls(&[binding()]).await?;
    Ok(before)
}

/// Nobody can ask the source any more. What was so before the change and right before it died is told, and what changed between.
pub(crate) async fn is_told_after_the_death(
    observer: &Observer,
    before: DateTime<Utc>,
    died: DateTime<Utc>,
) -> Result<()> {
    stood(observer, before, STOOD).await?;
    stood(observer, died, STANDS).await?;
    for (at, changed) in [(before, false), (died, true)] {
        let acls: AclObservation = serde_json::from_value(fact(observer, FactKind::Acls, at).await?)?;
        assert_eq!(acls.bindings.contains(&binding()), changed, "at {at}: {acls:#?}");
        assert!(!acls.bindings.is_empty(), "at {at}");
        let configs = fact(observer, FactKind::Configs, at).await?;
        let number = configs["topics"][TOPIC].as_u64().context("its configs were read")?;
        let config = &configs["configs"][usize::try_from(number)?][CONFIG]["value"];
        assert_eq!(config.as_str() == Some(SET), changed, "at {at}: {config}");
        assert!(config.is_string(), "at {at}: {config}");
    }
    let wanted = FactFilter { side: Some(Side::A), kind: None, from: before, to: died };
    let mut conn = observer.database.pool().acquire().await?;
    let changes = recorder::facts_changed(&mut conn, &observer.pair, wanted, None, 100).await?;
    let told = changes.into_iter().filter_map(|change| match change.what {
        WhatChanged::These(these) => Some(these),
        WhatChanged::FirstKept
        | WhatChanged::CannotBeTold
        | WhatChanged::LeftOut
        | WhatChanged::KeptAgain => None,
    });
    let told: Vec<Changed> = told.flatten().collect();
    assert!(told.contains(&Changed::AclAdded(binding())), "{told:#?}");
    let set = |one: &Changed| {
        let Changed::Config { key, before, after, topics } = one else { return false };
        let then = before.as_ref().and_then(|entry| entry.value.as_deref());
        let now = after.as_ref().and_then(|entry| entry.value.as_deref());
        key == CONFIG && *topics == [TOPIC] && then.is_some() && then != now && now == Some(SET)
    };
    assert!(told.iter().any(set), "{told:#?}");
    Ok(())
}

/// Two hours later, with nothing kept for its age: what lies around the death is as it was, and so are the hours.
pub(crate) async fn outlives_what_is_not_kept(
    observer: &Observer,
    before: DateTime<Utc>,
    died: DateTime<Utc>,
) -> Result<()> {
    let later = Utc::now() + TimeDelta::hours(2);
    for kind in Kind::ALL {
        roll_up(observer, kind, later).await?;
    }
    let minute = TimeDelta::minutes(1);
    let around = (before - minute, died + minute);
    let recorded = asked_about(observer, around.0, around.1).await?;
    assert_eq!(recorded.resolution, Resolution::Survey);
    assert!(recorded.items.iter().any(|item| item.records.worst.is_some()), "{:#?}", recorded.items);
    let dead = |why: Option<Why>| why == Some(Why::SourceNotRead);
    assert!(recorded.items.iter().any(|item| dead(item.why)), "{:#?}", recorded.items);

    let pool = observer.database.pool();
    let mut dropped = 0;
    loop {
        let mut tx = muster_store::begin(pool).await?;
        let more = recorder::retire_blocks(&mut tx, later, 0).await?;
        tx.commit().await?;
        if !more {
            break;
        }
        dropped += 1;
    }
    assert!(dropped > 0, "partitions are dropped");
    let left: i64 = sqlx::query_scalar("select count(*) from recorder_block").fetch_one(pool).await?;
    assert_eq!(left, 0, "nothing is kept for its age");

    let kept = asked_about(observer, around.0, around.1).await?;
    assert_eq!(kept.resolution, Resolution::Survey);
    assert_eq!((kept.items, kept.gaps, kept.strip), (recorded.items, recorded.gaps, recorded.strip));
    stood(observer, before, STOOD).await?;
    stood(observer, died, STANDS).await?;
    by_the_hour(observer, died, later).await
}

/// The hour in which it died is not known, and says so; where the group stood in it is.
async fn by_the_hour(observer: &Observer, died: DateTime<Utc>, later: DateTime<Utc>) -> Result<()> {
    let hours = asked_about(observer, died - TimeDelta::hours(30), later).await?;
    assert_eq!(hours.resolution, Resolution::Hour);
    assert!(hours.items.iter().any(|item| item.why == Some(Why::InTheHour)), "{:#?}", hours.items);
    assert!(hours.items.iter().all(|item| item.why.is_some() == item.records.worst.is_none()));

    let mut conn = observer.database.pool().acquire().await?;
    let of = (&observer.pair, FORWARD);
    let kept = recorder::group_hours(&mut conn, of, GROUP, (died - TimeDelta::hours(2), later)).await?;
    let tracks = || kept.iter().flat_map(|hour| hour.tracks.values());
    let told = (
        tracks().map(|seen| seen.lowest).min(),
        tracks().map(|seen| seen.highest).max(),
        tracks().next_back().map(|seen| seen.position),
    );
    assert_eq!(told, (Some(STOOD), Some(STANDS), Some(STANDS)), "{kept:#?}");
    Ok(())
}

/// Where the group stood at a time, as the survey before it saw that.
async fn stood(observer: &Observer, at: DateTime<Utc>, position: i64) -> Result<()> {
    let mut conn = observer.database.pool().acquire().await?;
    let then = recorder::group_then(&mut conn, (&observer.pair, FORWARD), GROUP, at).await?;
    let then = then.with_context(|| format!("where it stood at {at} is kept"))?;
    let told: Vec<_> =
        then.positions.iter().map(|one| (one.topic.as_str(), one.partition, one.position)).collect();
    assert_eq!((then.resolution, told), (Resolution::Survey, vec![(TOPIC, 0, position)]), "at {at}");
    assert!(then.at <= at, "{then:?}");
    Ok(())
}

/// ACLs or configs of the source at a time.
async fn fact(observer: &Observer, kind: FactKind, at: DateTime<Utc>) -> Result<Value> {
    let mut conn = observer.database.pool().acquire().await?;
    let of = (&observer.pair, Side::A, kind);
    recorder::fact_at(&mut conn, of, at).await?.with_context(|| format!("{kind:?} at {at} are kept"))
}

//! By what the ACLs or configs of one survey are told from those of another without holding either: 128 bits.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, Hash as _, RandomState},
    sync::{Arc, LazyLock},
};

use xxhash_rust::xxh3::Xxh3;

use crate::{
    recorder::FactKind,
    survey::{SideObservation, TopicObservation},
    topic::Configs,
};

/// Another one in each process, and never written anywhere: what has the same fingerprint cannot be worked out beforehand.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u8));

/// Of all that a survey saw of them, of configs also of which topics none were read; `None` when they were not read.
pub(super) fn fingerprint(kind: FactKind, side: &SideObservation) -> Option<u128> {
    let mut seen = Xxh3::with_seed(*SEED);
    match kind {
        FactKind::Acls => side.acls.value()?.hash(&mut seen),
        FactKind::Configs => add_topics(&mut seen, side.topics.value()?),
    }
    Some(seen.digest128())
}

/// Topics that are configured alike share their configs, so each is looked at once.
fn add_topics(seen: &mut Xxh3, topics: &BTreeMap<String, TopicObservation>) {
    let mut known: BTreeMap<*const Configs, u128> = BTreeMap::new();
    topics.len().hash(seen);
    for (name, topic) in topics {
        let told = topic.configs.value();
        let told =
            told.map(|configs| *known.entry(Arc::as_ptr(configs)).or_insert_with(|| of_configs(configs)));
        name.hash(seen);
        told.hash(seen);
    }
}

fn of_configs(configs: &Configs) -> u128 {
    let mut seen = Xxh3::with_seed(*SEED);
    configs.hash(&mut seen);
    seen.digest128()
}

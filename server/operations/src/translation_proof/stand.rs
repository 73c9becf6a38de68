//! What the groups of a dead source stand on: topics that the flow copies, and copies that the other flow brought there. The same
//! positions are told of as while the source lived.

use std::collections::BTreeMap;

use muster_domain::{
    pair::{Direction, Flow, Pair},
    patterns::Scope,
    proof::translation::PartitionProof,
    topic::{ByPartition, TopicPartition},
};

use super::target_of;

/// What the groups of a dead source stand on.
pub(super) struct Stand<'a> {
    pair: &'a Pair,
    scope: Scope,
    direction: Direction,
    /// The flow that brought copies there; a pair may have none.
    back: Option<Direction>,
}

impl<'a> Stand<'a> {
    /// Of the source of a direction.
    pub(super) fn of(pair: &'a Pair, direction: Direction) -> Self {
        let other = Direction { from: direction.to() };
        let back = pair.flow(other).map(|flow| flow.direction);
        Self { pair, scope: Scope::of(pair), direction, back }
    }

    /// Positions that are told of, by group; groups without any are left out.
    pub(super) fn in_scope(
        &self,
        positions: BTreeMap<String, ByPartition<i64>>,
    ) -> BTreeMap<String, ByPartition<i64>> {
        let mut groups = positions;
        groups.retain(|group, positions| {
            positions.retain(|at, _| self.is_copied(&at.topic) || self.original(&at.topic).is_some());
            self.scope.group(group) && !positions.is_empty()
        });
        groups
    }

    fn is_copied(&self, topic: &str) -> bool {
        self.scope.application_topic(self.direction.from, topic)
    }

    /// Of a copy that the other flow brought: the topic on the target that it is of. `None` of what this flow copies.
    fn original(&self, topic: &str) -> Option<String> {
        if self.is_copied(topic) { None } else { self.scope.original(self.back?, topic) }
    }

    /// The partition a group goes to: of a copy, the one on the target that its records came from.
    pub(super) fn target_of(&self, flow: &Flow, at: &TopicPartition) -> TopicPartition {
        match self.original(&at.topic) {
            Some(original) => TopicPartition::new(original, at.partition),
            None => target_of(flow, at),
        }
    }

    /// What is said of a position on a copy that the other flow brought; `None` of one on what this flow copies. Such a group goes back to
    /// where its records came from, and where that is only comparing them with the copies tells, which died with the source. Its partition
    /// is told of nevertheless: a group is not to pass for one that goes on exactly while part of it is not answered.
    pub(super) fn untold(
        &self,
        at: &TopicPartition,
        position: i64,
        mirrored: Option<i64>,
    ) -> Option<PartitionProof> {
        let original = self.original(&at.topic)?;
        let (here, there) = (self.pair.cluster(self.direction.from), self.pair.cluster(self.direction.to()));
        let because = format!(
            "it is a copy of `{original}` of {there}, and where the group goes back to there is found by comparing both, which takes \
             {here}: prove again once it can be read, or set the group on `{original}` by hand to before the first record it may not \
             have read"
        );
        let partition = at.clone();
        Some(PartitionProof { partition, position, found: None, because, mirrored, back: true, as_of: None })
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chrono::Utc;
    use muster_domain::{
        pair::Side,
        proof::{
            Progress,
            translation::{DeadSource, GroupProof, TranslationProof, Verdict},
        },
        survey::OffsetPair,
    };
    use muster_kafka::double::Health;
    use muster_replication::double::{SmallWorld, small_world};

    use super::*;
    use crate::{
        clients::tests::clicks,
        translation_proof::{KeptSource, KeptSyncs, Watcher, prove_by_rings},
    };

    const FORWARD: Direction = Direction { from: Side::A };
    const COPY: &str = "eu-central.clicks.page";

    struct Alone;

    #[async_trait]
    impl Watcher for Alone {
        async fn so_far(&self, _: Progress) -> bool {
            true
        }
    }

    /// Offset syncs of the first partition: a group at its beginning goes on exactly by them.
    fn syncs(small: &SmallWorld) -> KeptSyncs {
        let state = small.world.lock();
        let id = state.cluster("eu-central").topics["eu-west.clicks.page"].id;
        let pair = |offset| OffsetPair { upstream: offset, downstream: offset };
        KeptSyncs {
            read_at: Utc::now(),
            offset_pairs: ByPartition::from([(own(), (0..3).map(pair).collect())]),
            copies: BTreeMap::from([(own().topic, id)]),
            ends: ByPartition::from([(own(), 3)]),
        }
    }

    fn own() -> TopicPartition {
        TopicPartition::new("clicks.page", 0)
    }

    async fn prove(positions: BTreeMap<String, ByPartition<i64>>) -> TranslationProof {
        let small = small_world();
        let syncs = Some(syncs(&small));
        small.world.set_health("eu-west", Health::Dead);
        let now = Utc::now();
        let source =
            DeadSource { silent_since: now, because: "dead".to_owned(), positions_at: now, syncs_at: None };
        let (rings, unread) = (ByPartition::new(), ByPartition::new());
        let kept = KeptSource { source, positions, rings, syncs, unread };
        prove_by_rings(&clicks(&small), FORWARD, kept, &Alone).await.expect("the target is there")
    }

    #[tokio::test]
    async fn a_group_that_stands_on_copies_too_does_not_go_on_exactly() {
        let copy = || TopicPartition::new(COPY, 0);
        let elsewhere = || TopicPartition::new("orders.placed", 0);
        let proof = prove(BTreeMap::from([
            ("own".to_owned(), ByPartition::from([(own(), 0), (elsewhere(), 7)])),
            ("both".to_owned(), ByPartition::from([(own(), 0), (copy(), 4)])),
            ("copies".to_owned(), ByPartition::from([(copy(), 4)])),
            ("others".to_owned(), ByPartition::from([(elsewhere(), 7)])),
        ]))
        .await;
        let names: Vec<&str> = proof.groups.keys().map(String::as_str).collect();
        assert_eq!(names, ["both", "copies", "own"], "what is no topic of the pair is left out");
        assert_eq!((proof.groups["own"].positions, &proof.groups["own"].verdict), (1, &Verdict::Exactly));
        for (group, positions) in [("both", 2), ("copies", 1)] {
            let GroupProof { verdict, positions: told, partitions, .. } = &proof.groups[group];
            assert_eq!(*told, positions, "{group}: {partitions:#?}");
            let Verdict::CannotSay { partitions: untold, because } = verdict else {
                panic!("{group}: {verdict:?}")
            };
            assert_eq!(*untold, 1, "{group}: {partitions:#?}");
            let reason = "eu-central.clicks.page-0: it is a copy of `clicks.page` of eu-central, and ";
            assert!(because.starts_with(reason), "{because}");
            let first = &partitions[0];
            assert_eq!((&first.partition, first.position, first.back), (&copy(), 4, true), "{first:?}");
        }
        assert_eq!((proof.summary.exactly, proof.summary.cannot_say), (1, 2), "{proof:#?}");
    }
}

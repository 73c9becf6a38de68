//! What the simulated checkpoint connector does: syncing group offsets, approximately and never forward of the truth.

use muster_domain::{
    acl::AclOperation,
    group::CommittedOffset,
    survey::{ConnectorRole, OffsetPair},
    topic::ByPartition,
};
use muster_kafka::double::State;

use super::flow::Flow;

/// Ticks between two rounds.
const EMIT_EVERY: u64 = 5;

impl Flow {
    /// Writes translated positions of selected groups to groups without members on the target.
    pub(super) fn sync_groups(&mut self, state: &mut State) {
        let enabled = self.setting(ConnectorRole::Checkpoint, "sync.group.offsets.enabled") == Some("true");
        if !enabled || !state.tick.is_multiple_of(EMIT_EVERY) {
            return;
        }
        let source = state.cluster(&self.spec.source);
        let groups: Vec<_> = source
            .groups
            .iter()
            .filter(|(name, _)| self.checkpoints(name))
            // A refused group fails every pass, in the log only (mm2-verified, correction 4).
            .filter(|(name, _)| source.allows_group(&self.spec.principal, AclOperation::Read, name))
            .map(|(name, group)| (name.clone(), group.offsets.clone()))
            .collect();
        for (name, offsets) in groups {
            let translated = self.translate(&offsets);
            self.write_group(state, &name, translated);
        }
    }

    fn translate(&self, offsets: &ByPartition<CommittedOffset>) -> ByPartition<CommittedOffset> {
        let mut translated = ByPartition::new();
        for (at, committed) in offsets.iter().filter(|(at, _)| self.copies(&at.topic)) {
            let Some(pairs) = self.pairs.get(at) else { continue };
            if let Some(offset) = floor(pairs, committed.offset) {
                let metadata = committed.metadata.clone();
                translated
                    .insert(self.on_target(at), CommittedOffset { offset, metadata, leader_epoch: None });
            }
        }
        translated
    }

    fn write_group(&self, state: &mut State, name: &str, translated: ByPartition<CommittedOffset>) {
        let target = state.cluster_mut(&self.spec.target);
        if target.groups.get(name).is_some_and(|group| !group.members.is_empty()) {
            return;
        }
        for (at, committed) in translated {
            let known = target.log(&at).is_ok();
            let ahead = target.groups.get(name).and_then(|group| group.offsets.get(&at));
            if known && ahead.is_none_or(|there| there.offset < committed.offset) {
                target.group_entry(name).offsets.insert(at, committed);
            }
        }
    }
}

/// `OffsetSyncStore.translateDownstream`: the newest pair at or below the position; one past it unless it is exact.
fn floor(pairs: &[OffsetPair], offset: i64) -> Option<i64> {
    let pair = pairs.iter().rev().find(|pair| pair.upstream <= offset)?;
    Some(if pair.upstream == offset { pair.downstream } else { pair.downstream + 1 })
}

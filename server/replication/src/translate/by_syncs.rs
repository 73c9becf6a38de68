//! Translating while the source is dead, by offset syncs that were kept and by where the target begins and ends now. No record is read.

use std::collections::BTreeSet;

use muster_domain::{
    pair::Flow,
    survey::OffsetPair,
    topic::{ByPartition, TopicPartition},
    translation::{CopyEnds, Resumed, SyncsThen},
};
use muster_kafka::{ClusterAdmin, KafkaError, OffsetSpec};

use super::{NotTranslated, OfPartition, Resumption, Translated, offset_of};

/// What it takes.
#[derive(Debug, Clone, Copy)]
pub struct BySyncs<'a> {
    /// The flow, for names.
    pub flow: &'a Flow,
    /// Offsets of the target.
    pub target: &'a dyn ClusterAdmin,
    /// Kept offset syncs by source partition, of copies that are still the ones there.
    pub syncs: &'a ByPartition<Vec<OffsetPair>>,
    /// Where the source ended when positions were read; partitions of which that was not told are not in it.
    pub ends: &'a ByPartition<i64>,
}

impl BySyncs<'_> {
    /// Where positions lead, by source partition and position; partitions of which no sync is kept are left out.
    ///
    /// # Errors
    /// When the target cannot be read at all.
    pub async fn resume_all(
        &self,
        asked: &ByPartition<BTreeSet<i64>>,
    ) -> Result<ByPartition<OfPartition>, KafkaError> {
        let kept = asked.iter().filter_map(|(at, positions)| Some((at, positions, self.syncs.get(at)?)));
        let kept: Vec<(&TopicPartition, &BTreeSet<i64>, &Vec<OffsetPair>)> = kept.collect();
        if kept.is_empty() {
            return Ok(ByPartition::new());
        }
        let targets: Vec<TopicPartition> = kept.iter().map(|(at, ..)| self.name(at)).collect();
        let (starts, stables, ends) = tokio::try_join!(
            self.target.offsets(&targets, OffsetSpec::Start),
            self.target.offsets(&targets, OffsetSpec::Stable),
            self.target.offsets(&targets, OffsetSpec::End),
        )?;
        let copy = |target: &TopicPartition| -> Result<CopyEnds, NotTranslated> {
            let (start, stable) = (offset_of(&starts, target)?, offset_of(&stables, target)?);
            Ok(CopyEnds { start, stable, end: offset_of(&ends, target)? })
        };
        let mut found = ByPartition::new();
        for ((at, positions, pairs), target) in kept.into_iter().zip(targets) {
            let (copy, then, end) = (copy(&target), SyncsThen::of(pairs), self.ends.get(at).copied());
            let one = |position: &i64| -> Result<Resumption, NotTranslated> {
                let resumed = then.resume(*position, end, copy.clone()?);
                let resumed =
                    resumed.map_err(|untranslatable| NotTranslated::Untranslatable { untranslatable })?;
                Ok(resumption(&target, (*position, end), resumed))
            };
            let answers: OfPartition = positions.iter().map(|position| (*position, one(position))).collect();
            found.insert(at.clone(), answers);
        }
        Ok(found)
    }

    fn name(&self, at: &TopicPartition) -> TopicPartition {
        let topic = self.flow.naming.target_name(&self.flow.source_alias, &at.topic);
        TopicPartition::new(topic, at.partition)
    }
}

fn resumption(target: &TopicPartition, (position, end): (i64, Option<i64>), resumed: Resumed) -> Resumption {
    let Resumed { mapping, run, arrived } = resumed;
    let lost_at_most =
        arrived.zip(end).map(|(arrived, end)| end.saturating_sub(arrived.max(position)).max(0));
    let translated = Translated { target: target.clone(), source_offset: position, mapping, run };
    Resumption { translated, lost_at_most }
}

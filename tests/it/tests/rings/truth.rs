//! Both logs, and what a proof says held against them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context as _, Result};
use muster_domain::{
    proof::translation::{Found, PartitionProof, TranslationProof},
    reading::ReadingClass,
    topic::ByPartition,
    translation::Method,
};

/// Who a record is: its time, key and value.
pub(crate) type Told = (i64, Option<bytes::Bytes>, Option<bytes::Bytes>);
/// All records of each partition by offset.
pub(crate) type Logs = ByPartition<BTreeMap<i64, Told>>;

/// Both logs.
pub(crate) struct Truth {
    pub(crate) here: Logs,
    pub(crate) there: Logs,
}

impl Truth {
    /// Nothing is past the truth, and whatever is said to be exact is.
    pub(crate) fn judge(&self, proof: &TranslationProof) -> Result<()> {
        let (mut all, mut exact, mut by_ring, mut bounded) = (0, 0, 0, 0);
        let groups: BTreeSet<&str> = proof.groups.keys().map(String::as_str).collect();
        assert!(groups.len() >= 7, "five that stand still and the workload's: {groups:?}");
        for (group, proven) in &proof.groups {
            for partition in &proven.partitions {
                all += 1;
                let Some(found) = partition.found else {
                    println!("{group}: {partition:?}");
                    continue;
                };
                self.is_not_past(group, partition, found)?;
                exact += usize::from(found.class == ReadingClass::Exact);
                by_ring += usize::from(found.method == Method::Ring);
                bounded += usize::from(partition.as_of.is_some_and(|as_of| as_of.lost_at_most.is_some()));
            }
        }
        println!(
            "of {all} positions {exact} are exact, {by_ring} by rings; what is lost is told of {bounded}"
        );
        assert!(exact * 5 >= all, "{proof:#?}");
        // How many of them stand on a record that an offset sync names is chance.
        assert!(by_ring > 0, "{proof:#?}");
        Ok(())
    }

    /// By offset syncs alone nothing is past the truth either, and nearly everybody is told.
    pub(crate) fn judge_by_syncs(&self, proof: &TranslationProof) -> Result<()> {
        let (mut all, mut told, mut again) = (0, 0, 0);
        for (group, proven) in &proof.groups {
            for partition in &proven.partitions {
                all += 1;
                let Some(found) = partition.found else {
                    println!("{group}: {partition:?}");
                    continue;
                };
                assert!(matches!(found.method, Method::Pair | Method::PairFloor), "{group}: {partition:?}");
                self.is_not_past(group, partition, found)?;
                told += 1;
                again += found.reprocessed_at_most;
            }
        }
        println!("of {all} positions {told} are told, {again} records at most are read again in all");
        assert!(told > 0 && told * 4 >= all * 3, "{proof:#?}");
        Ok(())
    }

    /// No position is past the first record that its group had not read, nor early by more than is said.
    pub(crate) fn is_not_past(&self, group: &str, partition: &PartitionProof, found: Found) -> Result<()> {
        let at = &partition.partition;
        let (here, there) =
            (self.here.get(at).context("it is here")?, self.there.get(at).context("it is there")?);
        let unread: HashSet<&Told> = here.range(partition.position..).map(|(_, told)| told).collect();
        let newest: HashMap<&Told, i64> = there.iter().map(|(offset, told)| (told, *offset)).collect();
        let first =
            newest.iter().filter(|(told, _)| unread.contains(**told)).map(|(_, offset)| *offset).min();
        if let Some(first) = first {
            assert!(found.target_offset <= first, "{group}: {partition:?} is past {first}");
        }
        let read =
            here.range(..partition.position).map(|(_, told)| told).filter(|told| !unread.contains(*told));
        let read: HashSet<&Told> = read.collect();
        let again = there.range(found.target_offset..).filter(|(_, told)| read.contains(*told)).count();
        let again = i64::try_from(again)?;
        assert!(again <= found.reprocessed_at_most, "{group}: {partition:?} reads {again} again");
        // What never arrived is no more than was said, of what was there at the look: later records are not in it.
        Ok(())
    }
}

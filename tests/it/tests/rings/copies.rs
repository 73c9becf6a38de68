//! Groups of a dead source whose topics are named behind it, that stand on copies from the other side, too: what cannot be told of
//! those is never left out of what is said of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use muster_domain::{
    pair::Side,
    proof::translation::{Found, GroupProof, PartitionProof, Verdict},
    topic::TopicPartition,
};
use muster_it::{CENTRAL, WEST};

use crate::{ONE_AT_A_TIME, stage::Real, truth::Truth};

/// Records of each partition before the first look. Clicks are few.
const ENOUGH: i64 = 30;

fn is_copy(partition: &PartitionProof) -> bool {
    partition.partition.topic.starts_with(&format!("{CENTRAL}."))
}

/// What is said of the partitions the flow copies: position and where it leads.
fn own(group: &GroupProof) -> BTreeMap<&TopicPartition, (i64, Option<Found>)> {
    let own = group.partitions.iter().filter(|partition| !is_copy(partition));
    own.map(|one| (&one.partition, (one.position, one.found))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_on_copies_of_the_other_side_never_goes_on_exactly_without_the_source() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut real = Real::prefixed().await?;
    real.bring_copies().await?;
    real.look_until_it_dies(ENOUGH).await?;
    real.notice_silence().await?;
    let proof = real.prove().await?;
    println!("{}", proof.sentence());
    let there = real.logs(Side::B).await?;
    real.lab.restart(WEST).await?;
    let truth = Truth { here: real.readable_again().await?, there };

    let (partitions, mut told) = (real.all.len(), 0);
    for (group, proven) in &proof.groups {
        for partition in &proven.partitions {
            match partition.found {
                Some(found) => truth.is_not_past(group, partition, found)?,
                None => println!("{group}: {partition:?}"),
            }
        }
        let copies: Vec<&PartitionProof> = proven.partitions.iter().filter(|one| is_copy(one)).collect();
        if !copies.is_empty() {
            assert!(matches!(proven.verdict, Verdict::CannotSay { .. }), "{group}: {proven:#?}");
        }
        for copy in copies {
            assert!(copy.found.is_none() && copy.because.contains(&format!("of {CENTRAL}")), "{copy:?}");
        }
    }
    for fifth in 1..=5 {
        let group = |name: String| proof.groups.get(&name).context(name);
        let alone = group(format!("proof-{fifth}"))?;
        let beside = group(format!("proof-{fifth}-and-copies"))?;
        let on_copies = group(format!("proof-{fifth}-copies"))?;
        assert_eq!(own(beside), own(alone), "copies change nothing of the others");
        assert_eq!((beside.positions, on_copies.positions), (2 * partitions, partitions));
        let Verdict::CannotSay { partitions: untold, .. } = &on_copies.verdict else {
            panic!("{on_copies:#?}")
        };
        assert_eq!(*untold, partitions, "{on_copies:#?}");
        told += usize::from(!matches!(alone.verdict, Verdict::CannotSay { .. }));
    }
    assert!(told > 0, "without copies something is told: {proof:#?}");
    Ok(())
}

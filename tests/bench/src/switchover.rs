//! One planned switchover of a pair under load: by Muster, and by hand with Kafka's own tools and MirrorMaker's synced
//! offsets. Both on a lab of their own, judged by the ledger of the applications themselves.

mod by_hand;
mod by_muster;
mod stage;
mod verdict;

use anyhow::Result;
use muster_lab::jars;

use crate::{
    figures::{Bench, Figure},
    machine,
    official::{Tools, java_version},
};
use verdict::Verdict;

/// Slow on purpose, so that a group is moved while it reads.
const LAGGING: &str = "fraud";
const BY_HAND: &str = "by hand";

/// Carries out both.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let (muster, warm_up, steps) = by_muster::measure().await?;
    eprintln!("by Muster: {muster:#?}\n{steps}");
    let (hand, story) = by_hand::measure(warm_up).await?;
    eprintln!("by hand: {hand:#?}\n{story}");
    let jars = jars::fetch_jars().await?;
    let versions = vec![
        ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
        ("Kafka", Tools::new(&jars, "", &jars).kafka_version()?),
        ("Java", java_version().await?),
    ];
    Ok(Bench {
        name: "switchover",
        how: how(&steps, &story),
        load_before,
        versions,
        figures: figures(&muster, &hand),
    })
}

fn figures(muster: &Verdict, hand: &Verdict) -> Vec<Figure> {
    let mut figures =
        vec![
            Figure::new("without writes, the topic that waits longest", muster.away_s, "s")
                .times_less_than_peer(hand.away_s, BY_HAND, 15.0),
            Figure::new("without writes, against the aim", muster.away_s, "s").under(3.0),
            Figure::new("whole procedure", muster.total_s, "s").less_than_peer(hand.total_s, BY_HAND),
            records("records lost", muster.lost, hand.lost).none(),
            records("surplus copies on the new side", muster.duplicates, hand.duplicates).none(),
        ];
    for (group, seen) in &muster.groups {
        let peer = hand.groups.get(group).copied().unwrap_or_default();
        let again =
            records(&format!("`{group}`: records processed again"), seen.reprocessed, peer.reprocessed);
        figures.push(if group == LAGGING { again } else { again.none() });
        figures.push(records(&format!("`{group}`: records skipped"), seen.skipped, peer.skipped).none());
    }
    figures
}

fn records(name: &str, measured: u64, peer: u64) -> Figure {
    let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    Figure::new(name, number(measured), "records").beside(number(peer))
}

fn how(steps: &str, story: &str) -> Vec<String> {
    let text = format!(
        "A planned switchover of the pair `orders` (identity naming, exactly-once connectors, three topics, seven \
         partitions) from eu-west to eu-central on the real lab, under the workload: {} records a second, one producer \
         transactional, groups classic and of the new protocol; `{LAGGING}` takes 6 ms for a record and falls \
         behind while writes come in; whether it still lags when it is moved depends on how long writes were away before: \
         Muster moves it after five seconds, by hand it has the whole wait to catch up. Each side of the comparison gets a fresh lab and the same time under load before it begins. All \
         figures are the applications' own ledger's: \"without writes\" is the time from the last acknowledgement on the \
         old side to the first on the new; \"peer\" is the same by hand. One run each.",
        stage::workload_options().records_per_second,
    );
    let muster = "*By Muster*: engine, worker and a real PostgreSQL in this process; five seconds for groups to read to \
                  the end, no pause for a person. The whole procedure is from the start of the approved run to its end, \
                  so it includes watching that every group reads on the new side. Steps:";
    let hand = "*By hand*: a script that never hesitates, with the flags of Kafka's own scripts: `kafka-acls` denies \
                writes; `kafka-get-offsets` until the ends of both sides stand still; `kafka-consumer-groups --describe` \
                until no group lags, five seconds at most; consumers are stopped, so that nothing is processed after the \
                last sync; `kafka-consumer-groups` on the new side until MirrorMaker's synced positions stand still for \
                longer than its two intervals (2 s and 2 s; the defaults are 60 s each); connectors are stopped by \
                Connect's REST; `kafka-acls` grants writes on the new side; producers, then consumers are sent there; the \
                fence is turned into a missing grant, the way back gets its offsets and is started. A person would add \
                the time to read and type:";
    [text.as_str(), "", muster, "", &fenced(steps), "", hand, "", &fenced(story), ""]
        .map(str::to_owned)
        .into()
}

fn fenced(text: &str) -> String {
    format!("```text\n{}\n```", text.trim_end())
}

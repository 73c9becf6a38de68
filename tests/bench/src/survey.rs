//! What one survey of a pair costs: on synthetic clusters larger than any lab, and on a real broker beside Kafka's own
//! tools.

mod lab;
pub(crate) mod pair;
pub(crate) mod synthetic;

use anyhow::Result;

use crate::{figures::Bench, machine};

const HOW: [&str; 4] = [
    "What is measured is `operations::survey::take_survey`, whole, with warm connections: cluster, topics with their \
     three ends and all configs, groups with members and positions, ACLs, transactions and Muster's own rights, of both \
     sides at once. Flows are left out: they are other servers. So is what the survey loop does with a survey once it is \
     taken: judging it and keeping it in PostgreSQL. \"First\" is a survey that has to connect.",
    "",
    "*Synthetic*: six brokers that answer from a process of their own, 20 ms after each request. Ten partitions to a \
     topic, 33 configs to a topic, two members and ten positions to a group. Side B is an empty cluster, except where \
     both sides are said to be that large. The survey runs in a process of its own; memory is the most it ever had \
     resident, code included. Brokers and survey share the machine's cores.",
    "",
];

/// Measures everything.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let mut figures = synthetic::figures().await?;
    let beside = lab::figures().await?;
    figures.extend(beside.figures);
    let mut how: Vec<String> = HOW.map(str::to_owned).into();
    how.push(beside.how);
    let versions = vec![
        ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
        ("Kafka", beside.kafka_version),
        ("Java", beside.java_version),
    ];
    Ok(Bench { name: "survey", how, load_before, versions, figures })
}

//! Twenty-two causes of silent loss on the real lab, for all fifteen alarms: how long until each is alarmed.

use std::time::Duration;

use anyhow::Result;
use muster_it::alarms::{Raised, WITHIN, a_worker_of_two_gone, every_cause};
use muster_lab::jars;

use crate::{
    figures::{Bench, Figure, median},
    machine,
    official::{Tools, java_version},
};

/// As in production.
const PERIOD: Duration = Duration::from_secs(5);

/// Causes each once.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let mut raised = every_cause(PERIOD).await?;
    raised.extend(a_worker_of_two_gone(PERIOD).await?);
    let jars = jars::fetch_jars().await?;
    let seconds: Vec<f64> = raised.iter().map(|raised| raised.took.as_secs_f64()).collect();
    let mut figures = vec![
        Figure::new("causes alarmed", raised.len() as f64, "causes"),
        Figure::new("from a cause to its alarm, the middle one", median(&seconds), "s"),
    ];
    figures.extend(raised.iter().map(told));
    Ok(Bench {
        name: "alarms",
        how: vec![how(), String::new()],
        load_before,
        versions: vec![
            ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
            ("Kafka", Tools::new(&jars, "", &jars).kafka_version()?),
            ("Java", java_version().await?),
        ],
        figures,
    })
}

fn told(raised: &Raised) -> Figure {
    let name = format!("{}, by survey {} after it", raised.code, raised.surveys);
    let bound = PERIOD.as_secs_f64() * WITHIN as f64;
    Figure::new(name, raised.took.as_secs_f64(), "s").under(bound)
}

fn how() -> String {
    format!(
        "A pair of seven topics on the real lab, surveyed every {} s as the product does it. Each of twenty-two causes of the \
         fifteen alarms is really caused, alone (but for a task that goes with its source), and undone or acknowledged before \
         the next; a topic made anew is caused on either side, a \
         foreign writer where replication rests and where it copies, early deletion by retention and by compaction, and a worker and a source are each frozen (SIGSTOP), then killed. The last two have a lab with four topics and two \
         workers that share the tasks, of which one is ended in order, then killed with -9. Time runs from the \
         cause being there (a hole: replication is past it; a worker of two: its process is gone, while Connect goes on calling its tasks RUNNING there) to the alarm being kept in PostgreSQL. The goal is at most \
         {WITHIN} survey periods. That no other alarm comes, and that each names the right place, is \
         checked on the way.",
        PERIOD.as_secs(),
    )
}

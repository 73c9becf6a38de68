//! A switchover carried by three processes of the real program, of which whoever has it is killed or told to stop.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_domain::{pair::Side, plan::PlanRules, run::RunState};
use muster_it::program;
use uuid::Uuid;

use crate::{Bench, assert_nothing_lost, rules};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(300);

/// How one process of several ends while it has the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    ToldToStop,
}

/// After how many steps that are done, and how. Before the fence, while writes are away, and after.
fn ends() -> Vec<(i64, End)> {
    let jitter = |byte: u8| i64::from(byte % 4);
    let random = Uuid::new_v4().into_bytes();
    let ends = vec![
        (2 + jitter(random[0]), End::Killed),
        (8 + jitter(random[1]), End::ToldToStop),
        (13 + jitter(random[2]), End::Killed),
        (18 + jitter(random[3]), End::ToldToStop),
        (23 + jitter(random[4]), End::Killed),
    ];
    println!("processes end after so many steps: {ends:?}");
    ends
}

impl Bench {
    /// Who has the run and how many of its steps are done; nobody has it in between.
    async fn carried(&self, run: Uuid) -> Result<(Option<u32>, i64)> {
        let (owner, done): (Option<String>, i64) = sqlx::query_as(
            "select lease_owner, (select count(*) from run_step where run_id = run.id and state = 'succeeded')
            from run where id = $1",
        )
        .bind(run)
        .fetch_one(self.database.pool())
        .await?;
        let pid = owner.as_deref().and_then(|owner| owner.split(':').nth(1)?.parse().ok());
        Ok((pid, done))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_survives_its_processes() -> Result<()> {
    let (bench, mut workload) = Bench::start("orders").await?;
    program::seal_secrets(&bench.database, bench.lab.describe()).await?;
    let work = |number| program::worker(&bench.database, bench.lab.describe(), number);
    let mut workers = (0..3).map(work).collect::<Result<Vec<_>>>()?;
    // Dying is not what the bound on the outage is about.
    let run = bench.begin(Side::A, PlanRules { max_write_outage_seconds: 120, ..rules() }).await?;
    let (begun, mut ends, mut count) = (Instant::now(), ends(), workers.len());
    ends.reverse();
    loop {
        ensure!(begun.elapsed() < PATIENCE, "the run does not end: {}", bench.story(run.id).await?.1);
        let (owner, done) = bench.carried(run.id).await?;
        if !bench.story(run.id).await?.0.state.wants_worker() {
            break;
        }
        let carrier = owner.and_then(|pid| workers.iter().position(|worker| worker.pid() == pid));
        if let (Some((_, end)), Some(carrier)) = (ends.last().filter(|(after, _)| done >= *after), carrier) {
            println!("{end:?} after {done} steps: worker {:?}", owner);
            let worker = workers.swap_remove(carrier);
            match end {
                End::Killed => {
                    worker.kill()?;
                    // What waiting for it would do.
                    sqlx::query("update run set lease_until = clock_timestamp() where split_part(lease_owner, ':', 2) = $1")
                        .bind(worker.pid().to_string())
                        .execute(bench.database.pool())
                        .await?;
                }
                End::ToldToStop => {
                    worker.stop(Duration::from_secs(40)).await?;
                    let log = worker.log_tail();
                    ensure!(log.contains("gave the run back") && log.contains("stopped"), "{log}");
                }
            }
            workers.push(work(count)?);
            count += 1;
            ends.pop();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (run, story) = bench.story(run.id).await?;
    println!("{story}");
    assert_eq!((ends.as_slice(), run.state), (&[][..], RunState::Succeeded), "{story}");
    // Each goes on from the right step: what was done is not begun again.
    let again: Vec<String> = sqlx::query_scalar(
        "select distinct begun.step from run_event begun
        join run_event done on done.run_id = begun.run_id and done.step = begun.step
        where begun.run_id = $1
            and begun.kind = 'intent'
            and done.kind = 'outcome'
            and done.message not like 'Will try again%'
            and begun.number > done.number",
    )
    .bind(run.id)
    .fetch_all(bench.database.pool())
    .await?;
    assert_eq!(again, Vec::<String>::new(), "{story}");
    drop(workers);
    assert_nothing_lost(&mut workload, muster_it::CENTRAL).await
}

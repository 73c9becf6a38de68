//! The order in which a lab comes up: both sides at once, each format → broker → rights and topics → worker; then the
//! connectors of both directions at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::{try_join, try_join_all};

use crate::broker::{self, BrokerPlan};
use crate::connect::{self, WorkerPlan};
use crate::description::{ClusterDescription, Direction, LabDescription, WorkerDescription};
use crate::java::Java;
use crate::lab::{LabOptions, Member, Ready};
use crate::principals::{ADMIN, CONNECT, EU_CENTRAL, EU_WEST, make_users};
use crate::process::ChildProcess;
use crate::wait::{WaitBound, wait_until};
use crate::wire::NewTopic;
use crate::{mirror, ports};

/// Starts everything in `dir`; answers what it looks like and its processes.
pub(crate) async fn start_everything(
    options: &LabOptions,
    dir: &Path,
    java: &Java,
) -> Result<(LabDescription, Vec<Member>)> {
    let users = make_users();
    let ports = ports::pick_free_ports(6)?;
    let (west, central) = try_join(
        start_side(options, dir, java, EU_WEST, &users, &ports[..3]),
        start_side(options, dir, java, EU_CENTRAL, &users, &ports[3..]),
    )
    .await?;
    let mut description = describe(dir, users, [&west, &central]);
    if options.connect {
        description.flows = mirror::plan_flows(|direction| worker_url(&description, direction));
        start_replication(&description, options.exactly_once).await?;
        tracing::info!("all connectors are as wanted");
    }
    let members = west.members.into_iter().chain(central.members).collect();
    Ok((description, members))
}

struct Side {
    cluster: ClusterDescription,
    worker: Option<WorkerDescription>,
    members: Vec<Member>,
}

async fn start_side(
    options: &LabOptions,
    dir: &Path,
    java: &Java,
    name: &str,
    users: &BTreeMap<String, String>,
    ports: &[u16],
) -> Result<Side> {
    let plan = BrokerPlan { name, dir, client_port: ports[0], controller_port: ports[1], users };
    plan.format(java).await?;
    tracing::info!(process = name, "formatted the storage of `{name}`");
    let mut broker = broker_member(&plan, java)?;
    broker.start().await?;
    let (mut admin, cluster_id) = plan.look_whether_ready().await?;
    plan.furnish(&mut admin).await?;
    let extra: Vec<NewTopic<'_>> = options
        .topics
        .iter()
        .map(|(name, partitions)| NewTopic { name, partitions: *partitions, configs: &[] })
        .collect();
    admin.create_topics(&extra).await?;
    let cluster = ClusterDescription { name: name.to_owned(), cluster_id, bootstrap: plan.bootstrap() };
    let mut side = Side { cluster, worker: None, members: vec![broker] };
    if options.connect {
        let (worker, member) = start_worker(&plan, java, ports[2], options.exactly_once).await?;
        side.worker = Some(worker);
        side.members.push(member);
    }
    Ok(side)
}

fn broker_member(plan: &BrokerPlan<'_>, java: &Java) -> Result<Member> {
    let properties = plan.properties_path().display().to_string();
    Ok(Member {
        name: plan.name.to_owned(),
        arguments: java.arguments(&broker::HEAP, broker::MAIN, &[properties]),
        log: plan.dir.join(format!("{}.log", plan.name)),
        ready: Ready::Broker {
            bootstrap: plan.bootstrap(),
            password: plan.users.get(ADMIN).context("no admin user")?.clone(),
        },
        process: None,
    })
}

async fn start_worker(
    broker: &BrokerPlan<'_>,
    java: &Java,
    port: u16,
    exactly_once: bool,
) -> Result<(WorkerDescription, Member)> {
    let direction =
        if broker.name == EU_CENTRAL { Direction::WestToCentral } else { Direction::CentralToWest };
    let name = direction.worker();
    let bootstrap = broker.bootstrap();
    let password = broker.users.get(CONNECT).context("no connect user")?;
    let (dir, bootstrap) = (broker.dir, &*bootstrap);
    let plan = WorkerPlan { name: &name, dir, port, bootstrap, user: CONNECT, password, exactly_once };
    plan.write_properties()?;
    let properties = plan.properties_path().display().to_string();
    let mut member = Member {
        name: name.clone(),
        arguments: java.arguments(&connect::HEAP, connect::MAIN, &[properties]),
        log: broker.dir.join(format!("{name}.log")),
        ready: Ready::Worker { url: plan.url() },
        process: None,
    };
    member.start().await?;
    let url = plan.url();
    let worker = WorkerDescription { name, url, cluster: broker.name.to_owned(), direction };
    Ok((worker, member))
}

fn describe(dir: &Path, users: BTreeMap<String, String>, sides: [&Side; 2]) -> LabDescription {
    let members = || sides.iter().flat_map(|side| &side.members);
    let pid = |member: &Member| Some((member.name.clone(), member.process.as_ref().map(ChildProcess::pid)?));
    LabDescription {
        dir: dir.to_owned(),
        owner_pid: std::process::id(),
        clusters: sides.iter().map(|side| (side.cluster.name.clone(), side.cluster.clone())).collect(),
        security_protocol: "SASL_PLAINTEXT".to_owned(),
        sasl_mechanism: "SCRAM-SHA-512".to_owned(),
        users,
        workers: sides
            .iter()
            .filter_map(|side| side.worker.clone())
            .map(|worker| (worker.name.clone(), worker))
            .collect(),
        flows: Vec::new(),
        pids: members().filter_map(pid).collect(),
        control_socket: dir.join("control.sock"),
    }
}

fn worker_url(description: &LabDescription, direction: Direction) -> String {
    description.workers.get(&direction.worker()).map(|worker| worker.url.clone()).unwrap_or_default()
}

async fn start_replication(description: &LabDescription, exactly_once: bool) -> Result<()> {
    // One worker's connectors one after the other (each is a rebalance), the two workers at the same time.
    let of = |direction| description.flows.iter().filter(move |flow| flow.direction == direction);
    let create_all = |direction| async move {
        for flow in of(direction) {
            mirror::create_connectors(description, flow, exactly_once).await?;
            tracing::info!("created the connectors of `{}` {}", flow.pair, direction.id());
        }
        anyhow::Ok(())
    };
    try_join(create_all(Direction::WestToCentral), create_all(Direction::CentralToWest)).await?;
    let bound = WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(100) };
    let waits = description.flows.iter().map(|flow| async move {
        let what = format!("the connectors of {} {}", flow.pair, flow.direction.id());
        wait_until(&what, bound, || mirror::look_at_connectors(flow)).await
    });
    try_join_all(waits).await?;
    Ok(())
}

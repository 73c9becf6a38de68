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
    let ports = ports::pick_free_ports(8)?;
    let (west, central) = try_join(
        start_side(options, dir, java, EU_WEST, &users, &ports[..4]),
        start_side(options, dir, java, EU_CENTRAL, &users, &ports[4..]),
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
    workers: Vec<WorkerDescription>,
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
    let mut side = Side { cluster, workers: Vec::new(), members: vec![broker] };
    if options.connect {
        let workers = plan_workers(options, &plan, java, &ports[2..])?;
        for (number, (worker, mut member)) in workers.into_iter().enumerate() {
            // A second one joins when the test wants it to.
            if number == 0 {
                member.start().await?;
            }
            side.workers.push(worker);
            side.members.push(member);
        }
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

/// The workers of the group that copies to this broker's cluster, none of them started.
fn plan_workers(
    options: &LabOptions,
    broker: &BrokerPlan<'_>,
    java: &Java,
    ports: &[u16],
) -> Result<Vec<(WorkerDescription, Member)>> {
    let direction =
        if broker.name == EU_CENTRAL { Direction::WestToCentral } else { Direction::CentralToWest };
    let delay = options.second_worker.filter(|_| direction == Direction::WestToCentral);
    let mut names = vec![direction.worker()];
    names.extend(delay.map(|_| direction.second_worker()));
    let (group, bootstrap) = (direction.worker(), broker.bootstrap());
    let password = broker.users.get(CONNECT).context("no connect user")?;
    let mut workers = Vec::new();
    for (name, port) in names.into_iter().zip(ports) {
        let plan = WorkerPlan {
            name: &name,
            group: &group,
            rebalance_delay: delay.unwrap_or_default(),
            dir: broker.dir,
            port: *port,
            bootstrap: &bootstrap,
            user: CONNECT,
            password,
            exactly_once: options.exactly_once,
        };
        plan.write_properties()?;
        let properties = plan.properties_path().display().to_string();
        let (url, log) = (plan.url(), broker.dir.join(format!("{name}.log")));
        let member = Member {
            name: name.clone(),
            arguments: java.arguments(&connect::HEAP, connect::MAIN, &[properties]),
            log,
            ready: Ready::Worker { url: url.clone() },
            process: None,
        };
        let worker = WorkerDescription { name, url, cluster: broker.name.to_owned(), direction };
        workers.push((worker, member));
    }
    Ok(workers)
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
            .flat_map(|side| &side.workers)
            .map(|worker| (worker.name.clone(), worker.clone()))
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

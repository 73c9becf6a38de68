//! People, clusters and the frame of the night.

use muster_domain::{
    cluster::{Broker, Cluster, ClusterDescription, ProbePrincipal, Sasl, Security, Tls},
    ids::{ClusterName, PairName, TeamName},
    people::{Actor, Grant, Role},
    reading::Observed,
    record::Person,
    survey::{RightHeld, RightObservation},
};
use uuid::Uuid;

use super::{ago, now};
use crate::{
    chrome::{Brake, Chrome, Facts, Theme},
    clusters::ClusterLook,
};

pub(super) fn pair_name(name: &str) -> PairName {
    PairName::new(name).expect("sample names are valid")
}

pub(super) fn cluster_name(name: &str) -> ClusterName {
    ClusterName::new(name).expect("sample names are valid")
}

pub(super) fn team(name: &str) -> TeamName {
    TeamName::new(name).expect("sample names are valid")
}

pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// People are told apart by a number.
pub(super) fn person(id: u128, name: &str) -> Person {
    Person { id: Uuid::from_u128(id), name: name.to_owned() }
}

pub(super) fn actor(id: u128, name: &str, roles: &[Role]) -> Actor {
    let grants = roles.iter().map(|role| Grant { role: *role, team: None }).collect();
    Actor { id: Uuid::from_u128(id), name: name.to_owned(), grants }
}

/// Everybody.
pub(super) fn everybody() -> Vec<Actor> {
    vec![
        adaeze(),
        ines(),
        actor(3, "tomas.ferreira", &[Role::Approver]),
        actor(4, "jonas.lindqvist", &[Role::Operator, Role::Approver]),
        actor(5, "priya.raman", &[Role::Approver]),
        actor(6, "marta.kowalczyk", &[Role::Owner, Role::Viewer]),
        actor(7, "wei.zhang", &[Role::Admin]),
    ]
}

/// Operator and approver, the viewer of most pages.
pub(super) fn adaeze() -> Actor {
    actor(1, "adaeze.obi", &[Role::Operator, Role::Approver, Role::Owner])
}

/// The driver of the orders run.
pub(super) fn ines() -> Actor {
    actor(2, "ines.novak", &[Role::Operator])
}

/// The admin.
pub(super) fn wei() -> Actor {
    actor(7, "wei.zhang", &[Role::Admin])
}

pub(super) fn chrome_of(person: Option<Actor>, path: &str, brake: Brake) -> Chrome {
    let signed_in = person.is_some();
    Chrome::new(Facts {
        person,
        brake,
        problems: signed_in.then_some(5),
        runs_active: usize::from(signed_in),
        approvals_open: usize::from(signed_in),
        theme: Theme::System,
        path: path.to_owned(),
        now: now(),
    })
}

pub(super) fn chrome(path: &str) -> Chrome {
    chrome_of(Some(adaeze()), path, Brake::Released)
}

pub(super) fn cluster(name: &str, id: &str) -> Cluster {
    Cluster {
        name: cluster_name(name),
        bootstrap: (1..=3).map(|n| format!("b{n}.{name}.kafka.internal:9093")).collect(),
        security: Security {
            tls: Some(Tls::default()),
            sasl: Some(Sasl::ScramSha512 { username: "muster".to_owned() }),
        },
        probe: Some(ProbePrincipal { username: "muster-probe".to_owned() }),
        expected_cluster_id: Some(id.to_owned()),
        region: name.to_owned(),
        version: 3,
        updated_at: ago(16 * 86_400),
    }
}

pub(super) fn description(name: &str, id: &str, brokers: i32) -> ClusterDescription {
    let broker = |n| Broker {
        id: n,
        host: format!("b{n}.{name}.kafka.internal"),
        port: 9093,
        rack: Some(format!("{name}-{}", n % 3)),
    };
    ClusterDescription {
        cluster_id: id.to_owned(),
        controller: Some(1),
        brokers: (1..=brokers).map(broker).collect(),
    }
}

pub(super) fn rights() -> Vec<RightObservation> {
    let right = |right: &str, needed_for: &str, held| RightObservation {
        right: right.to_owned(),
        needed_for: needed_for.to_owned(),
        held,
    };
    vec![
        right("DESCRIBE on the cluster", "read brokers and ACLs", RightHeld::Yes),
        right("DESCRIBE on topics in scope", "read offsets and ends", RightHeld::Yes),
        right(
            "ALTER on the cluster",
            "fence writes with ACLs",
            RightHeld::No { error: "CLUSTER_AUTHORIZATION_FAILED".to_owned() },
        ),
        right("READ on groups in scope", "read and write positions", RightHeld::Yes),
        right("DESCRIBE_CONFIGS on topics", "compare topic configs", RightHeld::Yes),
        right(
            "DESCRIBE on transactional ids",
            "see and settle open transactions",
            RightHeld::Unknown { reason: "No transactional id exists there now to try it on".to_owned() },
        ),
    ]
}

pub(super) fn look(name: &str, id: &str) -> ClusterLook {
    ClusterLook {
        description: Observed::known(description(name, id, 3), ago(5)),
        rights: Observed::known(rights(), ago(5)),
    }
}

//! `sample()` of the pages of clusters.

use muster_domain::cluster::Cluster;

use super::night::{chrome_of, cluster, look, names, wei};
use crate::{
    chrome::Brake,
    cluster_form::ClusterFormPage,
    clusters::{ClusterPage, ClustersPage, PairsOf, SecretsKept},
    forms::ClusterForm,
};

impl ClustersPage {
    /// Three clusters.
    #[must_use]
    pub fn sample() -> Self {
        let all = [
            (
                cluster("eu-central", "ec-core-1"),
                Some(look("eu-central", "ec-core-1")),
                PairsOf { named: names(&["payments", "orders"]), others: 3 },
            ),
            (
                cluster("eu-west", "ew-core-1"),
                Some(look("eu-west", "ew-core-2")),
                PairsOf { named: names(&["payments", "orders"]), others: 0 },
            ),
            (cluster("us-east", "ue-core-1"), None, PairsOf::default()),
        ];
        Self::new(chrome_of(Some(wei()), "/clusters", Brake::Released), &all)
    }
}

const KEPT: SecretsKept = SecretsKept { password: true, client_key: false, probe_password: true };

impl ClusterPage {
    /// eu-west just after a check.
    #[must_use]
    pub fn sample() -> Self {
        let chrome = chrome_of(Some(wei()), "/clusters/eu-west", Brake::Released);
        let look = look("eu-west", "ew-core-1");
        Self::new(
            chrome,
            &cluster("eu-west", "ew-core-1"),
            KEPT,
            Some(&look),
            &PairsOf { named: names(&["payments"]), others: 1 },
            Some(Ok(())),
        )
    }
}

impl ClusterFormPage {
    /// Editing eu-west.
    #[must_use]
    pub fn sample() -> Self {
        let cluster: Cluster = cluster("eu-west", "ew-core-1");
        let chrome = chrome_of(Some(wei()), "/clusters/eu-west/edit", Brake::Released);
        Self::new(chrome, Some("eu-west"), &ClusterForm::from(&cluster), KEPT, &[], None)
    }
}

//! A fresh lab under load.

use std::time::{Duration, Instant};

use anyhow::Result;
use muster_lab::{Lab, LabOptions, Workload, WorkloadOptions};

pub(super) const PAIR: &str = "orders";

/// A lab and its applications. The applications end first.
pub(super) struct Stage {
    pub(super) workload: Workload,
    pub(super) lab: Lab,
    /// When the applications were all there.
    pub(super) since: Instant,
}

impl Stage {
    pub(super) async fn start() -> Result<Self> {
        let lab = Lab::start(LabOptions::default()).await?;
        let workload = Workload::start(lab.describe(), &lab.describe().dir, workload_options()).await?;
        Ok(Self { workload, lab, since: Instant::now() })
    }
}

/// The slow group lags, and still catches up once producers have stopped.
pub(super) fn workload_options() -> WorkloadOptions {
    WorkloadOptions { fraud_work: Duration::from_millis(6), ..WorkloadOptions::default() }
}

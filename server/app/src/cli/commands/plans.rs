//! The words of `muster plan`.

use clap::{Args, Subcommand};
use uuid::Uuid;

/// Plan a switchover of a pair, or a drill that only looks; read a plan that was made.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Plan {
    /// About a plan that was made.
    #[command(subcommand)]
    pub command: Option<OfPlan>,
    /// One to be made.
    #[command(flatten)]
    pub new: NewPlan,
}

/// About a plan that was made.
#[derive(Debug, Subcommand)]
pub enum OfPlan {
    /// A plan: its steps, what blocks it and what it warns of.
    Show {
        /// The plan.
        plan: Uuid,
    },
    /// What differs between a plan and the one of its pair and operation that was approved before it.
    Difference {
        /// The plan.
        plan: Uuid,
    },
}

/// What is to be planned. The pair and the cluster are always there, but where a plan that was made is read.
#[derive(Debug, Args)]
pub struct NewPlan {
    /// The pair.
    #[arg(required = true)]
    pub pair: Option<String>,
    /// What: switchover, readiness_drill.
    #[arg(long, default_value = "switchover")]
    pub operation: String,
    /// Cluster applications move to.
    #[arg(long, value_name = "CLUSTER", required = true)]
    pub to: Option<String>,
    /// Its end is attested as a drill.
    #[arg(long)]
    pub drill: bool,
    /// Do not ask a person for the final go before the fence.
    #[arg(long)]
    pub unattended: bool,
    /// What happens at the point of no return when a proof is missing: a person is asked while writes are away, or everything is
    /// undone; the latter when not given.
    #[arg(long, value_parser = ["wait", "roll_back"])]
    pub if_unproven: Option<String>,
    /// Consumers read to the end and are moved then, or are moved where they stand; the former when not given.
    #[arg(long, value_parser = ["drain_then_move", "move_out"])]
    pub consumers: Option<String>,
    /// Longest time writes may be away before the run gives up and goes back, in seconds; 120 when not given.
    #[arg(long, value_name = "SECONDS")]
    pub max_write_outage_seconds: Option<i64>,
}

//! The words of `muster findings`.

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{ById, IfVersion};

/// What went wrong or surprised.
#[derive(Debug, Subcommand)]
pub enum Findings {
    /// Findings, newest first.
    List {
        /// Only about this pair.
        #[arg(long)]
        pair: Option<String>,
        /// Only what came up in this run.
        #[arg(long)]
        run: Option<Uuid>,
        /// Only open ones.
        #[arg(long)]
        open: bool,
        /// Only of this severity: low, medium, high.
        #[arg(long)]
        severity: Option<String>,
        /// Only of this owner.
        #[arg(long)]
        owner: Option<String>,
        /// Only with this in the text or the resolution.
        #[arg(long)]
        text: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One finding.
    Show(ById),
    /// Raise a finding.
    Raise {
        /// The pair it is about.
        pair: String,
        /// What was found; it is not changed later.
        #[arg(long)]
        text: String,
        /// How bad: low, medium, high.
        #[arg(long, default_value = "medium")]
        severity: String,
        /// Who sees to it.
        #[arg(long, default_value = "")]
        owner: String,
        /// Until when, 2027-01-31.
        #[arg(long)]
        due: Option<String>,
        /// The run it came up in.
        #[arg(long)]
        run: Option<Uuid>,
        /// Address of evidence.
        #[arg(long, default_value = "")]
        link: String,
    },
    /// Change a finding; what is not given stays.
    Edit(FindingEdit),
    /// Close a finding.
    Close {
        /// Its id.
        id: Uuid,
        /// What was done about it.
        #[arg(long)]
        resolution: String,
        /// The run that showed it is mended.
        #[arg(long)]
        retest: Option<Uuid>,
        /// Which version.
        #[command(flatten)]
        version: IfVersion,
    },
    /// Open a finding again.
    Reopen {
        /// Its id.
        id: Uuid,
        /// Which version.
        #[command(flatten)]
        version: IfVersion,
    },
}

/// What is to be changed of a finding.
#[derive(Debug, Args)]
pub struct FindingEdit {
    /// Its id.
    pub id: Uuid,
    /// How bad: low, medium, high.
    #[arg(long)]
    pub severity: Option<String>,
    /// Who sees to it; empty for nobody.
    #[arg(long)]
    pub owner: Option<String>,
    /// Until when, 2027-01-31.
    #[arg(long)]
    pub due: Option<String>,
    /// Until no date.
    #[arg(long, conflicts_with = "due")]
    pub no_due: bool,
    /// Address of evidence; empty for none.
    #[arg(long)]
    pub link: Option<String>,
    /// Which version.
    #[command(flatten)]
    pub version: IfVersion,
}

//! The closed list of alarms: their words, how much each matters, and how it ends.

use serde::{Deserialize, Serialize};

use crate::notification::Severity;

/// The closed list of alarms. The words are stored and documented: never rename.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of `title`")]
pub enum AlarmCode {
    ReplicationHole,
    TopicRecreated,
    PartitionsMissing,
    PairsBackwards,
    ForeignWriter,
    HungTransaction,
    TaskMissing,
    WorkerGone,
    SourceUnreachable,
    DenyCopied,
    EarlyDeletion,
    GroupActive,
    OffsetsBlocking,
    ConverterRewrites,
    IdentityLoop,
}

impl AlarmCode {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::ReplicationHole,
        Self::TopicRecreated,
        Self::PartitionsMissing,
        Self::PairsBackwards,
        Self::ForeignWriter,
        Self::HungTransaction,
        Self::TaskMissing,
        Self::WorkerGone,
        Self::SourceUnreachable,
        Self::DenyCopied,
        Self::EarlyDeletion,
        Self::GroupActive,
        Self::OffsetsBlocking,
        Self::ConverterRewrites,
        Self::IdentityLoop,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplicationHole => "replication-hole",
            Self::TopicRecreated => "topic-recreated",
            Self::PartitionsMissing => "partitions-missing",
            Self::PairsBackwards => "pairs-backwards",
            Self::ForeignWriter => "foreign-writer",
            Self::HungTransaction => "hung-transaction",
            Self::TaskMissing => "task-missing",
            Self::WorkerGone => "worker-gone",
            Self::SourceUnreachable => "source-unreachable",
            Self::DenyCopied => "deny-copied",
            Self::EarlyDeletion => "early-deletion",
            Self::GroupActive => "group-active",
            Self::OffsetsBlocking => "offsets-blocking",
            Self::ConverterRewrites => "converter-rewrites",
            Self::IdentityLoop => "identity-loop",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ReplicationHole => "Records were removed before they were copied",
            Self::TopicRecreated => "A topic was deleted and made again",
            Self::PartitionsMissing => "The standby has fewer partitions",
            Self::PairsBackwards => "Replication went back",
            Self::ForeignWriter => "Somebody else writes on the standby",
            Self::HungTransaction => "An open transaction holds records back",
            Self::TaskMissing => "A connector runs without its task",
            Self::WorkerGone => "Nothing is copied, whatever the status says",
            Self::SourceUnreachable => "The source does not answer, and the connector says RUNNING",
            Self::DenyCopied => "A DENY stands on the standby",
            Self::EarlyDeletion => "The standby deletes history earlier",
            Self::GroupActive => "A group is active on the standby",
            Self::OffsetsBlocking => "Offsets on the standby block syncing",
            Self::ConverterRewrites => "A converter rewrites records",
            Self::IdentityLoop => "Records are copied in circles",
        }
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::ReplicationHole
            | Self::TopicRecreated
            | Self::PartitionsMissing
            | Self::ForeignWriter
            | Self::TaskMissing
            | Self::WorkerGone
            | Self::SourceUnreachable
            | Self::DenyCopied
            | Self::OffsetsBlocking
            | Self::ConverterRewrites
            | Self::IdentityLoop => Severity::Critical,
            Self::PairsBackwards | Self::HungTransaction | Self::EarlyDeletion | Self::GroupActive => {
                Severity::Warning
            }
        }
    }

    /// Whether it stays until somebody acknowledges it: it tells of something that happened, and what it did to the
    /// records is still so when its cause is gone. The others end when a survey shows that their cause is gone.
    #[must_use]
    pub fn stays(self) -> bool {
        match self {
            Self::ReplicationHole | Self::TopicRecreated | Self::PairsBackwards | Self::ForeignWriter => true,
            Self::PartitionsMissing
            | Self::HungTransaction
            | Self::TaskMissing
            | Self::WorkerGone
            | Self::SourceUnreachable
            | Self::DenyCopied
            | Self::EarlyDeletion
            | Self::GroupActive
            | Self::OffsetsBlocking
            | Self::ConverterRewrites
            | Self::IdentityLoop => false,
        }
    }
}

impl std::fmt::Display for AlarmCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

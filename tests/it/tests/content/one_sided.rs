//! Records that only one side has, and that no status tells of: a standby that retention emptied, foreign records where the source has
//! nothing, a topic that the connector leaves out.

use std::collections::BTreeMap;

use anyhow::Result;
use muster_domain::{proof::content::ContentVerdict, survey::ConnectorRole, topic::TopicPartition};
use muster_it::{CENTRAL, WEST};
use muster_kafka::OffsetSpec;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::{BOUND_MS, Real};

impl Real {
    /// Five records where the source never had one, then a copy of which nothing is left.
    pub(crate) async fn what_only_one_side_has_is_never_the_same(&self) -> Result<()> {
        let topic = self.on(format!("{}-one-sided", self.topic), &[]).await?;
        topic.write(WEST, 0, 0, 200).await?;
        topic.wait_until_copied().await?;
        topic.write(CENTRAL, 3, 700_000, 5).await?;
        let proof = topic.proven(&topic.clients).await?;
        let told: Vec<_> = proof
            .partitions
            .iter()
            .map(|one| (one.source.partition, one.verdict, one.found.matched, one.found.extra))
            .collect();
        assert_eq!(
            told,
            [(3, ContentVerdict::Differs, 0, 5), (0, ContentVerdict::Same, 200, 0)],
            "{proof:#?}"
        );

        topic.empty_the_copy(0).await?;
        let proof = topic.proven(&topic.clients).await?;
        let emptied = proof.partitions.iter().find(|one| one.source.partition == 0).expect("it is told");
        assert_eq!(emptied.verdict, ContentVerdict::CannotSay, "{proof:#?}");
        assert_eq!((emptied.found.matched, emptied.found.before), (0, 200), "{proof:#?}");
        let said = "0 records compared: 5 foreign; of 1 partitions not one record was found on both sides";
        assert!(proof.sentence().starts_with(said), "{}", proof.sentence());
        Ok(())
    }

    async fn empty_the_copy(&self, partition: i32) -> Result<()> {
        let at = self.at(partition);
        let ends = self.clients.0.admin.b.offsets(std::slice::from_ref(&at), OffsetSpec::End).await?;
        let end = *ends[&at].as_ref().map_err(|e| anyhow::anyhow!("{e}"))?;
        delete_below(&self.client(CENTRAL)?, &at, end).await
    }

    /// It is in scope of the pair, and nobody copies it.
    pub(crate) async fn what_the_connector_leaves_out_is_not_on_its_way(&self) -> Result<()> {
        let name = format!("{}-left-out", self.topic);
        let excluded = format!(r".*[\-\.]internal,.*\.replica,__.*,{name}");
        let changes = BTreeMap::from([("topics.exclude".to_owned(), Some(excluded))]);
        self.flow().change_config(ConnectorRole::Source, &changes, BOUND_MS).await?;
        let topic = self.on(name, &[]).await?;
        topic.write(WEST, 0, 0, 50).await?;
        let absent = topic.proven(&topic.clients).await?;
        let told = (absent.summary.verdict, absent.summary.unreadable, absent.summary.found.matched);
        assert_eq!(told, (ContentVerdict::CannotSay, 1, 0), "there is no copy: {absent:#?}");
        // Somebody made it, and nothing comes.
        self.lab.create_topic(CENTRAL, &topic.topic, crate::PARTITIONS).await?;
        let proof = topic.proven(&topic.clients).await?;
        let found = &proof.summary.found;
        assert_eq!(proof.summary.verdict, ContentVerdict::CannotSay, "{proof:#?}");
        assert_eq!((proof.summary.uncompared, found.matched, found.pending), (1, 0, 50), "{proof:#?}");
        assert!(proof.sentence().ends_with("; 50 not known to be copied yet"), "{}", proof.sentence());
        Ok(())
    }
}

/// What `deleteRecords` and retention come to: the partition begins at that offset.
pub(crate) async fn delete_below(client: &ClientConfig, at: &TopicPartition, offset: i64) -> Result<()> {
    let client: AdminClient<DefaultClientContext> = client.create()?;
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset(&at.topic, at.partition, Offset::Offset(offset))?;
    for deleted in client.delete_records(&upto, &AdminOptions::new()).await?.elements() {
        deleted.error()?;
    }
    Ok(())
}

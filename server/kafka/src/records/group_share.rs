//! [`WorkShare`] on a real cluster: a librdkafka consumer that is dealt partitions and pauses them at once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use muster_domain::topic::TopicPartition;
use rdkafka::{
    ClientConfig, ClientContext, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError as RdError, RDKafkaErrorCode},
};
use tokio::sync::watch;

use crate::{
    error::KafkaErrorKind,
    records::librdkafka::{Context, kind_of},
    share::{Dealt, WorkShare},
};

/// How long a member that is silent keeps its partitions; brokers allow 6 s and more.
const SESSION_MS: &str = "10000";
/// How often librdkafka is asked for news.
const POLL: Duration = Duration::from_millis(100);

/// See the module. Dropping it leaves the group, from the thread that polls.
pub(crate) struct GroupShare {
    dealt: watch::Receiver<Dealt>,
    left: Arc<AtomicBool>,
}

impl WorkShare for GroupShare {
    fn dealt(&self) -> watch::Receiver<Dealt> {
        self.dealt.clone()
    }
}

impl Drop for GroupShare {
    fn drop(&mut self) {
        self.left.store(true, Ordering::Relaxed);
    }
}

impl GroupShare {
    /// Joins with a client's configuration. Blocks while librdkafka reads keys and authorities; nothing is awaited.
    pub(crate) fn join(
        mut config: ClientConfig,
        context: Context,
        group: &str,
        topics: &[String],
    ) -> Result<Self, KafkaErrorKind> {
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "roundrobin")
            .set("session.timeout.ms", SESSION_MS)
            .set("heartbeat.interval.ms", "2000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Until they are paused partitions may be fetched: nothing is behind their end.
            .set("auto.offset.reset", "latest");
        let (dealer, dealt) = watch::channel(Dealt::Waiting);
        let member = Member { context, dealer };
        let consumer: BaseConsumer<Member> =
            config.create_with_context(member).map_err(|e| kind_of(&e, ""))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|e| kind_of(&e, ""))?;
        let left = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&left);
        tokio::task::spawn_blocking(move || {
            while !told.load(Ordering::Relaxed) {
                if let Some(Err(error)) = consumer.poll(POLL) {
                    consumer.context().refuse(&error);
                }
            }
        });
        Ok(Self { dealt, left })
    }
}

/// What librdkafka calls back for.
struct Member {
    context: Context,
    dealer: watch::Sender<Dealt>,
}

impl Member {
    /// What does not heal by waiting.
    fn refuse(&self, error: &RdError) {
        let refused = [
            RDKafkaErrorCode::GroupAuthorizationFailed,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::Authentication,
            RDKafkaErrorCode::SaslAuthenticationFailed,
        ];
        if error.rdkafka_error_code().is_some_and(|code| refused.contains(&code)) {
            let why = self.context.trouble.explain(kind_of(error, ""));
            self.dealer.send_replace(Dealt::Refused(why.to_string()));
        }
    }
}

impl ClientContext for Member {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: RdError, reason: &str) {
        self.refuse(&error);
        self.context.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.context.generate_oauth_token(config)
    }
}

impl ConsumerContext for Member {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let dealt = match rebalance {
            Rebalance::Assign(partitions) => {
                // Records are read by offset over connections of our own.
                if let Err(cause) = consumer.pause(partitions) {
                    tracing::debug!(%cause, "could not pause partitions that are only dealt");
                }
                Dealt::Mine(named(partitions))
            }
            Rebalance::Revoke(_) | Rebalance::Error(_) => Dealt::Waiting,
        };
        self.dealer.send_replace(dealt);
    }
}

fn named(partitions: &TopicPartitionList) -> BTreeSet<TopicPartition> {
    partitions.elements().iter().map(|one| TopicPartition::new(one.topic(), one.partition())).collect()
}

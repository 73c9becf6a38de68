//! Transactions: which are open, and ending a straggler's.

use std::collections::BTreeMap;

use chrono::DateTime;
use futures_util::future::try_join_all;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, InitProducerIdRequest, ListTransactionsRequest, ProducerId, TransactionalId,
    describe_transactions_response::TransactionState,
    list_transactions_response::TransactionState as ListedTransaction,
};
use muster_domain::{survey::OpenTransaction, topic::TopicPartition};

use crate::{
    asking::{
        coordinators::KeyType,
        routing::{Call, Router, Target},
    },
    broker_error::{TRANSACTIONAL_ID_NOT_FOUND, coordinator_moved},
    error::KafkaError,
    verbs::group_members::text,
};

/// Longest pause that a fenced producer's successor could take; nobody ever uses it.
const TIMEOUT_MS: i32 = 60_000;

/// Transactions that are neither complete nor empty, with their partitions.
pub(crate) async fn open_transactions(router: &Router) -> Result<Vec<OpenTransaction>, KafkaError> {
    let call = router.look("ListTransactions");
    let mut asks = Vec::new();
    for node in call.every_broker().await? {
        asks.push(open_on(&call, node));
    }
    let mut open: Vec<OpenTransaction> = try_join_all(asks).await?.into_iter().flatten().collect();
    open.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id));
    Ok(open)
}

/// Producer id of each transactional id that coordinators remember.
pub(crate) async fn transactional_ids(router: &Router) -> Result<BTreeMap<String, i64>, KafkaError> {
    let call = router.look("ListTransactions");
    let mut asks = Vec::new();
    for node in call.every_broker().await? {
        asks.push(list_on(&call, node));
    }
    let listed = try_join_all(asks).await?.into_iter().flatten();
    Ok(listed.map(|state| (state.transactional_id.to_string(), state.producer_id.0)).collect())
}

/// What a broker coordinates.
async fn list_on(call: &Call<'_>, node: i32) -> Result<Vec<ListedTransaction>, KafkaError> {
    let mut patience = call.patience();
    loop {
        let (answer, _) = call.send(Target::Node(node), None, |_| ListTransactionsRequest::default()).await?;
        match call.expect_ok(Some(node), answer.error_code, None) {
            Ok(()) => return Ok(answer.transaction_states),
            Err(error) if patience.after(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

async fn open_on(call: &Call<'_>, node: i32) -> Result<Vec<OpenTransaction>, KafkaError> {
    let target = Target::Node(node);
    let ids: Vec<TransactionalId> = list_on(call, node)
        .await?
        .into_iter()
        .filter(|state| is_open(&state.transaction_state))
        .map(|state| state.transactional_id)
        .collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // A broker lists only the transactions it coordinates.
    let build = |_| DescribeTransactionsRequest::default().with_transactional_ids(ids.clone());
    let (answer, _) = call.send(target, None, build).await?;
    let mut open = Vec::with_capacity(answer.transaction_states.len());
    for state in answer.transaction_states {
        // Ended or moved between the two requests.
        let gone = state.error_code == TRANSACTIONAL_ID_NOT_FOUND || coordinator_moved(state.error_code);
        if gone || (state.error_code == 0 && !is_open(&state.transaction_state)) {
            continue;
        }
        call.expect_ok(Some(node), state.error_code, None)?;
        open.push(read_transaction(state));
    }
    Ok(open)
}

fn is_open(state: &str) -> bool {
    !matches!(state, "Empty" | "CompleteCommit" | "CompleteAbort" | "Dead")
}

fn read_transaction(state: TransactionState) -> OpenTransaction {
    let partitions = state.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| TopicPartition::new(topic.topic.as_str(), *partition))
    });
    OpenTransaction {
        transactional_id: state.transactional_id.to_string(),
        producer_id: state.producer_id.0,
        state: state.transaction_state.to_string(),
        began_at: Some(state.transaction_start_time_ms)
            .filter(|ms| *ms > 0)
            .and_then(DateTime::from_timestamp_millis),
        partitions: partitions.collect(),
    }
}

/// Ends a straggler's transaction by fencing its producer.
pub(crate) async fn abort_transaction(router: &Router, transactional_id: &str) -> Result<(), KafkaError> {
    let what = format!("InitProducerId for transactional id `{transactional_id}`");
    let call = router.change(&what);
    let mut patience = call.patience();
    loop {
        match fence_producer(&call, transactional_id).await {
            // CONCURRENT_TRANSACTIONS: the coordinator is aborting what was open. Then it is asked again.
            Err(error) if patience.after(&error).await => {}
            result => return result.map_err(|error| patience.verdict(error)),
        }
    }
}

async fn fence_producer(call: &Call<'_>, transactional_id: &str) -> Result<(), KafkaError> {
    let found = call.find_coordinators(KeyType::Transaction, &[transactional_id]).await?;
    let target = found.first().map_or(Target::Any, |(_, node)| Target::Node(*node));
    let build = |_| {
        InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(transactional_id))))
            .with_transaction_timeout_ms(TIMEOUT_MS)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    let (answer, _) = call.send(target, None, build).await?;
    call.expect_ok(None, answer.error_code, None)
}

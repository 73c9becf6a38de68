//! How the workload's applications connect.

use rdkafka::ClientConfig;
use rdkafka::message::{Headers, Message};

use super::address_book::Address;

/// Header with the workload's run and the record's sequence number: `3f9c2a71:1234`.
pub(crate) const SEQ_HEADER: &str = "lab-seq";
/// Header that marks a record of a transaction that the application aborts.
pub(crate) const ABORTED_HEADER: &str = "lab-aborted";

/// A user of the lab.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Settings shared by every client: quick to reconnect, quiet.
pub(crate) fn client_config(address: &Address, login: &Login, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", address.bootstrap.join(","))
        .set("client.id", client_id)
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "SCRAM-SHA-512")
        .set("sasl.username", &login.user)
        .set("sasl.password", &login.password)
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "500")
        .set("retry.backoff.ms", "20")
        .set("topic.metadata.refresh.fast.interval.ms", "50")
        // A connection that dies is expected here; the ledger keeps the errors.
        .set("log.connection.close", "false");
    config
}

/// The value of a record's sequence header.
pub(crate) fn seq_header(run: &str, seq: u64) -> String {
    format!("{run}:{seq}")
}

/// The sequence number of a record of this run; `None` for canaries, strangers and earlier workloads on the same lab.
pub(crate) fn seq_of<M: Message>(run: &str, record: &M) -> Option<u64> {
    let header = record.headers()?.iter().find(|header| header.key == SEQ_HEADER)?;
    let (of_run, seq) = std::str::from_utf8(header.value?).ok()?.split_once(':')?;
    if of_run == run { seq.parse().ok() } else { None }
}

/// Whether a record belongs to a transaction that the application aborted.
pub(crate) fn is_aborted<M: Message>(record: &M) -> bool {
    record.headers().is_some_and(|headers| headers.iter().any(|header| header.key == ABORTED_HEADER))
}

/// The application's name of a topic: `eu-west.clicks.page` is `clicks.page`.
pub(crate) fn app_topic(topic: &str) -> &str {
    ["eu-west.", "eu-central."].iter().find_map(|prefix| topic.strip_prefix(prefix)).unwrap_or(topic)
}

/// Drops a client on its own thread: closing waits for the cluster, which may be dead.
pub(crate) fn bury<T: Send + 'static>(client: T) {
    std::thread::spawn(move || drop(client));
}

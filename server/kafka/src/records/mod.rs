//! What the record mover is made of: reading batches from leaders and taking them apart, and librdkafka for writing and sharing work.
//!
//! Nothing about a record is judged here. What is asked of clusters besides is in `verbs`.

mod batches;
pub(crate) mod fetch;
pub(crate) mod group_share;
pub(crate) mod librdkafka;
pub(crate) mod prints;
pub(crate) mod tails;
pub(crate) mod trouble;
mod unpack;

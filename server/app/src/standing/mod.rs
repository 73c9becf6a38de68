//! How pairs stand: what surveys and canaries mean, judged once and told to pages, API and monitoring alike.
//!
//! Pure rules are in `domain`, SQL is in `store`; here both are put together. Nothing here asks a cluster or changes one.

pub mod canaries;
pub mod judgement;
pub mod lag_history;
pub mod lag_hours;
pub mod pairs;

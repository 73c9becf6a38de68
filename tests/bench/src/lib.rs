//! muster-bench

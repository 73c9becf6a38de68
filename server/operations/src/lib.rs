//! muster-operations

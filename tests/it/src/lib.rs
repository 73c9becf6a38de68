//! muster-it

//! What the admin client asks clusters and changes in them: the verbs of `admin`, a file for each thing they are about.
//!
//! Reading and writing records is in `records`; which broker is asked is in `asking`.

pub(crate) mod acls;
pub(crate) mod client_limits;
pub(crate) mod configs;
pub(crate) mod epochs;
pub(crate) mod group_members;
pub(crate) mod group_offsets;
pub(crate) mod groups;
pub(crate) mod offsets;
pub(crate) mod probe;
pub(crate) mod producers;
pub(crate) mod rights;
pub(crate) mod topics;
pub(crate) mod transactions;

//! The `dovecot_sasld` endpoint: other servers ask here whether users are who they say.

mod connection;
pub mod directives;
pub mod endpoint;
mod exchange;

pub use endpoint::Endpoint;

//! The `lmtp` endpoint: mail that others hand over for delivery.

pub mod directives;
pub mod endpoint;
mod session;
pub mod throttle;
mod wire;

pub use endpoint::Endpoint;

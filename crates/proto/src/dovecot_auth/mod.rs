//! The protocol between those that have users to authenticate and an authentication service, as
//! Dovecot defines it ("Dovecot Authentication Protocol v1.2"): lines of fields between tabs.
//!
//! [`mod@line`] is how both sides write and read lines. [`client`] is what a service says and what is
//! said to it, and [`server`] the other way round.

pub mod client;
pub mod line;
pub mod server;

/// The version that both sides have to speak.
pub const MAJOR: u32 = 1;
/// What may be newer on the other side without harm.
pub const MINOR: u32 = 2;

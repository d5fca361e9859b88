//! Sans-IO wire protocols: nothing here reads, writes, waits or asks the time.

pub mod dovecot_auth;
pub mod helper;
pub mod imap;
pub mod lmtp;
pub mod proxy;
pub mod sasl;

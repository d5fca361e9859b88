//! Sans-IO wire protocols: nothing here reads, writes, waits or asks the time.

pub mod imap;
pub mod sasl;

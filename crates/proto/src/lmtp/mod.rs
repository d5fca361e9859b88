//! LMTP (RFC 2033), the protocol by which mail is handed over for good: SMTP (RFC 5321) with LHLO
//! for EHLO, and one reply for each recipient at the end of a message.
//!
//! [`Machine`] takes bytes and gives events; all that has to be decided about senders, recipients
//! and messages is left to whoever drives it. A line, and the data of a message, ends at CRLF: a bare
//! LF or CR is an error in a command, and an ordinary character in a message, so that no message can
//! hold another one that a less careful neighbour would let pass (CVE-2023-51764).

mod address;
pub mod command;
mod data;
mod limit;
mod machine;
mod parse;
mod reply;

pub use address::Address;
pub use command::{Body, Command, Mail};
pub use machine::{Event, Machine, Sender, Settings};
pub use parse::parse;
pub use reply::Reply;

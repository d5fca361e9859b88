//! IMAP: framing, commands, responses.

pub mod command;

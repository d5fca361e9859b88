//! IMAP: framing, commands, responses.

pub mod capability;
pub mod command;
mod date;
pub mod encode;
mod fetch;
pub mod frame;
mod framer;
mod lex;
mod parse;
mod response;
pub mod table;
pub mod utf7;

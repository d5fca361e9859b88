//! IMAP: framing, commands, responses.

pub mod capability;
pub mod command;
mod date;
pub mod encode;
mod fetch;
pub mod frame;
mod framer;
mod lex;
mod line;
mod parse;
mod response;
mod status;
mod swallow;
pub mod table;
pub mod utf7;

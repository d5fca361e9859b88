//! IMAP: framing, commands, responses.

mod arrange;
pub mod capability;
pub mod command;
mod date;
pub mod deflate;
pub mod encode;
mod fetch;
mod found;
pub mod frame;
mod framer;
mod lex;
mod line;
pub mod notify;
mod parse;
mod response;
mod rights;
mod status;
mod swallow;
pub mod table;
pub mod url;
pub mod utf7;

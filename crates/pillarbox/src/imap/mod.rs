//! The IMAP endpoint.

pub mod directives;

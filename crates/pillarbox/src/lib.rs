//! Pillarbox, an IMAP server.

pub mod assemble;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod control;
pub mod delivery;
pub mod endpoint;
mod housekeeping;
pub mod imap;
pub mod lmtp;
pub mod log;
pub mod module;
pub mod net;
pub mod normalize;
pub mod precis;
pub mod process;
pub mod sasld;
pub mod secret;
pub mod serve;
pub mod service_manager;
pub mod shutdown;
pub mod storage;
pub mod table;
#[cfg(test)]
mod testing;

use std::future::Future;
use std::pin::Pin;

/// The future of a module's answer. Boxed, so that modules are objects and sessions compile once.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

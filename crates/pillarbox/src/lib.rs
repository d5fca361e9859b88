//! Pillarbox, an IMAP server.

pub mod auth;
pub mod log;
pub mod net;
pub mod normalize;
pub mod precis;
pub mod secret;
pub mod shutdown;
pub mod table;

use std::future::Future;
use std::pin::Pin;

/// The future of a module's answer. Boxed, so that modules are objects and sessions compile once.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

//! IMAP sessions: what a client asks, done with the store.

mod arrange;
mod binary;
mod cmd;
mod context;
mod curb;
pub mod directives;
pub mod endpoint;
mod facts;
mod fetch;
mod language;
mod matcher;
mod modseq;
mod news;
mod notify;
mod phrases;
pub mod places;
pub mod pulse;
mod reach;
mod refusal;
mod resync;
mod scope;
mod search;
mod section;
mod session;
mod sync;
mod upload;
mod wire;
pub mod withhold;

pub use endpoint::Endpoint;
pub(crate) use reach::Reached;
pub(crate) use refusal::Refusal;
pub(crate) use session::{Selected, Session, User};

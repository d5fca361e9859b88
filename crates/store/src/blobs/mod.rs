//! Keepers of message bytes.

mod fs;
mod map;
mod pack;
mod record;

pub use fs::Files;
pub use pack::{Options, Pack};

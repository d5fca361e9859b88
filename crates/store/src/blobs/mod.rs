//! Keepers of message bytes.

mod compress;
mod disk;
mod fs;
mod map;
mod memory;
mod pack;
#[cfg(test)]
mod power;
mod record;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod suite;

pub use compress::Compression;
pub use fs::Files;
pub use memory::Memory;
pub use pack::{Options, Pack};

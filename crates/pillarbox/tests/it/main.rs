//! Conversations: what clients say, and what they must and must not see.

mod cli;
mod crash;
mod harness;
mod model;
mod process;
mod quickstart;
mod samples;
mod session;
mod transfer;

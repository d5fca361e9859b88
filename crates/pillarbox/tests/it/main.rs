//! Conversations: what clients say, and what they must and must not see.

mod answers;
mod cli;
mod crash;
mod failing;
mod harness;
mod hostile;
mod interposed;
mod lmtp;
mod login;
mod model;
mod names;
mod pitfalls_extensions;
mod pitfalls_mailboxes;
mod pitfalls_messages;
mod pitfalls_views;
mod pitfalls_wire;
mod process;
mod providers;
mod quickstart;
mod requirements;
mod samples;
mod scram;
mod session;
mod stored;
mod table;
mod transfer;

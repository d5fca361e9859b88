//! The protocol as a client meets it, and as other implementations understand it.

mod acl;
mod arrange;
mod dialects;
mod framing;
mod grammar;
mod lmtp;
mod notify;
mod oracle;
mod proxy;
mod responses;
mod torture;
mod url;

//! Identifiers. Ids of accounts, mailboxes and blobs are never reused (a cache can't mix them up).

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A storage account.
    AccountId(u64)
}
id! {
    /// A mailbox, over all accounts. Survives a rename; never reused (RFC 8474 §4).
    MailboxId(u64)
}
id! {
    /// Stored message bytes, over all accounts. Several messages (copies) may share one.
    BlobId(u64)
}
id! {
    /// A message's unique identifier in its mailbox: never 0, strictly ascending, never reused
    /// within a UIDVALIDITY (RFC 3501 §2.3.1.1).
    Uid(u32)
}
id! {
    /// A mailbox's UIDVALIDITY: never 0 (RFC 3501 §2.3.1.1).
    UidValidity(u32)
}
id! {
    /// A mod-sequence: one for each change of a mailbox, in commit order, below 2^63 (RFC 7162 §3.1).
    ModSeq(u64)
}

//! How commands end.

use std::io;

use pillarbox_model::{ModSeq, NumberSet, UidValidity};
use pillarbox_proto::imap::encode::Code;

use super::{Refusal, Session};

/// A response code of a command that ended well, with what it needs.
#[derive(Debug, Default)]
pub(crate) enum DoneCode {
    #[default]
    None,
    ReadOnly,
    ReadWrite,
    /// The capabilities as of now, which spares the client a question.
    Capabilities,
    /// Of the mailbox that was made.
    MailboxId(String),
    AppendUid(UidValidity, NumberSet),
    CopyUid(UidValidity, NumberSet, NumberSet),
    /// Up to where the client was told everything, once it is.
    HighestModSeq,
    /// The size of the largest annotation that was left out (RFC 5464 §4.2.1).
    LongEntries(u64),
    /// What a conditional STORE left alone, as the client names messages (RFC 7162 §3.1.3).
    Modified(NumberSet),
}

impl DoneCode {
    /// What is said after messages were removed: with QRESYNC, up to where the client knows all (RFC 7162
    /// §3.2.7, §3.2.9, RFC 6851 §4.4).
    pub(crate) fn after_expunge(session: &Session, removed: bool) -> Self {
        match removed && session.dialect.qresync {
            true => Self::HighestModSeq,
            false => Self::None,
        }
    }

    /// As it goes out; `capabilities` and `known`, up to where the client was told everything, are for those
    /// that need them.
    pub(super) fn as_code<'c>(
        &'c self,
        capabilities: &'c str,
        known: Option<ModSeq>,
    ) -> Option<Code<'c>> {
        match self {
            Self::None => None,
            Self::ReadOnly => Some(Code::ReadOnly),
            Self::ReadWrite => Some(Code::ReadWrite),
            Self::Capabilities => Some(Code::Capability(capabilities)),
            Self::MailboxId(id) => Some(Code::MailboxId(id)),
            Self::AppendUid(validity, uids) => Some(Code::AppendUid {
                uid_validity: validity.0,
                uids,
            }),
            Self::CopyUid(validity, from, to) => Some(Code::CopyUid {
                uid_validity: validity.0,
                from,
                to,
            }),
            Self::HighestModSeq => known.map(|known| Code::HighestModSeq(known.0)),
            Self::LongEntries(size) => Some(Code::MetadataLongEntries(*size)),
            Self::Modified(numbers) => Some(Code::Modified(numbers)),
        }
    }
}

/// How a command ended well.
#[derive(Debug, Default)]
pub(crate) struct Completed {
    pub(crate) code: DoneCode,
    /// What the line says; the command's name and "completed" if empty.
    pub(crate) text: &'static str,
    /// The tagged line went out already.
    pub(crate) said: bool,
    /// A change of our own which this client need not be told, since it asked for silence.
    pub(crate) silent: Option<ModSeq>,
}

/// What a handler gives: an end, good or bad, or a broken connection.
pub(crate) type Outcome = Result<Completed, Halt>;

/// Why a handler stopped.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The command is refused.
    Refused(Refusal),
    /// The connection is broken.
    Broken(io::Error),
}

impl<R: Into<Refusal>> From<R> for Halt {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

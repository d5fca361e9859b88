//! What a client says.

use std::fmt;

use super::Address;

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command<'l> {
    /// LHLO (RFC 2033 §4.1), with what the client calls itself.
    Lhlo(&'l str),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// MAIL begins a transaction.
    Mail(Mail<'l>),
    /// RCPT names one more recipient.
    Rcpt(Address<'l>),
    /// DATA begins the message.
    Data,
    /// BDAT brings a piece of the message (RFC 3030 §2).
    Bdat {
        /// Bytes that follow the command.
        size: u64,
        /// It is the last piece.
        last: bool,
    },
    /// RSET gives the transaction up.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
}

/// MAIL, with its parameters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mail<'l> {
    /// Where failures are reported to; nobody if it is a report itself.
    pub from: Option<Address<'l>>,
    /// SIZE: about how large the message is, in bytes (RFC 1870 §5).
    pub size: Option<u64>,
    /// BODY: what it is made of.
    pub body: Body,
    /// SMTPUTF8: addresses and header may be in UTF-8 (RFC 6531).
    pub utf8: bool,
}

/// What a message is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Body {
    /// Nothing was said: ASCII.
    #[default]
    Unsaid,
    /// Lines of ASCII.
    SevenBit,
    /// Lines of bytes (RFC 6152).
    EightBit,
    /// Any bytes (RFC 3030 §3). Only BDAT can carry them.
    Binary,
}

impl Body {
    /// With their words.
    pub(super) const SAID: [(Self, &'static str); 3] = [
        (Self::SevenBit, "7BIT"),
        (Self::EightBit, "8BITMIME"),
        (Self::Binary, "BINARYMIME"),
    ];
}

impl fmt::Display for Command<'_> {
    /// As a client would say it, without the line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lhlo(host) => write!(f, "LHLO {host}"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Mail(mail) => write!(f, "MAIL {mail}"),
            Self::Rcpt(to) => write!(f, "RCPT TO:<{to}>"),
            Self::Data => f.write_str("DATA"),
            Self::Bdat { size, last: false } => write!(f, "BDAT {size}"),
            Self::Bdat { size, last: true } => write!(f, "BDAT {size} LAST"),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Vrfy => f.write_str("VRFY postmaster"),
            Self::Help => f.write_str("HELP"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

impl fmt::Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Some(from) => write!(f, "FROM:<{from}>")?,
            None => f.write_str("FROM:<>")?,
        }
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if let Some((_, word)) = Body::SAID.iter().find(|(body, _)| *body == self.body) {
            write!(f, " BODY={word}")?;
        }
        f.write_str(if self.utf8 { " SMTPUTF8" } else { "" })
    }
}

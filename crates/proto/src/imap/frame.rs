//! Frames: a command's bytes, cut from the stream before anything is understood.
//!
//! Framing is apart from parsing, so that bad syntax never desynchronises the stream and the bytes
//! of a literal are never read as commands.

use std::fmt;

use pillarbox_model::limit;

use super::lex;

pub use super::framer::{Event, Framer};
pub use super::parse::{AppendPrefix, Unparsable};

/// How much of a command is held. Each of these is refused by itself; the stream stays in step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    /// Bytes in one line, its end included.
    pub line_bytes: usize,
    /// Bytes in one command, over all its lines and literals; streamed messages aside.
    pub argument_bytes: usize,
    /// Literals in one command; streamed messages aside.
    pub literals: usize,
    /// Whether non-synchronising literals above [`limit::LITERAL_MINUS_BYTES`] are refused (RFC
    /// 7888 §5).
    pub literal_minus: bool,
    /// Whether APPEND's message literals are offered with [`Event::Message`]. If not, they are
    /// literals as any other, and held.
    pub messages: bool,
    /// Bytes thrown away to get past what was refused. More is [`Event::Fatal`].
    pub swallow_bytes: u64,
}

/// Before login a client is told no and let go on only if that is cheap.
const SWALLOWED_BEFORE_LOGIN: u64 = 1024 * 1024;
/// A message that is too big is swallowed and refused with a reason, since a client that only sees
/// the connection close tries again for ever. What no old client can count (32 bits) ends the
/// connection.
const SWALLOWED: u64 = u32::MAX as u64;

impl FrameLimits {
    /// For clients nobody knows yet.
    #[must_use]
    pub const fn before_login() -> Self {
        Self {
            line_bytes: limit::ARGUMENT_BYTES_BEFORE_LOGIN,
            argument_bytes: limit::ARGUMENT_BYTES_BEFORE_LOGIN,
            literals: limit::LITERALS_PER_COMMAND,
            literal_minus: true,
            messages: false,
            swallow_bytes: SWALLOWED_BEFORE_LOGIN,
        }
    }

    /// For users.
    #[must_use]
    pub const fn after_login() -> Self {
        Self {
            line_bytes: limit::COMMAND_LINE_BYTES,
            argument_bytes: limit::ARGUMENT_BYTES,
            literals: limit::LITERALS_PER_COMMAND,
            literal_minus: false,
            messages: true,
            swallow_bytes: SWALLOWED,
        }
    }
}

/// Why bytes were not taken as a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// A line has more than [`FrameLimits::line_bytes`], or the command more than
    /// [`FrameLimits::argument_bytes`].
    LineTooLong,
    /// A literal goes beyond [`FrameLimits::argument_bytes`], or is above what `LITERAL-` allows.
    LiteralTooBig,
    /// There are more than [`FrameLimits::literals`].
    TooManyLiterals,
    /// There are more than [`limit::MESSAGES_PER_APPEND`] messages.
    TooManyMessages,
    /// There is a NUL, which no part of a command may have (RFC 3501 §9, `CHAR8`).
    Nul,
    /// This is a web browser, or something made one send this (a cross-protocol attack).
    Http,
    /// This is a TLS handshake on a port without.
    Tls,
    /// What is to be thrown away is more than [`FrameLimits::swallow_bytes`].
    Flood,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineTooLong => "Command is too long",
            Self::LiteralTooBig => "Literal is too big",
            Self::TooManyLiterals => "Too many literals in one command",
            Self::TooManyMessages => "Too many messages in one command",
            Self::Nul => "NUL is not allowed in a command",
            Self::Http => "This is an IMAP server, not a web server",
            Self::Tls => "This port does not begin with TLS",
            Self::Flood => "Too much data was refused",
        })
    }
}

/// One command as it came: its lines without their ends, and its literals in place.
///
/// Bytes of streamed messages are not in here, only their sizes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) literals: Vec<Literal>,
}

/// Where a literal stands in [`Frame::bytes`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Literal {
    /// Of its `{`, or of the `~` before it.
    pub(super) header: usize,
    /// Where its data starts, right after `}`.
    pub(super) start: usize,
    pub(super) data: LiteralData,
    /// `~{…}` (RFC 3516 §4.1).
    pub(super) binary: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LiteralData {
    /// So many bytes from `start` on.
    Held(usize),
    /// A message of so many bytes that was streamed past the frame.
    Streamed(u64),
}

impl Frame {
    /// The tag, if what stands first is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        let end = self.bytes.iter().position(|&b| b == b' ');
        let tag = &self.bytes[..end.unwrap_or(self.bytes.len())];
        let valid = !tag.is_empty() && tag.iter().all(|&b| lex::is_tag_char(b));
        valid.then(|| std::str::from_utf8(tag).ok()).flatten()
    }

    /// The command for a log of the conversation: lines and literals as they were, but with
    /// whatever may be a secret of LOGIN or AUTHENTICATE replaced by `***`.
    #[must_use]
    pub fn redacted(&self) -> Vec<u8> {
        let secret = self.secret_start();
        let mut out = Vec::with_capacity(self.bytes.len() + 2 * self.literals.len());
        let mut at = 0;
        for literal in self.literals.iter().take_while(|l| l.start <= secret) {
            out.extend_from_slice(&self.bytes[at..literal.start]);
            out.extend_from_slice(b"\r\n");
            at = literal.start;
        }
        out.extend_from_slice(&self.bytes[at..secret]);
        if secret < self.bytes.len() {
            out.extend_from_slice(b"***");
        }
        out
    }

    /// Where what must not be logged starts. Lexical, so that a command that doesn't parse, or in
    /// which the tag was forgotten, keeps its secrets as well.
    fn secret_start(&self) -> usize {
        let (first, after_first) = word(&self.bytes, 0);
        let (second, after_second) = word(&self.bytes, after_first);
        let is_login = |word: &[u8]| word.eq_ignore_ascii_case(b"LOGIN");
        let is_authenticate = |word: &[u8]| word.eq_ignore_ascii_case(b"AUTHENTICATE");
        if is_login(second) {
            return self.after_user(after_second);
        }
        if is_authenticate(second) {
            return word(&self.bytes, after_second).1;
        }
        if is_login(first) || is_authenticate(first) {
            return after_first;
        }
        self.bytes.len()
    }

    /// Where LOGIN's password starts, if the user name before it can be told apart.
    fn after_user(&self, start: usize) -> usize {
        let mut cursor = lex::Cursor::new(self, start);
        let user = cursor.astring("").and_then(|_| cursor.space());
        user.map_or(start, |()| cursor.position())
    }
}

/// The word that starts at `at`, and where the next one does.
fn word(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &bytes[at..];
    let len = rest.iter().position(|&b| b == b' ').unwrap_or(rest.len());
    let spaces = rest[len..].iter().take_while(|&&b| b == b' ').count();
    (&rest[..len], at + len + spaces)
}

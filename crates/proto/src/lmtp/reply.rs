//! What the server says.

use std::borrow::Cow;

/// A reply: a code of three digits (RFC 5321 §4.2), an enhanced status code (RFC 3463), and a text
/// for people. Without an enhanced code where RFC 2034 §4 wants none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// As in 250.
    pub code: u16,
    /// As in 2.1.5.
    pub status: Option<(u8, u8, u8)>,
    /// One line, or several with `\n` between them.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code.
    #[must_use]
    pub const fn new(code: u16, status: (u8, u8, u8), text: &'static str) -> Self {
        Self {
            code,
            status: Some(status),
            text: Cow::Borrowed(text),
        }
    }

    /// A reply without an enhanced code: those to LHLO, to a connection and to DATA.
    #[must_use]
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: None,
            text: text.into(),
        }
    }

    /// The same with more text at its end.
    #[must_use]
    pub fn with(mut self, more: &str) -> Self {
        self.text.to_mut().push_str(more);
        self
    }

    /// Whether it says that something is done or may go on.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.code < 400
    }

    /// Writes its lines (RFC 5321 §4.2.1). Characters that would break a line are shown as `?`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(format!("{}{mark}", self.code).as_bytes());
            if let Some((class, subject, detail)) = self.status {
                out.extend_from_slice(format!("{class}.{subject}.{detail} ").as_bytes());
            }
            let shown = |c: char| if c.is_control() { '?' } else { c };
            out.extend_from_slice(line.chars().map(shown).collect::<String>().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

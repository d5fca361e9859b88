//! URLs of messages and of parts of them (RFC 5092), as CATENATE takes them: relative to this server and to
//! who is logged in (RFC 4469 §3).

use std::fmt;

use super::command::Section;
use super::fetch::section_label;
use super::frame::Frame;
use super::lex::Cursor;
use super::parse::section_spec;

/// What a URL points to.
#[derive(Clone, PartialEq, Debug)]
pub struct MessageUrl {
    /// In which mailbox; the selected one if `None`.
    pub mailbox: Option<UrlMailbox>,
    /// The mailbox must have it, if given.
    pub uid_validity: Option<u32>,
    /// Which message. Not 0.
    pub uid: u32,
    /// Which part of it, and which bytes of that; of what has no length given, `u32::MAX`.
    pub section: Section<'static>,
}

/// A mailbox in a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlMailbox {
    /// Its name without percent-encoding: UTF-8, says RFC 5092 §8; modified UTF-7, write some clients.
    pub name: Vec<u8>,
    /// It starts from the root, not beside the selected mailbox.
    pub absolute: bool,
}

/// `uchar`, `achar` and `bchar` (RFC 5092 §11), percent-encoding aside.
const fn is_bchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$')
        || matches!(
            byte,
            b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'&' | b'=' | b':'
        )
        || matches!(byte, b'@' | b'/')
}

impl MessageUrl {
    /// ```abnf
    /// [["/"] enc-mailbox [";UIDVALIDITY=" nz-number] "/"] ";UID=" nz-number
    ///     ["/;SECTION=" enc-section] ["/;PARTIAL=" number ["." nz-number]]
    /// ```
    /// `None` for whatever else: also for URLs with a scheme or a server, which are beyond RFC 4469, and for
    /// those of mailboxes and searches. Linear in the bytes.
    #[must_use]
    pub fn parse(url: &[u8]) -> Option<Self> {
        let (absolute, rest) = match url.strip_prefix(b"/") {
            Some(rest) => (true, rest),
            None => (false, url),
        };
        let mut fields = rest.split(|&byte| byte == b';');
        let first = fields.next()?;
        let mut fields = Fields(fields.map(Some).collect());
        let before_slash = first.strip_suffix(b"/");
        let uid_validity = match fields.take(b"UIDVALIDITY=") {
            Some(value) => Some(nz_number(value.strip_suffix(b"/")?)?),
            None => None,
        };
        let name = match (uid_validity, before_slash) {
            (Some(_), _) => first,
            (None, Some(name)) => name,
            (None, None) if first.is_empty() && !absolute => b"",
            (None, None) => return None,
        };
        let mailbox = match (name, first, absolute) {
            (b"", b"", false) if uid_validity.is_none() => None,
            _ => Some(mailbox(name, absolute)?),
        };
        let uid = fields.take(b"UID=")?;
        let section = fields.take(b"SECTION=");
        let partial = fields.take(b"PARTIAL=");
        if fields.any_left() {
            return None;
        }
        let uid = nz_number(ended(uid, section.is_some() || partial.is_some())?)?;
        let mut found = match section {
            Some(section) => self::section(ended(section, partial.is_some())?)?,
            None => whole(),
        };
        if let Some(range) = partial {
            found.partial = Some(partial_range(range)?);
        }
        Some(Self {
            mailbox,
            uid_validity,
            uid,
            section: found,
        })
    }
}

/// What follows the semicolons, in order.
struct Fields<'u>(Vec<Option<&'u [u8]>>);

impl<'u> Fields<'u> {
    /// The value of the next one, if that is its name.
    fn take(&mut self, name: &[u8]) -> Option<&'u [u8]> {
        let next = self.0.iter_mut().find(|field| field.is_some())?;
        let (head, value) = next.as_ref()?.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name).then(|| {
            *next = None;
            value
        })
    }

    fn any_left(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

/// A value without the slash that leads to the next one.
fn ended(value: &[u8], goes_on: bool) -> Option<&[u8]> {
    match goes_on {
        true => value.strip_suffix(b"/"),
        false => Some(value),
    }
}

fn whole() -> Section<'static> {
    Section {
        peek: true,
        path: Vec::new(),
        text: None,
        partial: None,
    }
}

fn mailbox(encoded: &[u8], absolute: bool) -> Option<UrlMailbox> {
    // `//` is a server, and what has a colon in its first segment has a scheme (RFC 3986 §4.2).
    let first = encoded.split(|&byte| byte == b'/').next()?;
    if first.is_empty() || (!absolute && first.contains(&b':')) {
        return None;
    }
    let name = decoded(encoded)?;
    Some(UrlMailbox { name, absolute })
}

/// `enc-section`, read as what stands in BODY[…].
fn section(encoded: &[u8]) -> Option<Section<'static>> {
    let frame = Frame {
        bytes: decoded(encoded)?,
        literals: Vec::new(),
    };
    let mut cursor = Cursor::new(&frame, 0);
    cursor.peek()?;
    let (path, text) = section_spec(&mut cursor).ok()?;
    if cursor.peek().is_some() {
        return None;
    }
    let read = Section {
        path,
        text,
        ..whole()
    };
    Some(read.into_owned())
}

/// `partial-range = number ["." nz-number]`
fn partial_range(range: &[u8]) -> Option<(u32, u32)> {
    match memchr::memchr(b'.', range) {
        None => Some((number(range)?, u32::MAX)),
        Some(at) => Some((number(&range[..at])?, nz_number(&range[at + 1..])?)),
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    text.parse().ok()
}

fn nz_number(digits: &[u8]) -> Option<u32> {
    number(digits).filter(|&number| number > 0)
}

/// Without percent-encoding. None of it may be NUL.
fn decoded(encoded: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => (digit(high)? * 16 + digit(low)?, after),
            (byte, after) if is_bchar(*byte) => (u32::from(*byte), after),
            _ => return None,
        };
        out.push(u8::try_from(byte).ok().filter(|&byte| byte > 0)?);
        rest = after;
    }
    Some(out)
}

fn encoded(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|&byte| match is_bchar(byte) {
        // A colon in the first segment would end a scheme.
        true if byte != b':' => write!(f, "{}", char::from(byte)),
        _ => write!(f, "%{byte:02X}"),
    })
}

impl fmt::Display for MessageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mailbox) = &self.mailbox {
            f.write_str(if mailbox.absolute { "/" } else { "" })?;
            encoded(f, &mailbox.name)?;
            if let Some(validity) = self.uid_validity {
                write!(f, ";UIDVALIDITY={validity}")?;
            }
            f.write_str("/")?;
        }
        write!(f, ";UID={}", self.uid)?;
        let mut label = Vec::new();
        let partial = self.section.partial;
        section_label(
            &mut label,
            &Section {
                partial: None,
                ..self.section.clone()
            },
        );
        let spec = &label[b"BODY[".len()..label.len() - 1];
        if !spec.is_empty() {
            f.write_str("/;SECTION=")?;
            encoded(f, spec)?;
        }
        match partial {
            None => Ok(()),
            Some((origin, u32::MAX)) => write!(f, "/;PARTIAL={origin}"),
            Some((origin, length)) => write!(f, "/;PARTIAL={origin}.{length}"),
        }
    }
}

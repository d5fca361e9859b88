//! Modified UTF-7, in which mailbox names travel (RFC 3501 §5.1.3), and mailbox arguments.

use std::fmt;

use pillarbox_model::{BadName, Delimiter, MailboxName};

/// Why bytes are not modified UTF-7.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Utf7Error {
    /// A byte that is not printable ASCII.
    Byte,
    /// A shift without its `-`, with an octet that is not base64, or with half a character.
    Shift,
    /// It can be read, but the one right way to write it is another (§5.1.3 forbids it): two
    /// spellings of one name would be two mailboxes to clients and one to us.
    Superfluous,
}

/// The bits of base64's alphabet with `,` for `/` (RFC 3501 §5.1.3).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Printable ASCII, which stands for itself.
const fn is_direct(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Reads modified UTF-7, in its canonical form only.
///
/// # Errors
/// [`Utf7Error`] says which rule is broken.
pub fn decode(bytes: &[u8]) -> Result<String, Utf7Error> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'&' => {
                let end = memchr::memchr(b'-', rest).ok_or(Utf7Error::Shift)?;
                decode_shift(&rest[..end], &mut text)?;
                rest = &rest[end + 1..];
            }
            b' '..=b'~' => text.push(byte.into()),
            _ => return Err(Utf7Error::Byte),
        }
    }
    if encode(&text).as_bytes() != bytes {
        return Err(Utf7Error::Superfluous);
    }
    Ok(text)
}

/// What stands between `&` and `-`: UTF-16 in base64, or nothing for `&` itself.
fn decode_shift(shifted: &[u8], text: &mut String) -> Result<(), Utf7Error> {
    if shifted.is_empty() {
        text.push('&');
    }
    let mut units = Vec::with_capacity(shifted.len() * 6 / 16);
    let (mut bits, mut count) = (0_u32, 0);
    for &octet in shifted {
        let value = ALPHABET.iter().position(|&known| known == octet);
        bits = (bits << 6) | value.ok_or(Utf7Error::Shift)? as u32;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
            bits &= (1 << count) - 1;
        }
    }
    // Fewer bits than an octet's are padding, which is zero.
    if count >= 6 || bits != 0 {
        return Err(Utf7Error::Shift);
    }
    for c in char::decode_utf16(units) {
        text.push(c.map_err(|_| Utf7Error::Shift)?);
    }
    Ok(())
}

/// Writes modified UTF-7: printable ASCII, in its one canonical form.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_direct(c) {
            out.push(c);
            if c == '&' {
                out.push('-');
            }
            continue;
        }
        let mut shift = Shift::default();
        out.push('&');
        shift.push(c, &mut out);
        while let Some(c) = chars.next_if(|&c| !is_direct(c)) {
            shift.push(c, &mut out);
        }
        shift.end(&mut out);
    }
    out
}

/// Bits that wait to be written.
#[derive(Default)]
struct Shift {
    bits: u32,
    count: u32,
}

impl Shift {
    fn push(&mut self, c: char, out: &mut String) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            self.bits = (self.bits << 16) | u32::from(*unit);
            self.count += 16;
            while self.count >= 6 {
                self.count -= 6;
                let value = (self.bits >> self.count) & 63;
                out.push(ALPHABET[value as usize].into());
            }
            self.bits &= (1 << self.count) - 1;
        }
    }

    fn end(&self, out: &mut String) {
        if self.count > 0 {
            let value = (self.bits << (6 - self.count)) & 63;
            out.push(ALPHABET[value as usize].into());
        }
        out.push('-');
    }
}

/// Why an argument names no mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    /// Without UTF8=ACCEPT: not canonical modified UTF-7.
    Utf7(Utf7Error),
    /// With UTF8=ACCEPT: not UTF-8.
    Utf8,
    /// Not a name in our hierarchy.
    Name(BadName),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf7(Utf7Error::Byte) => f.write_str("the mailbox name is not ASCII"),
            Self::Utf7(_) => f.write_str("the mailbox name is not modified UTF-7"),
            Self::Utf8 => f.write_str("the mailbox name is not UTF-8"),
            Self::Name(bad) => bad.fmt(f),
        }
    }
}

/// The mailbox that an argument names. `utf8` says whether the session has enabled UTF8=ACCEPT,
/// under which names are UTF-8 and `&` is a character as any other (RFC 6855 §3).
///
/// # Errors
/// [`NameError`]; its text can go into a response.
pub fn mailbox_argument(
    raw: &[u8],
    utf8: bool,
    delimiter: Delimiter,
) -> Result<MailboxName, NameError> {
    let text = pattern_argument(raw, utf8)?;
    MailboxName::new(&text, delimiter).map_err(NameError::Name)
}

/// The text of a LIST pattern or reference name.
///
/// # Errors
/// [`NameError::Utf7`] or [`NameError::Utf8`]: such a pattern matches nothing.
pub fn pattern_argument(raw: &[u8], utf8: bool) -> Result<String, NameError> {
    if utf8 {
        let text = std::str::from_utf8(raw).map_err(|_| NameError::Utf8)?;
        return Ok(text.to_owned());
    }
    decode(raw).map_err(NameError::Utf7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAIRS: [(&str, &str); 10] = [
        ("INBOX", "INBOX"),
        ("A&B", "A&-B"),
        ("pàè", "p&AOAA6A-"),
        ("pää", "p&AOQA5A-"),
        ("☺", "&Jjo-"),
        ("☺&", "&Jjo-&-"),
        ("😀", "&2D3eAA-"),
        ("台北", "&U,BTFw-"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("a\tb", "a&AAk-b"),
    ];

    #[test]
    fn names_and_their_one_form() {
        for (text, wire) in PAIRS {
            assert_eq!(encode(text), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let refused = |wire: &str| decode(wire.as_bytes()).unwrap_err();
        assert_eq!(refused("&Jjo"), Utf7Error::Shift);
        assert_eq!(refused("A&B"), Utf7Error::Shift);
        assert_eq!(refused("&Jj-"), Utf7Error::Shift);
        assert_eq!(refused("&Jjp-"), Utf7Error::Shift, "padding is not zero");
        assert_eq!(refused("&JjoA-"), Utf7Error::Shift, "an octet of padding");
        assert_eq!(refused("&Jjo=-"), Utf7Error::Shift);
        assert_eq!(refused("&J/o-"), Utf7Error::Shift, "/ is no letter here");
        assert_eq!(refused("&2D0-"), Utf7Error::Shift, "half a surrogate pair");
        assert_eq!(
            refused("&3gDYPQ-"),
            Utf7Error::Shift,
            "surrogates the wrong way round"
        );
        assert_eq!(refused("&AGE-"), Utf7Error::Superfluous, "a needs no shift");
        assert_eq!(refused("&ACY-"), Utf7Error::Superfluous, "& is &-");
        assert_eq!(
            refused("&U,BTFw-&ZeVnLIqe-"),
            Utf7Error::Superfluous,
            "one shift would do"
        );
        assert_eq!(refused("p\u{e4}"), Utf7Error::Byte);
        assert_eq!(refused("a\tb"), Utf7Error::Byte);
    }

    #[test]
    fn arguments_by_session() {
        let named = |raw: &[u8], utf8| mailbox_argument(raw, utf8, Delimiter('/'));
        assert_eq!(named(b"inbox/&AOQ-", false).unwrap().as_str(), "INBOX/ä");
        assert_eq!(named("ä".as_bytes(), true).unwrap().as_str(), "ä");
        assert_eq!(named(b"A&B", true).unwrap().as_str(), "A&B");
        assert_eq!(
            named("ä".as_bytes(), false),
            Err(NameError::Utf7(Utf7Error::Byte))
        );
        assert_eq!(named(b"\xe4", true), Err(NameError::Utf8));
        assert_eq!(
            named(b"a//b", true),
            Err(NameError::Name(BadName::EmptyLevel))
        );
        assert_eq!(named(b"NIL", false).unwrap().as_str(), "NIL");
        assert_eq!(pattern_argument(b"&Jjo-*", false).unwrap(), "☺*");
        assert!(pattern_argument(b"&Jjo*", false).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in any::<String>()) {
            let wire = encode(&text);
            prop_assert!(wire.chars().all(is_direct));
            prop_assert_eq!(decode(wire.as_bytes()), Ok(text));
        }

        #[test]
        fn what_is_read_was_written_that_way(wire in "[ -~]{0,3}(&[A-Za-z0-9+,]{0,8}-){0,3}") {
            if let Ok(text) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&text), wire);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }
}

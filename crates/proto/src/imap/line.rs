//! What the ends and the beginnings of lines say, before anything is parsed.

/// The announcement of a literal, at the end of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Bytes from its first character (`{` or `~`) to the end of the line.
    pub(super) len: usize,
    pub(super) size: u64,
    pub(super) binary: bool,
    pub(super) synchronizing: bool,
}

impl Header {
    /// The most digits a size can have; as many as `u64` needs.
    pub(super) const DIGITS: usize = 20;

    /// ```abnf
    /// literal  = "{" number ["+"] "}" CRLF *CHAR8     ; RFC 7888 §8
    /// literal8 = "~{" number ["+"] "}" CRLF *OCTET    ; RFC 3516 §7, RFC 4466 §6
    /// ```
    /// A size beyond `u64` counts as `u64::MAX`, which is refused anyhow.
    pub(super) fn at_end(line: &[u8]) -> Option<Self> {
        let inner = line.strip_suffix(b"}")?;
        let (inner, synchronizing) = match inner.strip_suffix(b"+") {
            Some(inner) => (inner, false),
            None => (inner, true),
        };
        let digits = inner
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let before = inner[..inner.len() - digits].strip_suffix(b"{")?;
        if digits == 0 || digits > Self::DIGITS {
            return None;
        }
        let size = inner[inner.len() - digits..]
            .iter()
            .fold(0_u64, |size, digit| {
                size.saturating_mul(10)
                    .saturating_add(u64::from(digit - b'0'))
            });
        let binary = before.ends_with(b"~");
        Some(Self {
            len: line.len() - before.len() + usize::from(binary),
            size,
            binary,
            synchronizing,
        })
    }
}

/// A line ends with CRLF; LF alone is taken as well, since people type commands.
///
/// The line starts at `start`; before it may be a literal, of which a last CR is no part of the
/// line end.
pub(super) fn strip_line_end(bytes: &mut Vec<u8>, start: usize) {
    let line = bytes.get(start..).unwrap_or_default();
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    bytes.truncate(start + text.len());
}

/// Whether a literal after these bytes is a message: any literal of APPEND and REPLACE but the
/// mailbox's name.
pub(super) fn is_message(before: &[u8]) -> bool {
    let (_, rest) = first_word(before);
    let (mut name, mut rest) = first_word(rest);
    let is = |name: &[u8], known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is(name, "UID") {
        (name, rest) = first_word(rest);
        // There is no UID APPEND.
        name = if is(name, "REPLACE") { name } else { b"" };
    }
    if is(name, "REPLACE") {
        (_, rest) = first_word(rest);
    }
    (is(name, "APPEND") || is(name, "REPLACE")) && rest.iter().any(|&b| b != b' ')
}

/// Whether a literal is a URL of CATENATE (RFC 4469 §5), after these bytes of a command of which the last
/// line starts at `line_start`. A mailbox of that name is no URL.
pub(super) fn is_url(before: &[u8], line_start: usize) -> bool {
    let line = before
        .get(line_start..)
        .unwrap_or_default()
        .trim_ascii_end();
    let Some((line, word)) = line.split_at_checked(line.len().saturating_sub(3)) else {
        return false;
    };
    let stands_alone = matches!(line.last(), Some(b' ' | b'('));
    stands_alone && word.eq_ignore_ascii_case(b"URL") && {
        let (_, rest) = first_word(before);
        let mut words = rest.windows(CATENATE.len());
        words.any(|word| word.eq_ignore_ascii_case(CATENATE))
    }
}

const CATENATE: &[u8] = b" CATENATE ";

/// The bytes up to the first space, and those after it.
fn first_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b' ', bytes).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

/// The first byte of a TLS record with a handshake (RFC 8446 §5.1); no tag starts with it.
pub(super) const TLS_HANDSHAKE: u8 = 0x16;

/// Whether a command's first line is the first line of an HTTP request (RFC 9112 §3): a method as
/// the tag and a target, which no command's name looks like.
pub(super) fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] = [
        b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH",
        b"PRI",
    ];
    let mut words = line.split(|&b| b == b' ');
    let method = words.next().is_some_and(|word| METHODS.contains(&word));
    method
        && words
            .next()
            .is_some_and(|target| target.iter().any(|b| b"/*:".contains(b)))
}

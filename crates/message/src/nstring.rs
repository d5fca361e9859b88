//! Strings of the IMAP grammar (RFC 9051 §9: `nstring`, `quoted`, `literal`).

use crate::limit::MAX_QUOTED_BYTES;

/// `nstring`: NIL, or the string.
pub(crate) fn push_nstring(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => push_string(out, value),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `string`: quoted if that can say it, else a literal.
///
/// NUL, which neither may hold, and the line ends of folding are left out. Other control characters
/// become spaces, but for ESC, which unlabelled ISO-2022-JP needs, and TAB where it does not begin
/// a folded line: there it only stood for a space. Bytes above 127 go out as a literal, as they
/// are.
pub(crate) fn push_string(out: &mut Vec<u8>, value: &[u8]) {
    let plain = |&b: &u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
    if value.len() <= MAX_QUOTED_BYTES && value.iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(value);
        out.push(b'"');
        return;
    }
    let clean: Vec<u8> = sanitised(value).collect();
    if clean.len() <= MAX_QUOTED_BYTES && clean.is_ascii() {
        push_quoted(out, &clean);
    } else {
        out.extend_from_slice(format!("{{{}}}\r\n", clean.len()).as_bytes());
        out.extend_from_slice(&clean);
    }
}

fn push_quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn sanitised(value: &[u8]) -> impl Iterator<Item = u8> + '_ {
    value
        .iter()
        .enumerate()
        .filter_map(|(at, &byte)| match byte {
            0 | b'\n' => None,
            b'\r' if value.get(at + 1) == Some(&b'\n') => None,
            b'\t' if at == 0 || value[at - 1] != b'\n' => Some(byte),
            0x1b => Some(byte),
            0x01..0x20 | 0x7f => Some(b' '),
            _ => Some(byte),
        })
}

/// A number.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0u8; 10];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], expected: &[u8]) {
        let mut out = Vec::new();
        push_string(&mut out, value);
        assert_eq!(out, expected);
    }

    #[test]
    fn strings_are_quoted_where_that_can_say_them() {
        check(b"", b"\"\"");
        check(b"NIL", b"\"NIL\"");
        check(b"a \"b\" \\c", b"\"a \\\"b\\\" \\\\c\"");
        check(b"a\r\n\tb\t\rc\x00d\x07", b"\"a b\t cd \"");
        check("\u{e4}\0".as_bytes(), b"{2}\r\n\xc3\xa4");
        check(b"\x1b$B", b"\"\x1b$B\"");
        let long = vec![b'x'; MAX_QUOTED_BYTES + 1];
        check(&long, &[b"{4097}\r\n", &long[..]].concat());
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 4_294_967_295] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}

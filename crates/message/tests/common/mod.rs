//! A reader of IMAP's parenthesised lists, and the check of one ugly message.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use pillarbox_message::{DigestRef, digest};

/// A value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Nil,
    Number(u32),
    Text(Vec<u8>),
    List(Vec<Self>),
}

impl Value {
    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            other => panic!("no list: {other:?}"),
        }
    }
}

/// Reads one list that takes up all the bytes; `None` if the syntax is broken.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = value(&mut rest)?;
    (rest.is_empty() && matches!(value, Value::List(_))).then_some(value)
}

fn value(rest: &mut &[u8]) -> Option<Value> {
    match rest.first()? {
        b'(' => list(rest),
        b'"' => quoted(rest),
        b'{' => literal(rest),
        b'N' => {
            *rest = rest.strip_prefix(b"NIL")?;
            Some(Value::Nil)
        }
        _ => number(rest).map(Value::Number),
    }
}

/// Values parted by single spaces; lists next to one another need none. Never empty.
fn list(rest: &mut &[u8]) -> Option<Value> {
    let mut values = Vec::new();
    *rest = &rest[1..];
    loop {
        values.push(value(rest)?);
        match rest {
            [b')', ..] => {
                *rest = &rest[1..];
                return Some(Value::List(values));
            }
            [b' ', ..] => *rest = &rest[1..],
            [b'(', ..] if matches!(values.last(), Some(Value::List(_))) => {}
            _ => return None,
        }
    }
}

fn quoted(rest: &mut &[u8]) -> Option<Value> {
    let mut text = Vec::new();
    *rest = &rest[1..];
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        match byte {
            b'"' => return Some(Value::Text(text)),
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                *rest = after;
                matches!(escaped, b'"' | b'\\').then(|| text.push(*escaped))?;
            }
            0 | b'\r' | b'\n' | 0x80.. => return None,
            _ => text.push(*byte),
        }
    }
}

fn literal(rest: &mut &[u8]) -> Option<Value> {
    *rest = &rest[1..];
    let len = number(rest)? as usize;
    *rest = rest.strip_prefix(b"}\r\n")?;
    let (text, after) = rest.split_at_checked(len)?;
    *rest = after;
    (!text.contains(&0)).then(|| Value::Text(text.to_vec()))
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(len);
    *rest = after;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The message with CRLF for each LF.
pub(crate) fn crlf(message: &[u8]) -> Vec<u8> {
    let lines = message.split(|&b| b == b'\n').collect::<Vec<_>>();
    lines.join(&b"\r\n"[..])
}

/// Checks the ENVELOPE of a message whose lines end with LF here and with CRLF in truth.
#[track_caller]
pub(crate) fn envelope(message: &[u8], expected: &[u8]) {
    envelope_exact(&crlf(message), expected);
}

/// Checks the ENVELOPE of a message of exactly these bytes. Lines of `expected` are joined by
/// spaces.
#[track_caller]
pub(crate) fn envelope_exact(message: &[u8], expected: &[u8]) {
    let (envelope, _) = told(message);
    assert_eq!(printable(&envelope), printable(&joined(expected)));
}

/// Checks the BODYSTRUCTURE of a message whose lines end with LF here and with CRLF in truth.
#[track_caller]
pub(crate) fn structure(message: &[u8], expected: &[u8]) {
    structure_exact(&crlf(message), expected);
}

/// Checks the BODYSTRUCTURE of a message of exactly these bytes.
#[track_caller]
pub(crate) fn structure_exact(message: &[u8], expected: &[u8]) {
    let (_, structure) = told(message);
    assert_eq!(printable(&structure), printable(&joined(expected)));
}

/// ENVELOPE and BODYSTRUCTURE from the stored digest, of which the syntax is right.
#[track_caller]
pub(crate) fn told(message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let made = digest(message);
    let encoded = made.encode();
    let stored = DigestRef::new(&encoded).expect("a stored digest");
    assert_eq!(stored.envelope(), made.envelope);
    assert_eq!(stored.bodystructure(false), made.bodystructure);
    assert_eq!(stored.body(false), made.body);
    let envelope = read(&made.envelope).expect("a list");
    assert_eq!(envelope.list().len(), 10);
    assert!(
        read(&made.bodystructure).is_some(),
        "{}",
        printable(&made.bodystructure)
    );
    assert!(read(&made.body).is_some(), "{}", printable(&made.body));
    (made.envelope, made.bodystructure)
}

fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"")
}

/// `expected` may be broken at spaces, for reading.
fn joined(expected: &[u8]) -> Vec<u8> {
    if expected.windows(2).any(|w| w == b"\r\n") {
        return expected.to_vec();
    }
    let lines: Vec<&[u8]> = expected
        .split(|&b| b == b'\n')
        .map(|l| l.trim_ascii())
        .collect();
    lines.join(&b' ')
}

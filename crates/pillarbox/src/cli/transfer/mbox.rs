//! mbox files.

use pillarbox_message::fields;
use pillarbox_model::{Flag, Flags};

use super::Found;

/// The messages of an mbox. A line that begins with `From ` after an empty one starts the next; one level of
/// `>` before `From ` is taken off (mboxrd).
pub(super) fn messages(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').peekable();
    std::iter::from_fn(move || {
        // Whatever stands before the first separator is no message.
        lines.by_ref().find(|line| line.starts_with(b"From "))?;
        let mut message: Vec<u8> = Vec::new();
        while let Some(line) = lines.next_if(|line| !(line.starts_with(b"From ") && ends(&message)))
        {
            message.extend_from_slice(unquoted(line));
        }
        // The empty line before a separator belongs to the separator.
        if message.ends_with(b"\r\n\r\n") {
            message.truncate(message.len() - 2);
        } else if message.ends_with(b"\n\n") {
            message.truncate(message.len() - 1);
        }
        Some(message)
    })
}

/// Whether a separator may follow.
fn ends(message: &[u8]) -> bool {
    message.is_empty() || message.ends_with(b"\n\n") || message.ends_with(b"\n\r\n")
}

fn unquoted(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|byte| **byte == b'>').count();
    if marks > 0 && line[marks..].starts_with(b"From ") {
        &line[1..]
    } else {
        line
    }
}

/// A message, quoted so that it can stand in an mbox.
pub(super) fn push_quoted(out: &mut Vec<u8>, message: &[u8]) {
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let marks = line.iter().take_while(|byte| **byte == b'>').count();
        if line[marks..].starts_with(b"From ") {
            out.push(b'>');
        }
        out.extend_from_slice(line);
    }
    if !message.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// What the fields `Status`, `X-Status` and `X-Keywords` say.
pub(super) fn flags(message: &[u8]) -> Vec<Flag> {
    let mut flags = Vec::new();
    for field in fields(message) {
        let value = String::from_utf8_lossy(field.value);
        if field.name.eq_ignore_ascii_case(b"Status")
            || field.name.eq_ignore_ascii_case(b"X-Status")
        {
            flags.extend(value.chars().filter_map(letter).map(Flag::System));
        } else if field.name.eq_ignore_ascii_case(b"X-Keywords") {
            flags.extend(value.split_ascii_whitespace().filter_map(Flag::parse));
        }
    }
    flags
}

fn letter(letter: char) -> Option<Flags> {
    Some(match letter {
        'R' => Flags::SEEN,
        'A' => Flags::ANSWERED,
        'F' => Flags::FLAGGED,
        'T' => Flags::DRAFT,
        'D' => Flags::DELETED,
        _ => return None,
    })
}

pub(super) fn read(message: Vec<u8>, path: &std::path::Path) -> Found {
    let bytes = super::with_crlf(message);
    Found {
        flags: flags(&bytes),
        date: super::said_date(&bytes, path),
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were_put_in() {
        let all: [&[u8]; 3] = [
            b"A: 1\r\n\r\nFrom me\r\n>From you\r\n",
            b"B: 2\r\n\r\n",
            b"\r\nFrom x\r\n\r\n\r\n",
        ];
        let mut file = Vec::new();
        for message in all {
            file.extend_from_slice(b"From pillarbox Thu Jan  1 00:00:00 1970\n");
            push_quoted(&mut file, message);
        }
        let back: Vec<_> = messages(&file).collect();
        assert_eq!(back, all);
    }

    #[test]
    fn flags_stand_in_the_header() {
        let message = b"Status: RO\nX-Status: F\nX-Keywords: $Label odd\n\nStatus: A\n";
        let named: Vec<_> = flags(message).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["\\Seen", "\\Flagged", "$Label", "odd"]);
    }
}

//! mbox files, in all four kinds, read message by message: they may be larger than memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use pillarbox_message::date::{DAY_SECONDS, civil_from_days};
use pillarbox_message::{date, fields};
use pillarbox_model::{Flag, Flags, InternalDate};

use super::Found;
use crate::cli::console::{INPUT_BYTES, too_large};

/// How messages are kept apart.
#[derive(
    clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize,
)]
pub(in super::super) enum Kind {
    /// `From ` at the beginning of a line has one `>` in front
    Mboxo,
    /// So has each line that begins with any number of `>` and `From `
    Mboxrd,
    /// As mboxrd, and Content-Length says where a message ends
    Mboxcl,
    /// Content-Length alone says where a message ends
    Mboxcl2,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// 1970-01-01 was a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// The messages of a file.
pub(super) struct Messages {
    path: PathBuf,
    kind: Kind,
    lines: Lines,
    /// A separator that was read already.
    separator: Option<Vec<u8>>,
}

/// A file by lines, which end with LF.
struct Lines {
    file: BufReader<File>,
    read: u64,
}

impl Messages {
    /// The messages of a file, which is of that kind; without one, it is found out by reading the file once.
    pub(super) fn open(path: &Path, kind: Option<Kind>) -> io::Result<Self> {
        let mut lines = Lines {
            file: BufReader::new(File::open(path)?),
            read: 0,
        };
        let kind = match kind {
            Some(kind) => kind,
            None => recognise(&mut lines)?,
        };
        lines.file.rewind()?;
        lines.read = 0;
        Ok(Self {
            path: path.to_owned(),
            kind,
            lines,
            separator: None,
        })
    }

    /// How far reading got, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.lines.read
    }

    /// The next message.
    ///
    /// # Errors
    /// It can't be read, or has more than [`INPUT_BYTES`].
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        let Some(separator) = self.separator()? else {
            return Ok(None);
        };
        let message = match self.kind {
            Kind::Mboxo | Kind::Mboxrd => self.up_to_separator(Vec::new())?,
            Kind::Mboxcl | Kind::Mboxcl2 => self.by_length()?,
        };
        let bytes = super::with_crlf(message);
        let delivered = separator_date(&separator);
        Ok(Some(Found {
            flags: flags(&bytes),
            date: delivered.unwrap_or_else(|| super::said_date(&bytes, &self.path)),
            bytes,
        }))
    }

    /// The next separator. Whatever stands before the first is no message.
    fn separator(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(line) = self.separator.take() {
            return Ok(Some(line));
        }
        while let Some(line) = self.lines.next()? {
            if line.starts_with(b"From ") {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Adds lines to a message until a line that begins with `From ` follows an empty one.
    fn up_to_separator(&mut self, mut message: Vec<u8>) -> io::Result<Vec<u8>> {
        while let Some(line) = self.lines.next()? {
            if line.starts_with(b"From ") && ends(&message) {
                self.separator = Some(line);
                break;
            }
            message.extend_from_slice(self.kind.unquoted(&line));
            check_size(message.len() as u64)?;
        }
        // The empty line before a separator belongs to the separator.
        if message.ends_with(b"\r\n\r\n") {
            message.truncate(message.len() - 2);
        } else if message.ends_with(b"\n\n") {
            message.truncate(message.len() - 1);
        }
        Ok(message)
    }

    /// A message whose header says how long its body is; one that does not goes up to the next separator.
    fn by_length(&mut self) -> io::Result<Vec<u8>> {
        let (mut message, length) = self.lines.header()?;
        let Some(length) = length else {
            return self.up_to_separator(message);
        };
        let body = self.lines.take(length)?;
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            message.extend_from_slice(self.kind.unquoted(line));
        }
        while let Some(line) = self.lines.next()? {
            if line.starts_with(b"From ") {
                self.separator = Some(line);
                break;
            }
            // More than the empty line that belongs to the separator: the length was wrong.
            if !line.trim_ascii().is_empty() {
                message.extend_from_slice(&line);
            }
            check_size(message.len() as u64)?;
        }
        Ok(message)
    }
}

impl Lines {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = INPUT_BYTES as u64 + 1;
        let read = self.file.by_ref().take(most).read_until(b'\n', &mut line)?;
        check_size(read as u64)?;
        self.read += read as u64;
        Ok((read > 0).then_some(line))
    }

    /// A header with the empty line that ends it, and the length of what follows, if it says so.
    fn header(&mut self) -> io::Result<(Vec<u8>, Option<u64>)> {
        let mut header = Vec::new();
        while let Some(line) = self.next()? {
            header.extend_from_slice(&line);
            check_size(header.len() as u64)?;
            if line.trim_ascii().is_empty() {
                break;
            }
        }
        let named = |name: &[u8]| name.eq_ignore_ascii_case(b"Content-Length");
        let length = fields(&header).find(|field| named(field.name));
        let length =
            length.and_then(|field| std::str::from_utf8(field.value).ok()?.trim().parse().ok());
        Ok((header, length))
    }

    fn take(&mut self, length: u64) -> io::Result<Vec<u8>> {
        check_size(length)?;
        let mut bytes = Vec::new();
        self.read += self.file.by_ref().take(length).read_to_end(&mut bytes)? as u64;
        Ok(bytes)
    }
}

fn check_size(bytes: u64) -> io::Result<()> {
    match bytes > INPUT_BYTES as u64 {
        true => Err(too_large("a message in the mbox", INPUT_BYTES)),
        false => Ok(()),
    }
}

/// Of what kind a file is. Lengths count if all messages have them and separators follow where they say;
/// of files without lengths, those of mboxo look as those of mboxrd do, and are read alike.
fn recognise(lines: &mut Lines) -> io::Result<Kind> {
    let (mut quoted, mut bare) = (false, false);
    while let Some(separator) = lines.next()? {
        if !separator.starts_with(b"From ") {
            return Ok(Kind::Mboxrd);
        }
        let (_, Some(length)) = lines.header()? else {
            return Ok(Kind::Mboxrd);
        };
        if length > INPUT_BYTES as u64 {
            return Ok(Kind::Mboxrd);
        }
        let body = lines.take(length)?;
        if (body.len() as u64) < length {
            return Ok(Kind::Mboxrd);
        }
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            bare |= line.starts_with(b"From ");
            quoted |= line.starts_with(b">") && Kind::Mboxrd.unquoted(line) != line;
        }
        if lines
            .next()?
            .is_some_and(|line| !line.trim_ascii().is_empty())
        {
            return Ok(Kind::Mboxrd);
        }
    }
    Ok(if bare || !quoted {
        Kind::Mboxcl2
    } else {
        Kind::Mboxcl
    })
}

impl Kind {
    /// A line as it was before it was put into the file.
    fn unquoted(self, line: &[u8]) -> &[u8] {
        let marks = line.iter().take_while(|byte| **byte == b'>').count();
        let most = match self {
            Self::Mboxo => 1,
            Self::Mboxrd | Self::Mboxcl => usize::MAX,
            Self::Mboxcl2 => 0,
        };
        if (1..=most).contains(&marks) && line[marks..].starts_with(b"From ") {
            &line[1..]
        } else {
            line
        }
    }
}

/// Whether a separator may follow.
fn ends(message: &[u8]) -> bool {
    message.is_empty() || message.ends_with(b"\n\n") || message.ends_with(b"\n\r\n")
}

/// When a message was delivered, as its separator says: `From ADDRESS Thu Jan  1 00:00:00 1970`, the zone
/// before or after the year if there is one, else UTC. The very beginning of time stands for not knowing.
fn separator_date(line: &[u8]) -> Option<InternalDate> {
    let text = std::str::from_utf8(line).ok()?;
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    // The address may be anything, so the date is looked for from the end.
    let at = words.windows(3).rposition(|three| {
        DAYS.contains(&three[0]) && MONTHS.contains(&three[1]) && three[2].parse::<u8>().is_ok()
    })?;
    let (month, day, rest) = (words[at + 1], words[at + 2], &words[at + 3..]);
    let time = rest.first()?;
    let year = rest
        .iter()
        .find(|word| word.len() == 4 && word.parse::<u16>().is_ok())?;
    let zone = rest
        .iter()
        .skip(1)
        .find(|word| word.starts_with(['+', '-']))
        .unwrap_or(&"+0000");
    let (unix_seconds, zone_minutes) =
        date::parse(format!("{day} {month} {year} {time} {zone}").as_bytes())?;
    (unix_seconds > DAY_SECONDS).then_some(InternalDate {
        unix_seconds,
        zone_minutes,
    })
}

/// Writes a separator that says when a message came.
pub(super) fn push_separator(out: &mut Vec<u8>, date: InternalDate) {
    let (days, second) = (
        date.unix_seconds.div_euclid(DAY_SECONDS),
        date.unix_seconds.rem_euclid(DAY_SECONDS),
    );
    let (year, month, day) = civil_from_days(days);
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let month = MONTHS[(month as usize + 11) % 12];
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let line = format!(
        "From pillarbox {weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year:04}\n"
    );
    out.extend_from_slice(line.as_bytes());
}

/// A message, quoted as in mboxrd.
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

/// What the fields `Status`, `X-Status`, `X-Keywords`, and those of Mozilla's programs say.
pub(super) fn flags(message: &[u8]) -> Vec<Flag> {
    let mut flags = Vec::new();
    for field in fields(message) {
        let value = String::from_utf8_lossy(field.value);
        let named = |name: &str| field.name.eq_ignore_ascii_case(name.as_bytes());
        if named("Status") || named("X-Status") {
            flags.extend(value.chars().filter_map(letter).map(Flag::System));
        } else if named("X-Keywords") || named("X-Mozilla-Keys") {
            flags.extend(value.split_ascii_whitespace().filter_map(Flag::parse));
        } else if named("X-Mozilla-Status") {
            flags.extend(mozilla(&value));
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

/// Bits in hexadecimal. A message that was removed stays in the file until that is compacted.
fn mozilla(value: &str) -> Vec<Flag> {
    let bits = u16::from_str_radix(value.trim(), 16).unwrap_or(0);
    let known = [
        (0x1, Flags::SEEN),
        (0x2, Flags::ANSWERED),
        (0x4, Flags::FLAGGED),
        (0x8, Flags::DELETED),
    ];
    let set = known.iter().filter(|(bit, _)| bits & bit != 0);
    set.map(|(_, flag)| Flag::System(*flag)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], kind: Option<Kind>) -> (Kind, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mbox");
        std::fs::write(&path, text).unwrap();
        let mut messages = Messages::open(&path, kind).unwrap();
        let mut all = Vec::new();
        while let Some(found) = messages.next().unwrap() {
            all.push(
                String::from_utf8(found.bytes)
                    .unwrap()
                    .replace("\r\n", "\n"),
            );
        }
        assert_eq!(messages.position(), text.len() as u64);
        (messages.kind, all)
    }

    #[test]
    fn messages_come_back_as_they_were_put_in() {
        let all: [&str; 3] = ["A: 1\n\nFrom me\n>From you\n", "B: 2\n\n", "\nFrom x\n\n\n"];
        let mut file = Vec::new();
        for message in all {
            push_separator(&mut file, InternalDate::utc(1_700_000_000));
            push_quoted(&mut file, message.as_bytes());
        }
        let (kind, back) = read(&file, None);
        assert_eq!(
            (kind, back),
            (Kind::Mboxrd, all.map(str::to_owned).to_vec())
        );
    }

    const FROM: &str = "From a@example.org Thu Nov 16 12:00:00 2023\n";

    #[test]
    fn lengths_count_where_all_of_them_fit() {
        let body = "one\n\nFrom two\n>From three\n";
        let one = format!("A: 1\nContent-Length: {}\n\n{body}", body.len());
        let other = "B: 2\nContent-Length: 0\n\n".to_owned();
        let text = format!("{FROM}{one}\n{FROM}{other}\n{FROM}{one}");
        let expected = (Kind::Mboxcl2, vec![one.clone(), other, one.clone()]);
        assert_eq!(read(text.as_bytes(), None), expected);
        // Quoted as well: then quotes are taken off.
        let quoted = body
            .replace("\nFrom two", "\n>From two")
            .replace("\n>From three", "\n>>From three");
        let one_quoted = format!("A: 1\nContent-Length: {}\n\n{quoted}", quoted.len());
        let text = format!("{FROM}{one_quoted}\n{FROM}{one_quoted}");
        let back = one.replace(&format!(": {}", body.len()), &format!(": {}", quoted.len()));
        assert_eq!(
            read(text.as_bytes(), None),
            (Kind::Mboxcl, vec![back.clone(), back])
        );
        // One that does not fit: separators count.
        let wrong = one.replace("Content-Length: ", "Content-Length: 1");
        let (kind, messages) = read(format!("{FROM}{wrong}\n").as_bytes(), None);
        assert_eq!((kind, messages.len()), (Kind::Mboxrd, 2));
    }

    #[test]
    fn mboxo_has_one_level_of_quotes() {
        let text = format!("{FROM}A: 1\n\n>From x\n>>From y\n\n");
        assert_eq!(read(text.as_bytes(), None).1, ["A: 1\n\nFrom x\n>From y\n"]);
        assert_eq!(
            read(text.as_bytes(), Some(Kind::Mboxo)).1,
            ["A: 1\n\nFrom x\n>>From y\n"]
        );
        assert_eq!(
            read(text.as_bytes(), Some(Kind::Mboxcl2)).1,
            ["A: 1\n\n>From x\n>>From y\n"]
        );
    }

    #[test]
    fn nothing_and_what_is_no_mbox_have_no_messages() {
        for text in ["", "\n", "Subject: x\n\nFrom the start\nno mbox"] {
            assert!(read(text.as_bytes(), None).1.len() <= 1, "{text}");
        }
    }

    #[test]
    fn separators_say_when() {
        let seconds = |line: &str| {
            separator_date(line.as_bytes()).map(|date| (date.unix_seconds, date.zone_minutes))
        };
        let noon = Some((1_700_136_000, 0));
        assert_eq!(seconds("From a@b Thu Nov 16 12:00:00 2023\n"), noon);
        assert_eq!(
            seconds("From \"a Mon Jan 1\"@b  Thu Nov 16 12:00:00 2023 +0000\r\n"),
            noon
        );
        assert_eq!(
            seconds("From a Thu Nov 16 13:00:00 +0100 2023"),
            Some((1_700_136_000, 60))
        );
        assert_eq!(seconds("From a Thu Nov 16 12:00 2023"), noon);
        assert_eq!(seconds("From pillarbox Thu Jan  1 00:00:00 1970"), None);
        assert_eq!(seconds("From me to you"), None);
        for unix_seconds in [1_700_000_000, 951_782_400, 4_102_444_799] {
            let mut line = Vec::new();
            push_separator(&mut line, InternalDate::utc(unix_seconds));
            assert_eq!(separator_date(&line), Some(InternalDate::utc(unix_seconds)));
        }
    }

    #[test]
    fn flags_stand_in_the_header() {
        let named = |message: &str| -> Vec<String> {
            flags(message.as_bytes())
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            named("Status: RO\nX-Status: F\nX-Keywords: $Label odd\n\nStatus: A\n"),
            ["\\Seen", "\\Flagged", "$Label", "odd"]
        );
        assert_eq!(
            named("X-Mozilla-Status: 000b\nX-Mozilla-Keys: $label1  \n\n"),
            ["\\Seen", "\\Answered", "\\Deleted", "$label1"]
        );
    }
}

//! Media types, dispositions and their parameters (RFC 2045 §5.1, RFC 2183, RFC 2231).

use std::borrow::Cow;
use std::collections::HashMap;

use crate::charset;
use crate::cursor::{Cursor, is_space, push_unfolded, trim};
use crate::limit::MAX_PARAMS;

/// `token` of RFC 2045 §5.1: printable ASCII that is no tspecial.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

const TOKEN: [bool; 256] = allow_except(true, br#"()<>@,;:\"/[]?="#);

/// A table of the bytes a run may hold: all but white space and `excluded`, and, if `only_graphic`,
/// none but printable ASCII.
pub(crate) const fn allow_except(only_graphic: bool, excluded: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let graphic = (byte as u8).is_ascii_graphic();
        let space = matches!(byte as u8, b' ' | b'\t' | b'\r' | b'\n');
        table[byte] = graphic || !(only_graphic || space);
        byte += 1;
    }
    let mut at = 0;
    while at < excluded.len() {
        table[excluded[at] as usize] = false;
        at += 1;
    }
    table
}

/// `type "/" subtype *(";" parameter)`, as written.
#[derive(Clone, Debug)]
pub(crate) struct Media<'a> {
    pub(crate) kind: &'a [u8],
    pub(crate) subtype: &'a [u8],
    pub(crate) params: Params<'a>,
}

impl<'a> Media<'a> {
    /// `None` if there is no type or no subtype: such a field counts as absent (RFC 2045 §5.2).
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut at = Cursor::new(value);
        at.skip_cfws();
        let kind = at.run(is_token);
        at.skip_cfws();
        if kind.is_empty() || !at.eat(b'/') {
            return None;
        }
        at.skip_cfws();
        let subtype = at.run(is_token);
        (!subtype.is_empty()).then(|| Self {
            kind,
            subtype,
            params: Params::new(at),
        })
    }

    pub(crate) fn is(&self, kind: &[u8], subtype: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

/// `disposition-type *(";" parameter)` (RFC 2183 §2), as written.
pub(crate) fn parse_disposition(value: &[u8]) -> Option<(&[u8], Params<'_>)> {
    let mut at = Cursor::new(value);
    at.skip_cfws();
    let kind = at.run(is_token);
    (!kind.is_empty()).then(|| (kind, Params::new(at)))
}

/// A parameter: the name as written, the value without quotes and folding.
pub(crate) type Param<'a> = (&'a [u8], Cow<'a, [u8]>);

/// The parameters after a media type. Reads what it can: a missing semicolon, an unquoted value
/// with spaces and an unfinished quoted string are taken as they were meant.
#[derive(Clone, Debug)]
pub(crate) struct Params<'a> {
    at: Cursor<'a>,
    left: usize,
}

impl<'a> Params<'a> {
    fn new(at: Cursor<'a>) -> Self {
        Self {
            at,
            left: MAX_PARAMS,
        }
    }

    fn value(&mut self) -> Cow<'a, [u8]> {
        self.at.skip_cfws();
        if self.at.peek() == Some(b'"') {
            return Cow::Owned(self.quoted());
        }
        let value = self.unquoted();
        if value.contains(&b'\n') {
            let mut unfolded = Vec::with_capacity(value.len());
            push_unfolded(&mut unfolded, value);
            return Cow::Owned(unfolded);
        }
        Cow::Borrowed(value)
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        self.at.quoted(&mut value);
        value
    }

    /// A value without quotes ends at a semicolon, a comment, or where another parameter begins.
    fn unquoted(&mut self) -> &'a [u8] {
        let rest = self.at.rest();
        let mut end = 0;
        let mut after_space = false;
        while let Some(&byte) = rest.get(end) {
            if byte == b';' || (after_space && (byte == b'(' || starts_param(&rest[end..]))) {
                break;
            }
            after_space = is_space(byte);
            end += 1;
        }
        self.at.skip(end);
        trim(&rest[..end])
    }
}

/// True if `name=` stands here. Names are short, so that looking ahead costs little.
fn starts_param(bytes: &[u8]) -> bool {
    let name = bytes.iter().take(64).take_while(|&&b| is_token(b)).count();
    name > 0 && bytes.get(name) == Some(&b'=')
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        loop {
            self.at.skip_cfws();
            match self.at.peek()? {
                b'"' => self.at.skip_quoted(),
                byte if !is_token(byte) => self.at.skip(1),
                _ => {
                    let name = self.at.run(is_token);
                    self.at.skip_cfws();
                    if self.at.eat(b'=') {
                        self.left = self.left.checked_sub(1)?;
                        return Some((name, self.value()));
                    }
                }
            }
        }
    }
}

/// One segment of a parameter by RFC 2231: `name*number*`.
struct Segment<'a> {
    name: Vec<u8>,
    number: u32,
    extended: bool,
    value: Cow<'a, [u8]>,
}

impl<'a> Segment<'a> {
    fn new((name, value): Param<'a>) -> Self {
        let (base, extended) = match name.strip_suffix(b"*") {
            Some(base) => (base, true),
            None => (name, false),
        };
        let (base, number) = split_number(base).unwrap_or((base, 0));
        Self {
            name: base.to_ascii_lowercase(),
            number,
            extended,
            value,
        }
    }
}

/// `name*12` is segment 12 of `name`.
fn split_number(name: &[u8]) -> Option<(&[u8], u32)> {
    let star = name.iter().rposition(|&b| b == b'*')?;
    let number = str::from_utf8(&name[star + 1..]).ok()?.parse().ok()?;
    Some((&name[..star], number))
}

/// The parameters as text, by lower-cased name: segments joined by their numbers, character sets
/// and percent signs decoded (RFC 2231 §3 and §4).
pub(crate) fn decode_params(params: Params<'_>) -> Vec<(String, String)> {
    let mut segments: Vec<Segment<'_>> = params.map(Segment::new).collect();
    segments.sort_by(|a, b| (&a.name, a.number).cmp(&(&b.name, b.number)));
    let same_name = segments.chunk_by(|a, b| a.name == b.name);
    same_name
        .map(|all| {
            (
                String::from_utf8_lossy(&all[0].name).into_owned(),
                join_segments(all),
            )
        })
        .collect()
}

/// The parameters as IMAP4rev2 has them told (RFC 9051 §7.5.2): segments are joined where the first
/// stood, `name*0` and `name*1` to `name`, and what has a character set to `name*` in UTF-8. What
/// can't be decoded, and all else, stays as written.
pub(crate) fn joined(params: Params<'_>) -> Vec<Param<'_>> {
    let written: Vec<Param<'_>> = params.collect();
    let mut told = Vec::with_capacity(written.len());
    let mut groups: HashMap<Vec<u8>, Vec<Segment<'_>>> = HashMap::new();
    for param in written.iter().filter(|(name, _)| name.contains(&b'*')) {
        let segment = Segment::new(param.clone());
        groups
            .entry(segment.name.clone())
            .or_default()
            .push(segment);
    }
    for param in written {
        if !param.0.contains(&b'*') {
            told.push(param);
            continue;
        }
        // The first segment finds all of them, the others find nothing.
        let base = Segment::new(param.clone()).name;
        match groups.get(&base).map(|segments| is_decodable(segments)) {
            Some(true) => {
                let segments = groups.remove(&base).unwrap_or_default();
                told.push(join(param.0, segments));
            }
            Some(false) => told.push(param),
            None => {}
        }
    }
    told
}

/// Whether the character set is one that we know, if there is one.
fn is_decodable(segments: &[Segment<'_>]) -> bool {
    segments
        .iter()
        .filter(|s| s.extended && s.number == 0)
        .all(|first| {
            let mut quotes = first.value.splitn(3, |&b| b == b'\'');
            match (quotes.next(), quotes.nth(1)) {
                (Some(label), Some(_)) => label.is_empty() || charset::is_known(label),
                _ => false,
            }
        })
}

/// One parameter of its segments; `name` is that of one of them, as written.
fn join<'a>(name: &'a [u8], mut segments: Vec<Segment<'a>>) -> Param<'a> {
    segments.sort_by_key(|segment| segment.number);
    let star = name.iter().position(|&b| b == b'*').unwrap_or(name.len());
    let extended = segments.iter().any(|segment| segment.extended);
    // A name that is extended keeps its first star.
    let told = &name[..star + usize::from(extended)];
    (told, Cow::Owned(join_segments(&segments).into_bytes()))
}

/// The value of one parameter as text; see [`decode_params`].
pub(crate) fn param(params: Params<'_>, name: &str) -> Option<String> {
    // Nearly always the parameter is there in one piece.
    let plain = params
        .clone()
        .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
    match plain {
        Some((_, value)) => Some(charset::guess(&value).into_owned()),
        None => decode_params(params)
            .into_iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value),
    }
}

fn join_segments(segments: &[Segment<'_>]) -> String {
    let mut label = None;
    let mut bytes = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        // A name given twice is no second segment.
        if index > 0 && segment.number == segments[index - 1].number {
            continue;
        }
        let mut value: &[u8] = &segment.value;
        if segment.extended && index == 0 {
            let mut quotes = value.splitn(3, |&b| b == b'\'');
            if let (Some(charset), Some(_), Some(rest)) =
                (quotes.next(), quotes.next(), quotes.next())
            {
                label = Some(charset);
                value = rest;
            }
        }
        if segment.extended {
            push_percent_decoded(&mut bytes, value);
        } else {
            bytes.extend_from_slice(value);
        }
    }
    match label {
        Some(label) if !label.is_empty() => charset::decode(label, &bytes).into_owned(),
        _ => charset::guess(&bytes).into_owned(),
    }
}

fn push_percent_decoded(out: &mut Vec<u8>, mut bytes: &[u8]) {
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        match (first, rest) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex(*high) << 4 | hex(*low));
                bytes = after;
            }
            _ => out.push(*first),
        }
    }
}

/// The value of a hexadecimal digit; 0 for anything else.
pub(crate) fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[(&str, &str)]) {
        let media = Media::parse(value.as_bytes()).expect("a media type");
        let got: Vec<_> = media
            .params
            .map(|(n, v)| {
                (
                    String::from_utf8_lossy(n).into_owned(),
                    String::from_utf8_lossy(&v).into_owned(),
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect();
        assert_eq!(got, expected, "{value}");
    }

    #[test]
    fn parameters_are_read_as_they_were_meant() {
        check("text/plain", &[]);
        check("text/plain;", &[]);
        check("Text/Plain ; Charset = \"UTF-8\"", &[("Charset", "UTF-8")]);
        check(
            "text/plain; charset=us-ascii (Plain text)",
            &[("charset", "us-ascii")],
        );
        check(
            "text/plain charset=utf-8 format=flowed",
            &[("charset", "utf-8"), ("format", "flowed")],
        );
        check(
            "text/plain; name=a b c.txt; x=y",
            &[("name", "a b c.txt"), ("x", "y")],
        );
        check("text/plain; name=\"a\\\"b", &[("name", "a\"b")]);
        check("text/plain; name=\"a\r\n b\"", &[("name", "a b")]);
        check("text/plain; name=; x=y", &[("name", ""), ("x", "y")]);
        check("text/plain; =; ;; nothing; a=b", &[("a", "b")]);
        check(
            "a/b; x*1=b; x*0*=utf-8''a",
            &[("x*1", "b"), ("x*0*", "utf-8''a")],
        );
    }

    #[test]
    fn a_type_without_subtype_is_none() {
        for value in [
            "",
            "text",
            "text/",
            "/plain",
            "text plain",
            "te\u{fc}xt/plain",
        ] {
            assert!(Media::parse(value.as_bytes()).is_none(), "{value}");
        }
    }

    #[test]
    fn imap4rev2_has_segments_joined_and_decoded() {
        for (value, expected) in [
            ("a/b; name=x; size=3", &[("name", "x"), ("size", "3")][..]),
            (
                "a/b; Baz*1=d; baz*0=\"c \"; x=y; baz*2=e",
                &[("Baz", "c de"), ("x", "y")],
            ),
            (
                "a/b; foo*0*=iso-8859-1''%e4; foo*1*=%F6; foo*2=z",
                &[("foo*", "\u{e4}\u{f6}z")],
            ),
            (
                "a/b; name=x; name*=utf-8'de'%c3%a4",
                &[("name", "x"), ("name*", "\u{e4}")],
            ),
            ("a/b; foo*=x-unheard''%e4", &[("foo*", "x-unheard''%e4")]),
            (
                "a/b; foo*0*=x-unheard''%e4; foo*1=b",
                &[("foo*0*", "x-unheard''%e4"), ("foo*1", "b")],
            ),
            ("a/b; foo*=bare", &[("foo*", "bare")]),
            ("a/b; *0=a; *=b", &[("*0", "a"), ("*", "b")]),
        ] {
            let media = Media::parse(value.as_bytes()).expect("a media type");
            let told: Vec<_> = joined(media.params)
                .into_iter()
                .map(|(name, value)| {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    (text(name), text(&value))
                })
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            assert_eq!(told, expected, "{value}");
        }
    }

    #[test]
    fn segments_are_joined_by_number_not_by_order() {
        let media = Media::parse(
            b"application/x; name*2=c.pdf; name*0*=utf-8'de'%c3%a4; name*1=b; \
              title*=iso-8859-1''%e4",
        )
        .expect("a media type");
        assert_eq!(
            param(media.params.clone(), "name").as_deref(),
            Some("\u{e4}bc.pdf")
        );
        assert_eq!(
            param(media.params.clone(), "title").as_deref(),
            Some("\u{e4}")
        );
        assert_eq!(param(media.params, "other"), None);
    }
}

//! HTML as plain text, for previews and for search.

use memchr::memmem;

/// Elements whose content is no text.
const HIDDEN: [&str; 4] = ["style", "script", "title", "template"];

/// Elements that do not part the words around them.
const INLINE: [&str; 19] = [
    "a", "abbr", "b", "big", "code", "del", "em", "font", "i", "ins", "mark", "s", "small", "span",
    "strong", "sub", "sup", "u", "wbr",
];

/// The text that HTML shows: without tags, comments, styles and scripts, with character references
/// resolved. Stops after `max_bytes` of text, at a tag or a reference. Linear time.
pub(crate) fn to_text(html: &str, max_bytes: usize) -> String {
    let mut out = String::with_capacity(html.len().min(max_bytes));
    let mut rest = html;
    while out.len() < max_bytes {
        let Some(at) = memchr::memchr2(b'<', b'&', rest.as_bytes()) else {
            out.push_str(rest);
            break;
        };
        out.push_str(&rest[..at]);
        let mark = &rest[at..];
        rest = if mark.starts_with('&') {
            push_reference(&mut out, mark)
        } else if mark[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
            skip_tag(&mut out, mark)
        } else {
            out.push('<');
            &mark[1..]
        };
    }
    out
}

/// Skips what starts with `<`: a comment, a tag, or a hidden element; gives what follows.
fn skip_tag<'a>(out: &mut String, mark: &'a str) -> &'a str {
    if mark.starts_with("<!--") {
        return after(mark, "-->");
    }
    let rest = after(mark, ">");
    let name = mark[1..].trim_start_matches('/');
    let len = name
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(name.len());
    let name = &name[..len];
    let is = |element: &&str| name.eq_ignore_ascii_case(element);
    if !mark.starts_with("</") && HIDDEN.iter().any(is) {
        return skip_hidden(rest, name);
    }
    if !INLINE.iter().any(is) {
        out.push(' ');
    }
    rest
}

/// What follows the first `end`; nothing if there is none.
fn after<'a>(text: &'a str, end: &str) -> &'a str {
    match memmem::find(text.as_bytes(), end.as_bytes()) {
        Some(at) => &text[at + end.len()..],
        None => "",
    }
}

/// What follows `</name>`; nothing if it is missing.
fn skip_hidden<'a>(mut rest: &'a str, name: &str) -> &'a str {
    loop {
        rest = after(rest, "</");
        if rest.is_empty() {
            return rest;
        }
        if rest
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
        {
            return after(rest, ">");
        }
    }
}

/// Appends what the character reference at the start of `mark` means, and gives what follows it.
fn push_reference<'a>(out: &mut String, mark: &'a str) -> &'a str {
    let body = &mark[1..];
    let digits = body.strip_prefix('#');
    let name = digits.unwrap_or(body);
    let len = name
        .bytes()
        .take(32)
        .take_while(u8::is_ascii_alphanumeric)
        .count();
    let (name, rest) = name.split_at(len);
    let resolved = match digits {
        Some(_) => numeric(name),
        None => named(name),
    };
    match resolved {
        Some(c) => {
            out.push(c);
            rest.strip_prefix(';').unwrap_or(rest)
        }
        None => {
            out.push('&');
            body
        }
    }
}

fn numeric(digits: &str) -> Option<char> {
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(code).filter(|c| *c != '\0')
}

/// The references that occur in mail: markup, punctuation and the letters of Latin-1.
fn named(name: &str) -> Option<char> {
    /// U+00A0 to U+00FF in order.
    const LATIN1: [&str; 96] = [
        "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
        "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
        "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
        "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave",
        "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
        "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc",
        "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring",
        "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
        "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash",
        "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
    ];
    const OTHERS: [(&str, char); 20] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("ndash", '\u{2013}'),
        ("mdash", '\u{2014}'),
        ("lsquo", '\u{2018}'),
        ("rsquo", '\u{2019}'),
        ("sbquo", '\u{201a}'),
        ("ldquo", '\u{201c}'),
        ("rdquo", '\u{201d}'),
        ("bdquo", '\u{201e}'),
        ("bull", '\u{2022}'),
        ("hellip", '\u{2026}'),
        ("euro", '\u{20ac}'),
        ("trade", '\u{2122}'),
        ("zwnj", '\u{200c}'),
        ("zwj", '\u{200d}'),
        ("ensp", '\u{2002}'),
    ];
    if let Some((_, c)) = OTHERS.iter().find(|(known, _)| *known == name) {
        return Some(*c);
    }
    let at = LATIN1.iter().position(|known| *known == name)?;
    char::from_u32(0xa0 + at as u32)
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn tags_go_and_references_are_resolved() {
        for (html, text) in [
            ("plain", "plain"),
            ("a<b>b</b>c<br>d<p>e", "abc d e"),
            ("<style>p {}</style>x<SCRIPT>if (a</b)</script >y", "xy"),
            ("<!-- a > b -->x<!doctype html>", "x "),
            (
                "1 < 2 &amp; &lt;3 &euml;&#228;&#xE4; &nbsp;&bogus; &",
                "1 < 2 & <3 \u{eb}\u{e4}\u{e4} \u{a0}&bogus; &",
            ),
            ("a<b", "a"),
            ("<!-- never", ""),
            ("<style>never", ""),
            ("&#0;&#x110000;", "&#0;&#x110000;"),
        ] {
            assert_eq!(to_text(html, usize::MAX), text, "{html}");
        }
        assert!(to_text(&"<p>x".repeat(1000), 10).len() < 20);
    }
}

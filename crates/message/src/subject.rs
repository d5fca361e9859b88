//! The base subject (RFC 5256 §2.1): what a subject is about, without "Re:" and the like.

/// The base subject of a decoded subject, and whether it was that of a reply or a forward.
///
/// White space is collapsed to single spaces. Linear in the length of the subject.
pub fn base_subject(subject: &str) -> (String, bool) {
    let collapsed: Vec<&str> = subject.split_whitespace().collect();
    let collapsed = collapsed.join(" ");
    let mut rest = collapsed.as_str();
    let mut reply = false;
    loop {
        // Step 2: trailers.
        while let Some(before) = strip_suffix_ignore_case(rest.trim_end(), "(fwd)") {
            (rest, reply) = (before, true);
        }
        rest = rest.trim();
        // Steps 3 to 5: leaders, and blobs unless nothing else is left.
        loop {
            let after_blobs = skip_blobs(rest);
            if let Some(after) = skip_reply(after_blobs) {
                (rest, reply) = (after, true);
            } else {
                rest = strip_blobs(rest);
                break;
            }
        }
        // Step 6: "[fwd: ... ]".
        let inner = strip_prefix_ignore_case(rest, "[fwd:").and_then(|r| r.strip_suffix(']'));
        match inner {
            Some(inner) => (rest, reply) = (inner, true),
            None => return (rest.to_owned(), reply),
        }
    }
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`
fn skip_blob(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let end = inside.find(['[', ']'])?;
    Some(inside[end..].strip_prefix(']')?.trim_start())
}

fn skip_blobs(mut text: &str) -> &str {
    while let Some(after) = skip_blob(text) {
        text = after;
    }
    text
}

/// Takes blobs away as long as something is left. That no reply follows the blobs was seen before.
fn strip_blobs(mut text: &str) -> &str {
    while let Some(after) = skip_blob(text).filter(|after| !after.is_empty()) {
        text = after;
    }
    text
}

/// `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn skip_reply(text: &str) -> Option<&str> {
    let after = ["re", "fwd", "fw"]
        .iter()
        .find_map(|w| strip_prefix_ignore_case(text, w))?;
    let after = after.trim_start();
    let after = skip_blob(after).unwrap_or(after);
    Some(after.strip_prefix(':')?.trim_start())
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix_ignore_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::base_subject;

    #[test]
    fn the_base_subject_is_what_it_is_about() {
        for (subject, base, reply) in [
            ("", "", false),
            ("Hello", "Hello", false),
            ("Re: Hello", "Hello", true),
            ("RE:Hello (fwd) (FWD) ", "Hello", true),
            ("  Re \t: \r\n  a  b", "a b", true),
            ("Fw: fwd: Re: a", "a", true),
            ("Re[2]: a", "a", true),
            ("Re [x] : a", "a", true),
            ("[list] Re: [list] a", "a", true),
            ("[list] a", "a", false),
            ("[list]", "[list]", false),
            ("[a] [b]", "[b]", false),
            ("Re: [list]", "[list]", true),
            ("[Fwd: Re: [x] a]", "a", true),
            ("[fwd: [fwd: a (fwd)] ]", "a", true),
            ("(fwd)", "", true),
            ("Re:", "", true),
            ("Reply: a", "Reply: a", false),
            ("Re: [unfinished", "[unfinished", true),
            ("[a]b[c] d", "b[c] d", false),
            ("Re: \u{e4}", "\u{e4}", true),
            ("\u{e4}\u{e4}", "\u{e4}\u{e4}", false),
        ] {
            assert_eq!(
                base_subject(subject),
                (base.to_owned(), reply),
                "{subject:?}"
            );
        }
    }

    #[test]
    fn long_rows_of_blobs_are_harmless() {
        assert_eq!(base_subject(&"[a]".repeat(100_000)).0, "[a]");
        assert_eq!(base_subject(&"re:".repeat(100_000)).0, "");
        assert_eq!(base_subject(&"[a]re:".repeat(50_000)).0, "");
    }
}

//! SEARCH, SORT and PREVIEW: messages as people read them.

mod common;

use common::crlf;
use pillarbox_message::{DigestRef, Needle, digest, header_contains, text_contains};

/// Is `text` in the body; is it anywhere?
fn found(message: &[u8], text: &str) -> (bool, bool) {
    let message = crlf(message);
    let encoded = digest(&message).encode();
    let parts = DigestRef::new(&encoded).expect("a stored digest").parts();
    let needle = Needle::new(text);
    let within = |headers| text_contains(&message, &parts, &needle, headers);
    (within(false), within(true))
}

const BOTH: (bool, bool) = (true, true);
const HEADER: (bool, bool) = (false, true);
const NOWHERE: (bool, bool) = (false, false);

#[test]
fn substrings_are_found_whatever_their_case() {
    let message = "Subject: Hello World\n\nGr\u{fc}\u{df}e aus K\u{f6}ln\n".as_bytes();
    for (text, expected) in [
        ("ell", HEADER),
        ("O WOR", HEADER),
        ("subject: hello", HEADER),
        ("gr\u{dc}\u{df}e", BOTH),
        ("grU\u{308}\u{df}", BOTH),
        ("AUS K\u{d6}LN", BOTH),
        ("", BOTH),
        ("World\r\n\r\nGr", NOWHERE),
        ("bonn", NOWHERE),
    ] {
        assert_eq!(found(message, text), expected, "{text:?}");
    }
}

#[test]
fn headers_are_searched_unfolded_and_decoded() {
    let message = crlf(
        b"Subject: =?utf-8?Q?J=C3=BCr?=\n =?utf-8?Q?gen_schreibt?=\n viel\nSubject: two\nX-Empty:\n\
          From: =?iso-8859-1?q?J=FCrgen?= <j@b.c>\n\
          Content-Disposition: attachment; filename*0*=utf-8''%C3%A4rger; filename*1=.pdf\n\n",
    );
    for (name, text, expected) in [
        ("subject", "J\u{dc}RGEN schreibt viel", true),
        ("Subject", "TWO", true),
        ("Subject", "three", false),
        ("X-Empty", "", true),
        ("X-Absent", "", false),
        ("from", "j\u{fc}rgen <j@b.c>", true),
        ("content-disposition", "\u{c4}RGER.pdf", true),
        ("sub", "two", false),
    ] {
        let holds = header_contains(&message, name.as_bytes(), &Needle::new(text));
        assert_eq!(holds, expected, "{name} {text}");
    }
}

#[test]
fn bodies_are_searched_decoded() {
    let base64 = b"Content-Type: text/plain; charset=iso-8859-1\n\
                   Content-Transfer-Encoding: base64\n\nSGFsbG8sIEr8\ncmdlbiE=\n";
    assert_eq!(found(base64, "hallo, j\u{fc}rgen!"), BOTH);
    let quoted = b"Content-Type: text/plain; charset=utf-8\n\
                   Content-Transfer-Encoding: quoted-printable\n\nHallo, J=C3=\n=BCrg=\nen!\n";
    assert_eq!(found(quoted, "hallo, j\u{fc}rgen!"), BOTH);
    let html = b"Content-Type: text/html; charset=utf-8\n\n\
                 <p title=\"tip\">Gr&uuml;n<b>kohl</b>&nbsp;</p>\n";
    for text in ["gr\u{fc}nkohl", "GR&UUML;N", "tip"] {
        assert_eq!(found(html, text), BOTH, "{text}");
    }
}

#[test]
fn parts_and_messages_within_are_searched() {
    let message = b"Subject: outer\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n\
                    --b\nX-Part: one\n\nfirst\n--b\nContent-Type: message/rfc822\nX-Part: two\n\n\
                    Subject: inner\n\nsecond\n\
                    --b\nContent-Type: message/delivery-status\n\nAction: failed\n\
                    --b\nContent-Type: application/octet-stream\n\nsecret\n--b--\n";
    for (text, expected) in [
        ("first", BOTH),
        ("second", BOTH),
        ("inner", BOTH),
        ("action: failed", BOTH),
        ("x-part: two", HEADER),
        ("outer", HEADER),
        ("preamble", NOWHERE),
        ("secret", NOWHERE),
    ] {
        assert_eq!(found(message, text), expected, "{text}");
    }
}

#[test]
fn sort_keys_are_what_the_header_means() {
    let message = crlf(
        b"Date: Mon, 1 Jan 2024 22:04:05 -0500\nSubject: Re: [x] =?utf-8?q?=C3=A4?= (fwd)\n\
          From: =?utf-8?q?J=C3=BCrgen?= <jj@b.c>, z@b.c\nTo: Team: t@b.c;\nCc: cc@b.c\n\
          Message-ID: <\"a b\"@c> (x)\nReferences: <1@c>\n <\"2\"@c>\nIn-Reply-To: <9@c>\n\n",
    );
    let encoded = digest(&message).encode();
    let stored = DigestRef::new(&encoded).expect("a stored digest");
    assert_eq!(stored.sent_date(), Some((1_704_164_645, -300)));
    assert_eq!(
        (stored.base_subject(), stored.is_reply()),
        ("A\u{308}", true)
    );
    assert_eq!(
        (stored.from(), stored.to(), stored.cc()),
        ("JJ", "TEAM", "CC")
    );
    assert_eq!(
        (stored.display_from(), stored.display_to()),
        ("JU\u{308}RGEN", "TEAM")
    );
    assert_eq!(stored.message_id(), Some(&b"a b@c"[..]));
    assert_eq!(stored.references().collect::<Vec<_>>(), [b"1@c", b"2@c"]);
    assert_eq!(stored.header_len() as usize, message.len());
}

#[test]
fn without_references_the_answered_message_counts() {
    let message = crlf(b"In-Reply-To: Your message of Monday <1@c> and <2@c>\nFrom: x@b.c\n\n");
    let encoded = digest(&message).encode();
    let stored = DigestRef::new(&encoded).expect("a stored digest");
    assert_eq!(stored.references().collect::<Vec<_>>(), [b"1@c"]);
    assert_eq!((stored.message_id(), stored.sent_date()), (None, None));
    assert_eq!((stored.display_from(), stored.display_to()), ("X@B.C", ""));
}

/// RFC 5957 §3.
#[test]
fn an_empty_name_is_not_what_is_displayed() {
    let encoded = digest(&crlf(b"From: \"\" <x@b.c>\nTo: =?utf-8?q?=20?= <y>\n\n")).encode();
    let stored = DigestRef::new(&encoded).expect("a stored digest");
    assert_eq!((stored.display_from(), stored.display_to()), ("X@B.C", "Y"));
}

#[test]
fn the_preview_is_the_beginning_of_what_is_shown() {
    for (message, expected) in [
        (
            &b"\n> quoted\n> more\n\n Hello,\n  world!\n-- \nsignature\n"[..],
            "Hello, world!",
        ),
        (b"\n> only\n> quoted\n", "> only > quoted"),
        (b"Content-Type: image/png\n\nx", ""),
        (b"Content-Disposition: attachment\n\nx", ""),
        (
            b"Content-Type: text/html\n\n<style>p {}</style><p>Gr&uuml;n &amp;\n<b>k</b>ohl</p>",
            "Gr\u{fc}n & kohl",
        ),
        (
            b"Content-Type: multipart/alternative; boundary=b\n\n--b\n\n  \n--b\n\
              Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n\
              PGI+aGk8L2I+\n--b--\n",
            "hi",
        ),
    ] {
        assert_eq!(digest(&crlf(message)).preview, expected);
    }
    let long = [&b"\n"[..], "\u{e4} ".repeat(1000).as_bytes()].concat();
    assert_eq!(digest(&long).preview.chars().count(), 199);
}

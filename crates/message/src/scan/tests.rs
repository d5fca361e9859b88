//! What is found in messages, offset by offset.

use super::Kind::{Message, Multipart, Text};
use super::*;

/// `header|body|lines|kind|subtree_end` of each part.
#[track_caller]
fn check(message: &str, expected: &[(&str, &str, u32, Kind, u32)]) {
    let structure = scan(message.as_bytes());
    let text = |span: Span| str::from_utf8(span.of(message.as_bytes())).expect("ASCII");
    let got: Vec<_> = structure
        .parts()
        .iter()
        .map(|p| (text(p.header), text(p.body), p.lines, p.kind, p.subtree_end))
        .collect();
    assert_eq!(got, expected, "{message:?}");
}

#[test]
fn header_and_body_are_told_apart() {
    check("", &[("", "", 0, Text, 1)]);
    check("\r\n", &[("\r\n", "", 0, Text, 1)]);
    check("A: b", &[("A: b", "", 0, Text, 1)]);
    check("A: b\r\n", &[("A: b\r\n", "", 0, Text, 1)]);
    check(
        "A: b\r\n\r\nx\r\ny",
        &[("A: b\r\n\r\n", "x\r\ny", 1, Text, 1)],
    );
    check("A: b\n\nx\n", &[("A: b\n\n", "x\n", 1, Text, 1)]);
    check(
        "just text\r\n\r\nmore\r\n",
        &[("", "just text\r\n\r\nmore\r\n", 3, Text, 1)],
    );
    check("\r\nA: b\r\n", &[("\r\n", "A: b\r\n", 1, Text, 1)]);
    check("A: b\r\r\nc", &[("A: b\r\r\nc", "", 0, Text, 1)]);
}

#[test]
fn the_line_end_before_a_boundary_is_the_boundarys() {
    let m = "Content-Type: multipart/mixed; boundary=b\r\n\r\n\
             pre\r\n--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\n\r\ntwo\r\n\r\n--b-- \r\nepi\r\n";
    let (header, body) = m.split_once("\r\n\r\n").expect("a blank line");
    let header = format!("{header}\r\n\r\n");
    check(
        m,
        &[
            (&header, body, 12, Multipart, 3),
            ("\r\n", "one", 0, Text, 2),
            ("A: b\r\n\r\n", "\r\ntwo\r\n", 2, Text, 3),
        ],
    );
}

#[test]
fn a_boundary_may_end_a_header() {
    let m = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\
             A: b\n--b\n--b\n\n--b\nContent-Type: message/rfc822\n\nS: x\n\n--b--";
    let (header, body) = m.split_once("\n\n").expect("a blank line");
    let header = format!("{header}\n\n");
    check(
        m,
        &[
            (&header, body, 10, Multipart, 6),
            ("A: b\n", "", 0, Text, 2),
            ("", "", 0, Text, 3),
            ("\n", "", 0, Text, 4),
            ("Content-Type: message/rfc822\n\n", "S: x\n", 1, Message, 6),
            ("S: x\n", "", 0, Text, 6),
        ],
    );
}

#[test]
fn a_multipart_of_nothing_holds_a_text() {
    for m in [
        "Content-Type: multipart/mixed; boundary=b\n\nfoo\nbar\n",
        "Content-Type: multipart/mixed; boundary=\"\"\n\n--b\nbar\n",
        "Content-Type: multipart/mixed\n\nfoo\n--\n",
    ] {
        let (header, body) = m.split_once("\n\n").expect("a blank line");
        let header = format!("{header}\n\n");
        check(
            m,
            &[(&header, body, 2, Multipart, 2), ("", body, 2, Text, 2)],
        );
    }
}

#[test]
fn of_boundaries_that_begin_alike_the_longest_is_meant() {
    let m = "Content-Type: multipart/mixed; boundary=ab\n\n--ab\n\
             Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--ab\n\ny\n--ab--\n";
    let structure = scan(m.as_bytes());
    let bodies: Vec<_> = structure
        .parts()
        .iter()
        .map(|p| p.body.of(m.as_bytes()))
        .collect();
    assert_eq!(bodies[1..], [&b"--a\n\nx"[..], b"x", b"y"]);
}

#[test]
fn limits_leave_the_rest_as_it_is() {
    let mut m = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    m.extend(b"--b\n\nx\n".repeat(MAX_PARTS + 10));
    let structure = scan(&m);
    assert_eq!(structure.parts().len(), MAX_PARTS);
    assert_eq!(structure.parts()[0].body.end as usize, m.len());
    assert_eq!(structure.parts()[MAX_PARTS - 1].body.end as usize, m.len());

    let m = b"Content-Type: message/rfc822\n\n".repeat(MAX_DEPTH + 10);
    assert_eq!(scan(&m).parts().len(), MAX_DEPTH + 1);
    let nested = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(MAX_DEPTH + 10);
    let structure = scan(nested.as_bytes());
    let last = structure.parts().last().expect("a part");
    assert_eq!(last.body.end as usize, nested.len());
}

//! Sections of BODY[...] (RFC 9051 §6.4.5.1), found through the stored index.

mod common;

use common::crlf;
use pillarbox_message::SectionText::{Header, HeaderFields, Mime, Text};
use pillarbox_message::{DigestRef, Encoding, SectionText, digest, header_fields};

/// What a client gets for a section; `None` is NIL.
fn section(message: &[u8], path: &[u32], text: Option<&SectionText<'_>>) -> Option<String> {
    let encoded = digest(message).encode();
    let stored = DigestRef::new(&encoded).expect("a stored digest");
    let range = stored.parts().locate(path, text)?;
    let bytes = &message[range.start as usize..range.end as usize];
    let bytes = match text {
        Some(HeaderFields(names)) => header_fields(bytes, names, true),
        Some(SectionText::HeaderFieldsNot(names)) => header_fields(bytes, names, false),
        _ => bytes.to_vec(),
    };
    Some(
        String::from_utf8(bytes)
            .expect("ASCII")
            .replace("\r\n", "\n"),
    )
}

#[track_caller]
fn check(message: &[u8], path: &[u32], text: Option<&SectionText<'_>>, expected: Option<&str>) {
    assert_eq!(
        section(&crlf(message), path, text).as_deref(),
        expected,
        "{path:?} {text:?}"
    );
}

const PLAIN: &[u8] = b"From: a@b.c\nSubject: s\n\nbody\n";

#[test]
fn a_message_of_one_part() {
    check(PLAIN, &[], None, Some("From: a@b.c\nSubject: s\n\nbody\n"));
    check(
        PLAIN,
        &[],
        Some(&Header),
        Some("From: a@b.c\nSubject: s\n\n"),
    );
    check(PLAIN, &[], Some(&Text), Some("body\n"));
    check(PLAIN, &[1], None, Some("body\n"));
    check(
        PLAIN,
        &[1],
        Some(&Mime),
        Some("From: a@b.c\nSubject: s\n\n"),
    );
    // Only a message has these, and part 1 is none.
    check(PLAIN, &[1], Some(&Header), None);
    check(PLAIN, &[1], Some(&Text), None);
    check(PLAIN, &[], Some(&Mime), None);
    for path in [&[0][..], &[2], &[1, 1], &[u32::MAX]] {
        check(PLAIN, path, None, None);
    }
}

/// A text; a message whose body is a multipart; a multipart.
const NESTED: &[u8] = b"Subject: outer\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n\
--b\n\none\n\
--b\nContent-Type: message/rfc822\nX-Part: 2\n\n\
Subject: inner\nContent-Type: multipart/mixed; boundary=i\n\n\
--i\n\ntwo-one\n--i\nContent-Type: text/html\n\ntwo-two\n--i--\n\n\
--b\nContent-Type: multipart/alternative; boundary=a\n\n--a\nX-Part: 3.1\n\nthree-one\n--a--\n\
--b--\nepilogue\n";

#[test]
fn parts_are_numbered_within_multiparts_and_messages() {
    check(NESTED, &[1], None, Some("one"));
    check(NESTED, &[1], Some(&Mime), Some("\n"));
    check(
        NESTED,
        &[2],
        Some(&Mime),
        Some("Content-Type: message/rfc822\nX-Part: 2\n\n"),
    );
    let header = "Subject: inner\nContent-Type: multipart/mixed; boundary=i\n\n";
    let body = "--i\n\ntwo-one\n--i\nContent-Type: text/html\n\ntwo-two\n--i--\n";
    check(NESTED, &[2], Some(&Header), Some(header));
    check(NESTED, &[2], Some(&Text), Some(body));
    check(NESTED, &[2], None, Some(&format!("{header}{body}")));
    check(NESTED, &[2, 1], None, Some("two-one"));
    check(NESTED, &[2, 2], None, Some("two-two"));
    check(
        NESTED,
        &[2, 2],
        Some(&Mime),
        Some("Content-Type: text/html\n\n"),
    );
    check(NESTED, &[2, 3], None, None);
    check(
        NESTED,
        &[3],
        None,
        Some("--a\nX-Part: 3.1\n\nthree-one\n--a--"),
    );
    check(NESTED, &[3, 1], None, Some("three-one"));
    check(NESTED, &[3, 1], Some(&Mime), Some("X-Part: 3.1\n\n"));
    check(NESTED, &[3], Some(&Header), None);
    check(NESTED, &[3, 1], Some(&Text), None);
    check(NESTED, &[4], None, None);
    check(NESTED, &[1, 1], None, None);
}

#[test]
fn messages_within_messages() {
    let message = b"Content-Type: message/rfc822\n\nSubject: one\nContent-Type: message/rfc822\n\n\
                    Subject: two\n\nHello\n";
    let two = "Subject: two\n\nHello\n";
    check(message, &[1], Some(&Text), Some(two));
    check(message, &[1, 1], None, Some(two));
    check(message, &[1, 1], Some(&Header), Some("Subject: two\n\n"));
    check(message, &[1, 1, 1], None, Some("Hello\n"));
    check(message, &[1, 1, 1, 1], None, None);
    check(
        message,
        &[1],
        Some(&Mime),
        Some("Content-Type: message/rfc822\n\n"),
    );
}

#[test]
fn parts_of_a_digest_are_messages() {
    let message = b"Content-Type: multipart/digest; boundary=foo\n\nprologue\n\n--foo \n\n\
                    From: m1@e.c\nSubject: m1\n\nm1 body\n\n--foo \nX-Mime: m2\n\n\
                    Subject: m2\n\nm2 body\n\n--foo--\n\nepilogue\n";
    check(
        message,
        &[1],
        None,
        Some("From: m1@e.c\nSubject: m1\n\nm1 body\n"),
    );
    check(message, &[1], Some(&Mime), Some("\n"));
    check(
        message,
        &[1],
        Some(&Header),
        Some("From: m1@e.c\nSubject: m1\n\n"),
    );
    check(message, &[2], Some(&Mime), Some("X-Mime: m2\n\n"));
    check(message, &[2], Some(&Text), Some("m2 body\n"));
    check(message, &[2, 1], None, Some("m2 body\n"));
}

#[test]
fn fields_come_as_they_stand() {
    let message = b"SUBJECT: a\n folded\nTo: x\nnot a field\nsubject : b\nEmpty:\n\nbody\n";
    let subject: &[&[u8]] = &[b"Subject", b"nothing"];
    let two = "SUBJECT: a\n folded\nsubject : b\n\n";
    check(message, &[], Some(&HeaderFields(subject)), Some(two));
    let others = "To: x\nEmpty:\n\n";
    check(
        message,
        &[],
        Some(&SectionText::HeaderFieldsNot(subject)),
        Some(others),
    );
    check(message, &[], Some(&HeaderFields(&[b"X"])), Some("\n"));
    check(
        b"To: x",
        &[],
        Some(&HeaderFields(&[b"to"])),
        Some("To: x\n\n"),
    );
}

#[test]
fn the_index_says_what_parts_are() {
    let message = crlf(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: TEXT/Html;\n \
          charset*0=\"ISO-\"; charset*1=8859-1\nContent-Transfer-Encoding: Quoted-Printable\n\nx\n\
          --b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\
          Content-Disposition: Attachment; filename=x\n\nAAAA\n--b--\n",
    );
    let encoded = digest(&message).encode();
    let parts = DigestRef::new(&encoded).expect("a stored digest").parts();
    assert_eq!(parts.len(), 3);
    let html = parts.part(&[1]).expect("a part");
    assert_eq!(
        (html.media, html.media_type, html.charset),
        ("text/html", "text", "iso-8859-1")
    );
    assert_eq!(
        (html.encoding, html.attachment),
        (Encoding::QuotedPrintable, false)
    );
    let image = parts.part(&[2]).expect("a part");
    assert_eq!((image.media, image.charset), ("image/png", ""));
    assert_eq!((image.encoding, image.attachment), (Encoding::Base64, true));
    assert_eq!(parts.texts().count(), 1);
}

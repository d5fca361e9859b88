//! Ugly content types and the like:
//! what BODYSTRUCTURE says of them (RFC 9051 §7.5.2).

mod common;

use common::structure;

#[test]
fn content_type_absent_encoding_unknown() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Transfer-Encoding: X-Rot13 (why)\n\
          \n\
          uryyb\n",
        br#"("text" "plain" ("charset" "us-ascii") NIL NIL "X-Rot13" 7 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn content_type_without_subtype() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: text\n\
          \n\
          x\n",
        br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn content_type_rubbish() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: ; charset=x\n\
          \n\
          x\n",
        br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn upper_case() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: TEXT/HTML; CHARSET=UTF-8\n\
          Content-Transfer-Encoding: BASE64\n\
          \n\
          PHA+\n",
        br#"("TEXT" "HTML" ("CHARSET" "UTF-8") NIL NIL "BASE64" 6 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn text_without_charset() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: text/html; x=y\n\
          \n\
          <p>\n",
        br#"("text" "html" ("x" "y" "charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn parameters_in_trouble() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: text/plain; charset=\"utf-8\" format=flowed; name=a b.txt;;\n\
          \n\
          x\n",
        br#"("text" "plain" ("charset" "utf-8" "format" "flowed" "name" "a b.txt") NIL NIL
            "7bit" 3 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn unfinished_quoted_parameter() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: text/plain; charset=\"utf-8\n\
          \n\
          x\n",
        br#"("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn eight_bit_parameter() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: application/pdf; name=\"\xc3\xa4.pdf\"\n\
          \n\
          x\n",
        b"(\"application\" \"pdf\" (\"name\" {6}\r\n\xc3\xa4.pdf) NIL NIL \"7bit\" 3 NIL \
          NIL NIL NIL)",
    );
}

#[test]
fn rfc_2231_stays_raw() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: application/pdf; name*1=b.pdf; name*0*=utf-8''%C3%A4\n\
          Content-Disposition: attachment;\n\
          \x20filename*=iso-8859-1'de'%E4.pdf\n\
          \n\
          x\n",
        br#"("application" "pdf" ("name*1" "b.pdf" "name*0*" "utf-8''%C3%A4") NIL NIL "7bit" 3
            NIL ("attachment" ("filename*" "iso-8859-1'de'%E4.pdf")) NIL NIL)"#,
    );
}

#[test]
fn all_extension_fields() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: image/png\n\
          Content-ID: <i@b>\n\
          Content-Description: a picture\n\
          Content-Transfer-Encoding: base64\n\
          Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\n\
          Content-Disposition: inline; filename=a.png\n\
          Content-Language: en, de-CH\n\
          Content-Location: http://e.org/a.png\n\
          \n\
          AAAA\n",
        br#"("image" "png" NIL "<i@b>" "a picture" "base64" 6 "Q2hlY2sgSW50ZWdyaXR5IQ=="
            ("inline" ("filename" "a.png")) ("en" "de-CH") "http://e.org/a.png")"#,
    );
}

#[test]
fn disposition_alone() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Disposition: attachment\n\
          Content-Language: en\n\
          \n\
          x\n",
        br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL ("attachment" NIL)
            ("en") NIL)"#,
    );
}

/// RFC 9051 §7.5.2: what IMAP4rev2 has decoded, and where it looks into a message/global.
#[test]
fn imap4rev2_has_parameters_decoded_and_looks_into_message_global() {
    let message = common::crlf(
        "Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: application/pdf; name*0=\"a \"; name*1=b.pdf\n\
          Content-Disposition: attachment; filename*=utf-8''%c3%a4.pdf\n\
          \n\
          x\n\
          --b\n\
          Content-Type: message/global\n\
          \n\
          Subject: \u{e4}\n\
          \n\
          y\n\
          --b--\n"
            .as_bytes(),
    );
    let made = pillarbox_message::digest(&message);
    let encoded = made.encode();
    let stored = pillarbox_message::DigestRef::new(&encoded).expect("a digest");
    let told = |rev2| String::from_utf8(stored.bodystructure(rev2).to_vec()).expect("UTF-8");
    assert_eq!(
        told(false),
        "((\"application\" \"pdf\" (\"name*0\" \"a \" \"name*1\" \"b.pdf\") NIL NIL \"7bit\" 1 NIL \
         (\"attachment\" (\"filename*\" \"utf-8''%c3%a4.pdf\")) NIL NIL)(\"message\" \"global\" NIL \
         NIL NIL \"7bit\" 16 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
    );
    assert_eq!(
        told(true),
        "((\"application\" \"pdf\" (\"name\" \"a b.pdf\") NIL NIL \"7bit\" 1 NIL \
         (\"attachment\" (\"filename*\" {6}\r\n\u{e4}.pdf)) NIL NIL)(\"message\" \"global\" NIL NIL \
         NIL \"7bit\" 16 (NIL {2}\r\n\u{e4} NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" \
         (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \
         \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
    );
    let text = String::from_utf8_lossy(stored.body(true));
    assert!(text.contains("(\"name\" \"a b.pdf\")") && !text.contains("filename"));
    // Most messages have nothing of the kind, and are not told of twice.
    let plain = pillarbox_message::digest(b"Content-Type: text/plain; x=y\r\n\r\nx");
    assert!(plain.bodystructure_rev2.is_empty() && plain.body_rev2.is_empty());
}

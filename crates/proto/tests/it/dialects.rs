//! What changed between IMAP4rev1 and IMAP4rev2, and what is said to people in their language.

use pillarbox_proto::imap::command::{AppendData, Command, List};
use pillarbox_proto::imap::encode::{self, Dialect, Fetch, Status};

use crate::grammar::{bytes, frame, means, wrong};
use crate::responses::Known::{Both, Neither, Proto};
use crate::responses::{PLAIN, goes_out};

/// RFC 5255 §3.5, §4.10; and LIST by its old name.
#[test]
fn languages_comparators_and_old_lists() {
    let wishes = |texts: &[&'static str]| texts.iter().map(|text| bytes(text)).collect();
    means("LANGUAGE", &Command::Language(Vec::new()));
    means(
        "LANGUAGE DE \"fr-CA\"",
        &Command::Language(wishes(&["DE", "fr-CA"])),
    );
    means("COMPARATOR ", &Command::Comparator(Vec::new()));
    means(
        "comparator \"cz;*\" {7+}\r\ni;octet",
        &Command::Comparator(wishes(&["cz;*", "i;octet"])),
    );
    wrong(
        &format!("LANGUAGE{}", " en".repeat(51)),
        "Too many arguments at byte 162",
    );
    means(
        "xlist \"\" %",
        &Command::List(List {
            reference: bytes(""),
            patterns: vec![bytes("%")],
            xlist: true,
            ..List::default()
        }),
    );
}

/// RFC 9755 §3: whatever the session, quoted strings are UTF-8 or nothing.
#[test]
fn quoted_strings_are_utf8() {
    let frame = frame(b"a1 SELECT \"\xe4\"\r\n");
    let unparsable = frame.parse().unwrap_err();
    assert_eq!(unparsable.message, "Quoted string is not UTF-8 at byte 10");
    means_bytes("a1 SELECT \"\u{e4}\"\r\n".as_bytes(), "\u{e4}".as_bytes());
    means_bytes(b"a1 SELECT {1+}\r\n\xe4\r\n", b"\xe4");
}

#[track_caller]
fn means_bytes(text: &[u8], mailbox: &[u8]) {
    let frame = frame(text);
    match frame.parse().unwrap().command {
        Command::Select { mailbox: read, .. } => assert_eq!(&*read, mailbox),
        other => panic!("{other:?}"),
    }
}

/// RFC 6855 §4.
#[test]
fn a_message_may_say_that_it_is_utf8() {
    let text = b"a1 APPEND box (\\Seen) UTF8 (~{3+}\r\nabc)\r\n";
    let frame = frame(text);
    let Command::Append { messages, .. } = frame.parse().unwrap().command else {
        panic!("no APPEND");
    };
    let data = AppendData::Streamed {
        size: 3,
        binary: true,
    };
    assert_eq!(messages[0].data, data);
    wrong("APPEND box UTF8 {3+}\r\nabc", "Expected ( at byte 19");
}

/// RFC 9755 §3, RFC 9051 §4.3: UTF-8 stands in quotes for those who said that they read it so, and
/// for nobody else.
#[test]
fn utf8_is_quoted_only_where_it_is_enabled() {
    let long = "\u{e4}".repeat(600);
    let value =
        format!("(\"a \\\"{{3}} b\" {{5}}\r\n\u{e4}\"\\x {{2}}\r\n\u{e4}{{1200}}\r\n{long} NIL)");
    let mut value = value.into_bytes();
    value.extend(b"{1}\r\n\xe4");
    let told = |utf8| {
        let mut out = Vec::new();
        let dialect = Dialect { utf8, ..PLAIN };
        let mut fetch = Fetch::begin(&mut out, 1, dialect);
        fetch.raw("ENVELOPE", &value, dialect);
        fetch.end();
        out
    };
    let around = |inner: &[u8]| [b"* 1 FETCH (ENVELOPE ", inner, b")\r\n"].concat();
    assert_eq!(told(false), around(&value));
    let quoted =
        format!("(\"a \\\"{{3}} b\" \"\u{e4}\\\"\\\\x\" \"\u{e4}\"{{1200}}\r\n{long} NIL)");
    let mut quoted = quoted.into_bytes();
    quoted.extend(b"{1}\r\n\xe4");
    assert_eq!(told(true), around(&quoted));
}

/// RFC 5255 §3.3 and §4.8.
#[test]
fn languages_and_comparators() {
    goes_out(Neither, "* LANGUAGE (en i-default)", |o| {
        encode::language(o, &["en", "i-default"]);
    });
    goes_out(Neither, "* COMPARATOR i;octet", |o| {
        encode::comparator(o, "i;octet", &["i;octet"]);
    });
    goes_out(Neither, "* COMPARATOR i;octet (i;octet i;x)", |o| {
        encode::comparator(o, "i;octet", &["i;octet", "i;x"]);
    });
}

/// RFC 5255 §3.5: text beyond ASCII is for those who asked for a language.
#[test]
fn text_is_ascii_unless_a_language_was_asked_for() {
    goes_out(Both, "a NO caf??", |o| {
        encode::tagged(o, "a", Status::No, None, "caf\u{e9}");
    });
    goes_out(Proto, "* BYE caf\u{e9}?b", |o| {
        encode::bye(o, None, encode::Wording::Utf8("caf\u{e9}\nb"));
    });
    goes_out(Both, "* OK - [x", |o| {
        encode::untagged(o, Status::Ok, None, encode::Wording::Utf8("[x"));
    });
}

//! URLs of messages (RFC 5092).

use std::borrow::Cow;

use pillarbox_proto::imap::command::{AppendData, CatPart, Command, SectionText};
use pillarbox_proto::imap::frame::{Event, FrameLimits, Framer};
use pillarbox_proto::imap::url::MessageUrl;
use proptest::prelude::*;

use crate::grammar::wrong;

fn read(url: &str) -> MessageUrl {
    MessageUrl::parse(url.as_bytes()).unwrap_or_else(|| panic!("{url}"))
}

#[test]
fn a_url_says_mailbox_message_part_and_bytes() {
    let url = read("/INBOX;uidvalidity=1/;uid=2/;Section=1.2.mime/;partial=0.100");
    let mailbox = url.mailbox.unwrap();
    assert_eq!((&*mailbox.name, mailbox.absolute), (&b"INBOX"[..], true));
    assert_eq!((url.uid_validity, url.uid), (Some(1), 2));
    assert_eq!(url.section.path, [1, 2]);
    assert_eq!(url.section.text, Some(SectionText::Mime));
    assert_eq!(url.section.partial, Some((0, 100)));
    let url = read(";UID=20/;SECTION=HEADER.FIELDS%20(To%20Cc)");
    assert_eq!((url.mailbox, url.uid_validity, url.uid), (None, None, 20));
    let fields = ["To", "Cc"].map(|name| Cow::Borrowed(name.as_bytes()));
    let fields = SectionText::HeaderFields(fields.to_vec());
    assert_eq!(url.section.text, Some(fields));
    let url = read("/a/b%20%C3%A9%2f/;UID=4294967295/;PARTIAL=7");
    assert_eq!(url.mailbox.unwrap().name, "a/b é/".as_bytes());
    assert_eq!(url.section.partial, Some((7, u32::MAX)));
    assert!(!read("Sent/;UID=1").mailbox.unwrap().absolute);
}

#[test]
fn what_leads_to_no_message_is_no_url() {
    for url in [
        "",
        "/",
        "/INBOX",
        "/INBOX/",
        "/INBOX;UIDVALIDITY=1",
        "/INBOX;UIDVALIDITY=1/",
        "/INBOX?SUBJECT%20x",
        "imap://ann@example.org/INBOX/;UID=1",
        "//ann@example.org/INBOX/;UID=1",
        "http:x/;UID=1",
        "/;UID=1",
        "/;UIDVALIDITY=1/;UID=1",
        ";UIDVALIDITY=1/;UID=1",
        "INBOX;UID=1",
        "/INBOX/;UID=0",
        "/INBOX/;UID=",
        "/INBOX/;UID=+1",
        "/INBOX/;UID=1:2",
        "/INBOX/;UID=4294967296",
        "/INBOX/;UID=1/",
        "/INBOX/;UID=1;SECTION=1",
        "/INBOX;UIDVALIDITY=0/;UID=1",
        "/INBOX;UIDVALIDITY=1;UID=1",
        "/INBOX/;SECTION=1",
        ";SECTION=1",
        ";PARTIAL=1",
        "/INBOX/;UID=1/;SECTION=",
        "/INBOX/;UID=1/;SECTION=0",
        "/INBOX/;UID=1/;SECTION=1.",
        "/INBOX/;UID=1/;SECTION=MIME",
        "/INBOX/;UID=1/;SECTION=%5D",
        "/INBOX/;UID=1/;SECTION=1]",
        "/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20()",
        "/INBOX/;UID=1/;PARTIAL=",
        "/INBOX/;UID=1/;PARTIAL=.1",
        "/INBOX/;UID=1/;PARTIAL=1.",
        "/INBOX/;UID=1/;PARTIAL=1.0",
        "/INBOX/;UID=1/;PARTIAL=1.2.3",
        "/INBOX/;UID=1/;PARTIAL=1/;SECTION=1",
        "/INBOX/;UID=1/;UID=2",
        "/INBOX/;UID=1;URLAUTH=anonymous",
        "/IN%00BOX/;UID=1",
        "/IN%BOX/;UID=1",
        "/INBOX%4/;UID=1",
        "/IN BOX/;UID=1",
        "/INBÖX/;UID=1",
    ] {
        assert_eq!(MessageUrl::parse(url.as_bytes()), None, "{url}");
    }
}

proptest! {
    #[test]
    fn whatever_is_read_prints_to_the_same(bytes in "(/)?[a-z%2;/&.:-]{0,9}(;UIDVALIDITY=[0-9]{1,3})?/?;UID=[0-9]{1,3}(/;SECTION=[1-3.A-Z%0-9()]{1,9})?(/;PARTIAL=[0-9.]{1,5})?") {
        if let Some(url) = MessageUrl::parse(bytes.as_bytes()) {
            let printed = url.to_string();
            prop_assert_eq!(MessageUrl::parse(printed.as_bytes()), Some(url), "{}", printed);
        }
    }

    #[test]
    fn hostile_bytes_are_read_or_not(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = MessageUrl::parse(&bytes);
        let _ = MessageUrl::parse(&[b"/INBOX/;UID=1/;SECTION=", &*bytes].concat());
    }
}

#[test]
fn printing_gives_what_was_read() {
    for url in [
        "/INBOX;UIDVALIDITY=1/;UID=2/;SECTION=1.2.MIME/;PARTIAL=0.100",
        ";UID=20/;SECTION=HEADER.FIELDS%20(To%20Cc)",
        "Sent/;UID=1/;SECTION=TEXT",
        "/b%20%C3%A9/;UID=4294967295/;PARTIAL=7",
    ] {
        assert_eq!(read(url).to_string(), url);
    }
}

/// Feeds a stream byte by byte, accepts every message, and gives the commands and how many messages came.
fn fed(stream: &[u8]) -> (Vec<pillarbox_proto::imap::frame::Frame>, usize) {
    let mut framer = Framer::new(FrameLimits::after_login());
    let (mut commands, mut messages) = (Vec::new(), 0);
    for byte in stream {
        let mut input = std::slice::from_ref(byte);
        loop {
            let (used, event) = framer.feed(input);
            input = &input[used..];
            match event {
                Event::More => break,
                Event::Command(frame) => commands.push(frame),
                Event::Message { .. } => {
                    framer.partial().append_prefix().unwrap();
                    messages += 1;
                    framer.accept_message();
                }
                _ => {}
            }
        }
    }
    (commands, messages)
}

#[test]
fn texts_are_streamed_and_urls_are_held() {
    let stream = b"a APPEND URL CATENATE (URL {4+}\r\n/a;b TEXT ~{2+}\r\n\0x URL \"q\" url {2+}\r\n/c) () {2+}\r\nno\r\nb NOOP\r\n";
    let (commands, messages) = fed(stream);
    assert_eq!((commands.len(), messages), (2, 2));
    let Command::Append { messages, .. } = commands[0].parse().unwrap().command else {
        panic!("no APPEND");
    };
    let url = |text: &'static [u8]| CatPart::Url(Cow::Borrowed(text));
    let text = CatPart::Text {
        size: 2,
        binary: true,
    };
    let parts = vec![url(b"/a;b"), text, url(b"q"), url(b"/c")];
    let data: Vec<_> = messages.into_iter().map(|message| message.data).collect();
    let plain = AppendData::Streamed {
        size: 2,
        binary: false,
    };
    assert_eq!(data, [AppendData::Catenated { parts, open: false }, plain]);
    // A mailbox of that name.
    let (commands, messages) = fed(b"a APPEND URL {2+}\r\nno\r\n");
    assert_eq!((commands.len(), messages), (1, 1));
}

#[test]
fn lists_of_pieces_that_are_wrong() {
    wrong("APPEND box CATENATE", "Expected a space at byte 22");
    wrong("APPEND box CATENATE ()", "Expected TEXT or URL at byte 24");
    wrong("APPEND box CATENATE (URL)", "Expected a space at byte 27");
    wrong("APPEND box CATENATE (URL x", "Expected ) at byte 29");
    wrong(
        "APPEND box CATENATE (TEXT {1+}\r\nx",
        "Expected ) at byte 33",
    );
    wrong(
        "APPEND box CATENATE (TEXT \"x\")",
        "Expected a literal at byte 29",
    );
    let many = format!("APPEND box CATENATE ({}URL x)", "URL x ".repeat(1_000));
    wrong(&many, "Too many parts in one message at byte 6029");
}

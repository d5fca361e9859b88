//! What holds for all bytes, and agreement with another reader of mail.

mod common;

use mail_parser::{MessageParser, PartType};
use pillarbox_message::{
    DigestRef, Kind, Needle, PartIndex, Structure, date, decode_header, digest, fields, fold,
    header_fields, limit, scan, text_contains,
};
use proptest::prelude::*;

/// Pieces that mail is made of, so that random rows of them come close to mail.
const PIECES: [&str; 40] = [
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    "--",
    "--b",
    "--b--",
    "--bb\r\n",
    "\r\n--b\r\n",
    "\r\n--b--\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: multipart/digest; boundary=bb\r\n",
    "Content-Type: text/html; charset=utf-8\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Disposition: attachment; filename*0*=u''%41\r\n",
    "Subject: Re: [x] (fwd)\r\n",
    "From: Joe <@r:j@b.c>, x: y;\r\n",
    "To: \"a\\\"",
    "<",
    ">",
    "@",
    ",",
    ";",
    "(",
    ")",
    "\"",
    "\\",
    "=?utf-8?Q?=C3=A4?=",
    "=?",
    "?=",
    "Date: 1 Jan 2024 00:00 GMT\r\n",
    "\u{e4}",
    "text",
    "[",
    "&amp;<p",
];

fn mail() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        9 => (0..PIECES.len()).prop_map(|at| PIECES[at].as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

#[track_caller]
fn check_ranges(message: &[u8], structure: &Structure) {
    let parts = structure.parts();
    assert_eq!(
        (parts[0].header.start, parts[0].body.end as usize),
        (0, message.len())
    );
    assert_eq!(parts[0].subtree_end as usize, parts.len());
    for (at, part) in parts.iter().enumerate() {
        assert!(part.header.start <= part.header.end && part.header.end == part.body.start);
        assert!(part.body.start <= part.body.end);
        let lines = part
            .body
            .of(message)
            .iter()
            .filter(|&&b| b == b'\n')
            .count();
        assert_eq!(part.lines as usize, lines);
        let mut before = part.body.start;
        for child in structure.children(at) {
            let child = &parts[child];
            assert!(before <= child.header.start && child.body.end <= part.body.end);
            before = child.body.end;
        }
        let children = structure.children(at).count();
        match part.kind {
            Kind::Multipart => assert!(children > 0),
            Kind::Message => assert_eq!(children, 1),
            Kind::Text | Kind::Leaf => assert_eq!(children, 0),
        }
    }
}

proptest! {
    #[test]
    fn parts_are_nested_in_order_and_within_the_message(message in mail()) {
        check_ranges(&message, &scan(&message));
    }

    #[test]
    fn what_is_told_is_always_syntax(message in mail()) {
        common::told(&message);
    }

    #[test]
    fn damaged_mail_is_still_told(
        message in well_formed(3),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>()), 1..8),
    ) {
        let mut message = message;
        for (at, byte) in damage {
            let at = at.index(message.len().max(1));
            match byte {
                Some(byte) if at < message.len() => message[at] = byte,
                _ => message.truncate(at),
            }
        }
        check_ranges(&message, &scan(&message));
        common::told(&message);
    }

    #[test]
    fn a_digest_survives_the_store(message in mail()) {
        let made = digest(&message);
        let encoded = made.encode();
        let stored = DigestRef::new(&encoded).expect("a stored digest");
        prop_assert_eq!(stored.sort_keys(), made.sort.clone());
        prop_assert_eq!(stored.sent_date(), made.sort.sent_date);
        prop_assert_eq!(stored.message_id().unwrap_or_default(), &made.sort.message_id);
        let references: Vec<u8> =
            stored.references().flat_map(|id| [id, b"\n"].concat()).collect();
        prop_assert_eq!(references, made.sort.references);
        prop_assert_eq!(stored.base_subject(), made.sort.base_subject);
        prop_assert_eq!(stored.display_from(), made.sort.display_from);
        prop_assert_eq!(stored.preview(), made.preview);
        prop_assert_eq!(stored.header_len(), made.header_len);
        prop_assert_eq!(stored.parts().len(), scan(&message).parts().len());
    }

    #[test]
    fn damaged_digests_never_panic(
        message in mail(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut encoded = digest(&message).encode();
        let at = at.index(encoded.len());
        encoded[at] = byte;
        for bytes in [&encoded[..], &encoded[..at]] {
            if let Some(stored) = DigestRef::new(bytes) {
                let parts = stored.parts();
                for path in [&[][..], &[1], &[2, 1], &[1, 1, 1]] {
                    parts.locate(path, None);
                }
                text_contains(&message, &parts, &Needle::new("x"), true);
                let _ = (stored.references().count(), stored.preview(), stored.sent_date());
            }
        }
        let _ = PartIndex::new(&encoded);
    }

    #[test]
    fn header_and_text_make_the_message(message in mail()) {
        let encoded = digest(&message).encode();
        let parts = DigestRef::new(&encoded).expect("a stored digest").parts();
        let header = parts.locate(&[], Some(&pillarbox_message::SectionText::Header));
        let text = parts.locate(&[], Some(&pillarbox_message::SectionText::Text));
        let (header, text) = (header.expect("a header"), text.expect("a text"));
        prop_assert_eq!((header.start, header.end), (0, text.start));
        prop_assert_eq!(text.end as usize, message.len());
    }

    #[test]
    fn listed_and_other_fields_are_all_fields(block in mail()) {
        let names: &[&[u8]] = &[b"from", b"Subject"];
        let listed = header_fields(&block, names, true);
        let others = header_fields(&block, names, false);
        let count = |block: &[u8]| fields(block).count();
        prop_assert_eq!(count(&listed) + count(&others), count(&block));
        prop_assert!(fields(&listed).all(|field| field.is(b"From") || field.is(b"SUBJECT")));
    }

    #[test]
    fn any_part_of_a_text_is_found_in_it(text in "\\PC{1,60}", from: usize, len in 1usize..9) {
        let chars: Vec<char> = text.chars().collect();
        let from = from % chars.len();
        let part: String = chars[from..].iter().take(len).collect();
        // A mark that composes with what is before it is no part of the text as it is compared.
        prop_assume!(fold(&text).contains(&fold(&part)));
        prop_assert!(Needle::new(&part).found_in(&text));
        prop_assert!(Needle::new(&part.to_uppercase()).found_in(&text.to_uppercase()));
    }

    #[test]
    fn plain_text_is_its_own_decoding(text in "[ -~]{0,60}") {
        prop_assume!(!text.contains("=?"));
        prop_assert_eq!(decode_header(text.as_bytes()), text.trim());
    }

    #[test]
    fn internal_dates_are_what_was_printed(
        secs in -60_000_000_000i64..250_000_000_000,
        zone in -1439i16..1440,
    ) {
        let text = date::format_internal(secs, zone);
        prop_assert_eq!(date::parse_internal(text.as_bytes()), Some((secs, zone)));
        prop_assert_eq!(date::parse(text.as_bytes()), Some((secs, zone)));
    }

    #[test]
    fn well_formed_multiparts_are_read_as_others_read_them(message in well_formed(3)) {
        let message = [b"From: a@b.c\r\n", &message[..]].concat();
        let ours: Vec<_> = scan(&message)
            .parts()
            .iter()
            .map(|part| (part.header.start, part.body.start, part.body.end))
            .collect();
        let theirs = MessageParser::new().parse(&message).expect("a message");
        let mut offsets = Vec::new();
        for part in &theirs.parts {
            // The end of a multipart is told in another way.
            let end = match part.body {
                PartType::Multipart(_) => None,
                _ => Some(part.offset_end),
            };
            offsets.push((part.offset_header, part.offset_body, end));
        }
        prop_assert_eq!(ours.len(), offsets.len());
        for (ours, theirs) in ours.iter().zip(offsets) {
            prop_assert_eq!((ours.0, ours.1), (theirs.0, theirs.1));
            prop_assert!(theirs.2.is_none_or(|end| end == ours.2));
        }
    }
}

/// A part without message/rfc822: a text, or a multipart of parts, each boundary another one.
fn well_formed(depth: u32) -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-z ]{1,20}(\r\n[a-z ]{1,20}){0,3}".prop_map(|body| {
        format!("Content-Type: text/plain; charset=us-ascii\r\n\r\n{body}").into_bytes()
    });
    text.prop_recursive(depth, 20, 4, |part| {
        (prop::collection::vec(part, 1..4), "[A-Z]{12}").prop_map(|(parts, boundary)| {
            let start = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n");
            let mut out = start.into_bytes();
            for part in parts {
                out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                out.extend_from_slice(&part);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            out
        })
    })
}

/// Mail made to be slow. At quadratic cost each of these would take minutes.
#[test]
fn mail_made_to_be_slow_is_not() {
    for unit in [
        "To: (((((((((\r\n",
        "To: <<<<<<a@@@,,,;;;\r\n",
        "Subject: =?utf-8?q?x\r\n",
        "\r\n--b",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: a/b; x=\"\\\"; a*1=2; a*1=2\r\n",
        "\"",
        "(",
        "[x]",
        "Re: ",
        "=?a?q?",
        "<!--",
        "References: <a@b> <\"c\"@d>\r\n",
        "To: =?,=?,=?,\r\n",
        "--",
        "\n",
        "\n ",
        ":",
        "<style",
        "a@b ",
        "&a",
    ] {
        let bytes = unit.repeat(300_000 / unit.len());
        for start in ["", "Subject: ", "To: ", "Content-Type: text/html\r\n\r\n"] {
            let message = [start, &bytes, "<a>"].concat();
            let made = digest(message.as_bytes());
            assert!(made.parts.len() <= (2 * limit::MAX_PARTS + 1) * 160);
        }
    }
}

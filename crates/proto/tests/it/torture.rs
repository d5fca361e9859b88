//! What no client sends: nothing panics, nothing grows without bound, nothing of it is repeated.

use std::mem::discriminant;

use pillarbox_model::limit;
use pillarbox_proto::imap::frame::{Event, Frame, FrameLimits, Framer};
use pillarbox_proto::imap::table::{State, TABLE, rules};
use pillarbox_proto::sasl::{Exchange, Mechanism, Setting};
use proptest::prelude::*;

use crate::grammar;

/// Feeds pieces, taking every other message, and keeps what came out.
fn commands(limits: FrameLimits, pieces: &[&[u8]]) -> Vec<Event<'static>> {
    let mut framer = Framer::new(limits);
    let (mut out, mut offers) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let (used, event) = framer.feed(rest);
            rest = &rest[used..];
            match event {
                Event::More => break,
                Event::Message { .. } => {
                    let _ = framer.partial().append_prefix();
                    offers += 1;
                    if offers % 2 == 0 {
                        framer.refuse_message()
                    } else {
                        framer.accept_message()
                    }
                }
                Event::MessageData(_) => {}
                Event::Continue => out.push(Event::Continue),
                Event::MessageEnd => out.push(Event::MessageEnd),
                Event::Command(frame) => out.push(Event::Command(frame)),
                Event::Line(line) => out.push(Event::Line(line)),
                Event::Abandoned { tag } => out.push(Event::Abandoned { tag }),
                Event::Refused { tag, why } => out.push(Event::Refused { tag, why }),
                Event::Fatal(why) => out.push(Event::Fatal(why)),
            }
        }
        assert!(framer.partial().redacted().len() <= 4 * limits.argument_bytes);
    }
    out
}

/// What is said about a frame is safe to send, whatever is in it.
fn look_at(frame: &Frame) {
    let _ = frame.redacted();
    match frame.parse() {
        Ok(tagged) => {
            assert_eq!(frame.tag(), Some(tagged.tag));
            assert!(TABLE.contains(&rules(&tagged.command)));
        }
        Err(error) => {
            assert!(error.message.bytes().all(|b| matches!(b, b' '..=b'~')));
            assert_eq!(frame.tag().is_some(), error.tag.is_some());
        }
    }
}

const SEEDS: [&str; 16] = [
    "a LOGIN {3+}\r\njoe \"sec\\\"ret\"\r\n",
    "a AUTHENTICATE PLAIN AGEAYg==\r\n",
    "a ID (\"name\" NIL \"os\" {2+}\r\nxy)\r\n",
    "a SELECT box (QRESYNC (7 20050 41:211,214:541 (1,2 3:4)))\r\n",
    "a CREATE box (USE (\\Drafts \\Sent))\r\n",
    "a LIST (SUBSCRIBED) \"\" (\"a\" %) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))\r\n",
    "a STATUS box (MESSAGES UNSEEN)\r\n",
    "a NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER]) MessageExpunge)) (subtree (a \"b\") NONE)\r\n",
    "a ESEARCH IN (selected mailboxes (a {1+}\r\nb)) RETURN (COUNT) OR SEEN 1\r\n",
    "a APPEND box (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nabc () ~{2}\r\nab\r\n",
    "a UID SEARCH RETURN (MIN COUNT) CHARSET UTF-8 OR (FROM x NOT SEEN) UID 5:* $ SINCE 1-Feb-1994\r\n",
    "a UID FETCH 1:*,7 (UID BODY.PEEK[1.2.HEADER.FIELDS (From To)]<0.100> ENVELOPE) (CHANGEDSINCE 5)\r\n",
    "a STORE 1:2 (UNCHANGEDSINCE 9) -FLAGS.SILENT (\\Seen $x)\r\n",
    "a UID MOVE 1,5:3 {3}\r\nbox\r\n",
    "a RENAME {0+}\r\n {1+}\r\n\n\r\n",
    "GET / HTTP/1.1\r\n",
];

/// A byte that means something somewhere, or any.
fn byte() -> impl Strategy<Value = u8> {
    let special = prop::sample::select(b" \r\n\"\\(){}[]<>*%$+-~:,.0123456789\0\x16&=aA".to_vec());
    prop_oneof![3 => special, 1 => any::<u8>()]
}

/// Some seeds in a row, with some bytes changed, added or left out.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop::collection::vec(prop::sample::select(SEEDS.to_vec()), 1..4);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), byte(), 0..3), 0..6);
    (seeds, edits).prop_map(|(seeds, edits)| {
        let mut stream = seeds.concat().into_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(stream.len());
            match kind {
                0 => stream[at] = byte,
                1 => stream.insert(at, byte),
                _ if stream.len() > 1 => drop(stream.remove(at)),
                _ => {}
            }
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn damaged_streams(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        for limits in [FrameLimits::before_login(), FrameLimits::after_login()] {
            let events = commands(limits, &[&stream]);
            prop_assert_eq!(&events, &commands(limits, &pieces));
            for event in &events {
                if let Event::Command(frame) = event {
                    look_at(frame);
                }
            }
        }
    }

    #[test]
    fn noise(stream in prop::collection::vec(byte(), 0..300)) {
        for event in commands(FrameLimits::after_login(), &[&stream]) {
            if let Event::Command(frame) = event {
                look_at(&frame);
            }
        }
    }

    #[test]
    fn exchanges(
        mechanism in prop::sample::select(Mechanism::ALL.to_vec()),
        lines in prop::collection::vec(prop::collection::vec(byte(), 0..20), 0..4),
    ) {
        let initial = lines.first().map(Vec::as_slice);
        let (mut exchange, _) = Exchange::begin(mechanism, Setting::default(), initial);
        for line in &lines {
            let _ = exchange.respond(line);
            let _ = exchange.message(line);
        }
    }
}

/// Nobody is known yet: whatever is sent, little is held (the parentheses of CVE-2026-27857 and the
/// many literals of CVE-2024-34055).
#[test]
fn what_a_stranger_may_make_us_hold() {
    let parentheses = b"(".repeat(1_000_000);
    let literals = b"{1+}\r\nx".repeat(100_000);
    let large = [b"{4096+}\r\n".to_vec(), vec![b'x'; 4_096]]
        .concat()
        .repeat(100);
    for hostile in [parentheses, literals, large] {
        let mut framer = Framer::new(FrameLimits::before_login());
        let stream = [b"a NOOP ", &hostile[..]].concat();
        for piece in stream.chunks(1_000) {
            let mut rest = piece;
            loop {
                let (used, event) = framer.feed(rest);
                rest = &rest[used..];
                if discriminant(&event) == discriminant(&Event::More) {
                    break;
                }
            }
            assert!(framer.partial().redacted().len() <= 2 * limit::ARGUMENT_BYTES_BEFORE_LOGIN);
        }
    }
}

/// RFC 3501 §3 and §7.4.1, for every row.
#[test]
fn the_table_says_what_is_legal() {
    let row = |text: &str| {
        let frame = grammar::frame(format!("a {text}\r\n").as_bytes());
        *rules(&frame.parse().unwrap().command)
    };
    for row in TABLE {
        assert!(row.changes_allowed || !row.expunge_allowed, "{}", row.name);
        assert!(
            !row.carries_secret || !row.allowed_in(State::Authenticated),
            "{}",
            row.name
        );
    }
    let steady: Vec<_> = TABLE
        .iter()
        .filter(|row| row.changes_allowed && !row.expunge_allowed)
        .map(|row| row.name)
        .collect();
    // ESEARCH and those by UID where sequence numbers are among the keys.
    let found = [
        "ESEARCH",
        "SEARCH",
        "UID SEARCH",
        "SORT",
        "UID SORT",
        "THREAD",
        "UID THREAD",
    ];
    assert_eq!(steady[..7], found);
    assert_eq!(steady[7..], ["FETCH", "STORE"]);
    for (text, states) in [
        ("NOOP", [true, true, true]),
        ("STARTTLS", [true, false, false]),
        ("LOGIN a b", [true, false, false]),
        ("SELECT a", [false, true, true]),
        ("UID EXPUNGE 1", [false, false, true]),
        ("CLOSE", [false, false, true]),
    ] {
        let all = [
            State::NotAuthenticated,
            State::Authenticated,
            State::Selected,
        ];
        assert_eq!(
            all.map(|state| row(text).allowed_in(state)),
            states,
            "{text}"
        );
    }
    assert_eq!(row("EXAMINE a").name, "EXAMINE");
    assert_eq!(row("UID MOVE 1 a").name, "UID MOVE");
    assert_eq!(
        row("FETCH 1 UID").objection(State::NotAuthenticated),
        Some("Log in first")
    );
    assert_eq!(
        row("FETCH 1 UID").objection(State::Authenticated),
        Some("Select a mailbox first")
    );
    assert_eq!(
        row("LOGIN a b").objection(State::Selected),
        Some("Already logged in")
    );
}

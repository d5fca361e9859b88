//! Commands as written, and what they mean or what is wrong with them.

use std::borrow::Cow;

use pillarbox_model::{
    Bound, Depth, EntryName, Flag, Flags, InternalDate, Resource, SequenceSet, SpecialUse, limit,
};
use pillarbox_proto::imap::command::{
    AppendData, AppendMessage, BinarySection, Bytes, Command, FetchItem, FetchModifier,
    GetMetadata, List, ListReturn, ListSelect, Rfc822, Search, SearchKey, SearchReturn, Section,
    SectionText, SelectParameter, StatusItem, StoreAction,
};
use pillarbox_proto::imap::frame::{Event, Frame, FrameLimits, Framer};

/// The frame of one command; messages are taken.
pub(crate) fn frame(stream: &[u8]) -> Frame {
    let mut framer = Framer::new(FrameLimits::after_login());
    let mut rest = stream;
    loop {
        let (used, event) = framer.feed(rest);
        rest = &rest[used..];
        match event {
            Event::Command(frame) => return frame,
            Event::Message { .. } => framer.accept_message(),
            Event::Continue | Event::MessageData(_) | Event::MessageEnd => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Checks what a command means; the tag is added.
#[track_caller]
pub(crate) fn means(text: &str, expected: &Command<'_>) {
    let frame = frame(format!("a1 {text}\r\n").as_bytes());
    let tagged = frame
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(tagged.tag, "a1");
    assert_eq!(&tagged.command, expected, "{text}");
}

/// Checks what is said about a command that is wrong.
#[track_caller]
pub(crate) fn wrong(text: &str, message: &str) {
    let frame = frame(format!("a1 {text}\r\n").as_bytes());
    match frame.parse() {
        Ok(tagged) => panic!("{text}: {tagged:?}"),
        Err(error) => {
            assert_eq!(
                (error.tag, &*error.message),
                (Some("a1"), message),
                "{text}"
            );
            assert_eq!(error.unknown_command, message == "Unknown command");
        }
    }
}

pub(crate) fn bytes(text: &str) -> Bytes<'_> {
    Cow::Borrowed(text.as_bytes())
}

const fn n(number: u32) -> Bound {
    Bound::Number(number)
}

fn set(ranges: &[(Bound, Bound)]) -> SequenceSet {
    SequenceSet::Ranges(ranges.to_vec())
}

fn one() -> SequenceSet {
    set(&[(n(1), n(1))])
}

fn keyword(name: &str) -> Flag {
    Flag::Keyword(name.into())
}

const SEEN: Flag = Flag::System(Flags::SEEN);

#[test]
fn bare_commands() {
    for (text, command) in [
        ("CAPABILITY", Command::Capability),
        ("noop", Command::Noop),
        ("Logout ", Command::Logout),
        ("STARTTLS", Command::StartTls),
        ("NAMESPACE", Command::Namespace),
        ("IDLE", Command::Idle),
        ("CHECK", Command::Check),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE", Command::Expunge(None)),
    ] {
        means(text, &command);
        wrong(&format!("{} x", text.trim()), &end_error(text.trim()));
    }
}

fn end_error(text: &str) -> String {
    format!("Expected the end of the command at byte {}", text.len() + 4)
}

#[test]
fn tags_and_names() {
    let tag_error = |stream: &[u8]| {
        let frame = frame(stream);
        let error = frame.parse().unwrap_err();
        assert_eq!(error.tag, None, "an answer must not repeat what is no tag");
        error.message.into_owned()
    };
    for stream in [
        &b"\r\n"[..],
        b" NOOP\r\n",
        b"+ NOOP\r\n",
        b"a+ NOOP\r\n",
        b"a\" x\r\n",
        b"\xc3\xa4 NOOP\r\n",
    ] {
        assert_eq!(tag_error(stream), "Expected a tag at byte 0");
    }
    let frame = frame(b"a1\r\n");
    assert_eq!(
        frame.parse().unwrap_err().message,
        "Expected a command after the tag at byte 2"
    );
    wrong("", "Expected a command after the tag at byte 3");
    wrong(" NOOP", "Expected a command after the tag at byte 3");
    wrong("NOOP)", "Expected the end of the command at byte 7");
    for unknown in [
        "XYZZY",
        "SORTED (DATE) UTF-8 ALL",
        "UID",
        "UID NOOP",
        "AVERYLONGCOMMANDNAME x",
    ] {
        let expected = match unknown {
            "UID" => "Expected a space at byte 6",
            _ => "Unknown command",
        };
        wrong(unknown, expected);
    }
}

#[test]
fn id() {
    means("ID NIL", &Command::Id(Vec::new()));
    means("ID ()", &Command::Id(Vec::new()));
    let pairs = vec![(bytes("name"), Some(bytes("Mail"))), (bytes("os"), None)];
    means(
        "ID (\"name\" \"Mail\" \"os\" NIL)",
        &Command::Id(pairs.clone()),
    );
    means(
        "ID ( \"name\" {4+}\r\nMail \"os\" nil )",
        &Command::Id(pairs),
    );
    wrong("ID", "Expected a space at byte 5");
    wrong("ID (\"name\")", "Expected a space at byte 13");
    wrong(
        "ID (\"name\" NIL \"x)",
        "Quoted string has no end at byte 18",
    );
    wrong(
        &format!("ID ({})", vec!["a b"; 31].join(" ")),
        "Too many fields at byte 6",
    );
}

#[test]
fn authenticate() {
    let with = |initial: Option<&str>| Command::Authenticate {
        mechanism: "PLAIN",
        initial: initial.map(|text| text.as_bytes().to_vec()),
    };
    means("AUTHENTICATE PLAIN", &with(None));
    means("authenticate PLAIN =", &with(Some("")));
    means("AUTHENTICATE PLAIN AGEAYg==", &with(Some("\0a\0b")));
    wrong(
        "AUTHENTICATE PLAIN AGEAYg",
        "Initial response is not base64 at byte 22",
    );
    wrong(
        "AUTHENTICATE PLAIN = =",
        "Expected the end of the command at byte 24",
    );
    wrong("AUTHENTICATE", "Expected a space at byte 15");
}

#[test]
fn login() {
    let with = |user, password| Command::Login {
        user: bytes(user),
        password: bytes(password),
    };
    means("LOGIN joe secret", &with("joe", "secret"));
    means(
        "LOGIN \"joe\" \"se \\\"cr\\\\et\"",
        &with("joe", "se \"cr\\et"),
    );
    means(
        "LOGIN {3+}\r\njoe {6}\r\ns\r\necr",
        &with("joe", "s\r\necr"),
    );
    means("LOGIN joe@example.org \"\"", &with("joe@example.org", ""));
    means("LOGIN j]e pässwörd", &with("j]e", "pässwörd"));
    means("LOGIN  joe   secret  ", &with("joe", "secret"));
    wrong("LOGIN joe", "Expected a space at byte 12");
    wrong("LOGIN joe ", "Expected a password at byte 13");
    wrong("LOGIN joe \"x", "Quoted string has no end at byte 13");
    wrong(
        "LOGIN joe \"a\rb\"",
        "CR is not allowed in a quoted string at byte 15",
    );
    wrong(
        "LOGIN joe \"\\x\"",
        "Only \\\\ and \\\" may follow a backslash in a quoted string at byte 15",
    );
    wrong(
        "LOGIN joe ~{1+}\r\nx",
        "literal8 is not allowed here at byte 13",
    );
    wrong("LOGIN joe{1+}\r\nx", "Expected a space at byte 12");
    wrong("LOGIN (joe) x", "Expected a user name at byte 9");
    let long = format!("LOGIN joe \"{}\"", "x".repeat(limit::QUOTED_BYTES + 1));
    wrong(&long, "Quoted string is too long at byte 13");
}

#[test]
fn enable() {
    means(
        "ENABLE CONDSTORE UTF8=ACCEPT",
        &Command::Enable(vec!["CONDSTORE", "UTF8=ACCEPT"]),
    );
    wrong("ENABLE", "Expected a space at byte 9");
    wrong("ENABLE (", "Expected a capability at byte 10");
}

#[test]
fn select() {
    let with = |read_only, parameters| Command::Select {
        mailbox: bytes("box"),
        read_only,
        parameters,
    };
    means("SELECT box", &with(false, Vec::new()));
    means("EXAMINE \"box\"", &with(true, Vec::new()));
    means(
        "SELECT box (CondStore)",
        &with(false, vec![SelectParameter::CondStore]),
    );
    let qresync = |known_uids, seq_match| {
        with(
            false,
            vec![SelectParameter::QResync {
                uid_validity: 7,
                modseq: 20_050,
                known_uids,
                seq_match,
            }],
        )
    };
    means("SELECT box (QRESYNC (7 20050))", &qresync(None, None));
    let known = set(&[(n(41), n(211)), (n(214), n(541))]);
    means(
        "SELECT box (QRESYNC (7 20050 41:211,214:541))",
        &qresync(Some(known.clone()), None),
    );
    means(
        "SELECT box (QRESYNC (7 20050 41:211,214:541 (1 1)))",
        &qresync(Some(known), Some((one(), one()))),
    );
    means(
        "SELECT box (QRESYNC (7 20050 (1 1)))",
        &qresync(None, Some((one(), one()))),
    );
    wrong(
        "SELECT box (QRESYNC (7 20050 1:*))",
        "* and $ are not allowed here at byte 32",
    );
    wrong(
        "SELECT box (QRESYNC (0 1))",
        "0 is not allowed here at byte 24",
    );
    wrong("SELECT box (FOO)", "Unknown parameter at byte 15");
    wrong("SELECT box ()", "Expected a list of parameters at byte 14");
    wrong("SELECT box x", "Expected a list of parameters at byte 14");
    wrong("SELECT", "Expected a space at byte 9");
}

/// NIL names a mailbox, and `~foo` is no literal.
#[test]
fn names_that_look_like_something_else() {
    for name in ["NIL", "~foo", "~", "INBOX", "a]b", "&Jjo-", "2", "foo+bar"] {
        means(&format!("DELETE {name}"), &Command::Delete(bytes(name)));
    }
    means("DELETE {3}\r\na b", &Command::Delete(bytes("a b")));
    means("DELETE \"\"", &Command::Delete(bytes("")));
    means("DELETE \"{3}\"", &Command::Delete(bytes("{3}")));
    means("DELETE b\u{fc}x", &Command::Delete(bytes("b\u{fc}x")));
    wrong("DELETE a*b", "Expected the end of the command at byte 11");
    wrong("DELETE {3", "Expected a mailbox name at byte 10");
    wrong("DELETE a b", "Expected the end of the command at byte 12");
}

#[test]
fn mailbox_commands() {
    let create = |special_use| Command::Create {
        mailbox: bytes("box"),
        special_use,
    };
    means("CREATE box", &create(Vec::new()));
    let uses = vec![Some(SpecialUse::Drafts), None, Some(SpecialUse::Sent)];
    means("CREATE box (USE (\\Drafts \\Foo \\sent))", &create(uses));
    means("CREATE box (USE ())", &create(Vec::new()));
    wrong("CREATE box (FOO)", "Unknown parameter at byte 15");
    wrong("CREATE box USE", "Expected a list of parameters at byte 14");
    means(
        "RENAME a \"b c\"",
        &Command::Rename {
            from: bytes("a"),
            to: bytes("b c"),
        },
    );
    wrong("RENAME a", "Expected a space at byte 11");
    means("SUBSCRIBE a", &Command::Subscribe(bytes("a")));
    means("unsubscribe a", &Command::Unsubscribe(bytes("a")));
    let lsub = |pattern| Command::Lsub {
        reference: bytes(""),
        pattern: bytes(pattern),
    };
    means("LSUB \"\" *", &lsub("*"));
    means("LSUB \"\" \"a.%\"", &lsub("a.%"));
}

#[test]
fn plain_list() {
    let with = |reference, pattern| {
        Command::List(List {
            reference: bytes(reference),
            patterns: vec![bytes(pattern)],
            ..List::default()
        })
    };
    means("LIST \"\" *", &with("", "*"));
    means("LIST \"\" \"\"", &with("", ""));
    means("list a. %.b*", &with("a.", "%.b*"));
    means("LIST \"\" NIL", &with("", "NIL"));
    means("LIST \"\" {1}\r\n%", &with("", "%"));
    wrong("LIST * *", "Expected a reference name at byte 8");
    wrong("LIST \"\"", "Expected a space at byte 10");
    wrong(
        "LIST \"\" * foo",
        "Expected RETURN or the end of the command at byte 13",
    );
}

/// RFC 5258 §5, RFC 5819 §2, RFC 6154 §5.
#[test]
fn extended_list() {
    let list = |select: ListSelect, patterns: &[&'static str], returns| {
        let patterns = patterns.iter().map(|text| bytes(text)).collect();
        Command::List(List {
            select,
            reference: bytes(""),
            patterns,
            returns,
            extended: true,
            xlist: false,
        })
    };
    let select = ListSelect {
        subscribed: true,
        recursive_match: true,
        ..ListSelect::default()
    };
    means(
        "LIST (SUBSCRIBED recursivematch) \"\" \"*\"",
        &list(select, &["*"], ListReturn::default()),
    );
    let returns = ListReturn {
        subscribed: true,
        children: true,
        special_use: true,
        my_rights: true,
        status: vec![StatusItem::Messages, StatusItem::Size],
        metadata: vec![EntryName::new(b"/shared/comment").unwrap()],
    };
    means(
        "LIST () \"\" (INBOX \"Drafts\" Sent/%) \
         RETURN (SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS STATUS (MESSAGES SIZE) \
         METADATA (/shared/comment))",
        &list(
            ListSelect::default(),
            &["INBOX", "Drafts", "Sent/%"],
            returns,
        ),
    );
    let select = ListSelect {
        special_use: true,
        remote: true,
        ..ListSelect::default()
    };
    means(
        "LIST (SPECIAL-USE REMOTE) \"\" % RETURN ()",
        &list(select, &["%"], ListReturn::default()),
    );
    let problem = "RECURSIVEMATCH needs another selection option at byte 8";
    wrong("LIST (RECURSIVEMATCH) \"\" *", problem);
    wrong("LIST (RECURSIVEMATCH REMOTE) \"\" *", problem);
    wrong("LIST (FOO) \"\" *", "Unknown selection option at byte 9");
    wrong("LIST \"\" () ", "Expected one or more patterns at byte 11");
    wrong(
        "LIST \"\" * RETURN (FOO)",
        "Unknown return option at byte 21",
    );
    wrong(
        "LIST \"\" * RETURN (STATUS ())",
        "Expected a list of status items at byte 28",
    );
    wrong(
        &format!("LIST \"\" ({})", vec!["*"; 101].join(" ")),
        "Too many patterns at byte 11",
    );
}

#[test]
fn status() {
    let all = StatusItem::ALL.map(StatusItem::name).join(" ");
    let with = |items| Command::Status {
        mailbox: bytes("box"),
        items,
    };
    means(
        &format!("STATUS box ({all})"),
        &with(StatusItem::ALL.to_vec()),
    );
    means(
        "STATUS box ( unseen UNSEEN )",
        &with(vec![StatusItem::Unseen]),
    );
    wrong(
        "STATUS box ()",
        "Expected a list of status items at byte 14",
    );
    wrong("STATUS box (FOO)", "Unknown status item at byte 15");
    wrong("STATUS box (SIZEX)", "Unknown status item at byte 15");
    wrong("STATUS box", "Expected a space at byte 13");
}

#[test]
fn append() {
    let streamed = |size, binary| AppendData::Streamed { size, binary };
    let message = |flags, date, data| AppendMessage { flags, date, data };
    let with = |messages| Command::Append {
        mailbox: bytes("box"),
        messages,
    };
    means(
        "APPEND box {3}\r\nabc",
        &with(vec![message(Vec::new(), None, streamed(3, false))]),
    );
    let date = InternalDate {
        unix_seconds: 837_596_665,
        zone_minutes: -420,
    };
    let full = message(vec![SEEN, keyword("$X")], Some(date), streamed(3, false));
    means(
        "APPEND box (\\Seen \\Recent $X) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nabc",
        &with(vec![full.clone()]),
    );
    means(
        "APPEND {3}\r\nbox (\\seen $X) \"17-Jul-1996 02:44:25 -0700\" {3}\r\nabc () ~{2}\r\n\0\0",
        &with(vec![full, message(Vec::new(), None, streamed(2, true))]),
    );
    let inline = message(Vec::new(), None, AppendData::Inline(bytes("x: y")));
    means("APPEND box \"x: y\"", &with(vec![inline]));
    wrong("APPEND box", "Expected a space at byte 13");
    wrong(
        "APPEND box ",
        "Expected flags, a date or a literal at byte 14",
    );
    wrong("APPEND box (\\Seen)", "Expected a space at byte 21");
    wrong(
        "APPEND box \"17-Jul\" {1}\r\nx",
        "Expected - after the month at byte 21",
    );
    wrong("APPEND box (\"x\") {1}\r\nx", "Expected a flag at byte 15");
}

#[test]
fn append_before_its_message() {
    let mut framer = Framer::new(FrameLimits::after_login());
    let stream = b"a APPEND box (\\Seen) {1+}\r\nx \"17-Jul-1996 02:44:25 -0700\" {1+}\r\nx\r\n";
    let (used, _) = framer.feed(stream);
    let prefix = framer.partial().append_prefix().unwrap();
    assert_eq!(
        (&*prefix.mailbox, &*prefix.flags),
        (&b"box"[..], &[SEEN][..])
    );
    assert_eq!((prefix.date, prefix.before), (None, 0));
    framer.accept_message();
    let rest = &stream[used + 1..];
    assert_eq!(framer.feed(b"x"), (1, Event::MessageData(b"x")));
    assert_eq!(framer.feed(rest), (0, Event::MessageEnd));
    assert!(matches!(
        framer.feed(rest).1,
        Event::Message { size: 1, .. }
    ));
    let prefix = framer.partial().append_prefix().unwrap();
    assert_eq!((prefix.flags.len(), prefix.before), (0, 1));
    assert_eq!(prefix.date.unwrap().unix_seconds, 837_596_665);
}

/// The session can turn a message down that belongs to no sensible APPEND.
#[test]
fn append_that_is_wrong_before_its_message() {
    let mut framer = Framer::new(FrameLimits::after_login());
    assert!(matches!(
        framer.feed(b"a APPEND box FOO {1+}\r\n").1,
        Event::Message { .. }
    ));
    let error = framer.partial().append_prefix().unwrap_err();
    assert_eq!(error.tag, Some("a"));
    assert_eq!(
        error.message,
        "Expected flags, a date or a literal at byte 13"
    );
}

#[test]
fn sets() {
    let with = |set| Command::Copy {
        uid: false,
        remove: false,
        set,
        mailbox: bytes("box"),
    };
    means("COPY 1 box", &with(one()));
    means(
        "COPY 4:2,*,7:*,*:9 box",
        &with(set(&[
            (n(4), n(2)),
            (Bound::Last, Bound::Last),
            (n(7), Bound::Last),
            (Bound::Last, n(9)),
        ])),
    );
    means("COPY $ box", &with(SequenceSet::Saved));
    means(
        "COPY 4294967295 box",
        &with(set(&[(n(u32::MAX), n(u32::MAX))])),
    );
    wrong("COPY 0 box", "0 is not allowed here at byte 8");
    wrong("COPY 4294967296 box", "Number is too large at byte 8");
    wrong(
        "COPY 99999999999999999999 box",
        "Number is too large at byte 8",
    );
    wrong("COPY 1, box", "Expected a message number at byte 10");
    wrong("COPY 1:2:3 box", "Expected a space at byte 11");
    wrong("COPY a box", "Expected a message number at byte 8");
    let many = vec!["1"; limit::SEQUENCE_RANGES + 1].join(",");
    wrong(&format!("COPY {many} box"), "Too many ranges at byte 20009");
}

#[test]
fn copy_move_and_uid() {
    for (text, uid, remove) in [
        ("COPY", false, false),
        ("UID COPY", true, false),
        ("MOVE", false, true),
        ("uid move", true, true),
    ] {
        let expected = Command::Copy {
            uid,
            remove,
            set: one(),
            mailbox: bytes("box"),
        };
        means(&format!("{text} 1 box"), &expected);
    }
    means("UID EXPUNGE 1", &Command::Expunge(Some(one())));
    wrong("UID EXPUNGE", "Expected a space at byte 14");
    wrong("UID", "Expected a space at byte 6");
}

fn fetch<'a>(items: &[FetchItem<'a>]) -> Command<'a> {
    Command::Fetch {
        uid: false,
        set: one(),
        items: items.to_vec(),
        modifiers: Vec::new(),
    }
}

#[test]
fn fetch_items() {
    use FetchItem::{
        Body, BodyStructure, Envelope, Flags as F, InternalDate as D, ModSeq, Size, Uid,
    };
    means("FETCH 1 UID", &fetch(&[Uid]));
    means("FETCH 1 (UID)", &fetch(&[Uid]));
    means("FETCH 1 FAST", &fetch(&[F, D, Size]));
    means("FETCH 1 ALL", &fetch(&[F, D, Size, Envelope]));
    means("FETCH 1 full", &fetch(&[F, D, Size, Envelope, Body]));
    means(
        "FETCH 1 (FLAGS internaldate RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE MODSEQ FLAGS)",
        &fetch(&[F, D, Size, Envelope, Body, BodyStructure, ModSeq]),
    );
    means(
        "FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)",
        &fetch(&[
            FetchItem::Rfc822(Rfc822::Whole),
            FetchItem::Rfc822(Rfc822::Header),
            FetchItem::Rfc822(Rfc822::Text),
        ]),
    );
    wrong("FETCH 1 (FAST)", "Unknown item at byte 12");
    wrong("FETCH 1 ()", "Expected one or more items at byte 11");
    wrong("FETCH 1 FOO", "Unknown item at byte 11");
    wrong(
        "FETCH 1 UID FLAGS",
        "Expected a list of modifiers at byte 15",
    );
    wrong("FETCH 1", "Expected a space at byte 10");
    wrong("FETCH 1 (UID", "Expected a space or ) at byte 15");
    wrong("FETCH 1 RFC822.SIZE[]", "Unknown item at byte 11");
    let many: Vec<_> = (0..=200).map(|from| format!("BODY[]<{from}.1>")).collect();
    let last = "FETCH 1 (".len() + 3 + many.join(" ").len();
    wrong(
        &format!("FETCH 1 ({})", many.join(" ")),
        &format!("Too many items at byte {last}"),
    );
}

/// RFC 3516 §7: parts by their numbers, and nothing else of them.
#[test]
fn binary_sections() {
    for (text, peek, path, partial) in [
        ("BINARY[]", false, &[][..], None),
        ("binary.peek[1]", true, &[1], None),
        ("BINARY[1.2.30]<0.1>", false, &[1, 2, 30], Some((0, 1))),
    ] {
        let section = BinarySection {
            peek,
            path: path.to_vec(),
            partial,
        };
        means(
            &format!("FETCH 1 {text}"),
            &fetch(&[FetchItem::Binary(section)]),
        );
    }
    means(
        "FETCH 1 (BINARY.SIZE[] Binary.Size[1.2])",
        &fetch(&[
            FetchItem::BinarySize(vec![]),
            FetchItem::BinarySize(vec![1, 2]),
        ]),
    );
    wrong("FETCH 1 BINARY[TEXT]", "Expected a part at byte 18");
    wrong("FETCH 1 BINARY[1.]", "Expected a part at byte 20");
    wrong("FETCH 1 BINARY[0]", "0 is not allowed here at byte 18");
    wrong("FETCH 1 BINARY", "Unknown item at byte 11");
    wrong(
        "FETCH 1 BINARY.SIZE[1]<0.1>",
        "Expected a space or the end of the command at byte 25",
    );
    let deep = "1.".repeat(100);
    wrong(
        &format!("FETCH 1 BINARY[{deep}1]"),
        "Part is too deep at byte 218",
    );
}

/// RFC 8474 §7, RFC 8514 §5, RFC 8970 §6.
#[test]
fn facts() {
    use FetchItem::{EmailId, Preview, SaveDate, ThreadId};
    means(
        "FETCH 1 (EMAILID threadid SAVEDATE PREVIEW)",
        &fetch(&[EmailId, ThreadId, SaveDate, Preview { lazy: false }]),
    );
    let lazy = fetch(&[Preview { lazy: true }]);
    means("FETCH 1 PREVIEW (LAZY)", &lazy);
    means("FETCH 1 (preview (lazy LAZY))", &lazy);
    means(
        "FETCH 1 PREVIEW (CHANGEDSINCE 5)",
        &Command::Fetch {
            uid: false,
            set: one(),
            items: vec![Preview { lazy: false }],
            modifiers: vec![FetchModifier::ChangedSince(5)],
        },
    );
    wrong("FETCH 1 (PREVIEW (FUZZY))", "Unknown item at byte 20");
    wrong("FETCH 1 PREVIEW (LAZY FUZZY)", "Expected LAZY at byte 25");
    let key = |text: &str, key: SearchKey<'static>| {
        means(&format!("SEARCH {text}"), &search(key));
    };
    key("EMAILID M1-a_B", SearchKey::EmailId("M1-a_B"));
    key("threadid T1", SearchKey::ThreadId("T1"));
    key("SAVEDBEFORE 2-Jan-1970", SearchKey::SavedBefore(1));
    key("SAVEDON 1-Jan-1970", SearchKey::SavedOn(0));
    key("SAVEDSINCE 3-Jan-1970", SearchKey::SavedSince(2));
    key("SAVEDATESUPPORTED", SearchKey::All);
    wrong(
        "SEARCH EMAILID a.b",
        "Expected a space or the end of the command at byte 19",
    );
}

#[test]
fn fetch_modifiers() {
    let with = |modifiers| Command::Fetch {
        uid: true,
        set: one(),
        items: vec![FetchItem::Flags],
        modifiers,
    };
    let modifiers = vec![FetchModifier::ChangedSince(5), FetchModifier::Vanished];
    means(
        "UID FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)",
        &with(modifiers),
    );
    means(
        "UID FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775807)",
        &with(vec![FetchModifier::ChangedSince(i64::MAX as u64)]),
    );
    wrong(
        "UID FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
        "Number is too large at byte 35",
    );
    wrong("UID FETCH 1 FLAGS (FOO)", "Unknown modifier at byte 22");
}

fn section<'a>(
    path: &[u32],
    text: Option<SectionText<'a>>,
    partial: Option<(u32, u32)>,
) -> Section<'a> {
    Section {
        peek: false,
        path: path.to_vec(),
        text,
        partial,
    }
}

#[test]
fn sections() {
    use SectionText::{Header, HeaderFields, HeaderFieldsNot, Mime, Text};
    let fields = || vec![bytes("From"), bytes("tO"), bytes("X Y")];
    for (text, expected) in [
        ("BODY[]", section(&[], None, None)),
        ("body[]<0.10>", section(&[], None, Some((0, 10)))),
        (
            "BODY[TEXT]<4294967295.4294967295>",
            section(&[], Some(Text), Some((u32::MAX, u32::MAX))),
        ),
        ("BODY[HEADER]", section(&[], Some(Header), None)),
        ("BODY[1]", section(&[1], None, None)),
        ("BODY[1.2.3.MIME]", section(&[1, 2, 3], Some(Mime), None)),
        ("BODY[2.HEADER]", section(&[2], Some(Header), None)),
        ("BODY[1.text]", section(&[1], Some(Text), None)),
        (
            "BODY[HEADER.FIELDS (From tO \"X Y\")]",
            section(&[], Some(HeaderFields(fields())), None),
        ),
        (
            "BODY[HEADER.FIELDS(From tO {3+}\r\nX Y)]",
            section(&[], Some(HeaderFields(fields())), None),
        ),
        (
            "BODY[4.HEADER.FIELDS.NOT (From tO \"X Y\")]<5.1>",
            section(&[4], Some(HeaderFieldsNot(fields())), Some((5, 1))),
        ),
    ] {
        means(
            &format!("FETCH 1 {text}"),
            &fetch(&[FetchItem::Section(expected.clone())]),
        );
        let peek = Section {
            peek: true,
            ..expected
        };
        let text = text
            .replacen("BODY", "BODY.PEEK", 1)
            .replacen("body", "body.peek", 1);
        means(
            &format!("FETCH 1 ({text})"),
            &fetch(&[FetchItem::Section(peek)]),
        );
    }
    wrong("FETCH 1 BODY[MIME]", "Unknown section at byte 16");
    wrong("FETCH 1 BODY[1.]", "Unknown section at byte 18");
    wrong("FETCH 1 BODY[0]", "0 is not allowed here at byte 16");
    wrong(
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "Expected a list of header fields at byte 30",
    );
    wrong(
        "FETCH 1 BODY[HEADER.FIELDS]",
        "Expected a list of header fields at byte 29",
    );
    wrong("FETCH 1 BODY[]<0.0>", "0 is not allowed here at byte 20");
    wrong("FETCH 1 BODY[]<1>", "Expected . at byte 19");
    wrong("FETCH 1 BODY[", "Unknown section at byte 16");
    wrong("FETCH 1 BODY[TEXT", "Expected ] at byte 20");
    let deep = vec!["1"; 101].join(".");
    wrong(
        &format!("FETCH 1 BODY[{deep}]"),
        "Part is too deep at byte 216",
    );
    let fields = vec!["x"; 501].join(" ");
    let text = format!("FETCH 1 BODY[HEADER.FIELDS ({fields})]");
    wrong(&text, "Too many header fields at byte 30");
}

#[test]
fn store() {
    let with = |action, silent, flags: &[Flag]| Command::Store {
        uid: false,
        set: one(),
        unchanged_since: None,
        action,
        silent,
        flags: flags.to_vec(),
        unknown_flag: false,
    };
    let nil = keyword("NIL");
    means("STORE 1 FLAGS ()", &with(StoreAction::Replace, false, &[]));
    means(
        "STORE 1 +FLAGS (\\Seen $X)",
        &with(StoreAction::Add, false, &[SEEN, keyword("$X")]),
    );
    means(
        "STORE 1 -flags.silent \\sEEN NIL",
        &with(StoreAction::Remove, true, &[SEEN, nil]),
    );
    let conditional = |unchanged_since, unknown_flag| Command::Store {
        uid: true,
        set: one(),
        unchanged_since,
        action: StoreAction::Add,
        silent: false,
        flags: Vec::new(),
        unknown_flag,
    };
    means(
        "UID STORE 1 (UNCHANGEDSINCE 0) +FLAGS ()",
        &conditional(Some(0), false),
    );
    means("UID STORE 1 +FLAGS (\\Recent)", &conditional(None, true));
    wrong("STORE 1 FLAGS", "Expected a space at byte 16");
    wrong(
        "STORE 1 *FLAGS ()",
        "Expected FLAGS or FLAGS.SILENT, with or without + or - at byte 11",
    );
    wrong(
        "STORE 1 +-FLAGS ()",
        "Expected FLAGS or FLAGS.SILENT, with or without + or - at byte 12",
    );
    wrong("STORE 1 FLAGS (\\)", "Expected a flag at byte 19");
    wrong("STORE 1 FLAGS (a]b)", "Expected a space or ) at byte 19");
    wrong("STORE 1 FLAGS (\"a\")", "Expected a flag at byte 18");
    let long = "x".repeat(limit::KEYWORD_BYTES + 1);
    wrong(
        &format!("STORE 1 FLAGS ({long})"),
        "Keyword is too long at byte 18",
    );
}

fn search(key: SearchKey<'_>) -> Command<'_> {
    Command::Search {
        uid: false,
        search: Search {
            fetch: Vec::new(),
            returns: None,
            charset: None,
            key,
        },
    }
}

fn not(key: SearchKey<'_>) -> SearchKey<'_> {
    SearchKey::Not(Box::new(key))
}

fn or<'a>(first: SearchKey<'a>, second: SearchKey<'a>) -> SearchKey<'a> {
    SearchKey::Or(Box::new(first), Box::new(second))
}

#[test]
fn search_keys_of_flags() {
    let flag = |flag| SearchKey::Flag(Flag::System(flag));
    let system = [
        ("ANSWERED", Flags::ANSWERED),
        ("DELETED", Flags::DELETED),
        ("DRAFT", Flags::DRAFT),
        ("FLAGGED", Flags::FLAGGED),
        ("SEEN", Flags::SEEN),
    ];
    for (name, bit) in system {
        means(&format!("SEARCH {name}"), &search(flag(bit)));
        means(&format!("SEARCH un{name}"), &search(not(flag(bit))));
    }
    means(
        "SEARCH KEYWORD NIL",
        &search(SearchKey::Flag(keyword("NIL"))),
    );
    means(
        "SEARCH UNKEYWORD $x",
        &search(not(SearchKey::Flag(keyword("$x")))),
    );
    means("SEARCH RECENT", &search(SearchKey::Recent));
    means("SEARCH OLD", &search(not(SearchKey::Recent)));
    means(
        "SEARCH NEW",
        &search(SearchKey::And(vec![
            SearchKey::Recent,
            not(flag(Flags::SEEN)),
        ])),
    );
}

#[test]
fn search_keys_with_arguments() {
    let day = 8_797; // 1994-02-01
    let header = |field, text| SearchKey::Header(bytes(field), bytes(text));
    for (text, key) in [
        ("ALL", SearchKey::All),
        ("2:4", SearchKey::Sequence(set(&[(n(2), n(4))]))),
        ("*", SearchKey::Sequence(set(&[(Bound::Last, Bound::Last)]))),
        ("$", SearchKey::Sequence(SequenceSet::Saved)),
        ("UID 1", SearchKey::Uid(one())),
        ("UID $", SearchKey::Uid(SequenceSet::Saved)),
        ("BEFORE 1-Feb-1994", SearchKey::Before(day)),
        ("ON \"01-feb-1994\"", SearchKey::On(day)),
        ("SINCE 1-Feb-1994", SearchKey::Since(day)),
        ("SENTBEFORE 1-Feb-1994", SearchKey::SentBefore(day)),
        ("SENTON 1-Feb-1994", SearchKey::SentOn(day)),
        ("SENTSINCE 1-Feb-1994", SearchKey::SentSince(day)),
        ("OLDER 60", SearchKey::Older(60)),
        ("YOUNGER 60", SearchKey::Younger(60)),
        ("LARGER 0", SearchKey::Larger(0)),
        ("SMALLER 5000000000", SearchKey::Smaller(5_000_000_000)),
        ("BCC x", header("Bcc", "x")),
        ("CC x", header("Cc", "x")),
        ("FROM \"x y\"", header("From", "x y")),
        ("SUBJECT {3}\r\nx\ny", header("Subject", "x\ny")),
        ("TO \"\"", header("To", "")),
        ("HEADER Message-ID <x>", header("Message-ID", "<x>")),
        ("BODY NIL", SearchKey::Body(bytes("NIL"))),
        ("TEXT ä", SearchKey::Text(bytes("ä"))),
        ("MODSEQ 7", SearchKey::ModSeq(7)),
        ("UIDAFTER 7", uids(&[(8, u32::MAX)])),
        ("UIDAFTER 4294967295", uids(&[])),
        ("UIDBEFORE 7", uids(&[(1, 6)])),
        ("UIDBEFORE 1", uids(&[])),
        ("MODSEQ \"/flags/\\\\draft\" all 7", SearchKey::ModSeq(7)),
    ] {
        means(&format!("SEARCH {text}"), &search(key));
    }
    wrong(
        "SEARCH BEFORE 30-Feb-1994",
        "There is no such day in that month at byte 17",
    );
    wrong("SEARCH BEFORE", "Expected a space at byte 16");
    wrong("SEARCH YOUNGER 0", "0 is not allowed here at byte 18");
    wrong("SEARCH FOO", "Unknown search key at byte 10");
    wrong("SEARCH", "Expected a space at byte 9");
    wrong("SEARCH HEADER x", "Expected a space at byte 18");
}

#[test]
fn search_keys_in_each_other() {
    use SearchKey::{All, And, Recent};
    means("SEARCH ALL RECENT", &search(And(vec![All, Recent])));
    means("SEARCH (ALL)", &search(All));
    means(
        "SEARCH ( ALL ( RECENT ALL ) )",
        &search(And(vec![All, And(vec![Recent, All])])),
    );
    means(
        "SEARCH NOT (ALL RECENT)",
        &search(not(And(vec![All, Recent]))),
    );
    means(
        "SEARCH OR ALL NOT RECENT ALL",
        &search(And(vec![or(All, not(Recent)), All])),
    );
    means("SEARCH NOT OR (ALL) RECENT", &search(not(or(All, Recent))));
    means(
        "SEARCH OR OR ALL RECENT OR RECENT ALL",
        &search(or(or(All, Recent), or(Recent, All))),
    );
    wrong("SEARCH ()", "Unknown search key at byte 11");
    wrong("SEARCH (ALL", "Expected a space or ) at byte 14");
    wrong(
        "SEARCH ALL)",
        "Expected a space or the end of the command at byte 13",
    );
    wrong(
        "SEARCH (ALL)(ALL)",
        "Expected a space or the end of the command at byte 15",
    );
    wrong("SEARCH OR ALL", "Expected a space at byte 16");
    wrong("SEARCH NOT", "Expected a space at byte 13");
}

/// Clients write chains of ORs in either direction. They become a tree as deep as the logarithm.
#[test]
fn long_chains_of_or() {
    let left = format!("SEARCH {}ALL{}", "OR ".repeat(450), " RECENT".repeat(450));
    let right = format!("SEARCH {}RECENT", "OR ALL ".repeat(450));
    for text in [left, right] {
        let frame = frame(format!("a {text}\r\n").as_bytes());
        let Command::Search { search, .. } = frame.parse().unwrap().command else {
            panic!("{text}");
        };
        assert!(depth(&search.key) <= 10);
        assert_eq!(leaves(&search.key), 451);
    }
}

fn depth(key: &SearchKey<'_>) -> usize {
    match key {
        SearchKey::Or(first, second) => 1 + depth(first).max(depth(second)),
        SearchKey::Not(key) => 1 + depth(key),
        SearchKey::And(keys) => 1 + keys.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn leaves(key: &SearchKey<'_>) -> usize {
    match key {
        SearchKey::Or(first, second) => leaves(first) + leaves(second),
        SearchKey::Not(key) => leaves(key),
        SearchKey::And(keys) => keys.iter().map(leaves).sum(),
        _ => 1,
    }
}

#[test]
fn searches_without_end() {
    let many = vec!["ALL"; limit::SEARCH_KEYS + 1].join(" ");
    wrong(
        &format!("SEARCH {many}"),
        "Too many search keys at byte 4010",
    );
    let nested = |levels: usize| format!("SEARCH {}ALL{}", "(".repeat(levels), ")".repeat(levels));
    means(&nested(limit::NESTING), &search(SearchKey::All));
    wrong(
        &nested(limit::NESTING + 1),
        "Search keys are nested too deeply at byte 75",
    );
    let nots = format!("SEARCH {}ALL", "NOT ".repeat(limit::NESTING + 1));
    wrong(&nots, "Search keys are nested too deeply at byte 270");
}

#[test]
fn search_options() {
    let with = |returns, charset| Command::Search {
        uid: true,
        search: Search {
            fetch: Vec::new(),
            returns,
            charset,
            key: SearchKey::All,
        },
    };
    let all = SearchReturn {
        all: true,
        ..SearchReturn::default()
    };
    means("UID SEARCH RETURN () ALL", &with(Some(all), None));
    means(
        "UID SEARCH RETURN (ALL) CHARSET UTF-8 ALL",
        &with(Some(all), Some(bytes("UTF-8"))),
    );
    let each = SearchReturn {
        min: true,
        max: true,
        all: false,
        count: true,
        save: true,
        ..SearchReturn::default()
    };
    means(
        "UID SEARCH RETURN (MIN max COUNT SAVE) ALL",
        &with(Some(each), None),
    );
    means(
        "UID SEARCH CHARSET \"x\" ALL",
        &with(None, Some(bytes("x"))),
    );
    wrong(
        "UID SEARCH RETURN (FOO) ALL",
        "Unknown return option at byte 22",
    );
    wrong("UID SEARCH RETURN ()", "Expected a space at byte 23");
    wrong("UID SEARCH CHARSET ALL", "Expected a space at byte 25");
}

#[test]
fn quotas() {
    means("GETQUOTA \"\"", &Command::GetQuota(bytes("")));
    means("GETQUOTA #user/ann", &Command::GetQuota(bytes("#user/ann")));
    means("GETQUOTAROOT INBOX", &Command::GetQuotaRoot(bytes("INBOX")));
    let with = |limits| Command::SetQuota {
        root: bytes("ann"),
        limits,
    };
    means("SETQUOTA ann ()", &with(Vec::new()));
    means(
        "SETQUOTA ann (storage 512 MESSAGE 9223372036854775807 X-NEW 0)",
        &with(vec![
            (Some(Resource::Storage), 512),
            (Some(Resource::Message), i64::MAX as u64),
            (None, 0),
        ]),
    );
    wrong("GETQUOTA", "Expected a space at byte 11");
    wrong("SETQUOTA ann", "Expected a space at byte 15");
    wrong("SETQUOTA ann (STORAGE)", "Expected a space at byte 24");
    wrong("SETQUOTA ann (STORAGE -1)", "Expected a limit at byte 25");
    wrong(
        "SETQUOTA ann (STORAGE 9223372036854775808)",
        "Number is too large at byte 25",
    );
    let many = vec!["STORAGE 1"; 17].join(" ");
    wrong(
        &format!("SETQUOTA ann ({many})"),
        "Too many resources at byte 16",
    );
}

#[test]
fn metadata() {
    let entry = |text: &str| EntryName::new(text.as_bytes()).unwrap();
    let get = GetMetadata {
        mailbox: bytes("INBOX"),
        entries: vec![entry("/shared/a"), entry("/private/b")],
        depth: Depth::One,
        max_size: Some(9),
    };
    for text in [
        "GETMETADATA (MAXSIZE 9 DEPTH 1) INBOX (/shared/a /private/b)",
        "GETMETADATA INBOX ( depth 1 maxsize 9 ) ( /SHARED/a \"/private/b\" )",
        "GETMETADATA (DEPTH 1 MAXSIZE 9) INBOX /shared/a /private/b",
    ] {
        means(text, &Command::GetMetadata(get.clone()));
    }
    let set = |values| Command::SetMetadata {
        mailbox: bytes(""),
        values,
    };
    means(
        "SETMETADATA \"\" (/private/a NIL /private/b \"nil\" /private/c {3+}\r\nx\r\n)",
        &set(vec![
            (entry("/private/a"), None),
            (entry("/private/b"), Some(bytes("nil"))),
            (entry("/private/c"), Some(bytes("x\r\n"))),
        ]),
    );
    means(
        "SETMETADATA \"\" (/private/a ~{3+}\r\n\0\0x)",
        &set(vec![(entry("/private/a"), Some(bytes("\0\0x")))]),
    );
    wrong(
        "SETMETADATA a (/shared \"x\")",
        "This entry has no value, only what is below it at byte 18",
    );
    wrong(
        "SETMETADATA a (/shared/b x)",
        "Expected a string or NIL at byte 28",
    );
    wrong(
        "GETMETADATA a /b",
        "An entry begins with /private/ or /shared/ at byte 17",
    );
    // A literal8 has its place here, and nowhere else.
    wrong(
        "SELECT ~{1+}\r\na",
        "literal8 is not allowed here at byte 10",
    );
}

/// RFC 10022 §3.1.
#[test]
fn uid_batches() {
    let batches = |size, range| Command::UidBatches { size, range };
    means("UIDBATCHES 2000", &batches(2_000, None));
    means("uidbatches 500 1:3", &batches(500, Some((1, 3))));
    means("UIDBATCHES 500 9:3", &batches(500, Some((9, 3))));
    wrong("UIDBATCHES", "Expected a space at byte 13");
    wrong("UIDBATCHES 0", "0 is not allowed here at byte 14");
    wrong("UIDBATCHES 500 1", "Expected : at byte 19");
    wrong("UIDBATCHES 500 1:*", "Expected the last batch at byte 20");
    wrong(
        "UIDBATCHES 500 1:2,4:5",
        "Expected the end of the command at byte 21",
    );
}

fn uids(ranges: &[(u32, u32)]) -> SearchKey<'static> {
    let range = |&(from, to)| (Bound::Number(from), Bound::Number(to));
    SearchKey::Uid(SequenceSet::Ranges(ranges.iter().map(range).collect()))
}

#[test]
fn filters() {
    let search = |key| Command::Search {
        uid: false,
        search: Search {
            returns: None,
            charset: None,
            key,
            fetch: Vec::new(),
        },
    };
    means(
        "SEARCH FILTER on-the-road",
        &search(SearchKey::Filter("on-the-road")),
    );
    wrong("SEARCH FILTER", "Expected a space at byte 16");
    wrong(
        "SEARCH FILTER a/b",
        "Expected a space or the end of the command at byte 18",
    );
    wrong(
        "SEARCH FILTER \"a\"",
        "Expected the name of a filter at byte 17",
    );
    // What is stored of one: keys alone, with their literals, and nothing after them.
    let value = Frame::of_criteria(b"OR SMALLER 5000 FROM {4}\r\nboss").unwrap();
    let from = SearchKey::Header(bytes("From"), bytes("boss"));
    assert_eq!(
        value.criteria(),
        Ok(SearchKey::Or(
            Box::new(SearchKey::Smaller(5000)),
            Box::new(from)
        ))
    );
    for wrong in [
        "",
        "OR ALL",
        "RETURN () ALL",
        "CHARSET UTF-8 ALL",
        "ALL)",
        "FROM \u{4}{9}",
    ] {
        let read = Frame::of_criteria(wrong.as_bytes());
        assert!(
            read.is_none_or(|frame| frame.criteria().is_err()),
            "{wrong:?}"
        );
    }
    for wrong in ["ALL\r\n", "ALL\r\nx NOOP", "FROM {9}\r\nboss", "FROM a\0"] {
        assert_eq!(Frame::of_criteria(wrong.as_bytes()), None, "{wrong:?}");
    }
    assert_eq!(Frame::of_criteria(b"FROM \xff"), None);
}

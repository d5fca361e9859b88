//! Every response as it goes out, and as two other implementations read it.

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use pillarbox_model::{Delimiter, InternalDate, MailboxName, NumberSet, Resource};
use pillarbox_proto::imap::command::{BinarySection, Command, FetchItem, StatusItem};
use pillarbox_proto::imap::encode::{
    self, Code, Dialect, Esearch, Fetch, Status, StatusValue, binary_label, binary_size_label,
    section_label,
};

use crate::grammar;

/// What others can read of a response.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Known {
    /// imap-codec and imap-proto read it.
    Both,
    /// Only imap-codec does.
    Codec,
    /// Only imap-proto does.
    Proto,
    /// It is newer than both.
    Neither,
}

use Known::{Both, Codec, Neither, Proto};

/// Checks a response to the byte, and that those who know its kind read all of it.
#[track_caller]
pub(crate) fn goes_out(known: Known, expected: &str, write: impl FnOnce(&mut Vec<u8>)) {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), format!("{expected}\r\n"));
    let codec = matches!(ResponseCodec::default().decode(&out), Ok((rest, _)) if rest.is_empty());
    let proto = matches!(imap_proto::Response::parse(&out), Ok((rest, _)) if rest.is_empty());
    assert_eq!(
        (codec, proto),
        (matches!(known, Both | Codec), matches!(known, Both | Proto)),
        "{expected}"
    );
}

pub(crate) const PLAIN: Dialect = Dialect {
    utf8: false,
    rev2: false,
    condstore: false,
    qresync: false,
    uid_only: false,
};
pub(crate) const UTF8: Dialect = Dialect {
    utf8: true,
    ..PLAIN
};

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::new(text, Delimiter('/')).unwrap()
}

pub(crate) fn numbers(ranges: &[(u32, u32)]) -> NumberSet {
    NumberSet::from_ranges(ranges.iter().copied())
}

#[test]
fn statuses() {
    goes_out(Both, "a1 OK done", |o| {
        encode::tagged(o, "a1", Status::Ok, None, "done")
    });
    goes_out(Both, "a1 NO [NONEXISTENT] No such mailbox", |o| {
        encode::tagged(
            o,
            "a1",
            Status::No,
            Some(&Code::NonExistent),
            "No such mailbox",
        );
    });
    goes_out(Both, "a1 BAD Unknown command", |o| {
        encode::tagged(o, "a1", Status::Bad, None, "Unknown command");
    });
    goes_out(Both, "* OK ready", |o| {
        encode::untagged(o, Status::Ok, None, "ready")
    });
    goes_out(Both, "* BYE See you", |o| encode::bye(o, None, "See you"));
    goes_out(Both, "* BYE [UNAVAILABLE] Later", |o| {
        encode::bye(o, Some(&Code::Unavailable), "Later")
    });
    goes_out(Both, "+ idling", |o| encode::continuation(o, "idling"));
}

/// No text ends its line, its code or its quotes, and none is empty (some clients choke on that).
#[test]
fn texts_stay_in_their_place() {
    goes_out(Both, "* OK Done", |o| {
        encode::untagged(o, Status::Ok, None, "")
    });
    goes_out(Both, "* NO a\"]??* BYE ???", |o| {
        encode::untagged(o, Status::No, None, "a\"]\r\n* BYE ä\0");
    });
    goes_out(Both, "* OK - [ALERT] x", |o| {
        encode::untagged(o, Status::Ok, None, "[ALERT] x")
    });
    goes_out(Both, "+ Done", |o| encode::continuation(o, ""));
    goes_out(Both, "* BAD x", |o| {
        encode::tagged(o, "*", Status::Bad, None, "x")
    });
    goes_out(Both, "a???? OK x", |o| {
        encode::tagged(o, "a \r\n*", Status::Ok, None, "x")
    });
}

#[track_caller]
fn code(known: Known, expected: &str, code: &Code<'_>) {
    goes_out(known, &format!("* OK {expected}x"), |o| {
        encode::untagged(o, Status::Ok, Some(code), "x");
    });
}

#[test]
fn codes() {
    let (one, many) = (numbers(&[(5, 5)]), numbers(&[(1, 3), (7, 7)]));
    let none = NumberSet::new();
    code(Both, "[ALERT] ", &Code::Alert);
    code(Both, "[BADCHARSET] ", &Code::BadCharset(&[]));
    code(
        Both,
        "[BADCHARSET (\"US-ASCII\" \"UTF-8\")] ",
        &Code::BadCharset(&["US-ASCII", "UTF-8"]),
    );
    code(
        Both,
        "[CAPABILITY IMAP4rev1 IDLE] ",
        &Code::Capability("IMAP4rev1 IDLE"),
    );
    code(
        Both,
        "[CAPABILITY IMAP4rev1 x??] ",
        &Code::Capability("IMAP4rev1 x]\r"),
    );
    code(Both, "[PARSE] ", &Code::Parse);
    code(Both, "[READ-ONLY] ", &Code::ReadOnly);
    code(Both, "[READ-WRITE] ", &Code::ReadWrite);
    code(Both, "[TRYCREATE] ", &Code::TryCreate);
    code(Both, "[UIDNEXT 4294967295] ", &Code::UidNext(u32::MAX));
    code(Both, "[UIDVALIDITY 1] ", &Code::UidValidity(1));
    code(Both, "[UNSEEN 3] ", &Code::Unseen(3));
    code(Both, "[UIDNOTSTICKY] ", &Code::UidNotSticky);
    code(
        Both,
        "[APPENDUID 9 5] ",
        &Code::AppendUid {
            uid_validity: 9,
            uids: &one,
        },
    );
    code(
        Both,
        "",
        &Code::AppendUid {
            uid_validity: 9,
            uids: &none,
        },
    );
    let copied = Code::CopyUid {
        uid_validity: 9,
        from: &many,
        to: &many,
    };
    code(Both, "[COPYUID 9 1:3,7 1:3,7] ", &copied);
    code(
        Both,
        "",
        &Code::CopyUid {
            uid_validity: 9,
            from: &none,
            to: &none,
        },
    );
    code(
        Both,
        "[HIGHESTMODSEQ 9223372036854775807] ",
        &Code::HighestModSeq(i64::MAX as u64),
    );
    code(Both, "[MODIFIED 1:3,7] ", &Code::Modified(&many));
    code(Both, "", &Code::Modified(&none));
    code(Both, "[NOMODSEQ] ", &Code::NoModSeq);
    code(Both, "[CLOSED] ", &Code::Closed);
    code(
        Both,
        "[MAILBOXID (F2212ea87)] ",
        &Code::MailboxId("F2212ea87"),
    );
    for (word, value) in [
        ("ALREADYEXISTS", Code::AlreadyExists),
        ("AUTHENTICATIONFAILED", Code::AuthenticationFailed),
        ("AUTHORIZATIONFAILED", Code::AuthorizationFailed),
        ("CANNOT", Code::Cannot),
        ("CLIENTBUG", Code::ClientBug),
        ("CONTACTADMIN", Code::ContactAdmin),
        ("CORRUPTION", Code::Corruption),
        ("EXPIRED", Code::Expired),
        ("EXPUNGEISSUED", Code::ExpungeIssued),
        ("HASCHILDREN", Code::HasChildren),
        ("INUSE", Code::InUse),
        ("LIMIT", Code::Limit),
        ("NONEXISTENT", Code::NonExistent),
        ("NOPERM", Code::NoPerm),
        ("NOTSAVED", Code::NotSaved),
        ("METADATA LONGENTRIES 7", Code::MetadataLongEntries(7)),
        ("METADATA MAXSIZE 7", Code::MetadataMaxSize(7)),
        ("METADATA TOOMANY", Code::MetadataTooMany),
        ("UNDEFINED-FILTER boss", Code::UndefinedFilter("boss")),
        ("OVERQUOTA", Code::OverQuota),
        ("PRIVACYREQUIRED", Code::PrivacyRequired),
        ("SERVERBUG", Code::ServerBug),
        ("TOOBIG", Code::TooBig),
        ("TOOFEW", Code::TooFew),
        ("TOOMANY", Code::TooMany),
        ("UIDREQUIRED", Code::UidRequired),
        ("UNAVAILABLE", Code::Unavailable),
        ("USEATTR", Code::UseAttr),
    ] {
        code(Both, &format!("[{word}] "), &value);
    }
}

/// RFC 9738 §3.1, RFC 10022 §3.1.
#[test]
fn limits_and_batches() {
    let limit = |lowest| Code::MessageLimit { limit: 3, lowest };
    code(Both, "[MESSAGELIMIT 3 7] ", &limit(Some(7)));
    code(Both, "[MESSAGELIMIT 3] ", &limit(None));
    let mut out = Vec::new();
    encode::uid_batches(&mut out, "a\"1", &[(9, 5), (4, 1)]);
    assert_eq!(out, b"* UIDBATCHES (TAG \"a\\\"1\") 9:5,4:1\r\n");
    out.clear();
    encode::uid_batches(&mut out, "a1", &[]);
    assert_eq!(out, b"* UIDBATCHES (TAG \"a1\")\r\n");
}

#[track_caller]
fn mailbox(dialect: Dialect, name: &MailboxName, expected: &str) {
    let mut out = Vec::new();
    encode::mailbox(&mut out, name, dialect);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn mailbox_names() {
    mailbox(PLAIN, &name("inbox"), "INBOX");
    mailbox(PLAIN, &name("inbox/x"), "\"INBOX/x\"");
    mailbox(PLAIN, &name("NIL"), "\"NIL\"");
    mailbox(PLAIN, &name("a\"b\\c"), "\"a\\\"b\\\\c\"");
    mailbox(PLAIN, &name("A&B"), "\"A&-B\"");
    mailbox(UTF8, &name("A&B"), "\"A&B\"");
    mailbox(PLAIN, &name("Entwürfe"), "\"Entw&APw-rfe\"");
    mailbox(UTF8, &name("Entwürfe"), "\"Entwürfe\"");
    // What an older store may hold.
    let odd = MailboxName::from_stored("a\r\nb");
    mailbox(PLAIN, &odd, "\"a&AA0ACg-b\"");
    mailbox(UTF8, &odd, "{4}\r\na\r\nb");
}

#[test]
fn lists() {
    let slash = Some(Delimiter('/'));
    goes_out(
        Both,
        "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"",
        |o| {
            let attributes = ["\\HasNoChildren", "\\Sent"];
            encode::list(o, "LIST", &attributes, slash, &name("Sent"), false, PLAIN);
        },
    );
    goes_out(Both, "* LSUB () NIL INBOX", |o| {
        encode::list(o, "LSUB", &[], None, &name("INBOX"), false, PLAIN);
    });
    goes_out(
        Neither,
        "* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        |o| {
            encode::list(o, "LIST", &[], slash, &name("a"), true, PLAIN);
        },
    );
    goes_out(Both, "* LIST (\\Noselect) \"/\" \"\"", |o| {
        encode::list_root(o, "LIST", slash)
    });
    goes_out(Both, "* LIST () \"\\\\\" \"a\"", |o| {
        encode::list(
            o,
            "LIST",
            &[],
            Some(Delimiter('\\')),
            &name("a"),
            false,
            PLAIN,
        );
    });
}

#[test]
fn mailbox_status() {
    goes_out(
        Both,
        "* STATUS \"box\" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5 UNSEEN 6 RECENT 0)",
        |o| {
            let number = StatusValue::Number;
            let items = [
                (StatusItem::Messages, number(3)),
                (StatusItem::UidNext, number(4)),
                (StatusItem::UidValidity, number(5)),
                (StatusItem::Unseen, number(6)),
                (StatusItem::Recent, number(0)),
            ];
            encode::list_status(o, &name("box"), &items, PLAIN);
        },
    );
    goes_out(
        Neither,
        "* STATUS INBOX (APPENDLIMIT NIL MAILBOXID (M1) SIZE 5000000000)",
        |o| {
            let items = [
                (StatusItem::AppendLimit, StatusValue::Nil),
                (StatusItem::MailboxId, StatusValue::Id("M1")),
                (StatusItem::Size, StatusValue::Number(5_000_000_000)),
            ];
            encode::list_status(o, &name("INBOX"), &items, PLAIN);
        },
    );
}

#[test]
fn mailbox_data() {
    goes_out(Both, "* 12 EXISTS", |o| encode::exists(o, 12));
    goes_out(Both, "* 0 RECENT", |o| encode::recent(o, 0));
    goes_out(Both, "* 1 EXPUNGE", |o| encode::expunge(o, 1));
    goes_out(Both, "* VANISHED 1:3,7", |o| {
        encode::vanished(o, false, &numbers(&[(1, 3), (7, 7)]))
    });
    goes_out(Both, "* VANISHED (EARLIER) 5", |o| {
        encode::vanished(o, true, &numbers(&[(5, 5)]))
    });
    goes_out(Both, "* FLAGS (\\Seen $X)", |o| {
        encode::flags(o, ["\\Seen", "$X"].into_iter())
    });
    goes_out(Both, "* FLAGS (a??b)", |o| {
        encode::flags(o, ["a\r\nb"].into_iter())
    });
    goes_out(
        Both,
        "* OK [PERMANENTFLAGS (\\Seen \\*)] Flags permitted",
        |o| {
            encode::permanent_flags(o, ["\\Seen"].into_iter(), true);
        },
    );
    goes_out(Both, "* OK [PERMANENTFLAGS (\\*)] Flags permitted", |o| {
        encode::permanent_flags(o, std::iter::empty(), true);
    });
    goes_out(Both, "* OK [PERMANENTFLAGS ()] Flags permitted", |o| {
        encode::permanent_flags(o, std::iter::empty(), false);
    });
}

#[test]
fn search_results() {
    goes_out(Both, "* SEARCH", |o| {
        encode::search(o, [].into_iter(), Some(5))
    });
    goes_out(Both, "* SEARCH 2 84", |o| {
        encode::search(o, [2, 84].into_iter(), None)
    });
    goes_out(Codec, "* SEARCH 2 (MODSEQ 917162500)", |o| {
        encode::search(o, [2].into_iter(), Some(917_162_500));
    });
    let all = numbers(&[(1, 3), (7, 7)]);
    goes_out(
        Neither,
        "* ESEARCH (TAG \"a1\") UID MIN 1 MAX 7 COUNT 4 MODSEQ 9 ALL 1:3,7",
        |o| {
            let result = Esearch {
                min: Some(1),
                max: Some(7),
                count: Some(4),
                all: Some((&all).into()),
                modseq: Some(9),
                partial: None,
            };
            encode::esearch(o, "a1", true, &result);
        },
    );
    goes_out(Neither, "* ESEARCH (TAG \"a1\") COUNT 0", |o| {
        let none = NumberSet::new();
        let result = Esearch {
            count: Some(0),
            all: Some((&none).into()),
            ..Esearch::default()
        };
        encode::esearch(o, "a1", false, &result);
    });
}

#[test]
fn server_data() {
    goes_out(Both, "* CAPABILITY IMAP4rev1 IDLE", |o| {
        encode::capability(o, "IMAP4rev1 IDLE")
    });
    goes_out(Both, "* ENABLED CONDSTORE", |o| {
        encode::enabled(o, &["CONDSTORE"])
    });
    goes_out(Both, "* ENABLED", |o| encode::enabled(o, &[]));
    goes_out(Both, "* ID NIL", |o| encode::id(o, &[]));
    goes_out(
        Both,
        "* ID (\"name\" \"Pillarbox\" \"version\" \"1\")",
        |o| {
            encode::id(o, &[("name", "Pillarbox"), ("version", "1")]);
        },
    );
    goes_out(
        Codec,
        "* NAMESPACE ((\"\" \"/\")) NIL ((\"Shared/\" \"/\"))",
        |o| {
            let slash = Some(Delimiter('/'));
            encode::namespace(o, &[("", slash)], &[], &[("Shared/", slash)], PLAIN, |_| {
                None
            });
        },
    );
}

/// RFC 9586 §3.3.
#[test]
fn a_client_without_numbers_is_told_uids() {
    let uid_only = Dialect {
        uid_only: true,
        ..PLAIN
    };
    let mut out = Vec::new();
    let mut fetch = Fetch::begin(&mut out, 7, uid_only);
    fetch.flags(["\\Seen"].into_iter());
    fetch.end();
    assert_eq!(out, b"* 7 UIDFETCH (FLAGS (\\Seen))\r\n");
}

#[test]
fn fetches() {
    goes_out(
        Both,
        "* 12 FETCH (UID 7 FLAGS (\\Seen $X) RFC822.SIZE 44827)",
        |o| {
            let mut fetch = Fetch::begin(o, 12, PLAIN);
            fetch.uid(7);
            fetch.flags(["\\Seen", "bad name", "$X"].into_iter());
            fetch.size(44_827);
            fetch.end();
        },
    );
    goes_out(
        Both,
        "* 1 FETCH (FLAGS () MODSEQ (9) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")",
        |o| {
            let mut fetch = Fetch::begin(o, 1, PLAIN);
            fetch.flags(std::iter::empty());
            fetch.modseq(9);
            fetch.internal_date(InternalDate {
                unix_seconds: 837_596_665,
                zone_minutes: -420,
            });
            fetch.end();
        },
    );
    goes_out(
        Both,
        "* 1 FETCH (BODY[TEXT]<0> {3}\r\na\r\n BODY[2] NIL UID 5)",
        |o| {
            let mut fetch = Fetch::begin(o, 1, PLAIN);
            fetch.literal_header(b"BODY[TEXT]<0>", 3);
            fetch.out().extend_from_slice(b"a\r\n");
            fetch.nil(b"BODY[2]");
            let mut fetch = Fetch::resume(o);
            fetch.uid(5);
            fetch.end();
        },
    );
    goes_out(
        Both,
        "* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))",
        |o| {
            let mut fetch = Fetch::begin(o, 1, PLAIN);
            let envelope = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
            fetch.raw("ENVELOPE", envelope, PLAIN);
            fetch.end();
        },
    );
}

/// A section comes back as it was asked for, without PEEK and with the partial's origin.
#[test]
fn section_labels() {
    for (asked, answered) in [
        ("BODY.PEEK[]", "BODY[]"),
        ("body[text]<7.10>", "BODY[TEXT]<7>"),
        ("BODY[1.2.MIME]", "BODY[1.2.MIME]"),
        ("BODY[3]<0.1>", "BODY[3]<0>"),
        ("BODY[HEADER]", "BODY[HEADER]"),
        (
            "BODY.PEEK[1.HEADER.FIELDS (\"From\" tO)]",
            "BODY[1.HEADER.FIELDS (From tO)]",
        ),
        (
            "BODY[HEADER.FIELDS.NOT (\"X Y\" NIL)]",
            "BODY[HEADER.FIELDS.NOT (\"X Y\" \"NIL\")]",
        ),
    ] {
        let frame = grammar::frame(format!("a FETCH 1 {asked}\r\n").as_bytes());
        let Command::Fetch { items, .. } = frame.parse().unwrap().command else {
            panic!("{asked}");
        };
        let FetchItem::Section(section) = &items[0] else {
            panic!("{asked}");
        };
        let mut label = Vec::new();
        section_label(&mut label, section);
        assert_eq!(String::from_utf8(label).unwrap(), answered);
    }
}

#[test]
fn binary_items() {
    let mut out = Vec::new();
    let mut fetch = Fetch::begin(&mut out, 2, PLAIN);
    let section = BinarySection {
        peek: true,
        path: vec![1, 2],
        partial: Some((7, 10)),
    };
    let (mut label, mut size_label) = (Vec::new(), Vec::new());
    binary_label(&mut label, &section);
    binary_size_label(&mut size_label, &[3]);
    fetch.numbered(&size_label, 9);
    fetch.literal_or_literal8(&label, 2, true);
    fetch.out().extend_from_slice(b"\0a");
    fetch.literal_or_literal8(b"BINARY[]", 1, false);
    fetch.out().extend_from_slice(b"b");
    fetch.end();
    let expected = "* 2 FETCH (BINARY.SIZE[3] 9 BINARY[1.2]<7> ~{2}\r\n\0a BINARY[] {1}\r\nb)\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn strings() {
    let written = |write: fn(&mut Vec<u8>, &[u8]), bytes: &[u8]| {
        let mut out = Vec::new();
        write(&mut out, bytes);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(encode::string, b""), "\"\"");
    assert_eq!(written(encode::string, b"NIL"), "\"NIL\"");
    assert_eq!(written(encode::string, b"a\"\\"), "\"a\\\"\\\\\"");
    assert_eq!(written(encode::string, "ä".as_bytes()), "{2}\r\nä");
    assert_eq!(written(encode::string, b"a\r\nb\0"), "{5}\r\na\r\nb?");
    assert_eq!(written(encode::astring, b"atom"), "atom");
    assert_eq!(written(encode::astring, b"nil"), "\"nil\"");
    assert_eq!(written(encode::astring, b""), "\"\"");
    assert_eq!(written(encode::astring, b"a b"), "\"a b\"");
    let nstring = |bytes: Option<&[u8]>| {
        let mut out = Vec::new();
        encode::nstring(&mut out, bytes);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        (nstring(None), nstring(Some(b""))),
        ("NIL".into(), "\"\"".into())
    );
    assert!(written(encode::string, &[b'x'; 2_000]).starts_with("{2000}\r\n"));
}

#[test]
fn every_number_is_its_decimal() {
    let mut numbers = vec![
        0,
        9,
        10,
        99,
        100,
        999,
        1_000,
        12_345,
        u64::from(u32::MAX),
        u64::MAX,
    ];
    numbers.extend((0..64).map(|shift| 1_u64 << shift));
    for number in numbers {
        let mut out = Vec::new();
        encode::push_number(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}

#[test]
fn quotas() {
    let limits = [
        (Resource::Storage, 10, 512),
        (Resource::Message, 0, i64::MAX as u64),
        (Resource::Mailbox, 1, 0),
    ];
    let all =
        "* QUOTA \"ann@example.org\" (STORAGE 10 512 MESSAGE 0 9223372036854775807 MAILBOX 1 0)";
    goes_out(Both, all, |o| encode::quota(o, "ann@example.org", &limits));
    // RFC 9208 §4.2.1: an empty list means that there are no limits. Its grammar has none.
    goes_out(Proto, "* QUOTA \"\" ()", |o| encode::quota(o, "", &[]));
    goes_out(Both, "* QUOTAROOT INBOX \"a b\"", |o| {
        encode::quota_root(o, &name("INBOX"), &["a b"], PLAIN);
    });
    goes_out(Both, "* QUOTAROOT \"&AOQ-\"", |o| {
        encode::quota_root(o, &name("ä"), &[], PLAIN);
    });
}

#[test]
fn annotations() {
    let values: [(&str, Option<&[u8]>); 3] = [
        ("/private/a", Some(b"x")),
        ("/private/b", None),
        ("/shared/c\"", Some(b"a\r\nb")),
    ];
    goes_out(
        Codec,
        "* METADATA \"\" (/private/a \"x\" /private/b NIL \"/shared/c\\\"\" {4}\r\na\r\nb)",
        |o| encode::metadata(o, None, values, PLAIN),
    );
    let binary: [(&str, Option<&[u8]>); 1] = [("/private/a", Some(b"\0"))];
    goes_out(Codec, "* METADATA \"&AOQ-\" (/private/a ~{1}\r\n\0)", |o| {
        encode::metadata(o, Some(&name("ä")), binary, PLAIN);
    });
    goes_out(Codec, "* METADATA INBOX /private/a /shared/b", |o| {
        let entries = ["/private/a", "/shared/b"];
        encode::metadata_changed(o, Some(&name("INBOX")), entries, PLAIN);
    });
}

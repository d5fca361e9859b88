//! Commands as another implementation understands them: what it reads from a text and prints in its
//! own way must mean to us what the text means.

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::encode::Encoder as _;
use pillarbox_proto::imap::command::{AppendData, Command};
use proptest::prelude::*;

use crate::grammar;

/// The same command, printed by imap-codec.
fn reprinted(text: &str) -> Vec<u8> {
    let codec = CommandCodec::default();
    let (rest, command) = codec
        .decode(text.as_bytes())
        .unwrap_or_else(|error| panic!("imap-codec does not read {text:?}: {error:?}"));
    assert_eq!(rest, b"", "{text:?}");
    codec.encode(&command).dump()
}

fn check(body: &str) {
    let text = format!("a1 {body}\r\n");
    let printed = reprinted(&text);
    let (ours, theirs) = (grammar::frame(text.as_bytes()), grammar::frame(&printed));
    let (ours, theirs) = (ours.parse().unwrap(), theirs.parse().unwrap());
    assert_eq!(
        ours,
        theirs,
        "{text:?} and {:?}",
        String::from_utf8_lossy(&printed)
    );
}

#[test]
fn all_commands_of_the_common_subset() {
    for body in [
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "STARTTLS",
        "NAMESPACE",
        "IDLE",
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "EXPUNGE",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE PLAIN =",
        "AUTHENTICATE PLAIN AGEAYg==",
        "LOGIN joe \"se \\\"cr\\\\et\"",
        "LOGIN {3+}\r\njoe {8+}\r\n\r\nse\"ret",
        "ID NIL",
        "ID (\"name\" \"x\" \"os\" NIL)",
        "ENABLE CONDSTORE UTF8=ACCEPT",
        "SELECT INBOX",
        "SELECT box (CONDSTORE)",
        "EXAMINE box (QRESYNC (67890007 20050403194045000 41:211,214:541))",
        "CREATE \"a b\"",
        "DELETE NIL",
        "RENAME a b",
        "SUBSCRIBE ~foo",
        "UNSUBSCRIBE \"\"",
        "LIST \"\" %",
        "LIST a/ \"*b*\"",
        "LSUB \"\" *",
        "STATUS box (MESSAGES UIDNEXT UNSEEN)",
        "UID EXPUNGE 1:3",
        "STORE 1 +FLAGS.SILENT (\\Deleted $x)",
        "STORE 1 FLAGS \\Seen",
        "UID STORE 1:* (UNCHANGEDSINCE 5) -FLAGS (\\Seen)",
        "COPY 1,3:2 box",
        "UID COPY * box",
        "MOVE 1 box",
        "UID MOVE 1 box",
    ] {
        check(body);
    }
}

/// Streamed messages are not in the command, so only what is said of them can be compared.
#[test]
fn append() {
    let text = "a1 APPEND box (\\Seen $x) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nabc\r\n";
    let printed = reprinted(text);
    let frames = [grammar::frame(text.as_bytes()), grammar::frame(&printed)];
    let [ours, theirs] = &frames;
    assert_eq!(ours.parse(), theirs.parse());
    let Command::Append { messages, .. } = ours.parse().unwrap().command else {
        panic!("{text}");
    };
    assert_eq!(
        messages[0].data,
        AppendData::Streamed {
            size: 3,
            binary: false
        }
    );
}

fn astring() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9.&=+_-]{1,8}",
        "[ !#-\\[\\]-~]{0,8}".prop_map(|text| format!("\"{text}\"")),
        "[ -~]{0,8}".prop_map(|text| format!("{{{}+}}\r\n{text}", text.len())),
    ]
}

fn set() -> impl Strategy<Value = String> {
    let bound = || prop_oneof![(1_u32..).prop_map(|n| n.to_string()), Just("*".to_owned())];
    let range = prop_oneof![
        bound(),
        (bound(), bound()).prop_map(|(a, b)| format!("{a}:{b}"))
    ];
    prop::collection::vec(range, 1..5).prop_map(|ranges| ranges.join(","))
}

fn date() -> impl Strategy<Value = String> {
    (1_u32..29, "(Jan|Feb|Mar|Dec)", 1_000_u32..9_999).prop_map(|(d, m, y)| format!("{d}-{m}-{y}"))
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        "(ALL|NEW|OLD|RECENT|(UN)?(ANSWERED|DELETED|DRAFT|FLAGGED|SEEN))",
        ("(BCC|BODY|CC|FROM|SUBJECT|TEXT|TO)", astring()).prop_map(|(k, v)| format!("{k} {v}")),
        (astring(), astring()).prop_map(|(k, v)| format!("HEADER {k} {v}")),
        ("(BEFORE|ON|SINCE|SENTBEFORE|SENTON|SENTSINCE)", date())
            .prop_map(|(k, v)| format!("{k} {v}")),
        ("(LARGER|SMALLER|OLDER|YOUNGER|MODSEQ)", 1_u32..).prop_map(|(k, v)| format!("{k} {v}")),
        "(KEYWORD|UNKEYWORD) [a-z$]{1,5}",
        set(),
        set().prop_map(|set| format!("UID {set}")),
    ]
}

fn key() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("OR {a} {b}")),
            prop::collection::vec(inner, 1..4).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    })
}

fn item() -> impl Strategy<Value = String> {
    let fields = prop::collection::vec(astring(), 1..4).prop_map(|fields| fields.join(" "));
    let text = prop_oneof![
        "(|HEADER|TEXT|[1-9](\\.[1-9][0-9]?){0,3}(\\.(HEADER|TEXT|MIME))?)",
        ("([1-9]\\.)?HEADER\\.FIELDS(\\.NOT)?", fields)
            .prop_map(|(name, fields)| format!("{name} ({fields})")),
    ];
    prop_oneof![
        "(UID|FLAGS|INTERNALDATE|RFC822(\\.(SIZE|HEADER|TEXT))?|ENVELOPE|BODY(STRUCTURE)?)",
        ("BODY(\\.PEEK)?", text, "(<[0-9]{1,5}\\.[1-9][0-9]{0,5}>)?")
            .prop_map(|(name, text, partial)| format!("{name}[{text}]{partial}")),
    ]
}

proptest! {
    #[test]
    fn searches(
        charset in prop::option::of("(UTF-8|US-ASCII)"),
        keys in prop::collection::vec(key(), 1..4),
    ) {
        let charset = charset.map(|name| format!("CHARSET {name} ")).unwrap_or_default();
        check(&format!("UID SEARCH {charset}{}", keys.join(" ")));
    }

    #[test]
    fn fetches(set in set(), items in prop::collection::vec(item(), 1..6)) {
        check(&format!("UID FETCH {set} ({})", items.join(" ")));
    }

    #[test]
    fn names(from in astring(), to in astring()) {
        check(&format!("RENAME {from} {to}"));
    }
}

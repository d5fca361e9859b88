//! Every response of every conversation, as other implementations read it.
//!
//! imap-codec reads strictly what it knows. What it doesn't know imap-proto may read; what is newer
//! than both stands in a table here, as its RFC spells it, and is taken out so that they read the
//! rest.

use std::sync::LazyLock;

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder as _;
use regex::bytes::Regex;

/// The forms, and what the judges read in their place, by the documents that define them.
const NEWER: &[(&str, &str)] = &[
    // STATUS items: RFC 7889 §3, RFC 8474 §4.3.
    (r"([( ])APPENDLIMIT (?:<n>|NIL)", "${1}MESSAGES 1"),
    (r"^(\* STATUS .*[( ])MAILBOXID \(<id>\)", "${1}MESSAGES 1"),
    // RFC 3516 §4.3: where in the decoded data; they know the item without it.
    (r"([( ]BINARY\[(?:<n>(?:\.<n>)*)?\])<(?:<n>|0)> ", "${1} "),
    // FETCH items: RFC 8474 §5, RFC 8514 §4.3, RFC 8970 §3.1.
    (r"([( ])EMAILID \(<id>\)", "${1}UID 1"),
    (r"([( ])THREADID (?:\(<id>\)|NIL)", "${1}UID 1"),
    (r"([( ])SAVEDATE NIL", "${1}UID 1"),
    (r"([( ])SAVEDATE (<text>)", "${1}INTERNALDATE ${2}"),
    (r"([( ])PREVIEW ", "${1}RFC822.TEXT "),
    // RFC 9586 §3.3: a FETCH whose number is a UID.
    (r"^(\* <n>) UIDFETCH \(", "${1} FETCH ("),
    // What may follow a name in LIST: RFC 5258 §6, RFC 5465 §5.8.
    (
        r#"^(\* LIST .*) \((?:"CHILDINFO" \("SUBSCRIBED"\)|"OLDNAME" \((?:<text>|<atom>)\))\)(\r\n)$"#,
        "${1}${2}",
    ),
    // RFC 4731 §3.1, RFC 5267 §4.3, RFC 7377 §2.1, RFC 9394 §3.1, RFC 6203 §4.
    (
        concat!(
            r"^\* ESEARCH",
            r"(?: \(TAG <text>(?: MAILBOX (?:<text>|<atom>) UIDVALIDITY <n>)?\))?(?: UID)?",
            r"(?: MIN <n>| MAX <n>| COUNT (?:<n>|0)| MODSEQ <n>| ALL <set>",
            r"| PARTIAL \(-?<n>:-?<n> (?:<set>|NIL)\)",
            r"| RELEVANCY \(<n>(?: <n>)*\)",
            r"| (?:ADDTO|REMOVEFROM) \((?:<n>|0) <set>(?: (?:<n>|0) <set>)*\))*(\r\n)$"
        ),
        "* OK ESEARCH${1}",
    ),
    // No limits, which imap-codec takes for no list: RFC 9208 §4.2.1.
    (r"^(\* QUOTA <text>) \(\)(\r\n)$", "${1} (STORAGE 0 1)${2}"),
    // RFC 10022 §3.1.
    (
        r"^\* UIDBATCHES \(TAG <text>\)(?: <n>:<n>(?:,<n>:<n>)*)?(\r\n)$",
        "* OK UIDBATCHES${1}",
    ),
    // RFC 9051 §7.5.2: a message/global that is told with an envelope.
    (
        r#""message" "global" (NIL|\([^()]*\)) (NIL|<text>) (NIL|<text>) (<text> <n>) \("#,
        "\"message\" \"rfc822\" ${1} ${2} ${3} ${4} (",
    ),
    // RFC 5255 §3.3.
    (
        r"^\* LANGUAGE \((?:<text>|<atom>)(?: (?:<text>|<atom>))*\)(\r\n)$",
        "* OK LANGUAGE${1}",
    ),
    // RFC 5255 §4.8.
    (
        r"^\* COMPARATOR <atom>(?: \(<atom>(?: <atom>)+\))?(\r\n)$",
        "* OK COMPARATOR${1}",
    ),
    // What LIST was called before RFC 6154.
    (r"^\* XLIST ", "* LIST "),
];

/// Response codes that imap-codec takes for any text, and what may follow their words.
const CODES: &[(&str, &str)] = &[
    // RFC 5530 §3.
    ("ALREADYEXISTS", ""),
    ("AUTHENTICATIONFAILED", ""),
    ("AUTHORIZATIONFAILED", ""),
    ("CANNOT", ""),
    ("CLIENTBUG", ""),
    ("CONTACTADMIN", ""),
    ("CORRUPTION", ""),
    ("EXPIRED", ""),
    ("EXPUNGEISSUED", ""),
    ("INUSE", ""),
    ("LIMIT", ""),
    ("NONEXISTENT", ""),
    ("NOPERM", ""),
    ("PRIVACYREQUIRED", ""),
    ("SERVERBUG", ""),
    ("UNAVAILABLE", ""),
    // RFC 5255 §4.9.
    ("BADCOMPARATOR", ""),
    // RFC 4315 §3 after MULTIAPPEND.
    ("APPENDUID", " <n> <set>"),
    // RFC 4469 §4.2, RFC 5182 §2.1, RFC 6154 §3, RFC 9051 §7.1.
    ("BADURL", " .+"),
    ("NOTSAVED", ""),
    ("USEATTR", ""),
    // RFC 5464 §4.2.1, §4.3.
    (
        "METADATA",
        " (?:(?:LONGENTRIES|MAXSIZE) <n>|TOOMANY|NOPRIVATE)",
    ),
    ("HASCHILDREN", ""),
    // RFC 5267 §4.3.1, RFC 5465 §5.3 and §5.9, RFC 5466 §3.1.
    ("NOUPDATE", " <text>"),
    ("BADEVENT", r" \(<atom>(?: <atom>)*\)"),
    ("NOTIFICATIONOVERFLOW", ""),
    ("UNDEFINED-FILTER", " <atom>"),
    // RFC 8474 §4.1, RFC 9585 §4.2, RFC 9586 §3, RFC 9738 §3.
    ("MAILBOXID", r" \(<id>\)"),
    ("INPROGRESS", r"(?: \(<text> (?:<n>|0|NIL) (?:<n>|NIL)\))?"),
    ("UIDREQUIRED", ""),
    ("MESSAGELIMIT", " <n>(?: <n>)?"),
    // RFC 10022 §3.1.
    ("TOOFEW", ""),
    ("TOOMANY", ""),
];

/// Fails the test if this response is not one to others.
pub(crate) fn judge(raw: &[u8]) {
    if deeper_than_they_go(raw) {
        return;
    }
    let said = String::from_utf8_lossy(raw);
    let read = reads(raw) || reads(&without_newer(raw));
    assert!(read, "nobody else reads {said:?}");
    if let Some(code) = unknown_code(raw) {
        assert!(
            registered(&code),
            "no such response code: {code} in {said:?}"
        );
    }
}

/// Parentheses within parentheses that the judges can read: they recurse.
const NESTING: usize = 50;

fn deeper_than_they_go(raw: &[u8]) -> bool {
    let depths = raw.iter().scan(0_usize, |depth, byte| {
        match byte {
            b'(' => *depth += 1,
            b')' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    depths.max().unwrap_or(0) > NESTING
}

/// Whether imap-codec reads it, or, where it is known not to, imap-proto.
fn reads(raw: &[u8]) -> bool {
    let codec = ResponseCodec::default().decode(raw);
    let proto = imap_proto::Response::parse(raw);
    matches!(codec, Ok((rest, _)) if rest.is_empty())
        || left_to_proto(raw) && matches!(proto, Ok((rest, _)) if rest.is_empty())
}

/// imap-codec knows neither access control lists (RFC 4314) nor quoted strings in UTF-8 (RFC 9051
/// §4.3), and follows eight levels of a structure.
fn left_to_proto(raw: &[u8]) -> bool {
    let rights = [&b"* ACL "[..], b"* LISTRIGHTS ", b"* MYRIGHTS "];
    rights.iter().any(|start| raw.starts_with(start))
        || !raw.is_ascii()
        || raw.windows(5).any(|five| five == b"BODY ")
        || raw.windows(14).any(|some| some == b"BODYSTRUCTURE ")
        || raw.starts_with(b"* THREAD ")
}

fn without_newer(raw: &[u8]) -> Vec<u8> {
    static FORMS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let known = |&(form, instead)| (pattern(form), instead);
        NEWER.iter().map(known).collect()
    });
    let replace = |text: Vec<u8>, (form, instead): &(Regex, &str)| {
        form.replace_all(&text, instead.as_bytes()).into_owned()
    };
    FORMS.iter().fold(raw.to_vec(), replace)
}

/// A form as a pattern.
fn pattern(form: &str) -> Regex {
    let form = form
        .replace("<set>", "<range>(?:,<range>)*")
        .replace("<range>", "<n>(?::<n>)?")
        .replace("<n>", "[1-9][0-9]*")
        .replace("<id>", "[A-Za-z0-9_-]{1,255}")
        .replace("<text>", r#""(?:[^"\\\r\n]|\\["\\])*""#)
        .replace("<atom>", r#"[^ (){%*"\\\]\x00-\x1f\x7f-\xff]+"#);
    Regex::new(&format!("(?-u){form}")).unwrap()
}

/// The response code of a status response, unless imap-codec knows it.
fn unknown_code(raw: &[u8]) -> Option<String> {
    use imap_codec::imap_types::response::{Code, Response, Status};
    let (_, Response::Status(status)) = ResponseCodec::default().decode(raw).ok()? else {
        return None;
    };
    let code = match &status {
        Status::Untagged(body) => &body.code,
        Status::Tagged(tagged) => &tagged.body.code,
        Status::Bye(bye) => &bye.code,
    };
    match code {
        Some(Code::Other(other)) => Some(String::from_utf8_lossy(other.inner()).into_owned()),
        _ => None,
    }
}

fn registered(code: &str) -> bool {
    static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let known = |&(word, rest)| pattern(&format!("^{word}{rest}$"));
        CODES.iter().map(known).collect()
    });
    FORMS.iter().any(|form| form.is_match(code.as_bytes()))
}

#[test]
fn what_is_newer_is_read_in_its_own_form() {
    for response in [
        "* ESEARCH (TAG \"a\")\r\n",
        "* ESEARCH (TAG \"a\") UID COUNT 0\r\n",
        "* ESEARCH (TAG \"a\") UID MIN 1 MAX 9 COUNT 2 ALL 1,7:9 MODSEQ 3\r\n",
        "* ESEARCH (TAG \"a\" MAILBOX INBOX UIDVALIDITY 4) UID ALL 1\r\n",
        "* ESEARCH (TAG \"a\") UID PARTIAL (-1:-100 NIL)\r\n",
        "* ESEARCH (TAG \"a\") ADDTO (1 2733 1 2731:2732) REMOVEFROM (0 9)\r\n",
        "* STATUS a (MAILBOXID (F2) SIZE 5 APPENDLIMIT NIL)\r\n",
        "* LIST () \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
        "* LIST () \"/\" b (\"OLDNAME\" (\"a\"))\r\n",
        "* 1 FETCH (UID 2 EMAILID (M1) THREADID NIL SAVEDATE NIL PREVIEW \"hi\")\r\n",
        "* 1 FETCH (SAVEDATE \"01-Jan-2024 10:00:00 +0000\" PREVIEW {2}\r\nhi)\r\n",
        "* 7 UIDFETCH (FLAGS (\\Seen) MODSEQ (4))\r\n",
        "* LANGUAGE (\"en\" \"de-DE\")\r\n",
        "* QUOTA \"ann\" ()\r\n",
        "* OK [INPROGRESS (\"a1\" 5 NIL)] Still at it\r\n",
        "a NO [BADEVENT (MessageNew MessageExpunge)] Not these\r\n",
    ] {
        judge(response.as_bytes());
    }
}

#[test]
fn what_nobody_has_defined_is_no_response() {
    for response in [
        "* ESEARCH UID(TAG \"a\")\r\n",
        "* ESEARCH (TAG \"a\") COUNT 00\r\n",
        "* ESEARCH (TAG \"a\") ALL\r\n",
        "* ESEARCH (TAG \"a\") NEWEST 4\r\n",
        "* STATUS a (MAILBOXID F2)\r\n",
        "* STATUS a (MESSAGES 1 )\r\n",
        "* FLAGS (\\Seen )\r\n",
        "* LIST () \"/\" a (\"CHILDINFO\" \"SUBSCRIBED\")\r\n",
        "* 1 FETCH (SAVEDATE \"yesterday\")\r\n",
        "* 1 FETCH (PREVIEW hi)\r\n",
        "* 1 FETCH (EMAILID M1)\r\n",
        "* 1 FETCH ()\r\n",
        "* VANISHED\r\n",
        "* SURPRISE\r\n",
        "a OK [SURPRISE] Done\r\n",
        "a NO [LIMIT 7] Done\r\n",
        "* OK [INPROGRESS 5 NIL] Still at it\r\n",
    ] {
        let judged = std::panic::catch_unwind(|| judge(response.as_bytes()));
        assert!(judged.is_err(), "taken for a response: {response:?}");
    }
}

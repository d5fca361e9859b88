//! LMTP as a client meets it: what it says, what the machine makes of it.

use pillarbox_proto::lmtp::{Address, Body, Command, Event, Machine, Mail, Settings, parse};
use proptest::prelude::*;

fn settings() -> Settings {
    Settings {
        hostname: "mx.example.test".to_owned(),
        message_bytes: 1_000,
        line_bytes: 100,
        recipients: 3,
        tls: true,
    }
}

/// All that happens, one line each. Recipients called `no` are refused.
fn transcript<'i>(settings: Settings, pieces: impl IntoIterator<Item = &'i [u8]>) -> Vec<String> {
    let mut machine = Machine::new(settings);
    let (mut said, mut content) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut rest = piece;
        loop {
            let (used, event) = machine.feed(rest);
            rest = &rest[used..];
            match event {
                Event::More if rest.is_empty() => break,
                Event::More => panic!("not all was taken"),
                Event::Say(reply) => said.push(line(&reply)),
                Event::Hello(host, reply) => said.push(format!("{host}: {}", line(&reply))),
                Event::Sender(sender) => {
                    machine.accept();
                    said.push(format!("from <{}>", sender.from));
                }
                Event::Recipient(to) => {
                    if !to.starts_with("no") {
                        machine.accept();
                    }
                    said.push(format!("to <{to}>"));
                }
                Event::Content(bytes) => content.extend_from_slice(bytes),
                Event::End(outcome) => {
                    let content = std::mem::take(&mut content);
                    said.push(match outcome {
                        Ok(()) => format!("message {:?}", String::from_utf8_lossy(&content)),
                        Err(reply) => format!("failed {}", line(&reply)),
                    });
                }
                Event::Reset(reply) => said.push(format!("reset, {}", line(&reply))),
                Event::StartTls(reply) => {
                    said.push(format!("tls, {}", line(&reply)));
                    machine.secured();
                    rest = b"";
                }
                Event::Bye(reply) => said.push(format!("bye, {}", line(&reply))),
            }
        }
    }
    said
}

fn line(reply: &pillarbox_proto::lmtp::Reply) -> String {
    let mut out = Vec::new();
    reply.write(&mut out);
    let text = String::from_utf8(out).unwrap();
    text.strip_suffix("\r\n").unwrap().replace("\r\n", "|")
}

/// What happens, however the stream is cut.
#[track_caller]
fn happens(stream: impl AsRef<[u8]>, expected: &[&str]) {
    let stream = stream.as_ref();
    assert_eq!(transcript(settings(), [stream]), expected);
    assert_eq!(
        transcript(settings(), stream.chunks(1)),
        expected,
        "byte by byte"
    );
    for at in 0..stream.len() {
        let (left, right) = stream.split_at(at);
        assert_eq!(
            transcript(settings(), [left, right]),
            expected,
            "cut at {at}"
        );
    }
}

const HELLO: &str = "LHLO there\r\n";
const HELLO_REPLY: &str = "there: 250-mx.example.test|250-PIPELINING|250-ENHANCEDSTATUSCODES|\
                           250-8BITMIME|250-SMTPUTF8|250-CHUNKING|250-BINARYMIME|250-SIZE 1000|\
                           250 STARTTLS";
const GO_AHEAD: &str = "354 Start mail input; end with <CRLF>.<CRLF>";

/// [`happens`], after LHLO.
#[track_caller]
fn after_hello(stream: &str, expected: &[&str]) {
    let expected: Vec<_> = [&[HELLO_REPLY], expected].concat();
    happens(format!("{HELLO}{stream}"), &expected);
}

#[test]
fn pipelined_messages() {
    after_hello(
        "mail from:<a@b.c> SIZE=12 BODY=8BITMIME\r\nRCPT TO:<x@y>\r\nRCPT TO:<no@y>\r\nDATA\r\n\
         one\r\n..\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n",
        &[
            "from <a@b.c>",
            "to <x@y>",
            "to <no@y>",
            GO_AHEAD,
            "message \"one\\r\\n.\\r\\n\"",
            "from <>",
            "to <x@y>",
            GO_AHEAD,
            "message \"two\\r\\n\"",
            "bye, 221 2.0.0 Bye",
        ],
    );
}

/// RFC 3030 §2, and that its bytes are never commands.
#[test]
fn messages_in_pieces() {
    after_hello(
        "MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<x@y>\r\nDATA\r\nBDAT 6\r\nQUIT\r\nBDAT 0\r\n\
         BDAT 3 LAST\r\n\n.\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
        &[
            "from <>",
            "to <x@y>",
            "503 5.5.1 BINARYMIME needs BDAT",
            "250 2.0.0 6 octets received",
            "250 2.0.0 0 octets received",
            "message \"QUIT\\r\\n\\n.\\n\"",
            "503 5.5.1 Say MAIL first",
            "250 2.0.0 OK",
        ],
    );
    after_hello(
        "MAIL FROM:<>\r\nRCPT TO:<x@y>\r\nBDAT 1\r\naDATA\r\nRCPT TO:<z@y>\r\nRSET\r\nMAIL FROM:<>\r\n",
        &[
            "from <>",
            "to <x@y>",
            "250 2.0.0 1 octets received",
            "503 5.5.1 DATA and BDAT don't go together",
            "503 5.5.1 There is a transaction already",
            "reset, 250 2.0.0 Flushed",
            "from <>",
        ],
    );
}

#[test]
fn commands_have_their_order() {
    happens(
        "MAIL FROM:<>\r\nDATA\r\nHELO x\r\nEHLO x\r\nLHLO x\r\n",
        &[
            "503 5.5.1 Say LHLO first",
            "503 5.5.1 Say LHLO first",
            "500 5.5.1 This is LMTP: say LHLO",
            "500 5.5.1 This is LMTP: say LHLO",
            &HELLO_REPLY.replace("there:", "x:"),
        ],
    );
    after_hello(
        "RCPT TO:<x@y>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nRCPT TO:<no@y>\r\nDATA\r\nBDAT 2\r\n\
         ab",
        &[
            "503 5.5.1 Say MAIL first",
            "503 5.5.1 Say MAIL first",
            "from <>",
            "503 5.5.1 There is a transaction already",
            "to <no@y>",
            "503 5.5.1 No valid recipients",
            "503 5.5.1 No valid recipients",
        ],
    );
}

/// A message can't hold commands that somebody else would have taken for data, nor the other way
/// round (CVE-2023-51764).
#[test]
fn no_message_hides_another() {
    for end in ["\n.\r\n", "\r\n.\n", "\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r"] {
        let stream =
            format!("MAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\na{end}MAIL FROM:<evil@x>\r\n.\r\n");
        let message = format!("a{end}MAIL FROM:<evil@x>\r\n").replace("\r\n.", "\r\n");
        let message = format!("message {message:?}");
        after_hello(&stream, &["from <>", "to <x@y>", GO_AHEAD, &message]);
    }
    after_hello(
        "NOOP\nQUIT\r\nNOOP\rQUIT\r\nMAIL FROM:<a\0@b>\r\n",
        &["501 5.5.2 Syntax error"; 3],
    );
}

#[test]
fn what_is_too_much() {
    let long = "x".repeat(101);
    after_hello(
        &format!("NOOP {long}\r\nNOOP\r\n"),
        &["500 5.5.2 Line too long", "250 2.0.0 OK"],
    );
    after_hello(
        &format!("MAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\n{long}\r\n.\r\nNOOP\r\n"),
        &[
            "from <>",
            "to <x@y>",
            GO_AHEAD,
            "failed 554 5.6.0 A line of the message is too long",
            "250 2.0.0 OK",
        ],
    );
    let large = "0123456789\r\n".repeat(90);
    after_hello(
        &format!("MAIL FROM:<> SIZE=1001\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\n{large}.\r\n"),
        &[
            "552 5.3.4 Message size exceeds limit",
            "from <>",
            "to <x@y>",
            GO_AHEAD,
            "failed 552 5.3.4 Message size exceeds limit",
        ],
    );
    // Both at once: the same is told of it, however the stream is cut.
    after_hello(
        &format!(
            "MAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\n{}\r\n.\r\n",
            "x".repeat(1_100)
        ),
        &[
            "from <>",
            "to <x@y>",
            GO_AHEAD,
            "failed 552 5.3.4 Message size exceeds limit",
        ],
    );
    after_hello(
        "BDAT 999999999999\r\n",
        &["bye, 552 5.3.4 Message size exceeds limit"],
    );
    after_hello(
        &format!("MAIL FROM:<>\r\n{}", "RCPT TO:<x@y>\r\n".repeat(4)),
        &[
            "from <>",
            "to <x@y>",
            "to <x@y>",
            "to <x@y>",
            "452 4.5.3 Too many recipients",
        ],
    );
}

#[test]
fn nonsense_ends_sometime() {
    let stream = format!("{HELLO}{}", "XYZZY\r\n".repeat(30));
    let said = transcript(settings(), [stream.as_bytes()]);
    assert_eq!(said.len(), 22);
    assert_eq!(said.last().unwrap(), "bye, 421 4.7.0 Too many errors");
    happens(
        "GET / HTTP/1.1\r\nLHLO x\r\n",
        &["bye, 421 4.7.0 This is LMTP, not HTTP"],
    );
    // Addresses that are none are no reason to send nothing to the others.
    let stream = format!("{HELLO}MAIL FROM:<>\r\n{}", "RCPT TO:<a b>\r\n".repeat(30));
    let said = transcript(settings(), [stream.as_bytes()]);
    assert_eq!(said.last().unwrap(), "501 5.1.3 Bad address syntax");
}

#[test]
fn tls_starts_afresh() {
    let mut machine = Machine::new(settings());
    machine.feed(HELLO.as_bytes());
    let (_, event) = machine.feed(b"STARTTLS\r\n");
    assert!(matches!(event, Event::StartTls(_)));
    machine.secured();
    let said = |machine: &mut Machine, text: &'static str| match machine.feed(text.as_bytes()).1 {
        Event::Say(reply) | Event::Hello(_, reply) => line(&reply),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        said(&mut machine, "MAIL FROM:<>\r\n"),
        "503 5.5.1 Say LHLO first"
    );
    assert!(!said(&mut machine, HELLO).contains("STARTTLS"));
    assert_eq!(
        said(&mut machine, "STARTTLS\r\n"),
        "503 5.5.1 TLS is in use already"
    );
}

#[test]
fn addresses() {
    for good in [
        "a@b",
        "a",
        "\"a b\\\"c>\"@d.e",
        "a.b+c@[127.0.0.1]",
        "x@[IPv6:::1]",
        "a.@b_c.d",
        "Jürgen@müller.example",
    ] {
        let line = format!("RCPT TO:<{good}>");
        let Ok(Command::Rcpt(address)) = parse(line.as_bytes()) else {
            panic!("{good}");
        };
        assert_eq!(address.as_str(), good);
    }
    let routed = parse(b"RCPT TO:<@a,@b:c@d>").unwrap();
    assert_eq!(routed, Command::Rcpt(Address::parse("c@d").unwrap()));
    let address = Address::parse("\"a@b\"@c").unwrap();
    assert_eq!((address.local(), address.domain()), ("\"a@b\"", Some("c")));
    for bad in [
        "", "@", "a@", "@b", "a b@c", "a@b c", "<a@b>", "a@b@c", "\"a@b", "a,b@c", "a@[b",
    ] {
        assert!(
            parse(format!("RCPT TO:<{bad}>").as_bytes()).is_err(),
            "{bad}"
        );
    }
    let long = "a".repeat(2_000);
    assert!(Address::parse(&long).is_none());
}

#[test]
fn parameters() {
    let refused = |line: &str| super::lmtp::line(&parse(line.as_bytes()).unwrap_err());
    assert_eq!(
        refused("MAIL FROM:<> SIZE=x"),
        "501 5.5.4 Syntax error in parameters"
    );
    assert_eq!(
        refused("MAIL FROM:<> SIZE=1 SIZE=1"),
        "501 5.5.4 Syntax error in parameters"
    );
    assert_eq!(
        refused("MAIL FROM:<> BODY=9BIT"),
        "501 5.5.4 Syntax error in parameters"
    );
    let unknown = "555 5.5.4 Parameter not recognized or not implemented";
    assert_eq!(refused("MAIL FROM:<> AUTH=<>"), unknown);
    assert_eq!(refused("RCPT TO:<a@b> NOTIFY=NEVER"), unknown);
    assert_eq!(refused("BDAT"), "501 5.5.4 Syntax error in parameters");
    assert_eq!(
        refused("BDAT 1 FIRST"),
        "501 5.5.4 Syntax error in parameters"
    );
    assert_eq!(refused("BDAT -1"), "501 5.5.4 Syntax error in parameters");
    assert_eq!(refused("LHLO"), "501 5.5.4 Syntax error in parameters");
    assert_eq!(refused("LHLO a b"), "501 5.5.4 Syntax error in parameters");
    assert_eq!(refused("MAIL FROM <a@b>"), "501 5.5.2 Syntax error");
    assert_eq!(refused("MAIL FROM:<a@b>SIZE=1"), "501 5.5.2 Syntax error");
}

fn address() -> impl Strategy<Value = String> {
    (
        "[a-zA-Z0-9.!+=~-]{1,20}|\"[ -!#-\\[\\]-~]{0,10}\"",
        "[a-z0-9.-]{1,20}|\\[[0-9.]{1,12}\\]",
    )
        .prop_map(|(local, domain)| format!("{local}@{domain}"))
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        Just(Body::Unsaid),
        Just(Body::SevenBit),
        Just(Body::EightBit),
        Just(Body::Binary)
    ]
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(
        from in proptest::option::of(address()),
        to in address(),
        size in proptest::option::of(any::<u64>()),
        body in body(),
        utf8: bool,
        last: bool,
    ) {
        let mail = Command::Mail(Mail {
            from: from.as_deref().map(|from| Address::parse(from).unwrap()),
            size,
            body,
            utf8,
        });
        let rcpt = Command::Rcpt(Address::parse(&to).unwrap());
        let bdat = Command::Bdat { size: size.unwrap_or(1), last };
        for command in [mail, rcpt, bdat, Command::Lhlo("a.b"), Command::Rset, Command::Vrfy] {
            let text = command.to_string();
            prop_assert_eq!(parse(text.as_bytes()), Ok(command));
        }
    }

    #[test]
    fn nothing_panics_and_cuts_change_nothing(stream in ".{0,200}", at in 0_usize..200) {
        let stream = format!("{HELLO}{stream}\r\n").replace('X', "\r\n");
        let (left, right) = stream.as_bytes().split_at(at.min(stream.len()));
        prop_assert_eq!(
            transcript(settings(), [stream.as_bytes()]),
            transcript(settings(), [left, right])
        );
    }
}

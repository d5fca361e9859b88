//! Each test is a stream and what it amounts to: fed whole, byte by byte, and in every two pieces.

use std::fmt::Write as _;

use pillarbox_model::limit;
use pillarbox_proto::imap::frame::{Event, FrameLimits, Framer};

use Messages::{Accept, Refuse};

/// What the session does about messages that are offered.
#[derive(Clone, Copy, PartialEq)]
enum Messages {
    Accept,
    Refuse,
}

const LIMITS: FrameLimits = FrameLimits {
    line_bytes: 100,
    argument_bytes: 200,
    literals: 3,
    literal_minus: false,
    messages: true,
    swallow_bytes: 2_000,
};

/// What happened, one line an event.
fn transcript(limits: FrameLimits, messages: Messages, pieces: &[&[u8]]) -> String {
    let mut framer = Framer::new(limits);
    let mut out = String::new();
    let mut message = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let (used, event) = framer.feed(rest);
            rest = &rest[used..];
            match event {
                Event::More => break,
                Event::MessageData(data) => message.extend_from_slice(data),
                Event::MessageEnd => {
                    let text = String::from_utf8_lossy(&message).into_owned();
                    writeln!(out, "message {text:?}").unwrap();
                    message.clear();
                }
                event => tell(&mut framer, event, messages, &mut out),
            }
        }
        assert!(rest.is_empty(), "{out}");
    }
    if !framer.is_empty() {
        out.push_str("unfinished\n");
    }
    out
}

fn tell(framer: &mut Framer, event: Event<'_>, messages: Messages, out: &mut String) {
    let line = match event {
        Event::Continue => "+".to_owned(),
        Event::Message {
            size,
            binary,
            synchronizing,
        } => {
            let kind = if binary { "binary" } else { "text" };
            let tag = framer.partial().tag().unwrap_or("*").to_owned();
            match messages {
                Accept => framer.accept_message(),
                Refuse => framer.refuse_message(),
            }
            format!(
                "offer {size} {kind} {}{tag}",
                if synchronizing { "" } else { "+ " }
            )
        }
        Event::Command(frame) => {
            let text = String::from_utf8_lossy(&frame.redacted()).into_owned();
            if text.to_ascii_uppercase().ends_with(" IDLE") {
                framer.expect_line();
            }
            format!("command {text:?}")
        }
        Event::Line(line) => format!("line {:?}", String::from_utf8_lossy(&line)),
        Event::Abandoned { tag } => format!("abandoned {}", tag.as_deref().unwrap_or("*")),
        Event::Refused { tag, why } => format!("refused {} {why:?}", tag.as_deref().unwrap_or("*")),
        Event::Fatal(why) => format!("fatal {why:?}"),
        Event::More | Event::MessageData(_) | Event::MessageEnd => unreachable!(),
    };
    out.push_str(&line);
    out.push('\n');
}

/// Checks a stream under the small limits above.
#[track_caller]
fn check(messages: Messages, stream: &[u8], expected: &[&str]) {
    check_under(LIMITS, messages, stream, expected);
}

#[track_caller]
fn check_under(limits: FrameLimits, messages: Messages, stream: &[u8], expected: &[&str]) {
    let whole = transcript(limits, messages, &[stream]);
    assert_eq!(whole.lines().collect::<Vec<_>>(), expected);
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(transcript(limits, messages, &bytes), whole, "byte by byte");
    for at in 0..=stream.len() {
        let (first, second) = stream.split_at(at);
        assert_eq!(
            transcript(limits, messages, &[first, second]),
            whole,
            "cut at {at}"
        );
    }
}

#[test]
fn lines_are_commands() {
    check(
        Accept,
        b"a NOOP\r\nb noop\n\r\nc x",
        &[
            "command \"a NOOP\"",
            "command \"b noop\"",
            "command \"\"",
            "unfinished",
        ],
    );
}

#[test]
fn a_synchronizing_literal_waits() {
    check(
        Accept,
        b"a SELECT {5}\r\nin\r\nx\r\nb NOOP\r\n",
        &[
            "+",
            "command \"a SELECT {5}\\r\\nin\\r\\nx\"",
            "command \"b NOOP\"",
        ],
    );
}

#[test]
fn literals_hold_what_looks_like_commands() {
    check(
        Accept,
        b"a RENAME {8+}\r\nb NOOP\r\n {0}\r\n\r\n",
        &["+", "command \"a RENAME {8+}\\r\\nb NOOP\\r\\n {0}\\r\\n\""],
    );
}

/// A line feed alone ends a line but is data like any other in a literal.
#[test]
fn a_bare_line_feed_in_a_literal_is_data() {
    check(
        Accept,
        b"a X {3+}\n\n\n\n y\n",
        &["command \"a X {3+}\\r\\n\\n\\n\\n y\""],
    );
}

#[test]
fn a_literal_that_ends_with_cr_keeps_it() {
    check(
        Accept,
        b"a X {2+}\r\nx\r\nb NOOP\r\n",
        &["command \"a X {2+}\\r\\nx\\r\"", "command \"b NOOP\""],
    );
}

#[test]
fn a_login_shows_no_password() {
    check(
        Accept,
        b"a LOGIN joe secret\r\nb login {3+}\r\njoe {6+}\r\nsecret\r\nc LOGIN \"joe\" \"se cret\"\r\n",
        &[
            "command \"a LOGIN joe ***\"",
            "command \"b login {3+}\\r\\njoe ***\"",
            "command \"c LOGIN \\\"joe\\\" ***\"",
        ],
    );
    check(
        Accept,
        b"a AUTHENTICATE PLAIN c2VjcmV0\r\nLOGIN joe secret\r\nd LOGIN \"joe secret\r\nlogin\r\n",
        &[
            "command \"a AUTHENTICATE PLAIN ***\"",
            "command \"LOGIN ***\"",
            "command \"d LOGIN ***\"",
            "command \"login\"",
        ],
    );
}

/// The iPhone sends DONE and the next command in one packet.
#[test]
fn done_and_the_next_command_at_once() {
    check(
        Accept,
        b"a IDLE\r\nDONE\r\nb NOOP\r\n",
        &["command \"a IDLE\"", "line \"DONE\"", "command \"b NOOP\""],
    );
}

/// A line of data that looks like a literal is none.
#[test]
fn data_lines_have_no_literals() {
    check(
        Accept,
        b"a IDLE\r\nx {5+}\r\nb NOOP\r\n",
        &[
            "command \"a IDLE\"",
            "line \"x {5+}\"",
            "command \"b NOOP\"",
        ],
    );
    let long = [b"a IDLE\r\n", &[b'x'; 200][..], b"{5+}\r\nb NOOP\r\n"].concat();
    check(
        Accept,
        &long,
        &[
            "command \"a IDLE\"",
            "refused * LineTooLong",
            "command \"b NOOP\"",
        ],
    );
}

#[test]
fn messages_stream_past() {
    check(
        Accept,
        b"a APPEND box {4}\r\nabcd\r\nb append {3+}\r\nbox (\\Seen) ~{3+}\r\na\0b {0+}\r\n\r\n",
        &[
            "offer 4 text a",
            "message \"abcd\"",
            "command \"a APPEND box {4}\\r\\n\"",
            "offer 3 binary + b",
            "message \"a\\0b\"",
            "offer 0 text + b",
            "message \"\"",
            "command \"b append {3+}\\r\\nbox (\\\\Seen) ~{3+}\\r\\n {0+}\\r\\n\"",
        ],
    );
}

#[test]
fn a_message_refused_before_it_is_sent() {
    check(
        Refuse,
        b"a APPEND box {4}\r\nb NOOP\r\n",
        &["offer 4 text a", "command \"b NOOP\""],
    );
}

/// What was already on its way is thrown away to the end of the command, through all its literals,
/// and never run.
#[test]
fn a_message_refused_while_it_comes() {
    check(
        Refuse,
        b"a APPEND box {10+}\r\nx LOGOUT\r\n (\\Seen) {10+}\r\ny LOGOUT\r\n\r\nb NOOP\r\n",
        &["offer 10 text + a", "abandoned a", "command \"b NOOP\""],
    );
    check(
        Refuse,
        b"a APPEND box {1+}\r\nx {1000}\r\nb NOOP\r\n",
        &["offer 1 text + a", "abandoned a", "command \"b NOOP\""],
    );
}

#[test]
fn before_login_nothing_is_a_message() {
    let limits = FrameLimits {
        messages: false,
        ..LIMITS
    };
    check_under(
        limits,
        Accept,
        b"a APPEND box {4}\r\nabcd\r\nb APPEND box {9999}\r\n",
        &[
            "+",
            "command \"a APPEND box {4}\\r\\nabcd\"",
            "refused b LiteralTooBig",
        ],
    );
}

#[test]
fn a_line_that_is_too_long() {
    let mut stream = b"a NOOP ".to_vec();
    stream.resize(300, b'x');
    let end = stream.len();
    stream.extend_from_slice(b"\r\nb NOOP\r\n");
    let expected = ["refused a LineTooLong", "command \"b NOOP\""];
    check(Accept, &stream, &expected);
    // It announced a literal that is on its way.
    stream.splice(end..end, *b"{8+}\r\nc NOOP\r\n");
    check(Accept, &stream, &expected);
    // It announced a literal that will not come.
    stream.splice(end.., *b"{8}\r\nb NOOP\r\n");
    check(Accept, &stream, &expected);
}

/// The limit is met exactly.
#[test]
fn a_line_that_just_fits() {
    let line = |len: usize| [b"a ", &vec![b'x'; len - 4][..], b"\r\n"].concat();
    assert!(transcript(LIMITS, Accept, &[&line(100)]).starts_with("command"));
    check(Accept, &line(101), &["refused a LineTooLong"]);
}

#[test]
fn arguments_add_up_over_literals() {
    let literal = [b"{95+}\r\n", &[b'x'; 95][..]].concat();
    let stream = [b"a X ", &literal[..], b" ", &literal[..], b"\r\nb NOOP\r\n"].concat();
    check(
        Accept,
        &stream,
        &["refused a LiteralTooBig", "command \"b NOOP\""],
    );
    let stream = [
        b"a X ",
        &literal[..],
        b" ",
        &[b'x'; 94][..],
        b"\r\nb NOOP\r\n",
    ]
    .concat();
    check(
        Accept,
        &stream,
        &["refused a LineTooLong", "command \"b NOOP\""],
    );
}

#[test]
fn too_many_literals() {
    check(
        Accept,
        b"a X {1+}\r\n1{1+}\r\n2{1+}\r\n3{1+}\r\n4{1+}\r\n5\r\nb NOOP\r\n",
        &["refused a TooManyLiterals", "command \"b NOOP\""],
    );
}

#[test]
fn too_many_messages() {
    let mut stream = b"a APPEND box".to_vec();
    for _ in 0..=limit::MESSAGES_PER_APPEND {
        stream.extend_from_slice(b" {0+}\r\n");
    }
    stream.extend_from_slice(b"\r\nb NOOP\r\n");
    let told = transcript(FrameLimits::after_login(), Accept, &[&stream]);
    assert!(
        told.ends_with("refused a TooManyMessages\ncommand \"b NOOP\"\n"),
        "{told}"
    );
    assert_eq!(told.matches("offer").count(), limit::MESSAGES_PER_APPEND);
}

/// RFC 7888 §5: under LITERAL- a bigger one must be synchronizing.
#[test]
fn literal_minus() {
    let stream = [b"a X {4097+}\r\n", &[b'x'; 4_097][..], b"\r\nb NOOP\r\n"].concat();
    let told = transcript(FrameLimits::before_login(), Accept, &[&stream]);
    assert_eq!(told, "refused a LiteralTooBig\ncommand \"b NOOP\"\n");
    let stream = [b"a X {4097}\r\n", &[b'x'; 4_097][..], b"\r\nb NOOP\r\n"].concat();
    let told = transcript(FrameLimits::before_login(), Accept, &[&stream]);
    assert!(told.starts_with("+\ncommand \"a X {4097}"));
}

#[test]
fn nul_is_refused_and_swallowed() {
    check(
        Accept,
        b"a X\0 {3+}\r\nx\r\n\r\nb NOOP\r\n",
        &["refused a Nul", "command \"b NOOP\""],
    );
    check(
        Accept,
        b"a X {5+}\r\nx\0\r\ny {1+}\r\nz\r\nb NOOP\r\n",
        &["refused a Nul", "command \"b NOOP\""],
    );
}

#[test]
fn what_follows_a_nul_counts_as_thrown_away() {
    let limits = FrameLimits {
        swallow_bytes: 8,
        ..LIMITS
    };
    let fits = b"a X {8+}\r\nx\x00123456\r\nb NOOP\r\n";
    check_under(
        limits,
        Accept,
        fits,
        &["refused a Nul", "command \"b NOOP\""],
    );
    let flood = b"a X {11+}\r\nx\x00123456789\r\nb NOOP\r\n";
    check_under(limits, Accept, flood, &["fatal Flood"]);
}

#[test]
fn what_is_no_client_of_ours() {
    for request in [
        "GET / HTTP/1.1",
        "POST /x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT mail:143 HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET http://x/ HTTP/1.0",
    ] {
        let stream = format!("{request}\r\nHost: x\r\n\r\na NOOP\r\n");
        check(Accept, stream.as_bytes(), &["fatal Http"]);
    }
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(300));
    check(Accept, long.as_bytes(), &["fatal Http"]);
    check(Accept, b"\x16\x03\x01\x02\x00\x01", &["fatal Tls"]);
    check(Accept, b"GET NOOP\r\n", &["command \"GET NOOP\""]);
}

/// A client may make us throw away only so much.
#[test]
fn a_flood_is_cut_off() {
    check(Accept, b"a X {2001+}\r\nb NOOP\r\n", &["fatal Flood"]);
    check(
        Accept,
        b"a X {99999999999999999999+}\r\nb NOOP\r\n",
        &["fatal Flood"],
    );
    check(
        Accept,
        b"a X {99999999999999999999}\r\nb NOOP\r\n",
        &["refused a LiteralTooBig", "command \"b NOOP\""],
    );
    let line = [b"a X ", &[b'x'; 2_200][..]].concat();
    assert_eq!(transcript(LIMITS, Accept, &[&line]), "fatal Flood\n");
}

#[test]
fn what_announces_no_literal() {
    for line in [
        "a X {}",
        "a X {-1}",
        "a X {1-}",
        "a X 1}",
        "a X {1 }",
        "a X {000000000000000000001}",
    ] {
        let told = transcript(LIMITS, Accept, &[line.as_bytes(), b"\r\n"]);
        assert_eq!(told, format!("command {line:?}\n"));
    }
}

/// Until the session has decided about a message, nothing is taken.
#[test]
fn an_offer_waits_for_an_answer() {
    let mut framer = Framer::new(LIMITS);
    let (used, event) = framer.feed(b"a APPEND box {1+}\r\nx\r\n");
    assert!(matches!(event, Event::Message { .. }));
    assert_eq!(used, 19);
    assert_eq!(framer.feed(b"x\r\n"), (0, Event::More));
    assert!(!framer.is_empty());
    framer.accept_message();
    assert_eq!(framer.feed(b"x\r\n"), (1, Event::MessageData(b"x")));
    assert_eq!(framer.feed(b"\r\n"), (0, Event::MessageEnd));
    assert!(matches!(framer.feed(b"\r\n"), (2, Event::Command(_))));
    assert!(framer.is_empty());
}

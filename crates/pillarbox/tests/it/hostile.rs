//! What clients that mean harm can make the program hold, in bytes, measured from outside.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::process::{Home, Running, line, session};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How long one write or read may stand still before the test goes on to what it is about.
const STUCK: Duration = Duration::from_millis(200);

/// The most memory that the process ever had, the files that it has mapped among it.
fn peak(server: &Running) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: usize = line
        .split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib * KIB
}

/// Sends as much as the server takes; it may hang up or stop reading.
fn pour(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_write_timeout(Some(STUCK)).unwrap();
    let _ = stream.write_all(bytes);
}

/// Ends what is sent and reads to the end of what is answered: the server is done with this client.
fn drain(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let mut buffer = vec![0; 64 * KIB];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            // Closed with input unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn logged_in(port: u16) -> BufReader<TcpStream> {
    let mut stream = session(port);
    stream
        .get_mut()
        .write_all(b"a LOGIN ann secret\r\n")
        .unwrap();
    assert!(line(&mut stream).starts_with("a OK"));
    stream
}

/// Says a command and reads up to its tagged line.
fn say(stream: &mut BufReader<TcpStream>, command: &str) -> String {
    stream
        .get_mut()
        .write_all(format!("t {command}\r\n").as_bytes())
        .unwrap();
    loop {
        let line = line(stream);
        assert_ne!(line, "", "hung up after {command}");
        if line.starts_with("t ") {
            return line;
        }
    }
}

fn append(stream: &mut BufReader<TcpStream>, message: &str) {
    let command = format!("APPEND INBOX {{{}+}}\r\n{message}", message.len());
    assert!(say(stream, &command).starts_with("t OK"));
}

#[test]
fn c34_strangers_hold_little_whatever_they_send() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let server = home.start();
    let port = server.port();
    drop(logged_in(port));
    let before = peak(&server);
    let kinds = [
        "(".repeat(MIB),
        format!("a LOGIN {}", "(".repeat(8_000)),
        format!("a LOGIN ann \"{}", "x".repeat(MIB)),
        format!("a LOGIN {{8000+}}\r\n{}", "x".repeat(7_999)),
        format!("a LOGIN {{4000000000+}}\r\n{}", "x".repeat(MIB)),
        format!("a LOGIN {}", "{1+}\r\nx ".repeat(10_000)),
        format!("a APPEND INBOX {{60000000+}}\r\n{}", "x".repeat(MIB)),
        format!("a AUTHENTICATE PLAIN\r\n{}", "A".repeat(MIB)),
        format!("a ID ({}", "\"k\" \"v\" ".repeat(100_000)),
        "a NOOP\r\n".repeat(50_000),
        "a CAPABILITY\r\n".repeat(10_000),
        "a CAPABILITY".to_owned(),
    ];
    let each = 20;
    let mut all = Vec::new();
    for kind in &kinds {
        for _ in 0..each {
            let mut stream = session(port).into_inner();
            pour(&mut stream, kind.as_bytes());
            all.push(stream);
        }
    }
    // Others are served meanwhile.
    assert!(say(&mut logged_in(port), "SELECT INBOX").starts_with("t OK"));
    let count = all.len();
    all.into_iter().for_each(drain);
    let held = (peak(&server) - before) / count;
    assert!(held < 256 * KIB, "{held} bytes for each of {count}");
}

#[test]
fn c34_users_hold_what_a_command_may_have_and_no_more() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let server = home.start();
    let port = server.port();
    append(&mut logged_in(port), "Subject: x\r\n\r\ny\r\n");
    let before = peak(&server);
    let sets = (1..60_000)
        .map(|n| (2 * n).to_string())
        .collect::<Vec<_>>()
        .join(",");
    let kinds = [
        // A command that never ends, of literals as large and as many as there may be.
        format!(
            "b SEARCH {}",
            format!("SUBJECT {{16000+}}\r\n{} ", "x".repeat(16_000)).repeat(80)
        ),
        format!("b SEARCH {}", "(".repeat(MIB)),
        format!("b SEARCH {}", "OR NOT (SEEN) ".repeat(100_000)),
        format!("b FETCH {sets} FLAGS\r\n"),
        format!(
            "b FETCH 1 ({}",
            "BODY[HEADER.FIELDS (A B C D E F G H)] ".repeat(50_000)
        ),
        format!("b STORE 1 +FLAGS ({}", "keyword ".repeat(100_000)),
        format!("b LIST \"\" ({}", "* ".repeat(500_000)),
        format!("b APPEND INBOX {{60000000+}}\r\n{}", "x".repeat(MIB)),
        format!("b APPEND INBOX {{200000+}}\r\n{}", "x".repeat(199_999)),
    ];
    let each = 10;
    let mut all = Vec::new();
    for kind in &kinds {
        for _ in 0..each {
            let mut stream = logged_in(port);
            assert!(say(&mut stream, "SELECT INBOX").starts_with("t OK"));
            let mut stream = stream.into_inner();
            pour(&mut stream, kind.as_bytes());
            all.push(stream);
        }
    }
    assert!(say(&mut logged_in(port), "SELECT INBOX").starts_with("t OK"));
    let count = all.len();
    all.into_iter().for_each(drain);
    let held = (peak(&server) - before) / count;
    assert!(held < 2 * MIB, "{held} bytes for each of {count}");
}

#[test]
fn c37_those_who_do_not_read_hold_little_and_hinder_nobody() {
    const MESSAGES: usize = 64;
    let home = Home::new("tcp://127.0.0.1:0", "");
    let server = home.start();
    let port = server.port();
    let mut ann = logged_in(port);
    let large = format!(
        "Subject: large\r\n\r\n{}",
        "0123456789abcd\r\n".repeat(16 * KIB)
    );
    for _ in 0..MESSAGES {
        append(&mut ann, &large);
    }
    assert!(say(&mut ann, "SELECT INBOX").starts_with("t OK"));
    // The messages are mapped once, for all.
    assert!(say(&mut ann, "FETCH 1:* BODY.PEEK[]").starts_with("t OK"));
    let before = peak(&server);
    let mut stuck = Vec::new();
    for _ in 0..40 {
        let mut stream = logged_in(port);
        assert!(say(&mut stream, "SELECT INBOX").starts_with("t OK"));
        stream
            .get_mut()
            .write_all(b"b FETCH 1:* BODY.PEEK[]\r\n")
            .unwrap();
        stuck.push(stream);
    }
    // Another begins to change the mailbox when the first bytes of each are under way.
    for stream in &mut stuck {
        assert!(!stream.fill_buf().unwrap().is_empty());
    }
    append(&mut ann, "Subject: small\r\n\r\nx\r\n");
    assert!(say(&mut ann, "STORE 1:* +FLAGS (\\Deleted)").starts_with("t OK"));
    assert!(say(&mut ann, "EXPUNGE").starts_with("t OK"));
    let grown = peak(&server) - before;
    assert!(
        grown < stuck.len() * MIB,
        "{grown} bytes for {}",
        stuck.len()
    );
    // Who reads after all gets everything, as it was when it asked (RFC 2180 §4.1.2).
    for stream in stuck.iter_mut().take(4) {
        stream.get_mut().shutdown(Shutdown::Write).unwrap();
        let mut total = 0;
        while let Ok(piece) = stream.fill_buf() {
            let length = piece.len();
            if length == 0 {
                break;
            }
            total += length;
            stream.consume(length);
        }
        assert!(total > MESSAGES * large.len(), "{total} bytes");
    }
    drop(stuck);
    assert!(peak(&server) - before < 40 * MIB);
}

/// Commands whose answers nobody reads, without end; and changes told to those who idle and do not read.
#[test]
fn c37_answers_and_news_that_nobody_reads_are_bounded() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let server = home.start();
    let port = server.port();
    let mut ann = logged_in(port);
    // One APPEND of a thousand messages.
    let many = " {3+}\r\nx\r\n".repeat(1_000);
    for _ in 0..20 {
        assert!(say(&mut ann, &format!("APPEND INBOX{many}")).starts_with("t OK"));
    }
    assert!(say(&mut ann, "SELECT INBOX").starts_with("t OK"));
    assert!(say(&mut ann, "FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)").starts_with("t OK"));
    let before = peak(&server);
    let mut stuck = Vec::new();
    for number in 0..40 {
        let mut stream = logged_in(port);
        assert!(say(&mut stream, "SELECT INBOX").starts_with("t OK"));
        let mut stream = stream.into_inner();
        match number % 4 {
            0 => pour(
                &mut stream,
                "b FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)\r\n"
                    .repeat(1_000)
                    .as_bytes(),
            ),
            1 => pour(
                &mut stream,
                "b UID SEARCH ALL\r\n".repeat(100_000).as_bytes(),
            ),
            2 => pour(
                &mut stream,
                "b STORE 1:* +FLAGS (\\Seen)\r\n".repeat(10).as_bytes(),
            ),
            _ => pour(&mut stream, b"b IDLE\r\n"),
        }
        stuck.push(stream);
    }
    for round in 0..10 {
        let sign = if round % 2 == 0 { '+' } else { '-' };
        let store = format!("STORE 1:* {sign}FLAGS.SILENT (\\Flagged)");
        assert!(say(&mut ann, &store).starts_with("t OK"));
    }
    assert!(say(&mut ann, "STORE 1:* +FLAGS.SILENT (\\Deleted)").starts_with("t OK"));
    assert!(say(&mut ann, "EXPUNGE").starts_with("t OK"));
    let grown = peak(&server) - before;
    assert!(
        grown < stuck.len() * MIB,
        "{grown} bytes for {}",
        stuck.len()
    );
}

//! SIGKILL at any moment: what was acknowledged is there, and nothing is there twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::{Home, line, session};

/// Connections that write at the same time.
const WRITERS: usize = 4;

/// What a client was told to be so of a message, by its subject.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    flagged: bool,
    /// Where it is; `None` while a MOVE was sent and not answered.
    mailbox: Option<&'static str>,
}

type Ledger = Arc<Mutex<BTreeMap<String, Known>>>;

/// A client that stops when its connection breaks.
struct Writer {
    stream: BufReader<TcpStream>,
    ledger: Ledger,
}

impl Writer {
    /// Says a command; its tagged line, or `None` if the server is gone.
    fn say(&mut self, command: &str) -> Option<String> {
        self.stream
            .get_mut()
            .write_all(format!("t {command}\r\n").as_bytes())
            .ok()?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(rest) = line.strip_prefix("t ") {
                assert!(rest.starts_with("OK"), "{command}: {rest}");
                return Some(rest.to_owned());
            }
        }
    }

    fn know(&self, subject: &str, change: impl FnOnce(&mut Known)) {
        change(
            self.ledger
                .lock()
                .unwrap()
                .entry(subject.to_owned())
                .or_default(),
        );
    }

    /// Appends, flags and moves until the server is gone.
    fn work(mut self, name: &str) -> Option<()> {
        self.say("LOGIN ann x")?;
        self.say("SELECT INBOX")?;
        for number in 0.. {
            let subject = format!("{name}-{number}");
            let body = "x".repeat(number * 997 % 9_000);
            let message = format!("Subject: {subject}\r\n\r\n{body}\r\n");
            let done = self.say(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len()))?;
            self.know(&subject, |known| known.mailbox = Some("INBOX"));
            let code = done.split_once("[APPENDUID ")?.1.split_once(']')?.0;
            let uid = code.split_once(' ')?.1.to_owned();
            if number % 2 == 0 {
                self.say(&format!("UID STORE {uid} +FLAGS.SILENT (\\Flagged)"))?;
                self.know(&subject, |known| known.flagged = true);
            }
            if number % 3 == 0 {
                self.say("NOOP")?;
                self.know(&subject, |known| known.mailbox = None);
                self.say(&format!("UID MOVE {uid} other"))?;
                self.know(&subject, |known| known.mailbox = Some("other"));
            }
        }
        None
    }
}

/// Subject and flags of all messages of a mailbox.
fn listing(stream: &mut BufReader<TcpStream>, mailbox: &str) -> Vec<(String, bool)> {
    let commands = format!(
        "a EXAMINE {mailbox}\r\nb UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)] \
         BODY.PEEK[TEXT]<0.1>)\r\n"
    );
    stream.get_mut().write_all(commands.as_bytes()).unwrap();
    let (mut all, mut flagged) = (Vec::new(), false);
    loop {
        let line = line(stream);
        if line.contains(" FETCH (") {
            flagged = line.contains("\\Flagged");
        }
        if let Some(subject) = line.strip_prefix("Subject: ") {
            all.push((subject.trim_end().to_owned(), flagged));
        }
        if line.starts_with("b ") {
            assert!(line.starts_with("b OK"), "{line}");
            return all;
        }
        assert!(!line.is_empty(), "the server is gone");
    }
}

fn check(port: u16, ledger: &Ledger) -> usize {
    let mut stream = session(port);
    stream.get_mut().write_all(b"l LOGIN ann x\r\n").unwrap();
    assert!(line(&mut stream).starts_with("l OK"));
    let mut found: BTreeMap<String, Vec<(&str, bool)>> = BTreeMap::new();
    for mailbox in ["INBOX", "other"] {
        for (subject, flagged) in listing(&mut stream, mailbox) {
            found.entry(subject).or_default().push((mailbox, flagged));
        }
    }
    for (subject, places) in &found {
        assert_eq!(places.len(), 1, "{subject} is at {places:?}");
    }
    let ledger = ledger.lock().unwrap();
    for (subject, known) in &*ledger {
        let Some(&(mailbox, flagged)) = found.get(subject).and_then(|places| places.first()) else {
            panic!("{subject} is lost, it was {known:?}");
        };
        assert!(
            known.mailbox.is_none_or(|at| at == mailbox),
            "{subject}: {known:?} at {mailbox}"
        );
        assert!(flagged || !known.flagged, "{subject} lost its flag");
    }
    ledger.len()
}

/// `PILLARBOX_CRASH_CYCLES` sets how often.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    let cycles = std::env::var("PILLARBOX_CRASH_CYCLES")
        .ok()
        .and_then(|text| text.parse().ok());
    let cycles = cycles.unwrap_or(4_u64);
    let home = Home::new("tcp://127.0.0.1:0", "");
    let ledger = Ledger::default();
    for cycle in 0..cycles {
        let mut server = home.start();
        let port = server.port();
        check_and_prepare(port, cycle, &ledger);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (ledger, name) = (ledger.clone(), format!("{cycle}-{writer}"));
                let stream = session(port);
                scope.spawn(move || Writer { stream, ledger }.work(&name));
            }
            // Somewhere in the middle of something.
            std::thread::sleep(Duration::from_millis(40 + cycle * 61 % 400));
            server.signal(Signal::SIGKILL);
        });
        server.end();
    }
    let server = home.start();
    let checked = check(server.port(), &ledger);
    assert!(checked > 0, "nothing was written at all");
    println!("{cycles} kills, {checked} acknowledged messages, none lost");
}

fn check_and_prepare(port: u16, cycle: u64, ledger: &Ledger) {
    if cycle > 0 {
        check(port, ledger);
        return;
    }
    let mut stream = session(port);
    stream
        .get_mut()
        .write_all(b"l LOGIN ann x\r\nc CREATE other\r\n")
        .unwrap();
    assert!(line(&mut stream).starts_with("l OK"));
    assert!(line(&mut stream).starts_with("c OK"));
}

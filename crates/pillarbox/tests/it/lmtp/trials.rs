//! Many at once, programs, and kills.

use std::io::{BufRead, Write};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{HELLO, Imap, Lmtp, Post, config};
use crate::process::{Home, session};

#[test]
fn many_deliver_at_the_same_time() {
    let post = Post::start();
    drop(post.login("ann"));
    let socket = post.home.path("run/lmtp.sock");
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut lmtp = Lmtp::connect(&socket);
                for _ in 0..3 {
                    lmtp.delivers(&["ann"], HELLO);
                }
            });
        }
    });
    assert_eq!(post.count("ann", "INBOX"), 192);
}

/// What `pillarbox deliver` ends with, and what it complains of.
pub(super) fn deliver(home: &Home, words: &[&str], message: &str) -> (i32, String) {
    let mut command = home.command(&[&["deliver"], words].concat());
    let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses need not read.
    let _ = child.stdin.take().unwrap().write_all(message.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// Without a server the command opens the store itself; with one, its readers see the mail at once.
#[test]
fn programs_may_deliver() {
    let post = Post::start();
    let mut imap = post.login("ann");
    imap.ok("SELECT INBOX");
    let ok = (0, String::new());
    let message = "From bob Thu Jan  1 00:00:00 1970\nSubject: x\n\n.\nend\n";
    assert_eq!(
        deliver(&post.home, &["-f", "bob@b.example", "-d", "ann"], message),
        ok
    );
    assert!(imap.ok("NOOP").starts_with("* 1 EXISTS"));
    let stored = post.message("ann", "INBOX");
    assert!(stored.contains(
        "Delivered-To: ann\r\nReturn-Path: <bob@b.example>\r\nReceived: from localhost\r\n"
    ));
    assert!(
        stored.ends_with("\r\nSubject: x\r\n\r\n.\r\nend\r\n)\r\n"),
        "{stored}"
    );

    let refused = |words: &[&str], message: &str| {
        let (status, said) = deliver(&post.home, words, message);
        assert_eq!(said.lines().count(), 1, "{said}");
        status
    };
    assert_eq!(refused(&["-d", "ann", "-d", "eve"], message), 67);
    assert_eq!(refused(&["ann"], ""), 65);
    assert_eq!(refused(&[], message), 64);
    assert_eq!(refused(&["a b"], message), 64);
    assert_eq!(refused(&["-f", "a b", "ann"], message), 64);
    assert_eq!(refused(&["--cfg-block", "nothing", "ann"], message), 75);
    assert_eq!(deliver(&post.home, &["--what"], message).0, 64);
    assert_eq!(post.count("ann", "INBOX"), 1, "all or none");

    let Post { server, home, .. } = post;
    drop(server);
    assert_eq!(deliver(&home, &["ann"], message).0, 0);
    let list = home
        .command(&["imap-msgs", "list", "ann", "INBOX"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&list.stdout)
            .matches("UID ")
            .count(),
        2
    );
    std::fs::write(home.path("pillarbox.conf"), "nonsense").unwrap();
    assert_eq!(
        deliver(&home, &["ann"], message).0,
        75,
        "the MTA keeps the message"
    );
}

/// SIGKILL at any moment: what was answered with 250 is there once, nothing is there twice or in
/// part. `PILLARBOX_CRASH_CYCLES` sets how often.
#[test]
fn what_was_taken_survives_a_kill() {
    let cycles = std::env::var("PILLARBOX_CRASH_CYCLES")
        .ok()
        .and_then(|text| text.parse().ok());
    let cycles: usize = cycles.unwrap_or(3);
    let home = Home::with(&config("", "buffer auto 4K"));
    let taken = Mutex::new(Vec::new());
    for cycle in 0..cycles {
        let mut server = home.start();
        let imap = server.port();
        server.line("listening on unix://");
        for user in ["ann", "bob"] {
            Imap(session(imap)).ok(&format!("LOGIN {user} x"));
        }
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let lmtp = Lmtp::connect(&home.path("run/lmtp.sock"));
                let taken = &taken;
                scope.spawn(move || bring(lmtp, &format!("{cycle}-{writer}"), taken));
            }
            // Somewhere in the middle of something.
            std::thread::sleep(Duration::from_millis(40 + cycle as u64 * 61 % 400));
            server.signal(Signal::SIGKILL);
        });
        server.end();
    }
    let server = home.start();
    let imap = server.port();
    let taken = taken.into_inner().unwrap();
    assert!(!taken.is_empty(), "nothing was taken at all");
    for user in ["ann", "bob"] {
        let mut imap = Imap(session(imap));
        imap.ok(&format!("LOGIN {user} x"));
        imap.ok("EXAMINE INBOX");
        let lines = imap.ok("FETCH 1:* BODY.PEEK[]");
        let mut subjects = Vec::new();
        for message in lines.split("Delivered-To: ").skip(1) {
            let (_, message) = message.split_once("Subject: ").unwrap();
            let (subject, body) = message.split_once("\r\n\r\n").unwrap();
            let number: usize = subject.rsplit_once('-').unwrap().1.parse().unwrap();
            let whole = format!("{}\r\n)\r\n", body_of(number));
            assert!(body.starts_with(&whole), "{subject} is not whole");
            subjects.push(subject.to_owned());
        }
        let count = subjects.len();
        subjects.sort();
        subjects.dedup();
        assert_eq!(subjects.len(), count, "something is there twice");
        for subject in &taken {
            assert!(subjects.contains(subject), "{subject} is lost");
        }
    }
}

/// Hands messages to two users over until the server is gone; notes those that were taken.
fn bring(mut lmtp: Lmtp, name: &str, taken: &Mutex<Vec<String>>) -> Option<()> {
    for number in 0.. {
        let subject = format!("{name}-{number}");
        let message = format!(
            "MAIL FROM:<>\r\nRCPT TO:<ann>\r\nRCPT TO:<bob>\r\nDATA\r\nSubject: {subject}\r\n\r\n{}\r\n.\r\n",
            body_of(number)
        );
        lmtp.0.get_mut().write_all(message.as_bytes()).ok()?;
        for _ in 0..6 {
            let mut line = String::new();
            lmtp.0
                .read_line(&mut line)
                .ok()
                .filter(|bytes| *bytes > 0)?;
            assert!(
                line.starts_with("250 ") || line.starts_with("354 "),
                "{line}"
            );
        }
        taken.lock().unwrap().push(subject);
    }
    None
}

/// From some bytes to more than is kept in memory.
fn body_of(number: usize) -> String {
    "0123456789abcdef\r\n".repeat(1 + number * 97 % 600)
}

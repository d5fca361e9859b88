//! Mail that is handed over by LMTP, and what its readers see. Numbers are those of the requirements.

mod rules;
mod trials;

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::process::{Home, Running, line, session};
use crate::requirements::tls;

/// A server with an IMAP endpoint where all passwords are right, and an LMTP endpoint at a socket.
struct Post {
    server: Running,
    home: Home,
    imap: u16,
}

impl Post {
    fn start() -> Self {
        Self::with("", "")
    }

    /// With further directives of the storage and of the LMTP endpoint.
    fn with(storage: &str, lmtp: &str) -> Self {
        Self::at(&config(storage, lmtp))
    }

    fn at(text: &str) -> Self {
        let home = Home::with(text);
        let server = home.start();
        let imap = server.port();
        server.line("listening on unix://");
        Self { server, home, imap }
    }

    fn lmtp(&self) -> Lmtp {
        Lmtp::connect(&self.home.path("run/lmtp.sock"))
    }

    /// Logs in, by which the account comes into being.
    fn login(&self, user: &str) -> Imap {
        let mut imap = Imap(session(self.imap));
        imap.ok(&format!("LOGIN {user} x"));
        imap
    }

    /// The only message of a mailbox.
    fn message(&self, user: &str, mailbox: &str) -> String {
        let mut imap = self.login(user);
        let lines = imap.ok(&format!("EXAMINE {mailbox}"));
        assert!(lines.contains("* 1 EXISTS"), "{lines}");
        imap.ok("FETCH 1 BODY.PEEK[]")
    }

    /// How many messages there are.
    fn count(&self, user: &str, mailbox: &str) -> usize {
        let lines = self.login(user).ok(&format!("STATUS {mailbox} (MESSAGES)"));
        let count = lines.split_once("(MESSAGES ").unwrap().1;
        count.split_once(')').unwrap().0.parse().unwrap()
    }
}

fn config(storage: &str, lmtp: &str) -> String {
    format!(
        "hostname mx.example.test\ntls off\n\
         storage.imapsql local_mailboxes {{\n driver sqlite3\n dsn imapsql.db\n delivery_normalize auto\n {storage}\n}}\n\
         imap tcp://127.0.0.1:0 {{\n auth dummy\n storage &local_mailboxes\n}}\n\
         lmtp unix://lmtp.sock {{\n deliver_to &local_mailboxes\n {lmtp}\n}}\n"
    )
}

/// Somebody who brings mail.
struct Lmtp(BufReader<UnixStream>);

impl Lmtp {
    /// Connects and introduces itself.
    fn connect(socket: &Path) -> Self {
        let mut lmtp = Self(BufReader::new(UnixStream::connect(socket).unwrap()));
        let greeting = lmtp.reply();
        assert_eq!(greeting, "220 mx.example.test LMTP Pillarbox ready");
        let hello = lmtp.say("LHLO mta.example.test");
        assert!(
            hello.starts_with("250-mx.example.test\n250-PIPELINING\n"),
            "{hello}"
        );
        lmtp
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next reply, its lines joined.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = line(&mut self.0);
            assert!(line.ends_with("\r\n"), "{line:?} after {reply:?}");
            reply.push_str(line.trim_end());
            if line.as_bytes()[3] == b' ' {
                return reply;
            }
            reply.push('\n');
        }
    }

    fn replies(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.reply()).collect()
    }

    fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// Hands a message over, for which all of these are good recipients; gives their replies.
    fn deliver(&mut self, recipients: &[&str], message: &str) -> Vec<String> {
        assert_eq!(self.say("MAIL FROM:<bob@b.example>"), "250 2.1.0 Sender OK");
        for recipient in recipients {
            let reply = self.say(&format!("RCPT TO:<{recipient}>"));
            assert_eq!(reply, "250 2.1.5 Recipient OK", "{recipient}");
        }
        assert!(self.say("DATA").starts_with("354 "));
        self.send(format!("{message}\r\n.\r\n"));
        self.replies(recipients.len())
    }

    #[track_caller]
    fn delivers(&mut self, recipients: &[&str], message: &str) {
        let replies = self.deliver(recipients, message);
        for (reply, recipient) in replies.iter().zip(recipients) {
            assert_eq!(*reply, format!("250 2.0.0 <{recipient}> OK: queued"));
        }
    }
}

/// Somebody who reads mail.
struct Imap(BufReader<TcpStream>);

impl Imap {
    /// All that is answered to a command, which must succeed.
    #[track_caller]
    fn ok(&mut self, command: &str) -> String {
        let mut lines = String::new();
        self.0
            .get_mut()
            .write_all(format!("t {command}\r\n").as_bytes())
            .unwrap();
        loop {
            let line = line(&mut self.0);
            assert!(!line.is_empty(), "the server is gone");
            if line.starts_with("t ") {
                assert!(line.starts_with("t OK"), "{command}: {line}");
                return lines;
            }
            lines.push_str(&line);
        }
    }
}

const HELLO: &str = "Subject: hello\r\n\r\nHow are you?";

/// The reply without its transaction's number.
fn anonymous(reply: &str) -> String {
    let (text, id) = reply.split_once(" (msg ID = ").expect(reply);
    let id = id.strip_suffix(')').unwrap();
    assert!(
        id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{reply}"
    );
    text.to_owned()
}

/// C6, C7.
#[test]
fn mail_makes_no_account_and_reaches_the_one_that_a_login_made() {
    let post = Post::start();
    let mut lmtp = post.lmtp();
    lmtp.say("MAIL FROM:<bob@b.example>");
    let unknown = lmtp.say("RCPT TO:<user@example.org>");
    assert_eq!(anonymous(&unknown), "501 5.1.1 User does not exist");
    assert_eq!(lmtp.say("DATA"), "503 5.5.1 No valid recipients");
    assert_eq!(lmtp.say("RSET"), "250 2.0.0 Flushed");
    let list = post.home.command(&["imap-acct", "list"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout), "");

    let mut imap = post.login("user@example.org");
    imap.ok("SELECT INBOX");
    lmtp.delivers(&["User@EXAMPLE.org"], HELLO);
    assert!(imap.ok("NOOP").starts_with("* 1 EXISTS\r\n"));
    assert_eq!(lmtp.say("QUIT"), "221 2.0.0 Bye");
}

/// An idle session is told at once, and the message is as it was sent, with our fields on top.
#[test]
fn mail_is_seen_at_once_and_says_how_it_came() {
    let post = Post::start();
    let mut idle = post.login("ann");
    idle.ok("SELECT INBOX");
    idle.0.get_mut().write_all(b"i IDLE\r\n").unwrap();
    assert!(line(&mut idle.0).starts_with("+ "));
    post.lmtp()
        .delivers(&["ann"], "Subject: x\r\n\r\n..dot\r\nbare\nline\rends");
    assert_eq!(line(&mut idle.0), "* 1 EXISTS\r\n");

    let message = post.message("ann", "INBOX");
    let (header, rest) = message.split_once("; ").unwrap();
    let header = header.split_once("}\r\n").unwrap().1;
    let (received, id) = header.rsplit_once(" id ").unwrap();
    assert_eq!(id.len(), 8);
    assert_eq!(
        received,
        "Delivered-To: ann\r\nReturn-Path: <bob@b.example>\r\nReceived: from mta.example.test\r\n by \
         mx.example.test (envelope-sender <bob@b.example>)\r\n with LMTP"
    );
    let (_, body) = rest.split_once("\r\n").unwrap();
    assert_eq!(body, "Subject: x\r\n\r\n.dot\r\nbare\nline\rends\r\n)\r\n");
}

/// There is one Return-Path, and it is ours (RFC 5321 §4.4); nothing else of the message changes.
#[test]
fn where_a_message_came_from_earlier_is_replaced() {
    let post = Post::start();
    drop(post.login("ann"));
    let rest = "Subject: x\r\nno field\r\nX-Return-Path: y\r\n\r\nReturn-Path: <body@x>";
    let old = "Return-Path: <old@x>\r\n";
    post.lmtp().delivers(
        &["ann"],
        &format!("{old}return-path :\r\n <older@x>\r\n{rest}"),
    );
    let message = post.message("ann", "INBOX");
    let (trace, kept) = message.split_once("Subject:").unwrap();
    assert_eq!(format!("Subject:{kept}"), format!("{rest}\r\n)\r\n"));
    let (_, trace) = trace.split_once("}\r\n").unwrap();
    assert_eq!(trace.matches("Return-Path:").count(), 1, "{trace}");
    assert!(
        trace.contains("Return-Path: <bob@b.example>\r\n"),
        "{trace}"
    );
}

/// With `io_debug` the log has what was said, and nothing of a message, though both came in one piece.
#[test]
fn the_conversation_is_logged_without_messages() {
    let post = Post::with("", "io_debug yes");
    drop(post.login("ann"));
    let mut lmtp = post.lmtp();
    lmtp.send(
        "MAIL FROM:<bob@b.example>\r\nRCPT TO:<ann>\r\nBDAT 8\r\nprivate\n\
         BDAT 9 LAST\r\nprivate\r\nQUIT\r\n",
    );
    assert_eq!(lmtp.replies(5)[4], "221 2.0.0 Bye");
    let mut said = Vec::new();
    while !said
        .last()
        .is_some_and(|line: &String| line.contains("221 2.0.0"))
    {
        said.push(post.server.line(""));
    }
    let all = said.join("\n");
    for command in ["MAIL FROM", "RCPT TO", "BDAT 8", "BDAT 9 LAST", "QUIT"] {
        assert!(all.contains(command), "{command} is not in {all}");
    }
    assert!(!all.contains("private"), "{all}");
}

/// RFC 2033 §4.2; two addresses of one account share one copy.
#[test]
fn each_recipient_is_answered_for() {
    let post = Post::with("delivery_map regexp \"^(.*)@x[.]example$\" \"$1\"", "");
    drop((post.login("ann"), post.login("bob")));
    let mut lmtp = post.lmtp();
    lmtp.send(format!(
        "MAIL FROM:<>\r\nRCPT TO:<ann@x.example>\r\nRCPT TO:<nobody@x.example>\r\n\
         RCPT TO:<ANN@x.example>\r\nRCPT TO:<bob@x.example>\r\nDATA\r\n{HELLO}\r\n.\r\n\
         MAIL FROM:<>\r\nRCPT TO:<bob@x.example>\r\nBDAT 19\r\n{}BDAT 0 LAST\r\nQUIT\r\n",
        "Subject: two\r\n\r\nx\r\n"
    ));
    let mut replies = lmtp.replies(14);
    replies[2] = anonymous(&replies[2]);
    assert_eq!(
        replies,
        [
            "250 2.1.0 Sender OK",
            "250 2.1.5 Recipient OK",
            "501 5.1.1 User does not exist",
            "250 2.1.5 Recipient OK",
            "250 2.1.5 Recipient OK",
            "354 Start mail input; end with <CRLF>.<CRLF>",
            "250 2.0.0 <ann@x.example> OK: queued",
            "250 2.0.0 <ANN@x.example> OK: queued",
            "250 2.0.0 <bob@x.example> OK: queued",
            "250 2.1.0 Sender OK",
            "250 2.1.5 Recipient OK",
            "250 2.0.0 19 octets received",
            "250 2.0.0 <bob@x.example> OK: queued",
            "221 2.0.0 Bye",
        ]
    );
    assert_eq!(
        (post.count("ann", "INBOX"), post.count("bob", "INBOX")),
        (1, 2)
    );
    assert!(post.message("ann", "INBOX").contains("Return-Path: <>\r\n"));
}

/// C48, C49: the endpoint's map of logins says nothing of deliveries; the storage's does.
#[test]
fn deliveries_have_a_map_of_their_own() {
    let map = |text: &str| text.replace("auth dummy", "auth dummy\n storage_map email_localpart");
    let post = Post::at(&map(&config("", "")));
    drop(post.login("user@example.org"));
    let mut lmtp = post.lmtp();
    lmtp.say("MAIL FROM:<>");
    let reply = lmtp.say("RCPT TO:<user@example.org>");
    assert_eq!(anonymous(&reply), "501 5.1.1 User does not exist");
    drop(post);

    let post = Post::at(&map(&config("delivery_map email_localpart # comment", "")));
    drop(post.login("user@example.org"));
    post.lmtp()
        .delivers(&["user@example.org", "user@example.com"], HELLO);
    post.lmtp().delivers(&["user@example.com"], HELLO);
    assert_eq!(post.count("user@example.net", "INBOX"), 2);
}

/// Messages that are too large for memory are the same afterwards, for all recipients.
#[test]
fn large_messages_arrive_whole() {
    let post = Post::with("", "buffer auto 8K spool");
    let users = ["ann", "bob", "eve"];
    drop(users.map(|user| post.login(user)));
    let body =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(40_000);
    let message = format!("Subject: large\r\n\r\n{body}");
    post.lmtp().delivers(&users, &message);
    for user in users {
        let stored = post.message(user, "INBOX");
        assert!(stored.contains(&format!("Delivered-To: {user}\r\n")));
        assert!(stored.ends_with(&format!("{message}\r\n)\r\n")), "{user}");
    }
    let left = std::fs::read_dir(post.home.path("state/spool")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_too_much_is_refused_for_all() {
    let limits = "max_message_size 4K\n max_header_size 1K\n max_received 2\n max_recipients 2\n \
                  smtp_max_line_length 1000";
    let post = Post::with("", limits);
    drop((post.login("ann"), post.login("bob")));
    let mut lmtp = post.lmtp();
    let mut refused = |message: &str| {
        let replies = lmtp.deliver(&["ann", "bob"], message);
        assert_eq!(replies[0], replies[1]);
        anonymous(&replies[0])
    };
    assert_eq!(
        refused(&format!("a: b\r\n\r\n{}", "0123456789\r\n".repeat(400))),
        "552 5.3.4 Message size exceeds limit"
    );
    assert_eq!(
        refused(&"a: 0123456789\r\n".repeat(80)),
        "552 5.3.4 Message header size exceeds limit"
    );
    assert_eq!(
        refused(&format!("{}\r\n", "Received: x\r\n".repeat(3))),
        "554 5.4.6 Too many Received header fields (3), possible forwarding loop"
    );
    assert_eq!(
        refused(&format!("a: b\r\n\r\n{}", "x".repeat(1_000))),
        "554 5.6.0 A line of the message is too long"
    );
    lmtp.delivers(&["ann", "bob"], HELLO);
    lmtp.say("MAIL FROM:<>");
    assert!(lmtp.say("RCPT TO:<ann>").starts_with("250"));
    assert!(lmtp.say("RCPT TO:<bob>").starts_with("250"));
    assert_eq!(lmtp.say("RCPT TO:<ann>"), "452 4.5.3 Too many recipients");
    assert_eq!(
        (post.count("ann", "INBOX"), post.count("bob", "INBOX")),
        (1, 1)
    );
}

/// What another server would have taken for the end of a message, and the beginning of the next one
/// (CVE-2023-51764), is part of the message.
#[test]
fn no_message_is_smuggled() {
    let post = Post::start();
    drop((post.login("ann"), post.login("eve")));
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n"] {
        let smuggled =
            "MAIL FROM:<ceo@b.example>\r\nRCPT TO:<eve>\r\nDATA\r\nFrom: ceo\r\n\r\nPay!";
        post.lmtp()
            .delivers(&["ann"], &format!("{HELLO}{end}{smuggled}"));
    }
    assert_eq!(
        (post.count("ann", "INBOX"), post.count("eve", "INBOX")),
        (6, 0)
    );
}

/// A client that is silent is told so; one that comes when the server stops, too.
#[test]
fn silence_has_an_end() {
    let post = Post::with("", "read_timeout 1s");
    let mut lmtp = post.lmtp();
    assert_eq!(lmtp.reply(), "421 4.4.2 Nothing was said for too long");
    let post = Post::start();
    let mut lmtp = post.lmtp();
    post.server.signal(Signal::SIGTERM);
    assert_eq!(lmtp.reply(), "421 4.3.2 The server is shutting down");
}

/// RFC 3207; `Received` says it.
#[test]
fn tls_may_be_had() {
    let post = Post::with("", "tls self_signed mx.example.test");
    drop(post.login("ann"));
    let mut lmtp = post.lmtp();
    assert!(lmtp.say("LHLO x").ends_with("\n250 STARTTLS"));
    // What came before TLS is forgotten.
    lmtp.send("STARTTLS\r\nNOOP\r\n");
    assert_eq!(lmtp.reply(), "220 2.0.0 Ready to start TLS");
    let Ok((mut secure, _)) = tls(lmtp.0.into_inner(), rustls::ALL_VERSIONS) else {
        panic!("no TLS");
    };
    let hello =
        "LHLO mta.example.test\r\nMAIL FROM:<>\r\nRCPT TO:<ann>\r\nDATA\r\nx: y\r\n.\r\nQUIT\r\n";
    secure.write_all(hello.as_bytes()).unwrap();
    let mut said = String::new();
    // The server hangs up without the alert, or with it.
    let _ = std::io::Read::read_to_string(&mut secure, &mut said);
    assert!(
        !said.contains("STARTTLS") && said.starts_with("250-"),
        "{said}"
    );
    assert!(said.contains("250 2.0.0 <ann> OK: queued\r\n"), "{said}");
    assert!(post.message("ann", "INBOX").contains("\r\n with LMTPS id "));
}

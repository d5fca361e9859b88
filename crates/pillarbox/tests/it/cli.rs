//! The command line from outside: what commands print, and how they end, with and without a server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Nothing here takes long; this only keeps a broken test from waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

const MESSAGE: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: a@example.org\r\n\
     Subject: Lunch\r\nDate: Wed, 01 May 2024 12:30:00 +0200\r\nMessage-ID: <1@example.org>\r\n\r\n\
     At one?\r\n";

/// A directory with a configuration and, perhaps, a server that runs.
struct Home {
    directory: tempfile::TempDir,
    server: Option<Child>,
    /// Where it listens.
    port: u16,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().display();
        let text = format!(
            "state_dir {here}/state\nruntime_dir {here}/run\ntls off\n\
             auth.pass_table local_authdb {{\n table sql_table {{\n  driver sqlite3\n  \
             dsn credentials.db\n  table_name passwords\n }}\n}}\n\
             storage.imapsql local_mailboxes {{\n driver sqlite3\n dsn imapsql.db\n}}\n\
             imap tcp://127.0.0.1:0 {{\n auth &local_authdb\n storage &local_mailboxes\n}}\n"
        );
        std::fs::write(directory.path().join("pillarbox.conf"), text).unwrap();
        for name in ["state", "run"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self {
            directory,
            server: None,
            port: 0,
        }
    }

    /// The same, while a server runs.
    fn with_server() -> Self {
        let mut home = Self::new();
        let mut child = home
            .command(&["run"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        home.server = Some(child);
        let mut line = String::new();
        while !line.contains("listening on tcp://") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the server ended");
        }
        let port = line.trim_end().rsplit_once(':').unwrap().1;
        home.port = port.parse().unwrap();
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
        command
            .arg("--config")
            .arg(self.path("pillarbox.conf"))
            .args(words);
        command.current_dir(self.directory.path());
        command
    }

    /// Runs a command with this input.
    fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = self.command(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails early does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// What a command prints that succeeds.
    #[track_caller]
    fn ok(&self, words: &[&str], input: &str) -> String {
        let output = self.run(words, input);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {errors}");
        text(&output.stdout)
    }

    /// What a command complains of that ends with this status. It prints nothing.
    #[track_caller]
    fn fails(&self, status: i32, words: &[&str], input: &str) -> String {
        let output = self.run(words, input);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {errors}");
        assert_eq!(text(&output.stdout), "", "{words:?}");
        assert_ne!(errors, "", "{words:?}");
        errors
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Both ways of running a command.
fn homes() -> [Home; 2] {
    [Home::new(), Home::with_server()]
}

#[test]
fn hashes_are_printed() {
    let home = Home::new();
    let hash = home.ok(&["hash", "-p", "123", "--bcrypt-cost", "4"], "");
    assert!(hash.starts_with("bcrypt:$2b$04$"), "{hash}");
    let hash = home.ok(&["hash", "--hash", "argon2"], "123\n");
    assert!(hash.starts_with("argon2:3:1024:1:"), "{hash}");
    home.fails(2, &["hash", "--hash", "sha256", "-p", "123"], "");
    home.fails(2, &["hash", "--bcrypt-cost", "3", "-p", "123"], "");
    let output = home.run(&["hash", "--bcrypt-cost", "4", "-p", " 123"], "");
    assert!(text(&output.stderr).contains("white space"));
}

#[test]
fn wrong_command_lines_and_configurations_have_status_2() {
    let home = Home::new();
    home.fails(2, &["frobnicate"], "");
    home.fails(2, &["creds", "frobnicate"], "");
    home.fails(2, &["creds", "list", "--cfg-block", "nothing"], "");
    home.fails(2, &["creds", "list", "--cfg-block", "local_mailboxes"], "");
    std::fs::write(home.path("pillarbox.conf"), "frobnicate yes\n").unwrap();
    let complaint = home.fails(2, &["creds", "list"], "");
    assert!(complaint.contains("pillarbox.conf"), "{complaint}");
}

#[test]
fn users_come_and_go() {
    for home in homes() {
        let output = home.run(&["creds", "list"], "");
        assert_eq!(text(&output.stderr), "No users.\n");
        let bcrypt = ["--bcrypt-cost", "4"];
        let create = |name, input| {
            let words = [&["creds", "create"], &bcrypt[..], &[name]].concat();
            home.run(&words, input).status.code()
        };
        assert_eq!(create("Ann@example.org", "123\n"), Some(0));
        assert_eq!(create("bob", "123\n"), Some(0));
        assert_eq!(create("ann@example.org", "123\n"), Some(1), "exists");
        assert_eq!(home.ok(&["creds", "list"], ""), "ann@example.org\nbob\n");
        let listed = json(&home.ok(&["creds", "list", "--json"], ""));
        assert_eq!(listed[1]["name"], "bob");
        home.ok(
            &[
                "creds",
                "password",
                "-p",
                "456",
                "--bcrypt-cost",
                "4",
                "BOB",
            ],
            "",
        );
        home.fails(1, &["creds", "password", "-p", "456", "eve"], "");

        let asked = home.fails(1, &["creds", "remove", "bob"], "n\n");
        assert!(
            asked.contains("[y/N]: ") && asked.contains("cancelled"),
            "{asked}"
        );
        home.ok(&["creds", "remove", "bob"], "y\n");
        home.fails(1, &["creds", "remove", "-y", "bob"], "");
        assert_eq!(home.ok(&["creds", "list"], ""), "ann@example.org\n");
    }
}

#[test]
fn devices_have_passwords_of_their_own() {
    for home in homes() {
        let cheap = ["--bcrypt-cost", "4", "-p", "123"];
        home.ok(&[&["creds", "create"], &cheap[..], &["ann"]].concat(), "");
        let made = home.ok(
            &["creds", "add", "--label", "phone", "--generate", "ann"],
            "",
        );
        assert_eq!(made.trim().split('-').count(), 5, "{made}");
        let tablet = ["creds", "add", "--label", "tablet", "--scram", "sha-256"];
        let both = ["--scram", "sha-1"];
        home.ok(&[&tablet[..], &both, &cheap, &["Ann"]].concat(), "");
        let again = ["creds", "add", "--label", "phone", "-g", "ann"];
        assert!(home.fails(1, &again, "").contains("already"));
        home.fails(2, &["creds", "add", "--label", "", "-g", "ann"], "");
        home.fails(1, &["creds", "add", "--label", "a b", "-g", "ann"], "");
        home.fails(
            2,
            &["creds", "add", "--label", "x", "-g", "-p", "123", "ann"],
            "",
        );

        let listed = json(&home.ok(&["creds", "list", "--json"], ""));
        let passwords = &listed[0]["passwords"];
        assert_eq!(passwords[0]["label"], "");
        assert_eq!(passwords[1]["label"], "phone");
        assert_eq!(passwords[1]["scram"][0], "scram-sha-256");
        assert_eq!(passwords[2]["scram"][1], "scram-sha-1");
        assert!(passwords[1]["last_use"].is_null());
        let created = passwords[1]["created"].as_str().unwrap();
        assert!(
            created.starts_with("20") && created.contains('T'),
            "{created}"
        );
        let long = home.ok(&["creds", "list", "--long"], "");
        assert!(long.starts_with("ann\n  (main): created 20"), "{long}");
        assert!(long.contains("  phone: created 20") && long.contains("last used never"));

        home.ok(&["creds", "revoke", "--label", "phone", "ann"], "");
        home.fails(1, &["creds", "revoke", "--label", "phone", "ann"], "");
        let listed = json(&home.ok(&["creds", "list", "--json"], ""));
        assert_eq!(listed[0]["passwords"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn accounts_come_and_go() {
    for home in homes() {
        let output = home.run(&["imap-acct", "list"], "");
        assert_eq!(text(&output.stderr), "No users.\n");
        home.ok(&["imap-acct", "create", "Ann"], "");
        home.fails(1, &["imap-acct", "create", "ann"], "");
        let own = ["--sent-name", "Gone", "--junk-name", "", "bob"];
        home.ok(&[&["imap-acct", "create"], &own[..]].concat(), "");
        home.ok(&["imap-acct", "create", "--no-specialuse", "carl"], "");
        assert_eq!(home.ok(&["imap-acct", "list"], ""), "ann\nbob\ncarl\n");

        let mailboxes = home.ok(&["imap-mboxes", "list", "bob"], "");
        assert!(
            mailboxes.contains("Gone\t[\\HasNoChildren \\Sent]\n"),
            "{mailboxes}"
        );
        assert!(!mailboxes.contains("Junk"), "{mailboxes}");
        assert_eq!(
            home.ok(&["imap-mboxes", "list", "carl"], ""),
            "INBOX\t[\\HasNoChildren]\n"
        );

        let limit = |words: &[&str]| home.ok(&[&["imap-acct", "appendlimit"], words].concat(), "");
        assert_eq!(limit(&["ann"]), "No limit\n");
        assert_eq!(limit(&["-v", "1000", "ann"]), "");
        assert_eq!(limit(&["ann"]), "1000\n");
        let listed = json(&home.ok(&["imap-acct", "list", "--json"], ""));
        assert_eq!(listed[0]["append_limit"], 1000);
        limit(&["-v", "-1", "ann"]);
        assert_eq!(limit(&["ann"]), "No limit\n");
        home.fails(2, &["imap-acct", "appendlimit", "-v", "-2", "ann"], "");

        home.fails(1, &["imap-acct", "remove", "ann"], "");
        home.ok(&["imap-acct", "remove", "-y", "ann"], "");
        home.fails(1, &["imap-acct", "remove", "-y", "ann"], "");
        assert_eq!(home.ok(&["imap-acct", "list"], ""), "bob\ncarl\n");
    }
}

#[test]
fn quotas_are_shown_and_set() {
    for home in homes() {
        home.ok(&["imap-acct", "create", "--no-specialuse", "ann"], "");
        home.ok(&["imap-acct", "create", "--no-specialuse", "bob"], "");
        let quota = |words: &[&str]| home.ok(&[&["imap-acct", "quota"], words].concat(), "");
        let none = "storage: 0, no limit (default)\nmessages: 0, no limit (default)\n\
                    mailboxes: 1, no limit (default)\n";
        assert_eq!(quota(&["ann"]), none);
        assert_eq!(quota(&["--storage", "10G", "--messages", "1", "Ann"]), "");
        quota(&["--mailboxes", "none", "ann"]);
        assert_eq!(
            quota(&["ann"]),
            "storage: 0 of 10G\nmessages: 0 of 1\nmailboxes: 1, no limit\n"
        );
        home.ok(&["imap-msgs", "add", "ann", "INBOX"], "Subject: x\n\nx");
        let full = home.fails(1, &["imap-msgs", "add", "ann", "INBOX"], "Subject: x\n\nx");
        assert!(
            full.contains("over the quota: MESSAGE is limited to 1"),
            "{full}"
        );
        assert_eq!(quota(&[]), "ann\t15B/10G\t1/1\t1/-\nbob\t0/-\t0/-\t1/-\n");
        let listed = json(&home.ok(&["imap-acct", "list", "--json"], ""));
        assert_eq!(listed[0]["usage"]["storage"], 15);
        assert_eq!(listed[0]["quota"]["messages"], 1);
        assert!(listed[0]["quota"]["mailboxes"].is_null());
        quota(&[
            "--storage",
            "default",
            "--messages",
            "default",
            "--mailboxes",
            "default",
            "bob",
        ]);
        assert_eq!(quota(&["bob"]), none);
        home.fails(2, &["imap-acct", "quota", "--storage", "much", "ann"], "");
        home.fails(2, &["imap-acct", "quota", "--messages", "-1", "ann"], "");
        home.fails(2, &["imap-acct", "quota", "--messages", "1"], "");
        home.fails(1, &["imap-acct", "quota", "eve"], "");
    }
}

#[test]
fn rights_are_shown_and_set() {
    for home in homes() {
        home.ok(&["imap-acct", "create", "--no-specialuse", "ann"], "");
        let acl = |words: &[&str]| home.ok(&[&["imap-acl"], words].concat(), "");
        assert_eq!(acl(&["list", "ann", "INBOX"]), "ann\tlrswipkxtea\n");
        acl(&["set", "ann", "INBOX", "Bob", "lrs"]);
        acl(&["set", "ann", "INBOX", "bob", "+w"]);
        acl(&["set", "ann", "INBOX", "bob", "-s"]);
        acl(&["set", "ann", "INBOX", "-$staff", "w"]);
        acl(&["set", "ann", "INBOX", "anyone", "l"]);
        assert_eq!(
            acl(&["list", "ann", "INBOX"]),
            "ann\tlrswipkxtea\n-$staff\tw\nanyone\tl\nbob\tlrw\n"
        );
        acl(&["remove", "ann", "INBOX", "-$staff"]);
        acl(&["remove", "ann", "INBOX", "bob"]);
        let listed = json(&acl(&["list", "--json", "ann", "INBOX"]));
        assert_eq!(listed[1]["identifier"], "anyone");
        assert_eq!(listed[1]["rights"], "l");
        for wrong in [
            ["bob", "lz"],
            ["bob", "lR"],
            ["$", "l"],
            ["--bob", "l"],
            ["", "l"],
        ] {
            home.fails(
                2,
                &[&["imap-acl", "set", "ann", "INBOX"], &wrong[..]].concat(),
                "",
            );
        }
        home.fails(1, &["imap-acl", "list", "ann", "None"], "");
        home.fails(1, &["imap-acl", "set", "eve", "INBOX", "bob", "l"], "");
    }
}

#[test]
fn mailboxes_come_and_go() {
    for home in homes() {
        home.ok(&["imap-acct", "create", "--no-specialuse", "ann"], "");
        let mboxes = |words: &[&str]| home.ok(&[&["imap-mboxes"], words].concat(), "");
        mboxes(&["create", "ann", "Lists.Rust"]);
        mboxes(&["create", "--special", "archive", "ann", "Old"]);
        home.fails(1, &["imap-mboxes", "create", "ann", "Old"], "");
        home.fails(2, &["imap-mboxes", "create", "ann", "a..b"], "");
        home.fails(
            2,
            &["imap-mboxes", "create", "--special", "all", "ann", "X"],
            "",
        );
        home.fails(1, &["imap-mboxes", "create", "eve", "X"], "");
        assert_eq!(
            mboxes(&["list", "ann"]),
            "INBOX\t[\\HasNoChildren]\nLists\t[\\HasChildren]\nLists.Rust\t[\\HasNoChildren]\n\
             Old\t[\\HasNoChildren \\Archive]\n"
        );
        mboxes(&["rename", "ann", "Lists", "News"]);
        home.fails(1, &["imap-mboxes", "rename", "ann", "Lists", "News"], "");
        let listed = json(&mboxes(&["list", "-s", "--json", "ann"]));
        assert_eq!(listed[2]["name"], "News.Rust");
        assert_eq!(listed[3]["special_use"], "\\Archive");
        assert_eq!(listed[3]["uid_next"], 1);

        home.ok(&["imap-msgs", "add", "ann", "Old"], MESSAGE);
        let asked = home.fails(1, &["imap-mboxes", "remove", "ann", "Old"], "\n");
        assert!(
            asked.starts_with("Mailbox Old contains 1 messages.\n"),
            "{asked}"
        );
        mboxes(&["remove", "-y", "ann", "Old"]);
        home.fails(1, &["imap-mboxes", "remove", "-y", "ann", "Old"], "");
        home.fails(1, &["imap-mboxes", "remove", "-y", "ann", "INBOX"], "");
    }
}

#[test]
fn messages_come_and_go() {
    for home in homes() {
        home.ok(&["imap-acct", "create", "ann"], "");
        let msgs = |words: &[&str]| home.ok(&[&["imap-msgs"], words].concat(), "");
        let date = ["-d", "2024-05-01T13:00:00+02:00"];
        let add = [
            &["imap-msgs", "add", "-f", "\\Seen", "-f", "todo"],
            &date[..],
        ]
        .concat();
        assert_eq!(
            home.ok(&[&add[..], &["ann", "INBOX"]].concat(), MESSAGE),
            "1\n"
        );
        assert_eq!(
            home.ok(&["imap-msgs", "add", "ann", "inbox"], MESSAGE),
            "2\n"
        );
        home.fails(1, &["imap-msgs", "add", "ann", "INBOX"], "");
        home.fails(1, &["imap-msgs", "add", "ann", "Nowhere"], MESSAGE);
        home.fails(
            2,
            &["imap-msgs", "add", "-f", "\\Recent", "ann", "INBOX"],
            MESSAGE,
        );
        home.fails(
            2,
            &["imap-msgs", "add", "-d", "today", "ann", "INBOX"],
            MESSAGE,
        );

        assert_eq!(
            msgs(&["list", "ann", "INBOX", "1"]),
            "UID 1: Jürgen <j@example.org> - Lunch\n  [\\Seen todo], 2024-05-01T12:30:00+02:00\n\n"
        );
        let full = msgs(&["list", "-f", "ann", "INBOX", "1"]);
        assert!(
            full.contains("Internal date: 1714561200 2024-05-01T13:00:00+02:00\n"),
            "{full}"
        );
        let size = format!("Body size: {}\n", MESSAGE.len());
        assert!(
            full.contains(&size) && full.contains("Subject: Lunch\n"),
            "{full}"
        );
        let listed = json(&msgs(&["list", "--json", "ann", "INBOX"]));
        assert_eq!(listed[1]["uid"], 2);
        assert_eq!(listed[1]["message_id"], "<1@example.org>");
        assert_eq!(msgs(&["dump", "ann", "INBOX", "1:*"]), MESSAGE.repeat(2));

        let flags = || json(&msgs(&["list", "--json", "ann", "INBOX", "1"]))[0]["flags"].clone();
        msgs(&["add-flags", "ann", "INBOX", "1", "\\Flagged"]);
        msgs(&["rem-flags", "-u", "ann", "INBOX", "1", "todo", "\\Seen"]);
        assert_eq!(flags(), serde_json::json!(["\\Flagged"]));
        msgs(&["set-flags", "ann", "INBOX", "1:2", "\\Draft"]);
        assert_eq!(flags(), serde_json::json!(["\\Draft"]));
        home.fails(
            2,
            &["imap-msgs", "add-flags", "ann", "INBOX", "1", "a b"],
            "",
        );
        home.fails(2, &["imap-msgs", "add-flags", "ann", "INBOX", "0", "a"], "");
        home.fails(1, &["imap-msgs", "add-flags", "ann", "INBOX", "7", "a"], "");

        msgs(&["copy", "ann", "INBOX", "1", "Archive"]);
        home.fails(
            1,
            &["imap-msgs", "copy", "ann", "INBOX", "1", "Nowhere"],
            "",
        );
        msgs(&["move", "ann", "INBOX", "1", "Archive"]);
        assert_eq!(msgs(&["dump", "ann", "Archive", "1:*"]), MESSAGE.repeat(2));
        home.fails(1, &["imap-msgs", "remove", "ann", "INBOX", "1"], "no\n");
        home.fails(
            1,
            &["imap-msgs", "remove", "-y", "-u", "ann", "INBOX", "1"],
            "",
        );
        home.ok(&["imap-msgs", "remove", "-u", "ann", "INBOX", "2"], "y\n");
        assert_eq!(msgs(&["list", "ann", "INBOX"]), "");
    }
}

/// A line of the server's that holds `text`; others are passed over.
fn line(session: &mut BufReader<TcpStream>, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(session.read_line(&mut line).unwrap(), 0, "no {text}");
    }
}

/// A client that waits hears of what the administrator did, like of what other clients do.
#[test]
fn open_sessions_hear_of_commands() {
    let home = Home::with_server();
    home.ok(
        &["creds", "create", "-p", "123", "--bcrypt-cost", "4", "ann"],
        "",
    );
    let stream = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut session = BufReader::new(stream);
    let login = "a LOGIN ann 123\r\nb SELECT INBOX\r\nc IDLE\r\n";
    session.get_mut().write_all(login.as_bytes()).unwrap();
    line(&mut session, "+ ");
    home.ok(&["imap-msgs", "add", "ann", "INBOX"], MESSAGE);
    line(&mut session, "* 1 EXISTS");
    home.ok(
        &["imap-msgs", "add-flags", "ann", "INBOX", "1", "\\Flagged"],
        "",
    );
    line(&mut session, "FLAGS (\\Flagged)");
    home.ok(&["imap-msgs", "remove", "-y", "ann", "INBOX", "1"], "");
    line(&mut session, "* 1 EXPUNGE");
    home.ok(&["creds", "remove", "-y", "ann"], "");
    home.ok(&["imap-acct", "remove", "-y", "ann"], "");
    line(&mut session, "* BYE");
}

/// A message larger than a frame goes through the socket in pieces, both ways.
#[test]
fn large_messages_go_through_the_socket() {
    let home = Home::with_server();
    home.ok(&["imap-acct", "create", "ann"], "");
    let large = format!("Subject: x\r\n\r\n{}", "0123456789abcd\r\n".repeat(50_000));
    home.ok(&["imap-msgs", "add", "ann", "INBOX"], &large);
    assert!(home.ok(&["imap-msgs", "dump", "ann", "INBOX", "1"], "") == large);
}

#[test]
fn the_socket_is_for_one_server_and_its_user() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_server();
    let mode = home
        .path("run/control.sock")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let output = home.run(&["run"], "");
    assert_ne!(output.status.code(), Some(0), "a second server");
    // It left the first one alone.
    home.ok(&["imap-acct", "create", "ann"], "");
    // A server that died leaves its socket behind, which stops nobody.
    drop_server(home);
}

fn drop_server(mut home: Home) {
    let mut server = home.server.take().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(home.path("run/control.sock").exists());
    assert_eq!(home.ok(&["imap-acct", "list"], ""), "ann\n");
}

#[test]
fn mail_is_checked_and_copied() {
    for home in homes() {
        home.ok(&["imap-acct", "create", "ann"], "");
        home.ok(&["imap-msgs", "add", "ann", "INBOX"], MESSAGE);
        assert_eq!(home.ok(&["check"], ""), "");
        assert_eq!(
            json(&home.ok(&["check", "--repair", "--json"], "")),
            Value::Array(vec![])
        );
        home.ok(&["backup", "copy"], "");
        assert!(home.path("copy/imapsql.db").exists());
        home.fails(1, &["backup", "copy"], "");
    }
}

#[test]
fn shells_and_readers_are_served() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.ok(&["completions", shell], "").contains("imap-mboxes"));
    }
    assert!(home.ok(&["man"], "").contains("imap\\-mboxes"));
    std::fs::create_dir(home.path("man")).unwrap();
    home.ok(&["man", "man"], "");
    let mut page = String::new();
    let file = std::fs::File::open(home.path("man/pillarbox-imap-msgs-add.1"));
    file.unwrap().read_to_string(&mut page).unwrap();
    assert!(page.contains("print its UID"), "{page}");
}

/// Files that root makes would keep the server, which is somebody else, from starting.
#[test]
fn root_does_not_make_files_for_another_user() {
    let home = Home::new();
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::chown(home.path("state"), Some(1), None).unwrap();
    let complaint = home.fails(1, &["imap-acct", "list"], "");
    assert!(complaint.contains("run this as that user"), "{complaint}");
    assert!(!home.path("state/imapsql.db").exists());
}

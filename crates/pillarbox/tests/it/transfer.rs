//! Mail from files and into files, by the program itself.

use std::path::Path;
use std::process::Stdio;

use crate::process::Home;

/// Runs a command that must succeed, and gives what it printed.
#[track_caller]
fn run(home: &Home, words: &[&str]) -> String {
    let output = home.command(words).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn maildir(root: &Path) {
    let mail = |subject: &str| format!("Subject: {subject}\n\nbody of {subject}\n");
    write(&root.join("cur/1.a:2,FSa"), &mail("one"));
    write(&root.join("new/2.b"), &mail("two"));
    write(&root.join("dovecot-keywords"), "0 $Label\n");
    write(
        &root.join(".Entw&APw-rfe.2024/cur/3.c:2,DT"),
        &mail("three"),
    );
    write(&root.join("nested/deep/cur/4.d:2,R"), &mail("four"));
    write(&root.join("nested/deep/cur/5.e:2,"), &mail("four"));
}

/// A Maildir comes in with flags and mailboxes, a second run adds nothing, and what is written out comes in
/// elsewhere as it was.
#[test]
fn a_maildir_comes_in_goes_out_and_comes_in_again() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let (source, copy) = (home.path("mail"), home.path("copy"));
    maildir(&source);
    let (source, copy) = (source.to_str().unwrap(), copy.to_str().unwrap());
    for name in ["ann", "bob"] {
        run(&home, &["imap-acct", "create", "--no-specialuse", name]);
    }
    let first = run(&home, &["import", "ann", source]);
    assert!(first.contains("INBOX: 2 messages") && first.contains("2 added, 2 compared equal"));
    assert!(first.contains("Entwürfe.2024: 1 messages"), "{first}");
    assert!(first.contains("nested.deep: 2 messages"), "{first}");
    let again = run(&home, &["import", "ann", source]);
    assert!(
        !again.contains("1 added") && !again.contains("2 added"),
        "{again}"
    );

    run(&home, &["export", "ann", copy]);
    run(&home, &["import", "bob", copy]);
    for mailbox in ["INBOX", "Entwürfe.2024", "nested.deep"] {
        let listing =
            |name: &str| run(&home, &["imap-msgs", "list", "-u", "--json", name, mailbox]);
        let (ann, bob) = (listing("ann"), listing("bob"));
        assert_eq!(ann, bob, "{mailbox}");
    }
    let inbox = run(&home, &["imap-msgs", "list", "-u", "bob", "INBOX"]);
    assert!(
        inbox.contains("\\Flagged") && inbox.contains("$Label"),
        "{inbox}"
    );
}

#[test]
fn mbox_and_eml_come_back_as_they_went_out() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let source = home.path("mail");
    maildir(&source);
    run(&home, &["imap-acct", "create", "--no-specialuse", "ann"]);
    run(&home, &["import", "ann", source.to_str().unwrap()]);
    for format in ["mbox", "eml"] {
        let files = home.path(format);
        let files = files.to_str().unwrap();
        run(&home, &["export", "--format", format, "ann", files]);
        let inbox = match format {
            "mbox" => format!("{files}/INBOX.mbox"),
            _ => format!("{files}/INBOX"),
        };
        run(&home, &["imap-acct", "create", "--no-specialuse", format]);
        let told = run(&home, &["import", format, &inbox]);
        assert!(
            told.contains("INBOX: 2 messages") && told.contains("2 compared equal"),
            "{told}"
        );
    }
    let mut full = home.command(&["export", "ann", home.path("mbox").to_str().unwrap()]);
    assert_eq!(
        full.output().unwrap().status.code(),
        Some(1),
        "a directory that is not empty"
    );
}

#[test]
fn keywords_of_courier_come_along() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let root = home.path("mail");
    let mail = |subject: &str| format!("Subject: {subject}\n\nx\n");
    write(&root.join("cur/1.a:2,S"), &mail("one"));
    write(&root.join("cur/2.b:2,"), &mail("two"));
    write(&root.join("new/3.c"), &mail("three"));
    write(&root.join(".Arch.2024/cur/4.d:2,"), &mail("four"));
    let list = "$Label1\nwork\n\n1.a:0 1\n2.b:1\n3.c:9 x\nbroken\n";
    write(&root.join("courierimapkeywords/:list"), list);
    // Changed since: this counts.
    write(&root.join("courierimapkeywords/2.b"), "later\n\n");
    write(
        &root.join(".Arch.2024/courierimapkeywords/:list"),
        "old\n\n4.d:0\n",
    );
    run(&home, &["imap-acct", "create", "--no-specialuse", "ann"]);
    let told = run(&home, &["import", "ann", root.to_str().unwrap()]);
    assert!(!told.contains("courierimapkeywords"), "{told}");
    let flags = |mailbox: &str| -> Vec<String> {
        let listed = run(&home, &["imap-msgs", "list", "--json", "ann", mailbox]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let all = listed.as_array().unwrap().iter();
        all.map(|message| message["flags"].to_string()).collect()
    };
    assert_eq!(
        flags("INBOX"),
        ["[\"\\\\Seen\",\"$Label1\",\"work\"]", "[\"later\"]", "[]"]
    );
    assert_eq!(flags("Arch.2024"), ["[\"old\"]"]);
}

#[test]
fn an_mbox_says_when_messages_came_and_what_was_done_with_them() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let text = "From a@example.org Thu Nov 16 12:00:00 2023\nSubject: one\n\
        Date: Wed, 15 Nov 2023 10:00:00 +0100\nStatus: RO\nX-Status: A\nX-Keywords: work\n\n\
        >From me\n\nFrom nobody\nSubject: two\nDate: Wed, 15 Nov 2023 10:00:00 +0100\n\ny\n\n\
        From -\nX-Mozilla-Status: 0009\nSubject: three\nDate: Wed, 15 Nov 2023 10:00:00 +0100\n\nz\n";
    write(&home.path("mbox"), text);
    for name in ["ann", "bob"] {
        run(&home, &["imap-acct", "create", "--no-specialuse", name]);
    }
    run(
        &home,
        &[
            "import",
            "--mailbox",
            "in",
            "ann",
            home.path("mbox").to_str().unwrap(),
        ],
    );
    let list = |name: &str| run(&home, &["imap-msgs", "list", "--json", name, "in"]);
    let listed: serde_json::Value = serde_json::from_str(&list("ann")).unwrap();
    let dates: Vec<_> = (0..3)
        .map(|at| listed[at]["internal_date"].as_str().unwrap())
        .collect();
    let said = "2023-11-15T10:00:00+01:00";
    assert_eq!(
        dates,
        ["2023-11-16T12:00:00+00:00", said, said],
        "{listed:#}"
    );
    assert_eq!(
        listed[0]["flags"].to_string(),
        "[\"\\\\Answered\",\"\\\\Seen\",\"work\"]"
    );
    assert_eq!(
        listed[2]["flags"].to_string(),
        "[\"\\\\Deleted\",\"\\\\Seen\"]"
    );
    let dump = run(&home, &["imap-msgs", "dump", "ann", "in", "1"]);
    assert!(dump.ends_with("\r\n\r\nFrom me\r\n"), "{dump:?}");
    // Out and in again: instants stay, zones can't.
    run(
        &home,
        &[
            "export",
            "--format",
            "mbox",
            "ann",
            home.path("out").to_str().unwrap(),
        ],
    );
    run(
        &home,
        &[
            "import",
            "--mailbox",
            "in",
            "bob",
            home.path("out/in.mbox").to_str().unwrap(),
        ],
    );
    let again = list("bob").replace("T09:00:00+00:00", "T10:00:00+01:00");
    assert_eq!(again, list("ann"));
}

/// Many messages, so that it takes a while.
fn many(root: &Path, count: usize) {
    for number in 0..count {
        let body = "0123456789abcdef\n".repeat(200);
        write(
            &root.join(format!("cur/{number:06}.m:2,S")),
            &format!("Subject: {number}\n\n{body}"),
        );
    }
    // The same message twice is two messages.
    write(&root.join("cur/twice.m:2,"), "Subject: 0\n\nagain\n");
    write(&root.join("cur/twice.n:2,"), "Subject: 0\n\nagain\n");
}

#[test]
fn an_import_that_was_killed_is_run_again_and_doubles_nothing() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let source = home.path("mail");
    many(&source, 3_000);
    let source = source.to_str().unwrap();
    run(&home, &["imap-acct", "create", "--no-specialuse", "ann"]);
    let mut unfinished = 0;
    for _ in 0..3 {
        let mut command = home.command(&["import", "ann", source]);
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // It tells a tenth, or ends.
        let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
        let line = crate::process::line(&mut told);
        child.kill().unwrap();
        unfinished += usize::from(!child.wait().unwrap().success());
        assert!(line.is_empty() || line.starts_with("INBOX: "), "{line}");
    }
    assert!(unfinished > 0, "all were faster than a kill");
    let told = run(&home, &["import", "ann", source]);
    assert!(told.contains("INBOX: 3002 messages"), "{told}");
    assert!(told.contains(", 3002 compared equal"), "{told}");
    let again = run(&home, &["import", "ann", source]);
    assert!(again.contains(", 0 added, 3002 compared equal"), "{again}");
    let listed = run(&home, &["imap-msgs", "list", "--json", "ann", "INBOX"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 3_002);
}

#[test]
fn without_a_terminal_progress_is_a_line_now_and_then() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    many(&home.path("mail"), 600);
    let import = |name: &str| {
        run(&home, &["imap-acct", "create", "--no-specialuse", name]);
        let output = home
            .command(&["import", name, home.path("mail").to_str().unwrap()])
            .output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    let alone = import("ann");
    assert_eq!(alone, "INBOX: 30 %\nINBOX: 60 %\nINBOX: 90 %\n");
    let server = home.start();
    server.port();
    assert_eq!(import("bob"), alone, "also through the server");
}

//! Mail from files and into files, by the program itself.

use std::path::Path;

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

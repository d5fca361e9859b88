//! What is answered, to the byte: response codes, extensions, sections, capabilities.

use pillarbox_proto::imap::capability::EXTENSIONS;

use crate::harness::{Client, Server, self_signed};

const MAIL: &str = "From: a@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n";

/// Nearly all extensions are announced before login, too.
fn announced(literal: char) -> String {
    let shown = EXTENSIONS.iter().filter(|e| e.early || literal == '+');
    let names: Vec<_> = shown.map(|extension| extension.name).collect();
    let names = names.join(" ");
    format!("* CAPABILITY IMAP4rev1 LITERAL{literal} {names} APPENDLIMIT=67108864")
}

fn after_login() -> String {
    announced('+')
}

/// Before login: the same but for the literals, and what can be done now.
fn before_login(rest: &str) -> String {
    format!("{}{rest}", announced('-'))
}

async fn capability(client: &mut Client, expected: &str) {
    client.sees("CAPABILITY", &[expected]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capabilities_in_each_state() {
    let server = Server::with(|endpoint| {
        endpoint.tls = Some(self_signed());
        endpoint.insecure_auth = false;
    });
    let mut client = server.connect().await;
    capability(&mut client, &before_login(" STARTTLS LOGINDISABLED")).await;
    client.ok("STARTTLS").await;
    let mut client = client.secure().await;
    capability(&mut client, &before_login(" AUTH=PLAIN AUTH=LOGIN")).await;
    // Told at login, so that nobody has to ask.
    let lines = client.ok("LOGIN ann secret").await;
    let told = format!("OK [{}]", &after_login()[2..]);
    assert!(lines[0].starts_with(&told), "{lines:?}");
    for command in ["NOOP", "SELECT INBOX", "CLOSE"] {
        client.ok(command).await;
        capability(&mut client, &after_login()).await;
    }

    let server = Server::with(|endpoint| endpoint.tls = Some(self_signed()));
    let mut client = server.connect().await;
    capability(
        &mut client,
        &before_login(" STARTTLS AUTH=PLAIN AUTH=LOGIN"),
    )
    .await;
    client.ok("LOGIN ann secret").await;
    capability(&mut client, &after_login()).await;

    let server = Server::with(|endpoint| endpoint.sasl_login = false);
    let mut client = server.connect().await;
    capability(&mut client, &before_login(" AUTH=PLAIN")).await;
}

/// RFC 5530 §3, RFC 3501 §7.1, and those of extensions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_why() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("CREATE box").await;
    client.ok("CREATE box.below").await;
    client.ok("CREATE junk (USE (\\Junk))").await;
    client.append("INBOX", "", MAIL).await;
    client.ok("SELECT INBOX").await;
    for (command, answer) in [
        ("CREATE box", "NO [ALREADYEXISTS]"),
        ("CREATE inbox", "NO [ALREADYEXISTS]"),
        ("CREATE \"a*\"", "NO [CANNOT]"),
        ("CREATE \"\"", "NO [CANNOT]"),
        ("CREATE x (USE (\\All))", "NO [USEATTR]"),
        ("CREATE x (USE (\\Unheard))", "NO [USEATTR]"),
        ("CREATE x (USE (\\Junk))", "NO [USEATTR]"),
        ("DELETE INBOX", "NO [CANNOT]"),
        ("DELETE nothing", "NO [NONEXISTENT]"),
        ("RENAME nothing x", "NO [NONEXISTENT]"),
        ("RENAME box junk", "NO [ALREADYEXISTS]"),
        ("RENAME box box.below.x", "NO [CANNOT]"),
        ("RENAME box INBOX", "NO [ALREADYEXISTS]"),
        ("STATUS nothing (MESSAGES)", "NO [NONEXISTENT]"),
        ("STATUS box (UNHEARD)", "BAD"),
        ("STATUS box ()", "BAD"),
        ("APPEND nothing {3+}\r\nabc", "NO [TRYCREATE]"),
        ("APPEND \"a*\" {3+}\r\nabc", "NO [CANNOT]"),
        ("COPY 1 nothing", "NO [TRYCREATE]"),
        ("UID MOVE 1 nothing", "NO [TRYCREATE]"),
        ("MOVE 1 \"a*\"", "NO [CANNOT]"),
        (
            "SEARCH CHARSET KOI9 ALL",
            "NO [BADCHARSET (\"US-ASCII\" \"UTF-8\")]",
        ),
        ("STORE 2 +FLAGS (\\Seen)", "BAD"),
        ("FETCH 1:2 FLAGS", "BAD"),
        ("UID STORE 2 +FLAGS (\\Seen)", "OK"),
        ("UID FETCH 2 FLAGS", "OK"),
        ("LOGIN ann secret", "BAD"),
        ("FROB", "BAD"),
        ("UID FROB 1", "BAD"),
        ("FETCH 1 FROB", "BAD"),
        ("SEARCH FROB", "BAD"),
    ] {
        client.refused(command, answer).await;
    }
    client.refused("SELECT nothing", "NO [NONEXISTENT]").await;
    client.refused("FETCH 1 FLAGS", "BAD").await;
    client.send("a APPEND INBOX {99999999}\r\n").await;
    assert!(client.line().await.starts_with("a NO [TOOBIG]"));
    client.ok("EXAMINE INBOX").await;
    for command in [
        "STORE 1 +FLAGS (\\Seen)",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "MOVE 1 box",
    ] {
        client.refused(command, "NO").await;
    }
    client.ok("COPY 1 box").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_others_expunged_are_named_as_the_reason() {
    let server = Server::start();
    let (mut ann, mut other) = (server.inbox("ann").await, server.login("ann").await);
    ann.append("INBOX", "", MAIL).await;
    ann.append("INBOX", "\\Deleted", MAIL).await;
    ann.ok("CREATE box").await;
    ann.ok("NOOP").await;
    other.ok("SELECT INBOX").await;
    other.ok("EXPUNGE").await;
    ann.refused("STORE 2 +FLAGS (\\Seen)", "NO [EXPUNGEISSUED]")
        .await;
    ann.refused("COPY 2 box", "NO [EXPUNGEISSUED]").await;
    ann.ok("NOOP").await;
    // By UID it is as if they never were (RFC 3501 §6.4.8).
    ann.sees("UID COPY 2 box", &[]).await;
    ann.sees("UID STORE 2 +FLAGS (\\Seen)", &[]).await;
}

/// RFC 4731, RFC 5182, RFC 5032.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extended_searches() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    for flag in ["", "\\Seen", "", "\\Seen \\Flagged", "\\Seen"] {
        client.append("INBOX", flag, MAIL).await;
    }
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    let esearch = |rest: &str, tag: &str| format!("* ESEARCH (TAG \"{tag}\"){rest}");
    for (command, rest) in [
        ("SEARCH RETURN () SEEN", " ALL 1,3:4"),
        ("SEARCH RETURN (ALL) SEEN", " ALL 1,3:4"),
        ("SEARCH RETURN (MIN MAX COUNT) SEEN", " MIN 1 MAX 4 COUNT 3"),
        ("SEARCH RETURN (COUNT) FROM nobody", " COUNT 0"),
        ("SEARCH RETURN (MIN MAX ALL) FROM nobody", ""),
        (
            "UID SEARCH RETURN (ALL COUNT) SEEN",
            " UID COUNT 3 ALL 2,4:5",
        ),
        ("UID SEARCH RETURN (MIN) SEEN", " UID MIN 2"),
        ("SEARCH RETURN (SAVE COUNT) SEEN", " COUNT 3"),
        ("SEARCH RETURN () $", " ALL 1,3:4"),
        ("UID SEARCH RETURN () $ FLAGGED", " UID ALL 4"),
        ("UID SEARCH RETURN () UID $", " UID ALL 2,4:5"),
        ("UID SEARCH RETURN (SAVE MIN) SEEN", " UID MIN 2"),
        ("UID SEARCH RETURN () $", " UID ALL 2"),
        ("UID SEARCH RETURN (SAVE MIN MAX) SEEN", " UID MIN 2 MAX 5"),
        ("UID SEARCH RETURN () $", " UID ALL 2,5"),
        (
            "UID SEARCH RETURN (SAVE MIN COUNT) SEEN",
            " UID MIN 2 COUNT 3",
        ),
        ("UID SEARCH RETURN () $", " UID ALL 2,4:5"),
        ("SEARCH RETURN () YOUNGER 3600", " ALL 1:4"),
        ("SEARCH RETURN (COUNT) OLDER 3600", " COUNT 0"),
    ] {
        let lines = client.ok(command).await;
        let tag = client.last_tag();
        assert_eq!(lines[0], esearch(rest, &tag), "{command}");
    }
    // Nothing but saving says nothing (RFC 5182 §2.1).
    client.sees("SEARCH RETURN (SAVE) SEEN", &[]).await;
    client
        .sees(
            "FETCH $ UID",
            &[
                "* 1 FETCH (UID 2)",
                "* 3 FETCH (UID 4)",
                "* 4 FETCH (UID 5)",
            ],
        )
        .await;
    client
        .sees("UID STORE $ +FLAGS.SILENT (\\Answered)", &[])
        .await;
    client.sees("SEARCH ANSWERED", &["* SEARCH 1 3 4"]).await;
    // A search that is refused leaves nothing saved; another mailbox, too.
    client
        .refused("SEARCH RETURN (SAVE) CHARSET KOI9 ALL", "NO [BADCHARSET")
        .await;
    client.sees("FETCH $ UID", &[]).await;
    client.ok("SEARCH RETURN (SAVE) ALL").await;
    client.ok("SELECT INBOX").await;
    client.sees("FETCH $ UID", &[]).await;
    client.refused("SEARCH YOUNGER 0", "BAD").await;
    client.refused("SEARCH RETURN (FROB) ALL", "BAD").await;
}

/// The hierarchy and the answers of RFC 5258 §5, example 9, with `\HasChildren` and its opposite, which may
/// stand anywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extended_lists() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("UNSUBSCRIBE INBOX").await;
    for name in [
        "foo2.bar1",
        "foo2.bar2",
        "baz2.bar2",
        "baz2.bar22",
        "baz2.bar222",
        "eps2.mamba",
        "qux2.bar2",
    ] {
        client.ok(&format!("CREATE {name}")).await;
    }
    for name in ["foo2", "baz2", "qux2"] {
        client.ok(&format!("UNSUBSCRIBE {name}")).await;
    }
    client.ok("DELETE qux2").await;
    let (inner, leaf) = ("\\HasChildren", "\\HasNoChildren");
    let line = |attributes: &str, name: &str| format!("* LIST ({attributes}) \".\" \"{name}\"");
    let below = " (\"CHILDINFO\" (\"SUBSCRIBED\"))";
    let mine = format!("\\Subscribed {leaf}");
    let expected = [
        line(&mine, "baz2.bar2"),
        line(&mine, "baz2.bar22"),
        line(&mine, "baz2.bar222"),
        line(&format!("\\Subscribed {inner}"), "eps2") + below,
        line(inner, "foo2") + below,
        line(&mine, "foo2.bar2"),
        line(&mine, "qux2.bar2"),
    ];
    let mut lines = client
        .ok("LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"")
        .await;
    lines.pop();
    lines.sort();
    let mut expected: Vec<_> = expected.into();
    expected.sort();
    assert_eq!(lines, expected);
    let gone = format!("\\NonExistent {inner}");
    client
        .sees("LIST () \"\" qux2 RETURN ()", &[&line(&gone, "qux2")])
        .await;
    let gone = line(&gone, "qux2") + below;
    client
        .sees("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" qux%", &[&gone])
        .await;
    // A subscription to what was deleted.
    client.ok("DELETE foo2.bar1").await;
    let gone = line(&format!("\\NonExistent \\Subscribed {leaf}"), "foo2.bar1");
    client
        .sees("LIST (SUBSCRIBED) \"\" foo2.bar1", &[&gone])
        .await;
    client.sees("LIST \"\" foo2.bar1", &[]).await;
    client
        .sees(
            "LSUB \"\" foo2.%",
            &[
                "* LSUB () \".\" \"foo2.bar1\"",
                "* LSUB () \".\" \"foo2.bar2\"",
            ],
        )
        .await;
    client
        .sees("LSUB \"\" foo%", &["* LSUB (\\Noselect) \".\" \"foo2\""])
        .await;
    // Several patterns, each name once.
    let both = [line(leaf, "foo2.bar2"), line(leaf, "qux2.bar2")];
    client
        .sees(
            "LIST \"\" (foo2.bar% qux2.% \"*.bar2\" baz)",
            &[&line(leaf, "baz2.bar2"), &both[0], &both[1]],
        )
        .await;
    client.refused("LIST (RECURSIVEMATCH) \"\" *", "BAD").await;
    client.refused("LIST (FROB) \"\" *", "BAD").await;
    client
        .sees("LIST \"\" \"\"", &["* LIST (\\Noselect) \".\" \"\""])
        .await;
}

/// RFC 6154, RFC 5819, RFC 8438, RFC 7889.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn special_uses_and_statuses_with_lists() {
    let server = Server::start();
    let mut client = server.login("ann").await;
    client.ok("CREATE bin (USE (\\Trash))").await;
    client.append("bin", "\\Deleted", MAIL).await;
    let bin = "* LIST (\\HasNoChildren \\Trash) \".\" \"bin\"";
    client.sees("LIST (SPECIAL-USE) \"\" *", &[bin]).await;
    client
        .sees("LIST \"\" bin RETURN (SPECIAL-USE)", &[bin])
        .await;
    let size = MAIL.len();
    let status = format!("* STATUS \"bin\" (MESSAGES 1 SIZE {size} UNSEEN 1)");
    client
        .sees(
            "LIST \"\" bin RETURN (STATUS (MESSAGES SIZE UNSEEN))",
            &[bin, &status],
        )
        .await;
    // What is not there has no status.
    client.ok("CREATE a.b").await;
    client.ok("DELETE a").await;
    let lines = client.ok("LIST \"\" a RETURN (STATUS (MESSAGES))").await;
    assert_eq!(
        lines[..lines.len() - 1],
        ["* LIST (\\NonExistent \\HasChildren) \".\" \"a\""]
    );
    client
        .sees(
            "STATUS bin (APPENDLIMIT)",
            &["* STATUS \"bin\" (APPENDLIMIT 67108864)"],
        )
        .await;
    client
        .sees("NAMESPACE", &["* NAMESPACE ((\"\" \".\")) NIL NIL"])
        .await;
}

/// RFC 3501 §6.4.5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sections_and_pieces_of_them() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    let inner = "From: b@example.org\r\nSubject: inner\r\n\r\ninside\r\n";
    let mail = format!(
        "From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\none\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n"
    );
    client.append("INBOX", "\\Seen", &mail).await;
    client.ok("NOOP").await;
    for (section, expected) in [
        ("1", Some("one")),
        ("1.MIME", Some("Content-Type: text/plain\r\n\r\n")),
        ("2", Some(inner)),
        ("2.MIME", Some("Content-Type: message/rfc822\r\n\r\n")),
        (
            "2.HEADER",
            Some("From: b@example.org\r\nSubject: inner\r\n\r\n"),
        ),
        ("2.TEXT", Some("inside\r\n")),
        ("2.1", Some("inside\r\n")),
        ("2.HEADER.FIELDS (SUBJECT)", Some("Subject: inner\r\n\r\n")),
        (
            "2.HEADER.FIELDS.NOT (SUBJECT)",
            Some("From: b@example.org\r\n\r\n"),
        ),
        ("HEADER.FIELDS (NOTHING)", Some("\r\n")),
        ("1.HEADER", None),
        ("1.TEXT", None),
        ("3", None),
        ("2.2", None),
        ("1.1", None),
    ] {
        let lines = client.ok(&format!("FETCH 1 BODY.PEEK[{section}]")).await;
        let value = expected.map_or("NIL".to_owned(), |text| {
            format!("{{{}}}\r\n{text}", text.len())
        });
        assert_eq!(lines[0], format!("* 1 FETCH (BODY[{section}] {value})"));
    }
    for (piece, label, expected) in [
        ("1]<0.2>", "1]<0>", "{2}\r\non"),
        ("1]<1.99>", "1]<1>", "{2}\r\nne"),
        ("1]<3.1>", "1]<3>", "{0}\r\n"),
        ("2.TEXT]<2.4294967295>", "2.TEXT]<2>", "{6}\r\nside\r\n"),
        ("HEADER]<0.5>", "HEADER]<0>", "{5}\r\nFrom:"),
        ("3]<0.5>", "3]<0>", "NIL"),
    ] {
        let lines = client.ok(&format!("FETCH 1 BODY.PEEK[{piece}")).await;
        assert_eq!(lines[0], format!("* 1 FETCH (BODY[{label} {expected})"));
    }
    for wrong in [
        "BODY[]<0.0>",
        "BODY[]<0>",
        "BODY[0]",
        "BODY[1.0]",
        "BODY[MIME]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[1.]",
        "BODY[TEXT",
        "BODY.PEEK",
        "RFC822.PEEK",
        "()",
    ] {
        client.refused(&format!("FETCH 1 {wrong}"), "BAD").await;
    }
    let size = mail.len();
    client
        .sees(
            "FETCH 1 (UID RFC822.SIZE UID)",
            &[&format!("* 1 FETCH (UID 1 RFC822.SIZE {size})")],
        )
        .await;
    client
        .sees("UID FETCH 1 FLAGS", &["* 1 FETCH (UID 1 FLAGS (\\Seen))"])
        .await;
    let whole = format!("* 1 FETCH (RFC822 {{{size}}}\r\n{mail})");
    client.sees("FETCH 1 RFC822", &[&whole]).await;
    // A quoted or literal field name is told as it was asked for.
    let lines = client
        .ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (\"From\" {2+}\r\nTo)]")
        .await;
    assert!(
        lines[0].contains("From: a@example.org\r\n\r\n"),
        "{lines:?}"
    );
}

/// RFC 4315, RFC 3502, RFC 6851.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uids_of_what_was_added_copied_and_removed() {
    let server = Server::start();
    let mut client = server.inbox("ann").await;
    client.ok("CREATE box").await;
    let lines = client.ok("STATUS box (UIDVALIDITY)").await;
    let validity: String = lines[0].chars().filter(char::is_ascii_digit).collect();
    let three = " (\\Deleted) {3+}\r\na\r\n {3+}\r\nb\r\n (\\Deleted) {3+}\r\nc\r\n";
    let lines = client.ok(&format!("APPEND box{three}")).await;
    assert!(
        lines[0].starts_with(&format!("OK [APPENDUID {validity} 1:3]")),
        "{lines:?}"
    );
    client.ok("SELECT box").await;
    client.sees("UID EXPUNGE 1:2", &["* 1 EXPUNGE"]).await;
    client.sees("UID EXPUNGE 1,2", &[]).await;
    let lines = client.ok("UID COPY 3,2,9 box").await;
    assert_eq!(lines[0], "* 4 EXISTS");
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with(&format!("OK [COPYUID {validity} 2:3 4:5]")),
        "{lines:?}"
    );
    client.sees("UID COPY 77 box", &[]).await;
    // Moved within its own mailbox: new UIDs, in one go.
    let lines = client.ok("MOVE 1 box").await;
    assert_eq!(lines[0], format!("* OK [COPYUID {validity} 2 6] Moved"));
    assert!(lines.contains(&"* 1 EXPUNGE".to_owned()), "{lines:?}");
    client.sees("UID SEARCH ALL", &["* SEARCH 3 4 5 6"]).await;
}

crate::dialect::also_in_rev2!(
    refusals_say_why,
    messages_that_others_expunged_are_named_as_the_reason,
    extended_searches,
    extended_lists,
    special_uses_and_statuses_with_lists,
    sections_and_pieces_of_them,
    uids_of_what_was_added_copied_and_removed,
);

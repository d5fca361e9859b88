//! What the configuration makes of mail.

use std::os::unix::fs::PermissionsExt;

use super::trials::deliver;
use super::{HELLO, Post, anonymous, config};
use crate::process::Home;

#[test]
fn accounts_may_be_made_where_a_table_knows_the_address() {
    let table = "delivery_create_from static {\n entry new@x.example yes\n }";
    let post = Post::with(table, "");
    let mut lmtp = post.lmtp();
    lmtp.say("MAIL FROM:<>");
    let reply = lmtp.say("RCPT TO:<other@x.example>");
    assert_eq!(anonymous(&reply), "501 5.1.1 User does not exist");
    lmtp.say("RSET");
    lmtp.delivers(&["New@X.example"], HELLO);
    let boxes = post
        .home
        .command(&["imap-mboxes", "list", "new@x.example"])
        .output()
        .unwrap();
    let boxes = String::from_utf8_lossy(&boxes.stdout).into_owned();
    assert!(boxes.contains("Sent") && boxes.contains("Trash"), "{boxes}");
    assert_eq!(post.count("new@x.example", "INBOX"), 1);
}

/// RFC 5233.
#[test]
fn details_of_addresses_name_mailboxes() {
    let post = Post::with("delivery_detail folder", "");
    let mut imap = post.login("ann@x.example");
    imap.ok("CREATE Lists");
    imap.ok("CREATE Lists.rust");
    let mut lmtp = post.lmtp();
    for (detail, mailbox) in [
        ("lists", "Lists"),
        ("Lists.Rust", "Lists.rust"),
        ("zzz", "INBOX"),
    ] {
        lmtp.delivers(&[&format!("ann+{detail}@x.example")], HELLO);
        assert_eq!(post.count("ann@x.example", mailbox), 1, "{detail}");
    }
    assert!(!imap.ok("LIST \"\" *").contains("zzz"));
    // Two places of one account are two copies.
    lmtp.delivers(
        &["ann@x.example", "ann+lists@x.example", "ann+x@x.example"],
        HELLO,
    );
    assert_eq!(post.count("ann@x.example", "INBOX"), 2);
    assert_eq!(post.count("ann@x.example", "Lists"), 2);
    drop(lmtp);
    drop(post);

    let post = Post::with("delivery_detail create\n delivery_separator --", "");
    drop(post.login("ann@x.example"));
    post.lmtp().delivers(&["ann--new.one@x.example"], HELLO);
    assert_eq!(post.count("ann@x.example", "new.one"), 1);

    let post = Post::start();
    drop(post.login("ann@x.example"));
    let mut lmtp = post.lmtp();
    lmtp.say("MAIL FROM:<>");
    assert!(
        lmtp.say("RCPT TO:<ann+x@x.example>")
            .starts_with("501 5.1.1"),
        "by default"
    );
}

#[test]
fn junk_goes_to_its_mailbox() {
    let mark = "quarantine_header X-Spam-Flag YES\n junk_mailbox Spam";
    let post = Post::with(mark, "");
    drop((post.login("ann"), post.login("bob")));
    let mut lmtp = post.lmtp();
    lmtp.delivers(&["ann", "bob"], "X-Spam-Flag: yes\r\n\r\nBuy!");
    lmtp.delivers(&["ann"], "X-Spam-Flag: no\r\n\r\nBuy!");
    lmtp.delivers(&["ann"], "Subject: x\r\n\r\nX-Spam-Flag: yes");
    assert_eq!(
        (post.count("ann", "INBOX"), post.count("ann", "Spam")),
        (2, 1)
    );
    assert_eq!(
        (post.count("bob", "INBOX"), post.count("bob", "Spam")),
        (0, 1)
    );
    assert!(
        post.login("ann")
            .ok("LIST (SPECIAL-USE) \"\" *")
            .contains("\\Junk")
    );
}

#[test]
fn programs_choose_mailboxes() {
    let directory = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.display().to_string()
    };
    let by_subject = script(
        "by-subject",
        "cat >/dev/null; echo \"$1\"; echo '\\Flagged'; echo '$x'",
    );
    let failing = script("failing", "echo Work; exit 1");
    let seen = script(
        "seen",
        "grep -q '^Delivered-To: ann' && printf '\\n\\\\Seen\\n'",
    );
    let commands = format!(
        "imap_filter {{\n command {failing}\n command {by_subject} {{subject}}\n command {seen}\n }}"
    );
    let post = Post::with(&commands, "");
    let mut imap = post.login("ann");
    imap.ok("CREATE Work");
    let mut lmtp = post.lmtp();
    lmtp.delivers(&["ann"], "Subject: Work\r\n\r\nx");
    lmtp.delivers(&["ann"], "Subject: Nowhere\r\n\r\nx");
    post.server.line("imap_filter failed");
    assert_eq!(
        (post.count("ann", "INBOX"), post.count("ann", "Work")),
        (1, 1)
    );
    imap.ok("EXAMINE Work");
    let flags = imap.ok("FETCH 1 FLAGS");
    for flag in ["\\Flagged", "\\Seen", "$x"] {
        assert!(flags.contains(flag), "{flags}");
    }
}

#[test]
fn limits_keep_others_waiting_and_then_away() {
    let limits = "limits {\n all concurrency 1\n }";
    let post = Post::with("", limits);
    drop(post.login("ann"));
    let (mut first, mut second) = (post.lmtp(), post.lmtp());
    first.say("MAIL FROM:<>");
    let busy = second.say("MAIL FROM:<>");
    assert_eq!(anonymous(&busy), "451 4.4.5 High load, try again later");
    first.say("RSET");
    second.delivers(&["ann"], HELLO);
    drop(post);

    let named = config("", "limits &ours")
        .replace("lmtp unix", "limits ours {\n ip rate 5 1s\n}\nlmtp unix");
    let post = Post::at(&named);
    drop(post.login("ann"));
    post.lmtp().delivers(&["ann"], HELLO);
}

#[test]
fn blocks_say_what_is_wrong_with_them() {
    let refused = |lmtp: &str| {
        let home = Home::with(&config("", lmtp));
        let output = home.command(&["verify-config"]).output().unwrap();
        assert!(!output.status.success(), "{lmtp} was accepted");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused("auth dummy");
    assert!(
        said.contains("lmtp has no auth") && said.contains("Protect the socket"),
        "{said}"
    );
    let said = refused("default_destination {\n reject\n }");
    assert!(
        said.contains("as in `deliver_to &local_mailboxes`"),
        "{said}"
    );
    assert!(refused("dmarc yes").contains("write `dmarc no`"));
    assert!(refused("buffer disk").contains("one of `auto [SIZE [PATH]]`"));
    assert!(refused("limits {\n all rate\n }").contains("as in `all rate 20 1s`"));
    let home = Home::with(&config("", "").replace("hostname mx.example.test\n", ""));
    let said = home.command(&["verify-config"]).output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("missing required directive: hostname"),
        "{said}"
    );
    let missing = config("", "").replace("deliver_to &local_mailboxes", "");
    let said = Home::with(&missing)
        .command(&["verify-config"])
        .output()
        .unwrap()
        .stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("missing required directive: deliver_to"),
        "{said}"
    );
    let harmless = "defer_sender_reject yes\n dmarc no\n buffer ram\n shutdown_timeout 1m\n \
                    max_logged_rcpt_errors 3\n io_debug no\n debug no";
    let home = Home::with(&config("", harmless));
    assert!(home.command(&["verify-config"]).status().unwrap().success());
}

/// Each recipient is answered alone, for good or for now; programs hear the same.
#[test]
fn a_full_account_is_answered_as_the_configuration_says() {
    for (more, reply, status) in [
        ("", "552 5.2.2 Mailbox is full", 73),
        ("over_quota defer", "452 4.2.2 Mailbox is full", 75),
    ] {
        let post = Post::with(&format!("quota_messages 1\n {more}"), "");
        drop((post.login("ann"), post.login("bob")));
        let mut lmtp = post.lmtp();
        lmtp.delivers(&["ann"], HELLO);
        let replies = lmtp.deliver(&["ann", "bob"], HELLO);
        assert_eq!(anonymous(&replies[0]), reply);
        assert_eq!(replies[1], "250 2.0.0 <bob> OK: queued");
        assert_eq!(
            (post.count("ann", "INBOX"), post.count("bob", "INBOX")),
            (1, 1)
        );
        let (ended, said) = deliver(&post.home, &["ann"], HELLO);
        assert_eq!(ended, status, "{said}");
        // With more room the next one comes in, and the others still have one.
        let more = ["imap-acct", "quota", "--messages", "2", "ann"];
        assert!(post.home.command(&more).status().unwrap().success());
        lmtp.delivers(&["ann"], HELLO);
        assert_eq!(post.count("ann", "INBOX"), 2);
        let replies = lmtp.deliver(&["bob"], HELLO);
        assert_eq!(anonymous(&replies[0]), reply);
    }
}

/// Mail is not lost because a mailbox for it can't be made.
#[test]
fn without_room_for_a_mailbox_mail_goes_to_inbox() {
    let rules = "quota_mailboxes 1\n delivery_detail create\n quarantine_header X-Spam-Flag YES";
    let post = Post::with(rules, "");
    drop(post.login("ann"));
    let mut lmtp = post.lmtp();
    lmtp.delivers(&["ann+new"], HELLO);
    lmtp.delivers(&["ann"], "X-Spam-Flag: yes\r\n\r\nBuy!");
    assert_eq!(post.count("ann", "INBOX"), 2);
}

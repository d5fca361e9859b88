//! Annotations (RFC 5464), and those of all mailboxes in one LIST (RFC 9590). "root" is an administrator.

use pillarbox_model::limit;

use crate::harness::{Client, Server};

async fn two() -> (Server, Client, Client) {
    let server = Server::start();
    let (ann, other) = (server.login("ann").await, server.login("ann").await);
    (server, ann, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_are_set_read_and_removed() {
    let (_server, mut ann, mut other) = two().await;
    let capability = ann.ok("CAPABILITY").await.remove(0);
    assert!(capability.contains(" METADATA "), "{capability}");
    ann.sees(
        "GETMETADATA INBOX /shared/comment",
        &["* METADATA INBOX (/shared/comment NIL)"],
    )
    .await;
    let set = "SETMETADATA INBOX (/Private/Comment \"mine\" /shared/comment {8+}\r\nours\r\n\r\n)";
    ann.sees(set, &[]).await;
    // Names compare without case, and come in lower case.
    other
        .sees(
            "GETMETADATA INBOX (/SHARED/COMMENT /private/comment)",
            &["* METADATA INBOX (/private/comment \"mine\" /shared/comment {8}\r\nours\r\n\r\n)"],
        )
        .await;
    // Without parentheses, as in the RFC's own example.
    other
        .sees(
            "GETMETADATA inbox /private/comment /private/none",
            &["* METADATA INBOX (/private/comment \"mine\" /private/none NIL)"],
        )
        .await;
    other.ok("SETMETADATA INBOX (/private/comment NIL)").await;
    other.ok("SETMETADATA INBOX (/shared/comment \"\")").await;
    ann.sees(
        "GETMETADATA INBOX (/shared/comment /private/comment)",
        &["* METADATA INBOX (/private/comment NIL /shared/comment \"\")"],
    )
    .await;
    ann.refused("GETMETADATA nowhere /shared/comment", "NO [NONEXISTENT]")
        .await;
    ann.refused(
        "SETMETADATA nowhere (/shared/comment \"x\")",
        "NO [NONEXISTENT]",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_may_have_any_octets() {
    let (_server, mut ann, _) = two().await;
    ann.ok("SETMETADATA \"\" (/private/x ~{5+}\r\na\0\r\nb /private/y \"\")")
        .await;
    ann.sees(
        "GETMETADATA \"\" /private/x",
        &["* METADATA \"\" (/private/x ~{5}\r\na\0\r\nb)"],
    )
    .await;
    // Only a literal8 may have NUL (RFC 3516 §4.1).
    ann.refused("SETMETADATA \"\" (/private/x {3+}\r\na\0b)", "BAD")
        .await;
    ann.sees(
        "GETMETADATA \"\" /private/y",
        &["* METADATA \"\" (/private/y \"\")"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_say_how_deep_and_how_large() {
    let (_server, mut ann, _) = two().await;
    ann.ok("SETMETADATA INBOX (/shared/a \"1\" /shared/a/b \"22\" /shared/a/b/c \"333\" /shared/ab \"4444\")")
        .await;
    for (options, told) in [
        ("(DEPTH 0)", "/shared/a \"1\""),
        ("(DEPTH 1)", "/shared/a \"1\" /shared/a/b \"22\""),
        (
            "(depth Infinity)",
            "/shared/a \"1\" /shared/a/b \"22\" /shared/a/b/c \"333\"",
        ),
        (
            "(MAXSIZE 2 DEPTH infinity)",
            "/shared/a \"1\" /shared/a/b \"22\"",
        ),
    ] {
        let told = format!("* METADATA INBOX ({told})");
        // Where the grammar has the options, and where the examples have them.
        for command in [
            format!("GETMETADATA {options} INBOX /shared/a"),
            format!("GETMETADATA INBOX {options} (/shared/a)"),
        ] {
            let lines = ann.ok(&command).await;
            assert_eq!(lines[0], told, "{command}");
            let left_out = lines[1].contains("[METADATA LONGENTRIES 3]");
            assert_eq!(left_out, command.contains("MAXSIZE"), "{lines:?}");
        }
    }
    let lines = ann
        .ok("GETMETADATA (MAXSIZE 0) INBOX (/shared/a /shared/ab)")
        .await;
    assert_eq!(lines, ["OK [METADATA LONGENTRIES 4] GETMETADATA completed"]);
    ann.sees("GETMETADATA (DEPTH infinity) INBOX /private", &[])
        .await;
    for wrong in [
        "GETMETADATA (DEPTH 2) INBOX /shared/a",
        "GETMETADATA (SIZE 2) INBOX /shared/a",
        "GETMETADATA INBOX",
        "GETMETADATA INBOX ()",
    ] {
        ann.refused(wrong, "BAD").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_none_is_an_error_and_nothing_is_set() {
    let (_server, mut ann, _) = two().await;
    for entry in [
        "/comment",
        "comment",
        "\"\"",
        "/shared/",
        "/shared//x",
        "\"/shared/a*\"",
        "\"/shared/a%\"",
        "/shared",
        "/shared/vendor",
        "/shared/vendor/cmu",
        "{10+}\r\n/private/\u{1}",
    ] {
        let set = format!("SETMETADATA INBOX (/shared/good \"x\" {entry} \"x\")");
        ann.refused(&set, "BAD").await;
    }
    for (wrong, text) in [
        ("SETMETADATA INBOX ()", "BAD"),
        ("SETMETADATA INBOX (/shared/good)", "BAD"),
        ("SETMETADATA INBOX (/shared/good x)", "BAD"),
        ("SETMETADATA INBOX /shared/good \"x\"", "BAD"),
    ] {
        ann.refused(wrong, text).await;
    }
    let none = ["* METADATA INBOX (/shared/good NIL)"];
    ann.sees("GETMETADATA INBOX /shared/good", &none).await;
    ann.ok("SETMETADATA INBOX (/shared/vendor/cmu/color \"#fff\")")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_has_its_own() {
    let (server, mut ann, _) = two().await;
    let (mut root, mut bob) = (server.login("root").await, server.login("bob").await);
    ann.ok("SETMETADATA \"\" (/private/x \"ann's\")").await;
    bob.ok("SETMETADATA \"\" (/private/x \"bob's\")").await;
    // What everybody sees, administrators set; their address, the configuration.
    for entry in ["/shared/comment", "/shared/admin"] {
        let set = format!("SETMETADATA \"\" (/private/y \"\" {entry} \"Welcome\")");
        ann.refused(&set, "NO [NOPERM]").await;
    }
    root.ok("SETMETADATA \"\" (/shared/comment \"Welcome\")")
        .await;
    root.refused("SETMETADATA \"\" (/shared/admin \"x\")", "NO [NOPERM]")
        .await;
    let get = "GETMETADATA \"\" (/shared/comment /shared/admin /private/x /private/y)";
    ann.sees(
        get,
        &["* METADATA \"\" (/private/x \"ann's\" /private/y NIL \
           /shared/admin \"mailto:root@example.org\" /shared/comment \"Welcome\")"],
    )
    .await;
    let small = "GETMETADATA (MAXSIZE 8 DEPTH infinity) \"\" (/shared /private)";
    let lines = bob.ok(small).await;
    assert_eq!(
        lines,
        [
            "* METADATA \"\" (/private/x \"bob's\" /shared/comment \"Welcome\")",
            "OK [METADATA LONGENTRIES 23] GETMETADATA completed"
        ]
    );
    let mut stranger = server.connect().await;
    stranger
        .refused("GETMETADATA \"\" /shared/admin", "BAD")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_and_too_many_are_told_apart() {
    let (_server, mut ann, _) = two().await;
    let size = limit::ANNOTATION_BYTES;
    let large = "x".repeat(size);
    ann.ok(&format!(
        "SETMETADATA INBOX (/shared/a {{{size}+}}\r\n{large})"
    ))
    .await;
    let larger = format!(
        "SETMETADATA INBOX (/shared/b \"\" /shared/a {{{}+}}\r\n{large}x)",
        size + 1
    );
    ann.refused(&larger, &format!("NO [METADATA MAXSIZE {size}]"))
        .await;
    let half = limit::ANNOTATIONS_PER_MAILBOX / 2;
    for range in [1..half, half..limit::ANNOTATIONS_PER_MAILBOX] {
        let pairs: Vec<_> = range.map(|at| format!("/shared/{at} \"\"")).collect();
        ann.ok(&format!("SETMETADATA INBOX ({})", pairs.join(" ")))
            .await;
    }
    ann.refused(
        "SETMETADATA INBOX (/shared/b \"\")",
        "NO [METADATA TOOMANY]",
    )
    .await;
    ann.sees(
        "GETMETADATA INBOX /shared/b",
        &["* METADATA INBOX (/shared/b NIL)"],
    )
    .await;
    let all = ann.ok("GETMETADATA (DEPTH infinity) INBOX /shared").await;
    let told: usize = all
        .iter()
        .map(|line| line.matches("/shared/").count())
        .sum();
    assert_eq!(told, limit::ANNOTATIONS_PER_MAILBOX);
    let many: Vec<_> = (0..=limit::ENTRIES_PER_COMMAND)
        .map(|at| format!("/shared/{at}"))
        .collect();
    ann.refused(&format!("GETMETADATA INBOX ({})", many.join(" ")), "BAD")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_follow_a_mailbox_and_end_with_it() {
    let (_server, mut ann, _) = two().await;
    ann.ok("CREATE a").await;
    ann.ok("SETMETADATA a (/shared/comment \"here\")").await;
    ann.ok("SETMETADATA INBOX (/private/comment \"in\")").await;
    ann.ok("RENAME a b").await;
    let here = ["* METADATA \"b\" (/shared/comment \"here\")"];
    ann.sees("GETMETADATA b /shared/comment", &here).await;
    ann.ok("DELETE b").await;
    ann.ok("CREATE b").await;
    let none = ["* METADATA \"b\" (/shared/comment NIL)"];
    ann.sees("GETMETADATA b /shared/comment", &none).await;
    // INBOX keeps its own (RFC 5464 §4.1).
    ann.ok("RENAME INBOX old").await;
    for (name, shown) in [("INBOX", "INBOX"), ("old", "\"old\"")] {
        let told = format!("* METADATA {shown} (/private/comment \"in\")");
        ann.sees(&format!("GETMETADATA {name} /private/comment"), &[&told])
            .await;
    }
}

/// RFC 5464 §4.4: names alone, only to those who enabled it, and not of what the session did itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_to_hear_of_changes_hears_of_others() {
    let (server, mut ann, mut other) = two().await;
    let (mut deaf, mut bob) = (server.login("ann").await, server.login("bob").await);
    for client in [&mut ann, &mut bob] {
        client
            .sees("ENABLE METADATA", &["* ENABLED METADATA"])
            .await;
    }
    other.ok("CREATE a").await;
    other
        .ok("SETMETADATA a (/shared/comment \"x\" /private/comment \"y\")")
        .await;
    other.ok("SETMETADATA a (/shared/comment \"z\")").await;
    other.ok("SETMETADATA \"\" (/private/x \"y\")").await;
    other.ok("SETMETADATA \"\" (/private/x \"y\")").await;
    let told = [
        "* METADATA \"\" /private/x",
        "* METADATA \"a\" /shared/comment /private/comment",
    ];
    ann.sees("NOOP", &told).await;
    ann.sees("NOOP", &[]).await;
    deaf.sees("NOOP", &[]).await;
    // Neither others' mailboxes nor their private annotations.
    bob.sees("NOOP", &[]).await;
    ann.sees("SETMETADATA a (/shared/comment \"mine\")", &[])
        .await;
    other.ok("SETMETADATA a (/shared/comment NIL)").await;
    ann.sees("NOOP", &["* METADATA \"a\" /shared/comment"])
        .await;
    // Also while it idles, with a mailbox or without.
    for select in ["NOOP", "SELECT a"] {
        ann.ok(select).await;
        ann.send("i IDLE\r\n").await;
        assert!(ann.line().await.starts_with("+ "));
        other
            .ok(&format!("SETMETADATA a (/private/comment \"{select}\")"))
            .await;
        assert_eq!(ann.line().await, "* METADATA \"a\" /private/comment");
        ann.send("DONE\r\n").await;
        ann.until("i").await;
    }
    // Of what is gone nothing is told.
    other.ok("CREATE b").await;
    other.ok("SETMETADATA b (/shared/comment \"x\")").await;
    other.ok("DELETE b").await;
    ann.sees("NOOP", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_tells_annotations_of_all_mailboxes() {
    let (_server, mut ann, _) = two().await;
    let capability = ann.ok("CAPABILITY").await.remove(0);
    assert!(capability.contains(" LIST-METADATA "), "{capability}");
    ann.ok("CREATE a.b").await;
    ann.ok("SETMETADATA a (/shared/vendor/x/color \"red\" /private/comment \"c\")")
        .await;
    ann.sees(
        "LIST \"\" % RETURN (METADATA (\"/shared/vendor/x/color\" /private/comment) STATUS (MESSAGES))",
        &[
            "* LIST (\\HasNoChildren) \".\" INBOX",
            "* STATUS INBOX (MESSAGES 0)",
            "* METADATA INBOX (/private/comment NIL /shared/vendor/x/color NIL)",
            "* LIST (\\HasChildren) \".\" \"a\"",
            "* STATUS \"a\" (MESSAGES 0)",
            "* METADATA \"a\" (/private/comment \"c\" /shared/vendor/x/color \"red\")",
        ],
    )
    .await;
    // What is no mailbox has none.
    ann.ok("SUBSCRIBE gone").await;
    ann.sees(
        "LIST (SUBSCRIBED) \"\" gone RETURN (METADATA /shared/comment)",
        &["* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \".\" \"gone\""],
    )
    .await;
    ann.refused("LIST \"\" % RETURN (METADATA ())", "BAD").await;
    ann.refused("LIST \"\" % RETURN (METADATA (/comment))", "BAD")
        .await;
}

/// RFC 5464 §3.3: it takes `l` and one of `rswip`; what all see takes `w` to change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_of_shared_mailboxes_take_rights() {
    let server = crate::sharing::start();
    let (mut ann, mut bob) = (server.login("ann").await, server.login("bob").await);
    bob.ok("CREATE Team").await;
    bob.ok("SETMETADATA Team (/shared/comment \"ours\" /private/comment \"bob's\")")
        .await;
    let team = "\"Other Users.bob.Team\"";
    let get = format!("GETMETADATA {team} (/shared/comment /private/comment)");
    let set = |scope: &str| format!("SETMETADATA {team} (/{scope}/comment \"ann's\")");
    for rights in ["", "k", "r"] {
        bob.ok(&format!("SETACL Team ann \"{rights}\"")).await;
        for command in [&get, &set("private"), &set("shared")] {
            ann.refused(command, "NO [NONEXISTENT] No such mailbox")
                .await;
        }
    }
    for rights in ["l", "lk", "lxtea"] {
        bob.ok(&format!("SETACL Team ann \"{rights}\"")).await;
        for command in [&get, &set("private"), &set("shared")] {
            ann.refused(command, "NO [NOPERM]").await;
        }
        let list = format!("LIST \"\" {team} RETURN (METADATA (/shared/comment))");
        assert_eq!(ann.ok(&list).await.len(), 2, "{rights}");
    }
    bob.ok("SETACL Team ann lr").await;
    ann.sees(
        &get,
        &[&format!(
            "* METADATA {team} (/private/comment NIL /shared/comment \"ours\")"
        )],
    )
    .await;
    ann.ok(&set("private")).await;
    ann.refused(&set("shared"), "NO [NOPERM]").await;
    bob.ok("ENABLE METADATA").await;
    bob.ok("SETACL Team ann lw").await;
    ann.ok(&set("shared")).await;
    bob.sees("NOOP", &["* METADATA \"Team\" /shared/comment"])
        .await;
    bob.sees(
        "GETMETADATA Team (/shared/comment /private/comment)",
        &["* METADATA \"Team\" (/private/comment \"bob's\" /shared/comment \"ann's\")"],
    )
    .await;
    let list = format!("LIST \"\" {team} RETURN (METADATA (/private/comment))");
    let lines = ann.ok(&list).await;
    assert_eq!(
        lines[1],
        format!("* METADATA {team} (/private/comment \"ann's\")")
    );
}

/// What Delta Chat asks of servers: notes for the user, how to reach the administrator, and a place for the
/// token by which a notification reaches the device.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delta_chat_keeps_its_device_token() {
    let (_server, mut phone, mut tablet) = two().await;
    phone
        .sees(
            "GETMETADATA \"\" (/shared/comment /shared/admin /shared/vendor/deltachat/irohrelay)",
            &[
                "* METADATA \"\" (/shared/admin \"mailto:root@example.org\" /shared/comment NIL \
               /shared/vendor/deltachat/irohrelay NIL)",
            ],
        )
        .await;
    phone
        .ok("SETMETADATA \"INBOX\" (/private/devicetoken \"openpgp:abc\")")
        .await;
    tablet
        .sees(
            "GETMETADATA \"INBOX\" (/private/devicetoken)",
            &["* METADATA INBOX (/private/devicetoken \"openpgp:abc\")"],
        )
        .await;
}

/// RFC 7162 §3.2: the mailbox is not as it was, which its mod-sequence shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_an_annotation_moves_the_mailbox_on() {
    let (_server, mut ann, mut other) = two().await;
    ann.ok("ENABLE CONDSTORE").await;
    ann.ok("SELECT INBOX").await;
    let set = "SETMETADATA INBOX (/shared/comment \"x\" /private/comment \"y\")";
    for (command, modseq) in [
        (set, 2),
        (set, 2),
        ("SETMETADATA INBOX (/shared/comment NIL)", 3),
        ("SETMETADATA INBOX (/shared/comment NIL)", 3),
        ("SETMETADATA \"\" (/private/comment \"z\")", 3),
    ] {
        other.ok(command).await;
        let told = format!("* STATUS INBOX (HIGHESTMODSEQ {modseq})");
        ann.sees("STATUS INBOX (HIGHESTMODSEQ)", &[&told]).await;
    }
    ann.append("INBOX", "", "x").await;
    ann.ok("NOOP").await;
    ann.sees("FETCH 1 MODSEQ", &["* 1 FETCH (MODSEQ (4))"])
        .await;
}

crate::dialect::also_in_rev2!(
    annotations_are_set_read_and_removed,
    values_may_have_any_octets,
    options_say_how_deep_and_how_large,
    a_name_that_is_none_is_an_error_and_nothing_is_set,
    the_server_has_its_own,
    too_large_and_too_many_are_told_apart,
    annotations_follow_a_mailbox_and_end_with_it,
    whoever_wants_to_hear_of_changes_hears_of_others,
    list_tells_annotations_of_all_mailboxes,
    delta_chat_keeps_its_device_token,
);

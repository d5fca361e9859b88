//! Whole configurations as people write them.

use pillarbox_config::{Address, addresses, bind_top, print};

use crate::{outcome, tree};

/// An IMAP server that takes its mail by LMTP.
const MINIMAL: &str = r#"
$(hostname) = mail.example.org

state_dir /var/lib/maddy
runtime_dir /run/maddy
hostname $(hostname)
tls file /etc/maddy/certs/fullchain.pem /etc/maddy/certs/privkey.pem

auth.pass_table local_authdb {
    table sql_table {
        driver sqlite3
        dsn credentials.db
        table_name passwords
    }
}

storage.imapsql local_mailboxes {
    driver sqlite3
    dsn imapsql.db
}

imap tls://0.0.0.0:993 tcp://0.0.0.0:143 {
    auth &local_authdb
    storage &local_mailboxes
}

# mail arrives from the MTA here
lmtp unix://lmtp.sock {
    deliver_to &local_mailboxes
}
"#;

/// The block that documents the endpoint, with what it refers to.
const ENDPOINT: &str = r#"
storage.imapsql local_mailboxes {
    driver sqlite3
    dsn imapsql.db
}

imap tcp://0.0.0.0:143 tls://0.0.0.0:993 {
    tls /etc/ssl/private/cert.pem /etc/ssl/private/pkey.key
    io_debug no
    debug no
    insecure_auth no
    sasl_login no
    auth pam
    storage &local_mailboxes
    auth_map identity
    auth_map_normalize auto
    storage_map identity
    storage_map_normalize auto
}
"#;

/// A laboratory server without certificates.
const LABORATORY: &str = r#"
state_dir STATE/state
runtime_dir STATE/run
hostname mx.example.test
storage.imapsql local_mailboxes { 
    driver sqlite3
    dsn imapsql.db
}
auth.pass_table local_authdb {
    table static {
        entry user@example.org "HASH"
        entry user@example.com "HASH"
        entry other@example.org "HASH"
        entry user "HASH"
    }
}
imap tcp://127.0.0.1:1143 {
    tls off
    auth &local_authdb
    storage &local_mailboxes
}
lmtp unix://lmtp.sock {
    deliver_to &local_mailboxes
}
"#;

/// The top level in short: name, number of arguments, names in the block.
fn outline(text: &str) -> Vec<String> {
    let tree = tree(text);
    let line = |node: &pillarbox_config::Node| {
        let children: Vec<_> = node
            .children()
            .iter()
            .map(|child| child.name.text.as_str())
            .collect();
        format!(
            "{} {} {}",
            node.name.text,
            node.args.len(),
            children.join(" ")
        )
    };
    tree.nodes.iter().map(line).collect()
}

#[test]
fn the_minimal_server() {
    assert_eq!(
        outline(MINIMAL),
        [
            "state_dir 1 ",
            "runtime_dir 1 ",
            "hostname 1 ",
            "tls 3 ",
            "auth.pass_table 1 table",
            "storage.imapsql 1 driver dsn",
            "imap 2 auth storage",
            "lmtp 1 deliver_to",
        ]
    );
    let tree = tree(MINIMAL);
    assert_eq!(tree.nodes[2].args[0].text, "mail.example.org");
    let listening = addresses(&tree.nodes[6]).expect("good addresses");
    let shown: Vec<String> = listening.iter().map(Address::to_string).collect();
    assert_eq!(shown, ["tls://0.0.0.0:993", "tcp://0.0.0.0:143"]);
}

#[test]
fn the_documented_endpoint() {
    let directives = "tls io_debug debug insecure_auth sasl_login auth storage auth_map \
        auth_map_normalize storage_map storage_map_normalize";
    assert_eq!(
        outline(ENDPOINT),
        [
            "storage.imapsql 1 driver dsn".to_owned(),
            format!("imap 2 {directives}")
        ]
    );
}

#[test]
fn the_laboratory() {
    let tree = tree(LABORATORY);
    let (_, modules) = bind_top(&tree, &[]).expect("nothing is bound");
    assert_eq!(modules.len(), 7);
    let entries = modules[4].children()[0].children();
    assert_eq!(entries.len(), 4);
    assert!(
        entries
            .iter()
            .all(|entry| entry.texts().nth(1) == Some("HASH"))
    );
}

#[test]
fn variants_of_single_directives() {
    for (text, expected) in [
        (
            "tls cert.crt key.key {\n    protocols tls1.2 tls1.3\n}\n",
            "tls cert.crt key.key {\n    protocols tls1.2 tls1.3\n}\n",
        ),
        ("tls file C K", "tls file C K\n"),
        (
            "proxy_protocol {\n    trust 127.0.0.1 ::1 192.168.0.1/24\n    tls &proxy_tls\n}",
            "proxy_protocol {\n    trust 127.0.0.1 ::1 192.168.0.1/24\n    tls &proxy_tls\n}\n",
        ),
        (
            "storage_map email_localpart",
            "storage_map email_localpart\n",
        ),
        (
            "delivery_map email_localpart # deliver \"user@*\" to mailbox for \"user\"",
            "delivery_map email_localpart\n",
        ),
        (
            "table static { entry a \"b c\" }",
            "table static {\n    entry a \"b c\"\n}\n",
        ),
    ] {
        assert_eq!(outcome(&[("F", text)]), expected);
    }
}

/// Printed and read again, each of them is the same.
#[test]
fn printing_changes_nothing() {
    for text in [MINIMAL, ENDPOINT, LABORATORY] {
        let printed = print(&tree(text).nodes).expect("printable");
        assert_eq!(outcome(&[("F", &printed)]), printed);
        assert_eq!(outline(&printed), outline(text));
    }
}

/// What the manual shows is what is read.
#[test]
fn the_examples_of_the_manual() {
    let page = include_str!("../../../../docs/reference/syntax.md");
    let examples: Vec<&str> = page.split("\n```").skip(1).step_by(2).collect();
    let read: Vec<_> = examples
        .iter()
        .filter_map(|example| example.strip_prefix('\n'))
        .collect();
    assert_eq!(read.len(), 6);
    for example in &read {
        assert!(!outline(example).is_empty(), "{example}");
    }
    let quoted = tree(read[1]);
    let texts: Vec<_> = quoted.nodes[0].texts().collect();
    let expected = [
        "user@example.org",
        "two words",
        "a \"quoted\" word",
        r"C:\not\special",
        "",
    ];
    assert_eq!(texts, expected);
    let certificate = tree(read[2]).nodes[2].args[1].text.clone();
    assert_eq!(
        certificate,
        "/etc/letsencrypt/live/mx.example.org/fullchain.pem"
    );
    assert_eq!(tree(read[3]).nodes[0].children().len(), 2);
}

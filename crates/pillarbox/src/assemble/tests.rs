//! Whole configurations, and what becomes of them. Numbers are those of the requirements that the
//! manual of the endpoint makes.

mod proxy;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::auth::hash::Hash;
use crate::endpoint::{EndpointBlock, Protocol};
use crate::normalize::Normalize;
use crate::testing::{now, secret, tree};

/// Blocks that most configurations here share: `&local_mailboxes` and `&local_authdb`.
const BLOCKS: &str = "
    storage.imapsql local_mailboxes {
        driver sqlite3
        dsn imapsql.db
    }
    auth.pass_table local_authdb {
        table static {
            entry user@example.org HASH
            entry user@example.com HASH
            entry other@example.org HASH
            entry user HASH
        }
    }
";

/// An `imap` block that needs nothing else than [`BLOCKS`].
const IMAP: &str = "
    imap tcp://127.0.0.1:1143 {
        tls off
        auth &local_authdb
        storage &local_mailboxes
    }
";

/// A server's directories and configuration.
struct Fixture {
    directory: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A whole file of a server's own directories and `text`, whose first line is line 1.
    fn text(&self, text: &str) -> String {
        let hash = Hash::Bcrypt { cost: 4 }.create(&secret("123")).unwrap();
        let path = self.path().display();
        let text = text.replace("HASH", &hash);
        format!("{text}\nstate_dir {path}/state\nruntime_dir {path}/run\n")
    }

    fn assemble(&self, text: &str, mode: Mode) -> Result<Server, String> {
        let options = Options::new(mode, crate::storage::engine::open);
        assemble(&tree(&self.text(text)), &options).map_err(|errors| errors.render(false))
    }

    #[track_caller]
    fn run(&self, text: &str) -> Server {
        match self.assemble(text, Mode::Run) {
            Ok(server) => server,
            Err(errors) => panic!("{errors}"),
        }
    }

    #[track_caller]
    fn refuse(&self, text: &str) -> String {
        match self.assemble(text, Mode::Verify) {
            Ok(_) => panic!("it was accepted"),
            Err(errors) => errors,
        }
    }
}

/// One endpoint, with [`BLOCKS`] and more lines in its block.
fn block(fixture: &Fixture, more: &str) -> EndpointBlock {
    let imap = IMAP.replace("tls off", &format!("tls off\n{more}"));
    let mut server = fixture.run(&format!("{BLOCKS}{imap}"));
    server.endpoints.pop().unwrap()
}

/// What [`block`] says of IMAP.
fn endpoint(fixture: &Fixture, more: &str) -> ImapBlock {
    match block(fixture, more).protocol {
        Protocol::Imap(imap) => imap,
        _ => panic!("not IMAP"),
    }
}

/// What an `imap` block says of IMAP.
fn imap_of(block: &EndpointBlock) -> &ImapBlock {
    match &block.protocol {
        Protocol::Imap(imap) => imap,
        _ => panic!("not IMAP"),
    }
}

/// The account that a login leads to; it is made by this if it isn't there.
fn log_in(endpoint: &ImapBlock, user: &str, password: &str) -> Option<String> {
    now(async {
        let login = endpoint.login.login(user, &secret(password)).await.ok()?;
        let account = endpoint.storage.account_at_login(&login).await.unwrap();
        Some(account.name.into())
    })
}

fn accounts(endpoint: &ImapBlock) -> Vec<String> {
    let accounts = now(endpoint.storage.store.accounts()).unwrap();
    accounts
        .into_iter()
        .map(|account| account.name.into())
        .collect()
}

fn mailboxes(endpoint: &ImapBlock, account: &str) -> Vec<String> {
    now(async {
        let store = &endpoint.storage.store;
        let account = store.account(account).await.unwrap().unwrap();
        let mailboxes = store.mailboxes(account.id).await.unwrap();
        mailboxes.iter().map(|info| info.name.to_string()).collect()
    })
}

/// A self-signed certificate and its key, as files `cert.pem` and `pkey.key`.
fn write_certificate(directory: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["mx.example.test".to_owned()]).unwrap();
    fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(directory.join("pkey.key"), made.signing_key.serialize_pem()).unwrap();
}

/// C9, C10: the manual's example, word for word but for the paths and a provider that is there.
#[test]
fn the_manuals_example_is_accepted() {
    let fixture = Fixture::new();
    write_certificate(fixture.path());
    let text = "
        storage.imapsql local_mailboxes {
            driver sqlite3
            dsn imapsql.db
            delivery_map email_localpart # deliver \"user@*\" to mailbox for \"user\"
        }
        imap tcp://0.0.0.0:143 tls://0.0.0.0:993 {
            tls DIR/cert.pem DIR/pkey.key
            io_debug no
            debug no
            insecure_auth no
            auth dummy
            storage &local_mailboxes
            auth_map identity
            auth_map_normalize auto
            storage_map identity
            storage_map_normalize auto
        }";
    let text = text.replace("DIR", &fixture.path().display().to_string());
    fixture.assemble(&text, Mode::Verify).unwrap();
    assert!(
        !fixture.path().join("state").exists(),
        "verifying makes nothing"
    );

    let server = fixture.run(&text);
    let block = &server.endpoints[0];
    assert_eq!(block.addresses.len(), 2);
    assert!(matches!(block.tls, TlsSettings::On(_)) && !imap_of(block).insecure_auth);
    assert_eq!(server.storages[0].0, "local_mailboxes");
    assert!(fixture.path().join("state/imapsql.db").exists());
}

/// C11: what is not said is as documented.
#[test]
fn defaults() {
    let fixture = Fixture::new();
    let block = block(&fixture, "");
    assert_eq!(block.name, "imap");
    assert!(!block.io_debug && !block.io_errors && !block.debug);
    assert_eq!(block.limits, pillarbox_model::limit::Limits::default());
    let imap = imap_of(&block);
    assert!(!imap.sasl_login);
    assert_eq!(imap.login.auth_normalize, Normalize::Auto);
    assert_eq!(imap.login.storage_normalize, Normalize::Auto);
    assert!(imap.login.auth_map.is_none() && imap.login.storage_map.is_none());
    assert_eq!(imap.storage.delimiter, pillarbox_model::Delimiter('.'));
    assert_eq!(imap.storage.junk_mailbox.as_str(), "Junk");
}

/// C11: and what is said counts.
#[test]
fn settings() {
    let fixture = Fixture::new();
    let block = block(
        &fixture,
        "io_debug
         io_errors yes
         debug yes
         sasl_login yes
         max_connections 10
         max_connections_per_user 3
         max_connections_per_ip 4
         login_timeout 5s
         idle_timeout 1h
         write_timeout 6s
         tls_timeout 7s",
    );
    assert!(block.io_debug && block.io_errors && block.debug && imap_of(&block).sasl_login);
    let limits = &block.limits;
    assert_eq!(limits.connections, 10);
    assert_eq!(limits.connections_per_user, 3);
    assert_eq!(limits.connections_per_ip, 4);
    assert!(limits.count_loopback);
    let seconds = [
        limits.login_timeout,
        limits.idle_timeout,
        limits.write_timeout,
        limits.tls_timeout,
    ];
    assert_eq!(seconds.map(|time| time.as_secs()), [5, 3600, 6, 7]);
    let refused = fixture.refuse(&format!(
        "{BLOCKS}{}",
        IMAP.replace("tls off", "idle_timeout 1s")
    ));
    assert!(refused.contains("idle_timeout"), "{refused}");
}

/// C13, C14: `tls` is inherited unless there is one in the block.
#[test]
fn tls_is_inherited() {
    let fixture = Fixture::new();
    let other = IMAP
        .replace("1143", "1144")
        .replace("tls off", "tls self_signed localhost");
    let inheriting = IMAP.replace("1143", "1145").replace("tls off", "");
    let text =
        format!("tls self_signed mx.example.test\n{BLOCKS}{IMAP}{other}{inheriting}{inheriting}");
    let server = fixture.run(&text);
    let [off, own, first, second] = server.endpoints.as_slice() else {
        panic!("four endpoints");
    };
    assert!(matches!(off.tls, TlsSettings::Off));
    let (TlsSettings::On(own), TlsSettings::On(first), TlsSettings::On(second)) =
        (&own.tls, &first.tls, &second.tls)
    else {
        panic!("TLS is on");
    };
    assert!(Arc::ptr_eq(first, second) && !Arc::ptr_eq(own, first));
}

/// A loader's block counts as used when a `tls` refers to it, from the top level too.
#[test]
fn tls_may_refer_to_a_block() {
    let fixture = Fixture::new();
    let imap = IMAP.replace("tls off", "");
    let loader = "tls.loader.self_signed certificate";
    let server = fixture.run(&format!("tls &certificate\n{loader}\n{BLOCKS}{imap}"));
    assert!(matches!(server.endpoints[0].tls, TlsSettings::On(_)));
    let refused = fixture.refuse(&format!("tls &local_authdb\n{loader}\n{BLOCKS}{imap}"));
    assert!(
        refused.contains("is not a source of certificates"),
        "{refused}"
    );
    assert!(refused.contains("test.conf:1:5:"), "{refused}");
}

/// Even if nobody connects anywhere.
#[test]
fn tls_client_is_looked_into() {
    let fixture = Fixture::new();
    let refused = fixture.refuse(&format!(
        "tls_client {{\nroot_ca missing\n}}\n{BLOCKS}{IMAP}"
    ));
    assert!(
        refused.contains("test.conf:2:9: root_ca: can't read"),
        "{refused}"
    );
}

/// C17: `tls off` and `tls://` contradict each other.
#[test]
fn implicit_tls_needs_tls() {
    let fixture = Fixture::new();
    let refused = fixture.refuse(&format!("{BLOCKS}{}", IMAP.replace("tcp://", "tls://")));
    assert!(refused.contains("imap: can't bind on IMAPS endpoint without TLS configuration"));
}

/// C18, C39, C41: what is required, with the place of the block.
#[test]
fn what_is_required() {
    let fixture = Fixture::new();
    for (line, name) in [
        ("tls off", "tls"),
        ("auth &local_authdb", "auth"),
        ("storage &local_mailboxes", "storage"),
    ] {
        let refused = fixture.refuse(&IMAP.replace(line, ""));
        let message = format!("test.conf:2:5: missing required directive: {name}");
        assert!(refused.contains(&message), "{refused}");
    }
}

/// C37: without TLS passwords are taken in clear, whatever is written.
#[test]
fn without_tls_passwords_go_in_clear() {
    let fixture = Fixture::new();
    assert!(endpoint(&fixture, "insecure_auth no").insecure_auth);
}

/// C40, C42: modules by name and in place.
#[test]
fn references_may_be_named_or_in_place() {
    let fixture = Fixture::new();
    let hash = "pass_table static {\n entry user@example.org HASH\n }";
    for auth in ["dummy", hash, "&local_authdb"] {
        for storage in ["imapsql sqlite3 x.db", "&local_mailboxes"] {
            let imap = IMAP
                .replace("&local_authdb", auth)
                .replace("&local_mailboxes", storage);
            // Another endpoint, so that no block is unused.
            let server = fixture.run(&format!("{BLOCKS}{IMAP}{imap}"));
            let account = log_in(imap_of(&server.endpoints[1]), "user@example.org", "123");
            assert_eq!(account.as_deref(), Some("user@example.org"));
        }
    }
}

/// C3, C4, C5: a login makes the account, and only a password lets in.
#[test]
fn accounts_come_into_being_by_logins() {
    let fixture = Fixture::new();
    let imap = endpoint(&fixture, "");
    assert_eq!(log_in(&imap, "user@example.org", "124"), None);
    assert!(accounts(&imap).is_empty());
    assert_eq!(
        log_in(&imap, "User@EXAMPLE.org", "123").as_deref(),
        Some("user@example.org")
    );
    assert_eq!(
        log_in(&imap, "user@example.org", "123").as_deref(),
        Some("user@example.org")
    );
    assert_eq!(accounts(&imap), ["user@example.org"]);
    assert_eq!(mailboxes(&imap, "user@example.org"), ["INBOX"]);
    now(imap.storage.create_account("Ghost@example.org")).unwrap();
    assert_eq!(log_in(&imap, "ghost@example.org", "123"), None);
    let made = mailboxes(&imap, "ghost@example.org");
    assert_eq!(
        made,
        ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]
    );
}

/// C44, C45, C50.
#[test]
fn the_storage_map_names_accounts() {
    let fixture = Fixture::new();
    let imap = endpoint(
        &fixture,
        "storage_map static {\n entry user@example.org shared\n}",
    );
    assert_eq!(
        log_in(&imap, "User@EXAMPLE.org", "123").as_deref(),
        Some("shared")
    );
    assert_eq!(log_in(&imap, "other@example.org", "123"), None);
    assert_eq!(accounts(&imap), ["shared"]);
}

/// C46, C47: two addresses share an account; the provider knows only addresses.
#[test]
fn addresses_may_share_an_account() {
    let fixture = Fixture::new();
    let text = IMAP.replace("tls off", "tls off\nstorage_map email_localpart");
    let blocks = BLOCKS.replace("entry user HASH", "");
    let server = fixture.run(&format!("{blocks}{text}"));
    let imap = imap_of(&server.endpoints[0]);
    assert_eq!(
        log_in(imap, "user@example.org", "123").as_deref(),
        Some("user")
    );
    assert_eq!(
        log_in(imap, "user@example.com", "123").as_deref(),
        Some("user")
    );
    assert_eq!(accounts(imap), ["user"]);
}

/// C48, C49: delivery has a mapping of its own, and makes no account.
#[test]
fn delivery_is_mapped_on_its_own() {
    let fixture = Fixture::new();
    let imap = endpoint(&fixture, "storage_map email_localpart");
    let to = |imap: &ImapBlock, address: &str| {
        now(imap.storage.account_for_delivery(address))
            .unwrap()
            .map(|account| String::from(account.name))
    };
    log_in(&imap, "user@example.org", "123").unwrap();
    assert_eq!(to(&imap, "user@example.org"), None);
    drop(imap);

    let blocks = BLOCKS.replace(
        "dsn imapsql.db",
        "dsn imapsql.db\ndelivery_map email_localpart",
    );
    let server = fixture.run(&format!("{blocks}{IMAP}"));
    let imap = imap_of(&server.endpoints[0]);
    assert_eq!(to(imap, "User@example.org").as_deref(), Some("user"));
    assert_eq!(to(imap, "user@EXAMPLE.com").as_deref(), Some("user"));
    assert_eq!(to(imap, "nobody@example.com"), None);
    assert!(now(imap.storage.account_for_delivery("user")).is_err());
    assert_eq!(accounts(imap), ["user"]);
}

/// C51.
#[test]
fn normalisation_functions_are_known_by_name() {
    let fixture = Fixture::new();
    for directive in ["storage_map_normalize", "auth_map_normalize"] {
        let with = |name: &str| {
            let imap = IMAP.replace("tls off", &format!("tls off\n{directive} {name}"));
            format!("{BLOCKS}{imap}")
        };
        for name in Normalize::NAMES {
            fixture.assemble(&with(name), Mode::Verify).unwrap();
        }
        let refused = fixture.refuse(&with("lower"));
        assert!(
            refused.contains("valid values are: [auto precis_casefold_email"),
            "{refused}"
        );
    }
}

/// C52: a provider that tells upper from lower case, and functions at both levels.
#[test]
fn the_nearest_normalisation_counts() {
    let fixture = Fixture::new();
    let auth = "plain_separate {
            user static {
                entry user@example.org x
            }
            pass dummy
        }";
    let imap = IMAP.replace("&local_authdb", auth);
    let storage = BLOCKS.split("auth.pass_table").next().unwrap();
    for (global, local, let_in) in [
        (
            "auth_map_normalize noop",
            "auth_map_normalize casefold",
            true,
        ),
        ("auth_map_normalize noop", "", false),
        ("", "", true),
    ] {
        let imap = imap.replace("tls off", &format!("tls off\n{local}"));
        let server = fixture.run(&format!("{global}\n{storage}{imap}"));
        let account = log_in(imap_of(&server.endpoints[0]), "USER@example.org", "x");
        assert_eq!(account.is_some(), let_in, "{global} / {local}");
    }
}

/// C53: `auth_map` translates for the provider, from the top level too.
#[test]
fn the_auth_map_names_users() {
    let fixture = Fixture::new();
    let imap = endpoint(&fixture, "auth_map email_localpart");
    let account = log_in(&imap, "user@anything.org", "123");
    assert_eq!(account.as_deref(), Some("user@anything.org"));
    drop(imap);
    let server = fixture.run(&format!("auth_map email_localpart\n{BLOCKS}{IMAP}"));
    assert!(log_in(imap_of(&server.endpoints[0]), "user@anything.org", "123").is_some());
}

/// The storage's own, deprecated translation comes after the endpoint's, and is warned of.
#[test]
fn the_storages_own_map_still_works() {
    let fixture = Fixture::new();
    let blocks = BLOCKS.replace(
        "dsn imapsql.db",
        "dsn imapsql.db\nauth_map email_localpart\nauth_normalize precis_email",
    );
    let server = fixture.run(&format!("{blocks}{IMAP}"));
    let account = log_in(imap_of(&server.endpoints[0]), "user@example.org", "123");
    assert_eq!(account.as_deref(), Some("user"));
    assert_eq!(server.warnings.len(), 2);
    assert!(server.warnings[0].starts_with("test.conf:5:1: auth_map is deprecated here"));
}

/// A storage used as a table lets in only who has an account already.
#[test]
fn a_storage_knows_its_accounts() {
    let fixture = Fixture::new();
    let auth = "plain_separate {
            user &local_mailboxes
            pass &local_authdb
        }";
    let server = fixture.run(&format!("{BLOCKS}{}", IMAP.replace("&local_authdb", auth)));
    let imap = imap_of(&server.endpoints[0]);
    assert_eq!(log_in(imap, "user", "123"), None);
    now(imap.storage.create_account("user")).unwrap();
    assert_eq!(log_in(imap, "User", "123").as_deref(), Some("user"));
    assert_eq!(log_in(imap, "a b", "123"), None);
}

#[test]
fn a_block_may_have_several_names() {
    let fixture = Fixture::new();
    let blocks = BLOCKS.replace("local_authdb {", "local_authdb users {");
    let imap = IMAP.replace("&local_authdb", "&users");
    let server = fixture.run(&format!("{blocks}{imap}"));
    assert_eq!(server.credentials.len(), 1);
    assert_eq!(server.credentials[0].0, "local_authdb");
    let refused = fixture.refuse(&format!("{blocks}auth.pass_table users\n{imap}"));
    assert!(
        refused.contains("config block named users already exists"),
        "{refused}"
    );
}

#[test]
fn unused_blocks_and_a_lack_of_endpoints_are_mistakes() {
    let fixture = Fixture::new();
    let refused = fixture.refuse(&format!("table.identity x\n{BLOCKS}{IMAP}"));
    assert!(
        refused.contains("test.conf:1:1: unused configuration block x (table.identity)"),
        "{refused}"
    );
    assert!(
        fixture
            .refuse("")
            .contains("at least one endpoint should be configured")
    );
}

#[test]
fn references_have_to_lead_somewhere_fitting() {
    let fixture = Fixture::new();
    let refuse =
        |from: &str, to: &str| fixture.refuse(&format!("{BLOCKS}{}", IMAP.replace(from, to)));
    let refused = refuse("&local_authdb", "&local_autdb");
    assert!(refused.contains("no such instance registered: local_autdb"));
    assert!(
        refused.contains("did you mean `&local_authdb`?"),
        "{refused}"
    );
    let refused = refuse("&local_mailboxes", "&local_authdb");
    assert!(refused.contains("module auth.pass_table (local_authdb) is not a storage"));
    let refused = refuse("&local_authdb", "pass_tabel");
    assert!(refused.contains("unknown module: pass_tabel (namespace: auth)"));
    assert!(refused.contains("did you mean `pass_table`?"), "{refused}");
    let refused = refuse("&local_authdb", "table.identity");
    assert!(refused.contains("is not an authentication provider"));
    let refused = refuse("&local_authdb", "netauth");
    assert!(
        refused.contains("module auth.netauth is not supported"),
        "{refused}"
    );
    assert!(refused.contains("use `auth."), "{refused}");
    let refused = refuse("&local_authdb", "&local_authdb x");
    assert!(refused.contains("exactly one argument is required to use existing config block"));
}

#[test]
fn what_is_not_there_is_said_plainly() {
    let fixture = Fixture::new();
    let refuse = |text: &str| fixture.refuse(&format!("{text}\n{BLOCKS}{IMAP}"));
    assert!(refuse("imapp tcp://0.0.0.0:1").contains("did you mean `imap`?"));
    assert!(refuse("xyzzy").contains("unknown module or global directive: xyzzy"));
    assert!(refuse("auth.netauth x").contains("auth.netauth is not supported"));
    assert!(refuse("smtp unix://x").contains("endpoint smtp is not supported yet"));
    assert!(refuse("state_dir x").contains("duplicate directive: state_dir"));
}

#[test]
fn a_block_can_not_refer_to_itself() {
    let fixture = Fixture::new();
    let loops = "table.chain a {\n step &b\n}\ntable.chain b {\n step &a\n}\n";
    let imap = IMAP.replace("tls off", "tls off\nauth_map &a");
    let refused = fixture.refuse(&format!("{loops}{BLOCKS}{imap}"));
    assert!(
        refused.contains("test.conf:5:7: block a refers to itself"),
        "{refused}"
    );
    assert_eq!(refused.matches("refers to itself").count(), 1);
}

/// An error in a block that several endpoints use is told once; errors of others are told as well.
#[test]
fn all_errors_are_told_and_each_once() {
    let fixture = Fixture::new();
    let blocks = BLOCKS.replace("driver sqlite3", "driver sqlite");
    let broken = IMAP.replace("tls off", "tls off\nstorage_map statik\nsasl_login maybe");
    let refused = fixture.refuse(&format!("{blocks}{IMAP}{IMAP}{broken}"));
    assert_eq!(
        refused
            .matches("valid values are: [sqlite3 postgres]")
            .count(),
        1,
        "{refused}"
    );
    assert!(refused.contains("bool argument should be"), "{refused}");
}

/// Nothing is made of a configuration that has an error somewhere.
#[test]
fn an_error_makes_nothing() {
    let fixture = Fixture::new();
    let wrong = BLOCKS.replace("auth.pass_table", "auth.pass_tabel");
    let refused = fixture
        .assemble(&format!("{wrong}{IMAP}"), Mode::Run)
        .err()
        .unwrap();
    assert!(
        refused.contains("did you mean `auth.pass_table`?"),
        "{refused}"
    );
    assert!(fs::read_dir(fixture.path()).unwrap().next().is_none());
}

/// What nothing refers to is looked into as well, if something else is wrong.
#[test]
fn errors_do_not_hide_others() {
    let fixture = Fixture::new();
    let blocks = BLOCKS.replace("driver sqlite3", "driver sqlite");
    let imap = IMAP.replace("tls off", "tls_off");
    let refused = fixture.refuse(&format!("{blocks}{imap}"));
    assert!(
        refused.contains("unexpected directive: tls_off"),
        "{refused}"
    );
    assert!(
        refused.contains("valid values are: [sqlite3 postgres]"),
        "{refused}"
    );
}

#[test]
fn storages_say_what_is_wrong_with_them() {
    let fixture = Fixture::new();
    let with = |storage: &str| {
        fixture.refuse(&format!(
            "{BLOCKS}{}",
            IMAP.replace("&local_mailboxes", storage)
        ))
    };
    for (storage, said) in [
        ("imapsql sqlite3", "expected at least 2 arguments"),
        ("imapsql", "driver is required"),
        ("imapsql {\n driver sqlite3\n }", "dsn is required"),
        ("imapsql x y", "unknown driver \"x\""),
        ("imapsql postgres host=x", "PostgreSQL support"),
        ("imapsql sqlite3 x {\n appendlimit 4G\n }", "appendlimit"),
        (
            "imapsql sqlite3 x {\n compression bzip2\n }",
            "unknown compression algorithm",
        ),
        (
            "imapsql sqlite3 x {\n compression zstd a\n }",
            "is compression level",
        ),
        (
            "imapsql sqlite3 x {\n compression zstd 23\n }",
            "no such compression level",
        ),
        (
            "imapsql sqlite3 x {\n delivery_normalize x\n }",
            "valid values are",
        ),
        (
            "imapsql sqlite3 x {\n msg_store s3\n }",
            "storage.blob.s3 is not supported yet",
        ),
        (
            "imapsql sqlite3 x {\n msg_store fs\n }",
            "directory not set",
        ),
        (
            "imapsql sqlite3 x {\n msg_store fs a b\n }",
            "only one directory",
        ),
        (
            "imapsql sqlite3 x {\n default_mailbox A x\n }",
            "unknown special use: x",
        ),
        (
            "imapsql sqlite3 x {\n default_mailbox A sent\n default_mailbox B sent\n }",
            "there already",
        ),
        (
            "imapsql sqlite3 x {\n default_mailbox a..b\n }",
            "empty level",
        ),
        (
            "imapsql sqlite3 x {\n imap_filter x\n }",
            "unknown module: x (namespace: imap.filter)",
        ),
        (
            "imapsql sqlite3 x {\n imap_filter {\n command no-such-program\n }\n }",
            "there is no program no-such-program",
        ),
        (
            "imapsql sqlite3 x {\n imap_filter {\n }\n }",
            "missing required directive: command",
        ),
        (
            "imapsql sqlite3 x {\n quarantine_header X\n }",
            "as in `quarantine_header X-Spam-Flag YES`",
        ),
        (
            "imapsql sqlite3 x {\n delivery_detail yes\n }",
            "off inbox folder create",
        ),
    ] {
        let refused = with(storage);
        assert!(refused.contains(said), "{storage}: {refused}");
    }
}

#[test]
fn new_accounts_get_what_the_storage_says() {
    let fixture = Fixture::new();
    let storage = "dsn imapsql.db
        delimiter /
        junk_mailbox Spam
        default_mailbox Work/Sent \\Sent
        default_mailbox Notes
        login_mailboxes default
        msg_store fs mail
        sqlite_busy_timeout 100
        sqlite3_cache_size -2000
        appendlimit 1M";
    let blocks = BLOCKS.replace("dsn imapsql.db", storage);
    let server = fixture.run(&format!("{blocks}{IMAP}"));
    let imap = imap_of(&server.endpoints[0]);
    log_in(imap, "user", "123").unwrap();
    assert_eq!(
        mailboxes(imap, "user"),
        ["INBOX", "Notes", "Work", "Work/Sent"]
    );
    assert_eq!(imap.storage.append_limit, 1024 * 1024);
    assert_eq!(imap.storage.junk_mailbox.as_str(), "Spam");
    assert!(fixture.path().join("state/mail").is_dir());
}

/// C2: two storages that say no more than their databases do not get into each other's way.
#[test]
fn storages_are_apart() {
    let fixture = Fixture::new();
    let other = IMAP.replace("&local_mailboxes", "imapsql sqlite3 other.db");
    let server = fixture.run(&format!("{BLOCKS}{IMAP}{other}"));
    log_in(imap_of(&server.endpoints[0]), "user", "123").unwrap();
    assert!(accounts(imap_of(&server.endpoints[1])).is_empty());
    for directory in ["imapsql.messages", "other.messages"] {
        assert!(fixture.path().join("state").join(directory).is_dir());
    }
}

/// A reload opens nothing twice, and keeps what is open.
#[test]
fn engines_outlive_a_configuration() {
    let fixture = Fixture::new();
    let options = Options::new(Mode::Run, crate::storage::engine::open);
    let with = |text: &str| assemble(&tree(&fixture.text(text)), &options);
    let text = format!("{BLOCKS}{IMAP}");
    let first = with(&text).ok().unwrap();
    let second = with(&text.replace("1143", "1144")).ok().unwrap();
    let (first, second) = (imap_of(&first.endpoints[0]), imap_of(&second.endpoints[0]));
    assert!(Arc::ptr_eq(&first.storage.store, &second.storage.store));
    assert!(Arc::ptr_eq(&first.login.penalties, &second.login.penalties));

    let moved = text.replace("dsn imapsql.db", "dsn imapsql.db\nmsg_store fs elsewhere");
    let errors = with(&moved).err().unwrap().render(false);
    assert!(errors.contains("take a restart to change"), "{errors}");
}

#[test]
fn directories_are_absolute_and_made() {
    let fixture = Fixture::new();
    fixture.run(&format!("{BLOCKS}{IMAP}"));
    assert!(fixture.path().join("state").is_dir() && fixture.path().join("run").is_dir());
    let tree = tree("state_dir x");
    let errors = globals(&tree).unwrap_err().render(false);
    assert!(
        errors.contains("test.conf:1:1: statedir should be absolute"),
        "{errors}"
    );
}

/// Each directive has a text, and a default that it accepts itself.
#[test]
fn tables_of_directives_are_sound() {
    for module in modules() {
        pillarbox_config::check_table(module.directives)
            .unwrap_or_else(|wrong| panic!("{}: {wrong}", module.name));
        assert!(!module.doc.is_empty() && !module.offers.is_empty());
    }
    pillarbox_config::check_table(GLOBAL_DIRECTIVES).unwrap();
    for kind in endpoints() {
        pillarbox_config::check_table(kind.directives)
            .unwrap_or_else(|wrong| panic!("{}: {wrong}", kind.name));
    }
}

//! `storage.imapsql`: mail in an SQL database and a store for message bytes.

mod directives;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_config::{Bound, Directive, Error, Kind, Node, Span};
use pillarbox_model::{Delimiter, MailboxName, PerResource, SpecialUse};
use pillarbox_store::blobs::Compression;

use directives::DIRECTIVES;

use super::account_table::AccountTable;
use super::names::composed;
use super::sharing::{Shared, Sharing};
use super::{Mapping, MessageStore, Storage};
use crate::assemble::{Assembly, Mode};
use crate::delivery::{Detail, Rules};
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::normalize::Normalize;
use crate::storage::engine::Settings;

pub(crate) const MODULE: Module = Module {
    name: "storage.imapsql",
    aliases: &["target.imapsql"],
    offers: &[Offer::Storage, Offer::Table],
    arguments: "[DRIVER DSN...]",
    doc: "Keeps mailboxes in an SQL database and message bytes in a message store. As a table it \
          knows the names that have an account, each with an empty value.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        let storage = build(assembly, declaration)?;
        Ok(Parts {
            table: Some(Arc::new(AccountTable(storage.clone()))),
            storage,
            ..Parts::default()
        })
    },
};

/// The mailboxes of a new account if the configuration does not say.
const DEFAULT_MAILBOXES: [(&str, SpecialUse); 4] = [
    ("Archive", SpecialUse::Archive),
    ("Drafts", SpecialUse::Drafts),
    ("Sent", SpecialUse::Sent),
    ("Trash", SpecialUse::Trash),
];

/// Of `zstd`, unless another is given: what its own command line takes.
const DEFAULT_ZSTD_LEVEL: i32 = 3;

/// The storage; none when verifying, since that would open or create a database.
fn build<'t>(
    assembly: &mut Assembly<'t>,
    declaration: &Declaration<'t>,
) -> Built<Option<Arc<Storage>>> {
    let bound = assembly.bind_inheriting(declaration, DIRECTIVES)?;
    warn_of_obsolete(assembly, &bound);
    let (path, span) = database(assembly, declaration, &bound)?;
    let settings = Settings {
        path,
        messages: message_store(assembly, &bound)?,
        compression: compression(&bound)?,
        busy_timeout: Duration::from_millis(
            u64::try_from(bound.integer("sqlite3_busy_timeout")).unwrap_or(0),
        ),
        cache_size: bound.integer("sqlite3_cache_size"),
        delimiter: delimiter(&bound),
    };
    let delivery = rules(assembly, &bound)?;
    let auth = mapping(assembly, &bound, "auth_map", "auth_normalize")?;
    let junk_mailbox = junk_mailbox(&bound)?;
    let default_mailboxes = default_mailboxes(&bound, &junk_mailbox)?;
    let sharing = sharing(assembly, &bound)?;
    if assembly.mode() == Mode::Verify {
        return Ok(None);
    }
    let store = assembly
        .engines()
        .open(&settings)
        .map_err(|error| vec![Error::new(span, format!("imapsql: {error:#}")).may_pass()])?;
    Ok(Some(Arc::new(Storage {
        store,
        delimiter: settings.delimiter,
        append_limit: bound.size("appendlimit"),
        default_quota: default_quota(&bound),
        default_mailboxes,
        default_mailboxes_at_login: bound.choice("login_mailboxes") == "default",
        junk_mailbox,
        auth,
        sharing,
        delivery,
        keys: Default::default(),
        log: Logger::new("imapsql").with_debug(bound.flag("debug")),
    })))
}

/// What accounts may have unless they have a quota of their own.
fn default_quota(bound: &Bound<'_>) -> PerResource<Option<u64>> {
    let count = |name| {
        let count = bound.is_set(name).then(|| bound.integer(name));
        count.and_then(|count| u64::try_from(count).ok())
    };
    PerResource {
        storage: bound.is_set("quota").then(|| bound.size("quota")),
        message: count("quota_messages"),
        mailbox: count("quota_mailboxes"),
    }
}

/// The path of the database and where it is said.
fn database(
    assembly: &Assembly<'_>,
    declaration: &Declaration<'_>,
    bound: &Bound<'_>,
) -> Built<(PathBuf, Span)> {
    let args = declaration.texts();
    let (driver, dsn, span) = match args.as_slice() {
        [] => (
            bound.choice("driver"),
            bound.list("dsn"),
            declaration.span(),
        ),
        [_] => {
            let error = declaration.error("imapsql: expected at least 2 arguments");
            return Err(vec![error.help("as in `imapsql sqlite3 imapsql.db`")]);
        }
        [driver, dsn @ ..] => (*driver, dsn.to_vec(), declaration.span()),
    };
    check_driver(driver, span)?;
    if dsn.is_empty() {
        let error = Error::new(span, "imapsql: dsn is required");
        return Err(vec![error.help("add `dsn imapsql.db`")]);
    }
    let span = bound.node("dsn").map_or(span, Node::span);
    Ok((assembly.path(&dsn.join(" ")), span))
}

fn check_driver(driver: &str, span: Span) -> Built<()> {
    let (message, help) = match driver {
        "sqlite3" => return Ok(()),
        "" => (
            "imapsql: driver is required".to_owned(),
            "add `driver sqlite3`",
        ),
        "postgres" => (
            "imapsql: no PostgreSQL in this build".to_owned(),
            "it comes with PostgreSQL support; until then use `driver sqlite3`",
        ),
        other => (
            format!("imapsql: unknown driver {other:?}"),
            "drivers are `sqlite3` and `postgres`",
        ),
    };
    Err(vec![Error::new(span, message).help(help)])
}

/// Warns of what has no effect any more.
fn warn_of_obsolete(assembly: &mut Assembly<'_>, bound: &Bound<'_>) {
    let obsolete = [
        ("fsstore", "fsstore has no effect, use `msg_store fs PATH`"),
        (
            "auth_map",
            "auth_map is deprecated here, use `storage_map` of the endpoint",
        ),
        (
            "auth_normalize",
            "auth_normalize is deprecated here, use `storage_map_normalize` of the endpoint",
        ),
    ];
    for (name, text) in obsolete {
        if let Some(node) = bound.node(name) {
            assembly.warn(node.span(), text);
        }
    }
}

fn message_store<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<MessageStore> {
    match bound.node("msg_store") {
        Some(node) => assembly.message_store(node),
        None => Ok(MessageStore::Pack(None)),
    }
}

/// LZ4 has one level here; another is understood, and makes no difference.
fn compression(bound: &Bound<'_>) -> Built<Compression> {
    let Some(node) = bound.node("compression") else {
        return Ok(Compression::Off);
    };
    let texts: Vec<&str> = node.texts().collect();
    let (algorithm, level) = match texts.as_slice() {
        [algorithm] => (*algorithm, Ok(DEFAULT_ZSTD_LEVEL)),
        [algorithm @ ("lz4" | "zstd"), level] => (*algorithm, level.parse::<i32>()),
        _ => ("", Ok(0)),
    };
    let (message, help) = match (algorithm, level) {
        ("off", _) => return Ok(Compression::Off),
        ("lz4", Ok(_)) => return Ok(Compression::Lz4),
        ("zstd", Ok(level @ 1..=22)) => return Ok(Compression::Zstd(level)),
        ("zstd", Ok(_)) => ("there is no such compression level", "from 1 to 22"),
        (_, Err(_)) => (
            "first argument for lz4 and zstd is compression level",
            "as in `compression zstd 3`",
        ),
        (_, Ok(_)) => (
            "unknown compression algorithm",
            "one of `off`, `lz4`, `zstd`",
        ),
    };
    Err(vec![Error::new(node.span(), message).help(help)])
}

fn delimiter(bound: &Bound<'_>) -> Delimiter {
    bound
        .choice("delimiter")
        .chars()
        .next()
        .map_or_else(Delimiter::default, Delimiter)
}

fn mapping<'t>(
    assembly: &mut Assembly<'t>,
    bound: &Bound<'t>,
    map: &str,
    normalize: &str,
) -> Built<Mapping> {
    let map = bound
        .node(map)
        .map(|node| assembly.table(node))
        .transpose()?;
    Ok(Mapping {
        normalize: Normalize::from_name(bound.choice(normalize)).unwrap_or_default(),
        map,
    })
}

fn rules<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<Rules> {
    let create_from = bound.node("delivery_create_from");
    let create_from = create_from.map(|node| assembly.table(node)).transpose()?;
    let mut filters = Vec::new();
    for node in bound.nodes("imap_filter") {
        filters.extend(assembly.filters(node)?);
    }
    let quarantine = bound.nodes("quarantine_header").into_iter().map(mark);
    let separator = bound.text("delivery_separator").unwrap_or_default();
    if separator.is_empty() {
        let span = bound
            .node("delivery_separator")
            .map_or(Span::BUILT_IN, Node::span);
        return Err(vec![Error::new(span, "the separator can't be empty")]);
    }
    Ok(Rules {
        mapping: mapping(assembly, bound, "delivery_map", "delivery_normalize")?,
        create_from,
        detail: Detail::from_name(bound.choice("delivery_detail")).unwrap_or_default(),
        separator: separator.to_owned(),
        quarantine: quarantine.collect::<Built<_>>()?,
        reject_over_quota: bound.choice("over_quota") == "reject",
        filters,
    })
}

/// The account of shared mailboxes if the configuration does not name it.
const SHARED_ACCOUNT: &str = "shared";

fn sharing<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<Sharing> {
    let groups = bound.node("acl_groups");
    let groups = groups.map(|node| assembly.table(node)).transpose()?;
    let others = match (
        bound.node("other_users_namespace"),
        bound.text("other_users_namespace"),
    ) {
        (Some(node), Some(text)) => Some(namespace(bound, text, node.span())?),
        _ => None,
    };
    let shared = bound.node("shared_namespace");
    let shared = shared
        .map(|node| shared_namespace(bound, node))
        .transpose()?;
    if let (Some(others), Some(shared)) = (&others, &shared) {
        let delimiter = delimiter(bound);
        let (one, other) = (others, &shared.prefix);
        if one == other || one.is_below(other, delimiter) || other.is_below(one, delimiter) {
            let span = bound
                .node("shared_namespace")
                .map_or(Span::BUILT_IN, Node::span);
            return Err(vec![Error::new(
                span,
                "the two namespaces have names in common",
            )]);
        }
    }
    Ok(Sharing {
        others,
        shared,
        groups,
    })
}

fn shared_namespace(bound: &Bound<'_>, node: &Node) -> Built<Shared> {
    let texts: Vec<&str> = node.texts().collect();
    let (prefix, account) = match texts.as_slice() {
        [prefix] => (*prefix, SHARED_ACCOUNT),
        [prefix, account] => (*prefix, *account),
        _ => {
            let error = Error::new(node.span(), "expected 1 or 2 arguments");
            return Err(vec![error.help("as in `shared_namespace Shared`")]);
        }
    };
    let account = Normalize::Casefold
        .apply(account)
        .map_err(|error| vec![Error::new(node.span(), error.to_string())])?;
    Ok(Shared {
        prefix: namespace(bound, prefix, node.span())?,
        account,
    })
}

/// What stands before the names of a namespace: a mailbox name, and not INBOX or below it.
fn namespace(bound: &Bound<'_>, text: &str, span: Span) -> Built<MailboxName> {
    let name = mailbox_name(bound, text, span)?;
    let bad = |problem: String| vec![Error::new(span, problem)];
    let name = composed(&name, delimiter(bound)).map_err(|error| bad(error.to_string()))?;
    let inbox = MailboxName::inbox();
    if name.is_inbox() || name.is_below(&inbox, delimiter(bound)) {
        return Err(bad("INBOX is everybody's own".to_owned()));
    }
    Ok(name)
}

/// A header field that marks junk, and the beginning of its value.
fn mark(node: &Node) -> Built<(String, String)> {
    let texts: Vec<&str> = node.texts().collect();
    match texts.as_slice() {
        [name, value] if !name.is_empty() => Ok(((*name).to_owned(), (*value).to_owned())),
        _ => {
            let error = Error::new(node.span(), "expected 2 arguments");
            Err(vec![
                error.help("as in `quarantine_header X-Spam-Flag YES`"),
            ])
        }
    }
}

fn junk_mailbox(bound: &Bound<'_>) -> Built<MailboxName> {
    let span = bound
        .node("junk_mailbox")
        .map_or(Span::BUILT_IN, Node::span);
    mailbox_name(bound, bound.text("junk_mailbox").unwrap_or_default(), span)
}

fn mailbox_name(bound: &Bound<'_>, text: &str, span: Span) -> Built<MailboxName> {
    let name = MailboxName::new(text, delimiter(bound));
    name.map_err(|error| vec![Error::new(span, error.to_string())])
}

/// The mailboxes of a new account, INBOX aside, which always is there.
fn default_mailboxes(
    bound: &Bound<'_>,
    junk: &MailboxName,
) -> Built<Vec<(MailboxName, Option<SpecialUse>)>> {
    if !bound.is_set("default_mailbox") {
        let mut mailboxes = vec![(junk.clone(), Some(SpecialUse::Junk))];
        for (name, special_use) in DEFAULT_MAILBOXES {
            mailboxes.push((
                mailbox_name(bound, name, Span::BUILT_IN)?,
                Some(special_use),
            ));
        }
        return Ok(mailboxes);
    }
    let mut mailboxes: Vec<(MailboxName, Option<SpecialUse>)> = Vec::new();
    for node in bound.nodes("default_mailbox") {
        let (name, special_use) = default_mailbox(bound, node)?;
        let taken = mailboxes.iter().any(|(other, other_use)| {
            *other == name || (special_use.is_some() && *other_use == special_use)
        });
        if taken {
            let message = "a mailbox of this name or special use is there already";
            return Err(vec![Error::new(node.span(), message)]);
        }
        if !name.is_inbox() {
            mailboxes.push((name, special_use));
        }
    }
    Ok(mailboxes)
}

fn default_mailbox(bound: &Bound<'_>, node: &Node) -> Built<(MailboxName, Option<SpecialUse>)> {
    let texts: Vec<&str> = node.texts().collect();
    let (name, special_use) = match texts.as_slice() {
        [name] => (*name, None),
        [name, special_use] => (*name, Some(*special_use)),
        _ => {
            let error = Error::new(node.span(), "expected 1 or 2 arguments");
            return Err(vec![error.help("as in `default_mailbox Sent sent`")]);
        }
    };
    let name = mailbox_name(bound, name, node.span())?;
    let Some(text) = special_use else {
        return Ok((name, None));
    };
    match SpecialUse::from_attribute(text) {
        Some(special_use) if !name.is_inbox() => Ok((name, Some(special_use))),
        Some(_) => Err(vec![Error::new(node.span(), "INBOX has no special use")]),
        None => {
            let error = Error::new(node.span(), format!("unknown special use: {text}"));
            Err(vec![error.help(
                "one of archive, drafts, important, junk, sent, trash",
            )])
        }
    }
}

/// The directives of message stores.
const DIRECTORY: &[Directive] = &[Directive::new(
    "root",
    Kind::Text,
    "",
    "The directory, if it is not an argument.",
)];

pub(crate) const PACK: Module = Module {
    name: "storage.blob.pack",
    aliases: &[],
    offers: &[Offer::MessageStore],
    arguments: "[PATH]",
    doc: "Keeps messages one after the other in large segment files, which is fast to write and to \
          read. By default they are beside the database, in `imapsql.messages` for `imapsql.db`. \
          No two storages can have the same directory.",
    directives: DIRECTORY,
    build: |assembly, declaration| {
        let directory = directory(assembly, declaration)?;
        Ok(message_store_parts(MessageStore::Pack(directory)))
    },
};

pub(crate) const FS: Module = Module {
    name: "storage.blob.fs",
    aliases: &[],
    offers: &[Offer::MessageStore],
    arguments: "PATH",
    doc: "Keeps one file a message in a directory.",
    directives: DIRECTORY,
    build: |assembly, declaration| {
        let directory = directory(assembly, declaration)?.ok_or_else(|| {
            let error = declaration.error("storage.blob.fs: directory not set");
            vec![error.help("as in `fs messages`")]
        })?;
        Ok(message_store_parts(MessageStore::Fs(directory)))
    },
};

fn message_store_parts(store: MessageStore) -> Parts {
    Parts {
        message_store: Some(store),
        ..Parts::default()
    }
}

fn directory(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Option<PathBuf>> {
    let bound = declaration.bind(DIRECTORY)?;
    match (declaration.texts().as_slice(), bound.text("root")) {
        ([], root) => Ok(root.map(|root| assembly.path(root))),
        ([path], None) => Ok(Some(assembly.path(path))),
        _ => Err(vec![declaration.error("only one directory is expected")]),
    }
}

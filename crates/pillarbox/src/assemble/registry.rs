//! All modules by name.

use pillarbox_config::{Error, Node, Word, nearest};

use super::{certificates, globals, imap, lmtp, sasld};
use crate::endpoint::EndpointKind;
use crate::lmtp::throttle;
use crate::module::{Module, Offer};
use crate::{auth, delivery, storage, table};

/// What listens, in the order of the reference.
const ENDPOINTS: &[&EndpointKind] = &[&imap::KIND, &lmtp::KIND, &sasld::KIND];

/// Endpoints of maddy that this build does not have.
const ENDPOINTS_LATER: &[&str] = &["smtp", "submission", "openmetrics"];

/// Modules of maddy that this build does not have, with what there is instead.
const LATER: &[(&str, &str)] = &[
    ("auth.netauth", NETAUTH),
    (
        "table.netauth",
        "`table.ldap`, `table.file` or `table.sql_table`",
    ),
    (
        "storage.blob.s3",
        "`storage.blob.pack` or `storage.blob.fs`",
    ),
];

/// There is no client for it that somebody maintains.
const NETAUTH: &str = "`auth.ldap`, `auth.pam`, `auth.dovecot_sasl` or `auth.external`";

/// All kinds of endpoints, in the order of the reference.
pub fn endpoints() -> impl Iterator<Item = &'static EndpointKind> {
    ENDPOINTS.iter().copied()
}

/// The names of all endpoints that are known, whether they are supported or not.
fn endpoint_names() -> impl Iterator<Item = &'static str> {
    endpoints()
        .map(|kind| kind.name)
        .chain(ENDPOINTS_LATER.iter().copied())
}

/// Whether a directive at top level is an endpoint.
pub(super) fn is_endpoint(name: &str) -> bool {
    endpoint_names().any(|known| known == name)
}

/// The kind of an endpoint.
pub(super) fn endpoint(word: &Word) -> Result<&'static EndpointKind, Error> {
    let found = endpoints().find(|kind| kind.name == word.text);
    found.ok_or_else(|| {
        let message = format!("endpoint {} is not supported yet by this build", word.text);
        Error::new(word.span, message).help("remove this block")
    })
}

/// All modules, in the order of the reference.
pub fn modules() -> impl Iterator<Item = &'static Module> {
    [
        auth::MODULES,
        storage::MODULES,
        table::MODULES,
        certificates::MODULES,
        delivery::filter::MODULES,
        throttle::MODULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The module of a full name.
pub(super) fn module(name: &str) -> Option<&'static Module> {
    modules().find(|module| module.is_named(name))
}

/// The module that a word in place means: with a dot it is a full name, without one it is looked up
/// in the namespace first.
pub(super) fn inline(word: &Word, offer: Offer) -> Result<&'static Module, Error> {
    let name = word.text.as_str();
    let full = format!("{}.{name}", offer.namespace());
    let dotted = name.contains('.');
    let found = (!dotted).then(|| module(&full)).flatten();
    if let Some(module) = found.or_else(|| module(name)) {
        return Ok(module);
    }
    if let Some(error) = later(word, &[&full, name]) {
        return Err(error);
    }
    let message = format!("unknown module: {name} (namespace: {})", offer.namespace());
    let error = Error::new(word.span, message);
    let fitting = modules().filter(|module| module.offers.contains(&offer));
    let names = fitting.map(|module| match dotted {
        true => module.name,
        false => module
            .name
            .rsplit_once('.')
            .map_or(module.name, |(_, name)| name),
    });
    Err(match nearest(name, names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    })
}

/// The error for a directive at top level that means nothing here.
pub(super) fn unknown_top(node: &Node) -> Error {
    let name = node.name.text.as_str();
    if let Some(error) = later(&node.name, &[name]) {
        return error;
    }
    let message = format!("unknown module or global directive: {name}");
    let error = Error::new(node.name.span, message);
    let known = globals::DIRECTIVES.iter().map(|row| row.name);
    let known = known.chain(endpoint_names());
    match nearest(name, known.chain(modules().map(|module| module.name))) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// The error for a module that is known and not there.
fn later(word: &Word, names: &[&str]) -> Option<Error> {
    let (name, instead) = LATER.iter().find(|(name, _)| names.contains(name))?;
    let message = format!("module {name} is not supported yet by this build");
    Some(Error::new(word.span, message).help(format!("use {instead}")))
}

//! `imap` blocks.

use std::sync::Arc;

use pillarbox_config::{Address, Bound, Error, Node, addresses};
use pillarbox_model::limit::Limits;

use super::Assembly;
use crate::auth::login::Login;
use crate::imap::directives::{DIRECTIVES, limits};
use crate::module::{Built, Declaration};
use crate::net::TlsSettings;
use crate::normalize::Normalize;
use crate::storage::Storage;

/// An `imap` block, as it is to be served.
pub struct ImapEndpoint {
    /// What log lines begin with.
    pub name: String,
    /// Where it listens, at least one.
    pub addresses: Vec<Address>,
    /// For `tls://` addresses and STARTTLS.
    pub tls: TlsSettings,
    /// Log the protocol.
    pub io_debug: bool,
    /// Log errors of reading and writing.
    pub io_errors: bool,
    /// Log more.
    pub debug: bool,
    /// Take passwords in clear. Always so without TLS.
    pub insecure_auth: bool,
    /// Offer the mechanism LOGIN.
    pub sasl_login: bool,
    /// Who may in, and as what account.
    pub login: Arc<Login>,
    /// Their mail.
    pub storage: Arc<Storage>,
    /// Bounds.
    pub limits: Limits,
}

/// Reads an `imap` block; nothing comes of it when verifying. All of its directives are looked at,
/// even after an error.
pub(super) fn build<'t>(
    assembly: &mut Assembly<'t>,
    node: &'t Node,
    errors: &mut Vec<Error>,
) -> Option<ImapEndpoint> {
    let addresses = keep(addresses(node), errors);
    let declaration = Declaration {
        node,
        args: &[],
        block: node.children(),
    };
    let bound = keep(assembly.bind_inheriting(&declaration, DIRECTIVES), errors)?;
    let login = keep(login(assembly, &bound), errors);
    let storage = bound.node("storage").map(|node| assembly.storage(node));
    let storage = keep(storage.transpose(), errors).flatten().flatten();
    let tls = bound.node("tls").map(|node| assembly.tls(node));
    let tls = keep(tls.transpose(), errors).flatten();
    errors.extend(unsupported(&bound));
    let (addresses, tls) = (addresses?, tls?);
    let tls_off = matches!(tls, TlsSettings::Off);
    errors.extend(tls_without_tls(node, &addresses, tls_off));
    let storage = storage?;
    Some(ImapEndpoint {
        name: node.name.text.clone(),
        addresses,
        tls,
        io_debug: bound.flag("io_debug"),
        io_errors: bound.flag("io_errors"),
        debug: bound.flag("debug"),
        insecure_auth: bound.flag("insecure_auth") || tls_off,
        sasl_login: bound.flag("sasl_login"),
        login: Arc::new(login?),
        limits: limits(&bound, storage.append_limit),
        storage,
    })
}

/// The value, or nothing and its errors noted.
fn keep<T>(built: Built<T>, errors: &mut Vec<Error>) -> Option<T> {
    built.map_err(|more| errors.extend(more)).ok()
}

fn unsupported(bound: &Bound<'_>) -> Option<Error> {
    let node = bound.node("proxy_protocol")?;
    let error = Error::new(
        node.span(),
        "proxy_protocol is not supported yet by this build",
    );
    Some(error.help("remove it: believing nobody is safer than believing everybody"))
}

/// Addresses that want TLS where there is none.
fn tls_without_tls<'n>(
    node: &'n Node,
    addresses: &'n [Address],
    tls_off: bool,
) -> impl Iterator<Item = Error> + 'n {
    let both = node.args.iter().zip(addresses);
    let wanting = both.filter(move |(_, address)| address.tls && tls_off);
    wanting.map(|(word, _)| {
        let message = "imap: can't bind on IMAPS endpoint without TLS configuration";
        Error::new(word.span, message).help("replace `tls off`, or listen at `tcp://`")
    })
}

fn login<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<Login> {
    let mut errors = Vec::new();
    let mut providers = Vec::new();
    for node in bound.nodes("auth") {
        providers.extend(keep(assembly.provider(node), &mut errors));
    }
    let mut map = |name| {
        let map = bound.node(name).map(|node| assembly.table(node));
        keep(map.transpose(), &mut errors).flatten()
    };
    let (auth_map, storage_map) = (map("auth_map"), map("storage_map"));
    if !errors.is_empty() {
        return Err(errors);
    }
    let normalize = |name| Normalize::from_name(bound.choice(name)).unwrap_or_default();
    Ok(Login {
        providers,
        auth_map,
        auth_normalize: normalize("auth_map_normalize"),
        storage_map,
        storage_normalize: normalize("storage_map_normalize"),
        penalties: Arc::clone(&assembly.penalties),
    })
}

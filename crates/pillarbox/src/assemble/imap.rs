//! `imap` blocks.

use std::sync::Arc;

use pillarbox_config::{Bound, Error};

use super::Assembly;
use super::endpoint::keep;
use crate::auth::Cache;
use crate::auth::login::Login;
use crate::endpoint::{EndpointKind, Protocol};
use crate::imap::directives::{DIRECTIVES, limits};
use crate::imap::withhold::Withheld;
use crate::module::Built;
use crate::net::TlsSettings;
use crate::normalize::Normalize;
use crate::storage::Storage;

pub(super) const KIND: EndpointKind = EndpointKind {
    name: "imap",
    summary: "the IMAP endpoint",
    doc: "`imap ADDRESS... { ... }` serves IMAP at these addresses: `tcp://HOST:PORT` (with STARTTLS, \
          if there is TLS), `tls://HOST:PORT` (TLS from the first byte), `unix://PATH`, and sockets \
          that the service manager hands over: `fd://NUMBER`, `tls+fd://NUMBER`, `fdname://NAME`, \
          `tls+fdname://NAME`.",
    directives: DIRECTIVES,
    limits,
    build: |assembly, bound, tls, errors| build(assembly, bound, tls, errors).map(Protocol::Imap),
};

/// What an `imap` block says of IMAP.
pub struct ImapBlock {
    /// Take passwords in clear. Always so without TLS.
    pub insecure_auth: bool,
    /// Offer the mechanism LOGIN.
    pub sasl_login: bool,
    /// Extensions that some clients are not told of.
    pub withheld: Withheld,
    /// Who may in, and as what account.
    pub login: Arc<Login>,
    /// How to reach them.
    pub admin_contact: Option<Box<str>>,
    /// Accounts of administrators.
    pub admins: Box<[Box<str>]>,
    /// Their mail.
    pub storage: Arc<Storage>,
}

fn build<'t>(
    assembly: &mut Assembly<'t>,
    bound: &Bound<'t>,
    tls: &TlsSettings,
    errors: &mut Vec<Error>,
) -> Option<ImapBlock> {
    let login = keep(storing(assembly, bound), errors);
    let storage = bound.node("storage").map(|node| assembly.storage(node));
    let storage = keep(storage.transpose(), errors).flatten().flatten();
    let admins = keep(admins(bound), errors);
    let withheld = keep(withheld(assembly, bound), errors);
    Some(ImapBlock {
        insecure_auth: bound.flag("insecure_auth") || matches!(tls, TlsSettings::Off),
        sasl_login: bound.flag("sasl_login"),
        withheld: withheld?,
        login: Arc::new(login?),
        admins: admins?,
        admin_contact: bound.text("admin_contact").map(Into::into),
        storage: storage?,
    })
}

/// Names of accounts, which are kept in lower case.
fn admins(bound: &Bound<'_>) -> Built<Box<[Box<str>]>> {
    let mut admins = Vec::new();
    for node in bound.nodes("admins") {
        for text in node.texts() {
            let name = Normalize::Casefold.apply(text);
            let name =
                name.map_err(|error| vec![Error::new(node.span(), format!("{text}: {error}"))])?;
            admins.push(name.into());
        }
    }
    Ok(admins.into())
}

/// What some clients are not told of.
fn withheld<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<Withheld> {
    let mut errors = Vec::new();
    let withheld = keep(Withheld::build(bound), &mut errors);
    let map = bound.node("withhold_map").map(|node| assembly.table(node));
    let by_account = keep(map.transpose(), &mut errors).flatten();
    match withheld {
        Some(withheld) if errors.is_empty() => Ok(withheld.by_account(by_account)),
        _ => Err(errors),
    }
}

/// Without random numbers there is no cache, and all else goes on.
fn cache(bound: &Bound<'_>) -> Option<Cache> {
    let lifetime = bound.duration("auth_cache");
    (!lifetime.is_zero())
        .then(|| Cache::new(lifetime))
        .flatten()
}

/// Who may in, and as which storage account.
fn storing<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<Login> {
    let mut errors = Vec::new();
    let login = keep(asking(assembly, bound), &mut errors);
    let mut map = |name| {
        let map = bound.node(name).map(|node| assembly.table(node));
        keep(map.transpose(), &mut errors).flatten()
    };
    let (storage_map, certificate_map) = (map("storage_map"), map("client_certificate_map"));
    match login {
        Some(login) if errors.is_empty() => Ok(Login {
            storage_map,
            storage_normalize: normalize(bound, "storage_map_normalize"),
            certificate_map,
            ..login
        }),
        _ => Err(errors),
    }
}

fn normalize(bound: &Bound<'_>, name: &str) -> Normalize {
    Normalize::from_name(bound.choice(name)).unwrap_or_default()
}

/// Who may in, by the name that the providers are asked about.
pub(super) fn asking<'t>(assembly: &mut Assembly<'t>, bound: &Bound<'t>) -> Built<Login> {
    let mut errors = Vec::new();
    let mut providers = Vec::new();
    for node in bound.nodes("auth") {
        providers.extend(keep(assembly.provider(node), &mut errors));
    }
    let auth_map = bound.node("auth_map").map(|node| assembly.table(node));
    let auth_map = keep(auth_map.transpose(), &mut errors).flatten();
    if !errors.is_empty() {
        return Err(errors);
    }
    let auth_normalize = normalize(bound, "auth_map_normalize");
    Ok(Login {
        providers,
        auth_map,
        auth_normalize,
        storage_normalize: auth_normalize,
        penalties: Arc::clone(&assembly.penalties),
        cache: cache(bound),
        salt_secret: assembly.salt_secret()?,
        ..Login::default()
    })
}

//! The `tls` directive.

use std::path::Path;
use std::sync::Arc;

use pillarbox_config::{Bound, Directive, Error, Fault, Kind, Node, Word, bind, nearest};
use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};

use super::acme::{self, Acme, Orders};
use super::certificate::{Certificates, Pair, Source};
use super::peer::{self, Clients};
use super::{Origin, Tls, TlsSettings, names};
use crate::log::Logger;

/// What may stand in the block of a `tls` directive, or of a `tls.loader.file` block.
pub const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "loader",
        Kind::Custom,
        "",
        "Where certificates come from. `file CERT KEY...`, `self_signed NAME...`, `acme { ... }` or \
        `&NAME`; takes the place of the arguments of `tls`.",
    ),
    Directive::new(
        "certs",
        Kind::TextList,
        "",
        "Certificate files in PEM form. Each has the whole chain, the server's own certificate \
        first. The first file is for clients that ask for no name.",
    ),
    Directive::new(
        "keys",
        Kind::TextList,
        "",
        "Private key files in PEM form. As many as `certs`, in the same order.",
    ),
    PROTOCOLS,
    CIPHERS,
    CURVES,
    CLIENT_CA,
    CLIENT_AUTH,
    CLIENT_NAME,
];

/// Which versions.
pub(super) const PROTOCOLS: Directive = Directive::new(
    "protocols",
    Kind::TextList,
    "tls1.2 tls1.3",
    "Lowest and highest TLS version. One value is exactly that version. Older ones than `tls1.2` \
     are not available.",
);

/// Which suites.
pub(super) const CIPHERS: Directive = Directive::new(
    "ciphers",
    Kind::TextList,
    "",
    "Cipher suites for TLS 1.2. Without it all six that are available; those of TLS 1.3 are always \
     on.",
);

/// Which groups.
pub(super) const CURVES: Directive = Directive::new(
    "curves",
    Kind::TextList,
    "",
    "Groups for the key exchange, best first. Of `X25519MLKEM768` (post-quantum), `X25519`, `p256` \
     and `p384`; without it all of them in this order.",
);

/// Which clients may log in with a certificate.
pub(super) const CLIENT_CA: Directive = Directive::new(
    "client_ca",
    Kind::TextList,
    "",
    "Files in PEM form with the authorities whose certificates clients may show, to log in with the \
     SASL mechanism EXTERNAL. Without it no certificate is asked for.",
);

/// Whether they have to.
pub(super) const CLIENT_AUTH: Directive = Directive::new(
    "client_auth",
    Kind::Enum(peer::CLIENT_AUTH),
    "request",
    "`require` makes a connection without a client's certificate impossible.",
);

/// As whom.
pub(super) const CLIENT_NAME: Directive = Directive::new(
    "client_name",
    Kind::Enum(peer::CLIENT_NAMES),
    "san_email",
    "What in a client's certificate names the user: an e-mail address or a DNS name among the \
     alternative names, the common name, or the whole subject. `client_certificate_map` of the \
     endpoint translates it. A client can choose among several.",
);

/// The names of the directives that may stand beside a `loader`.
const RULES: [&str; 6] = [
    "protocols",
    "ciphers",
    "curves",
    "client_ca",
    "client_auth",
    "client_name",
];

/// Finds the block that `&name` refers to, such as `tls.loader.file NAME { ... }`.
pub type Blocks<'a, 't> = &'a dyn Fn(&Word) -> Result<&'t Node, Error>;

/// Where a `tls` directive stands.
pub struct Scope<'a, 't> {
    /// Relative paths are in it.
    pub state_dir: &'a Path,
    /// Told of certificates that are about to expire.
    pub log: &'a Logger,
    /// The blocks at top level.
    pub blocks: Blocks<'a, 't>,
    /// The directives at top level, for blocks that inherit.
    pub outer: &'a Bound<'t>,
    /// The certificates that the process orders; none when verifying.
    pub orders: Option<&'a Orders>,
}

/// Builds what a `tls` directive says: `off`, `file CERT KEY...`, `self_signed NAME...`, `acme`,
/// `&NAME`, bare `CERT KEY...`, each but the first and the last but one with a block of
/// [`DIRECTIVES`] or of [`acme::DIRECTIVES`]. Relative paths are in `state_dir`. Certificates are
/// read, and those that are about to expire are logged. Nothing is ordered.
///
/// # Errors
///
/// All that is wrong with the directive, and what is wrong with the files.
pub fn build<'t>(node: &'t Node, scope: &Scope<'_, 't>) -> Result<TlsSettings, Vec<Error>> {
    if let [only] = &node.args[..] {
        if only.text == "off" {
            return off(node);
        }
        if only.text.starts_with('&') {
            return build_block((scope.blocks)(only).map_err(one)?, scope);
        }
    }
    if is_acme(&node.args) {
        return ordered(node, &node.args, scope);
    }
    let bound = bind(node, node.children(), DIRECTIVES, None)?;
    let (origin, at) = origin(node, &bound, scope)?;
    assemble(origin, at, &bound, scope)
}

/// Builds what a top-level block `tls.loader.NAME` says.
///
/// # Errors
///
/// As [`build`].
pub fn build_block<'t>(node: &'t Node, scope: &Scope<'_, 't>) -> Result<TlsSettings, Vec<Error>> {
    if node.name.text == "tls.loader.acme" {
        return ordered(node, &[], scope);
    }
    let bound = bind(node, node.children(), DIRECTIVES, None)?;
    let source = block_source(node, &bound, scope.state_dir)?;
    assemble(loaded(source, node, scope)?, node, &bound, scope)
}

fn one(error: Error) -> Vec<Error> {
    vec![error]
}

fn off(node: &Node) -> Result<TlsSettings, Vec<Error>> {
    match node.children().first() {
        Some(child) => Err(one(Error::new(child.span(), "`tls off` takes no block"))),
        None => Ok(TlsSettings::Off),
    }
}

fn is_acme(args: &[Word]) -> bool {
    args.first().is_some_and(|word| word.text == "acme")
}

/// A block that says both how certificates are ordered and by which rules they are used.
fn ordered<'t>(
    node: &'t Node,
    args: &'t [Word],
    scope: &Scope<'_, 't>,
) -> Result<TlsSettings, Vec<Error>> {
    let (bound, acme) = acme_of(node, args, scope)?;
    assemble(Origin::Ordered(acme), node, &bound, scope)
}

fn acme_of<'t>(
    node: &'t Node,
    args: &'t [Word],
    scope: &Scope<'_, 't>,
) -> Result<(Bound<'t>, Arc<Acme>), Vec<Error>> {
    if let [_, word, ..] = args {
        let error = Error::new(word.span, "acme takes no arguments, but a block");
        return Err(one(
            error.help("as in `acme { hostname mx.example.org ... }`")
        ));
    }
    let bound = bind(node, node.children(), acme::DIRECTIVES, Some(scope.outer))?;
    let acme = acme::build(&bound, node, scope.state_dir, scope.orders, scope.log)?;
    Ok((bound, acme))
}

fn loaded(source: Source, at: &Node, scope: &Scope<'_, '_>) -> Result<Origin, Vec<Error>> {
    let certificates = Certificates::load(source, scope.log);
    let certificates = certificates.map_err(|error| {
        let message = format!("failed to load certificates: {error}");
        one(Error::new(at.span(), message))
    })?;
    Ok(Origin::Loaded(Arc::new(certificates)))
}

/// Where certificates come from, and the node that says so. What is wrong with the rules is told
/// with what is wrong with the files.
fn origin<'t>(
    node: &'t Node,
    bound: &Bound<'t>,
    scope: &Scope<'_, 't>,
) -> Result<(Origin, &'t Node), Vec<Error>> {
    let found = find_origin(node, bound, scope);
    found.map_err(|mut errors| {
        errors.extend(rules(bound).err().unwrap_or_default());
        errors
    })
}

fn find_origin<'t>(
    node: &'t Node,
    bound: &Bound<'t>,
    scope: &Scope<'_, 't>,
) -> Result<(Origin, &'t Node), Vec<Error>> {
    let Some(loader) = bound.node("loader") else {
        let source = from_args(node, &node.args, bound, scope.state_dir)?;
        return Ok((loaded(source, node, scope)?, node));
    };
    if let [word, ..] = &node.args[..] {
        let error = Error::new(word.span, "certificates are named twice");
        return Err(one(error.label(loader.span(), "and here")));
    }
    let referred = loader
        .args
        .first()
        .filter(|word| word.text.starts_with('&'));
    let (block, args) = match referred {
        Some(word) if loader.args.len() == 1 => ((scope.blocks)(word).map_err(one)?, &[][..]),
        _ => (loader, &loader.args[..]),
    };
    if is_acme(args) || block.name.text == "tls.loader.acme" {
        let (inner, acme) = acme_of(block, args, scope)?;
        refuse_rules(&inner)?;
        return Ok((Origin::Ordered(acme), block));
    }
    let inner = bind(block, block.children(), DIRECTIVES, None)?;
    refuse_rules(&inner)?;
    let source = match args {
        [] if referred.is_some() => block_source(block, &inner, scope.state_dir)?,
        args => from_args(block, args, &inner, scope.state_dir)?,
    };
    Ok((loaded(source, block, scope)?, block))
}

/// Rules of a loader, which nobody would look at.
fn refuse_rules(inner: &Bound<'_>) -> Result<(), Vec<Error>> {
    let misplaced = RULES.iter().filter_map(|name| inner.node(name));
    let errors: Vec<_> = misplaced.map(misplaced_rule).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn misplaced_rule(node: &Node) -> Error {
    let message = format!("{} says nothing about a loader", node.name.text);
    Error::new(node.span(), message).help("write it in the `tls` block, beside `loader`")
}

/// The loader of a block that stands at top level: its name says which.
fn block_source(node: &Node, bound: &Bound<'_>, state_dir: &Path) -> Result<Source, Vec<Error>> {
    match node.name.text.as_str() {
        "tls.loader.file" => from_directives(node, bound, state_dir),
        "tls.loader.self_signed" => Ok(Source::SelfSigned(vec!["localhost".to_owned()])),
        other => Err(one(unknown_loader(
            node,
            &node.name,
            other.strip_prefix("tls.loader.").unwrap_or(other),
        ))),
    }
}

fn from_args(
    node: &Node,
    args: &[Word],
    bound: &Bound<'_>,
    state_dir: &Path,
) -> Result<Source, Vec<Error>> {
    let (first, rest) = match args {
        [] => return from_directives(node, bound, state_dir),
        [first, rest @ ..] => (first, rest),
    };
    match first.text.as_str() {
        "file" if rest.is_empty() => from_directives(node, bound, state_dir),
        "file" => pairs(node, rest, state_dir),
        "self_signed" if rest.is_empty() => {
            let error = Error::new(node.span(), "self_signed needs a name for the certificate");
            Err(one(
                error.help("as in `tls self_signed localhost 127.0.0.1`")
            ))
        }
        "self_signed" => Ok(Source::SelfSigned(
            rest.iter().map(|w| w.text.clone()).collect(),
        )),
        "off" => Err(one(Error::new(first.span, "`off` stands alone"))),
        // Not the name of a loader but, as the manual has it, the first of the paths.
        path if path.contains(['/', '.']) || !rest.is_empty() => pairs(node, args, state_dir),
        other => Err(one(unknown_loader(node, first, other))),
    }
}

fn unknown_loader(node: &Node, word: &Word, name: &str) -> Error {
    let message = format!("unknown module: {name} (namespace: tls.loader)");
    let span = if node.args.is_empty() {
        node.span()
    } else {
        word.span
    };
    let error = Error::new(span, message);
    match nearest(name, ["file", "acme", "self_signed", "off"]) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("one of `file CERT KEY`, `acme`, `self_signed NAME` and `off`"),
    }
}

/// Certificates and keys in turn.
fn pairs(node: &Node, paths: &[Word], state_dir: &Path) -> Result<Source, Vec<Error>> {
    let (pairs, odd) = paths.as_chunks::<2>();
    if let [odd] = odd {
        let message = format!(
            "certificate {} has no key: an even number of paths is needed",
            odd.text
        );
        return Err(one(
            Error::new(odd.span, message).help("write `tls file CERT KEY`")
        ));
    }
    let pair = |[certificate, key]: &[Word; 2]| Pair {
        certificate: state_dir.join(&certificate.text),
        key: state_dir.join(&key.text),
    };
    some_pairs(node, pairs.iter().map(pair).collect())
}

/// `certs` and `keys`.
fn from_directives(node: &Node, bound: &Bound<'_>, state_dir: &Path) -> Result<Source, Vec<Error>> {
    let (certs, keys) = (bound.list("certs"), bound.list("keys"));
    if certs.len() != keys.len() {
        let (certs, keys) = (certs.len(), keys.len());
        let message = format!("certs names {certs} files and keys {keys}: each needs the other");
        return Err(one(Error::new(node.span(), message)));
    }
    let pair = |(certificate, key)| Pair {
        certificate: state_dir.join::<&str>(certificate),
        key: state_dir.join::<&str>(key),
    };
    some_pairs(node, certs.into_iter().zip(keys).map(pair).collect())
}

fn some_pairs(node: &Node, pairs: Vec<Pair>) -> Result<Source, Vec<Error>> {
    if pairs.is_empty() {
        let error = Error::new(node.span(), "at least one certificate required");
        return Err(one(
            error.help("write `tls file CERT KEY`, or `tls off` to do without")
        ));
    }
    Ok(Source::Files(pairs))
}

fn assemble(
    origin: Origin,
    at: &Node,
    bound: &Bound<'_>,
    scope: &Scope<'_, '_>,
) -> Result<TlsSettings, Vec<Error>> {
    let (provider, versions) = rules(bound)?;
    let clients = Clients::build(bound, scope.state_dir)?;
    let tls = Tls::new(origin, provider, &versions, clients.as_ref());
    let tls = tls.map_err(|error| one(Error::new(at.span(), format!("no usable TLS: {error}"))))?;
    Ok(TlsSettings::On(Arc::new(tls)))
}

type Rules = (CryptoProvider, Vec<&'static SupportedProtocolVersion>);

fn rules(bound: &Bound<'_>) -> Result<Rules, Vec<Error>> {
    match (provider(bound), versions(bound)) {
        (Ok(provider), Ok(versions)) => Ok((provider, versions)),
        (Err(mut errors), Err(more)) => {
            errors.extend(more);
            Err(errors)
        }
        (Err(errors), _) | (_, Err(errors)) => Err(errors),
    }
}

pub(super) fn versions(
    bound: &Bound<'_>,
) -> Result<Vec<&'static SupportedProtocolVersion>, Vec<Error>> {
    let Some(node) = bound.node("protocols") else {
        return Ok(vec![&TLS12, &TLS13]);
    };
    let found = match &node.args[..] {
        [only] => names::versions(&only.text, None),
        [min, max] => names::versions(&min.text, Some(&max.text)),
        _ => Err(Fault::new("expected 1 or 2 arguments").help("lowest and highest version")),
    };
    found.map_err(|fault| one(fault.at(node.span())))
}

pub(super) fn provider(bound: &Bound<'_>) -> Result<CryptoProvider, Vec<Error>> {
    let mut provider = aws_lc_rs::default_provider();
    let mut errors = Vec::new();
    if let Some(node) = bound.node("ciphers") {
        let chosen = each(node, names::suite, &mut errors);
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some() || chosen.contains(suite));
    }
    if let Some(node) = bound.node("curves") {
        provider.kx_groups = each(node, names::group, &mut errors);
    }
    if errors.is_empty() {
        Ok(provider)
    } else {
        Err(errors)
    }
}

/// Reads each argument; what is wrong goes to `errors`, with its place.
fn each<T>(
    node: &Node,
    read: impl Fn(&str) -> Result<T, Fault>,
    errors: &mut Vec<Error>,
) -> Vec<T> {
    let mut values = Vec::new();
    for word in &node.args {
        match read(&word.text) {
            Ok(value) => values.push(value),
            Err(fault) => errors.push(fault.at(word.span)),
        }
    }
    values
}

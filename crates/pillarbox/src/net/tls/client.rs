//! TLS towards other servers: the `tls_client` block.
//!
//! The same versions, suites and groups as on the server's side. A peer has to show a certificate
//! for the name that was connected to, from an authority that the system trusts or, if `root_ca`
//! names files, from one of those alone (RFC 9325 §6.1: no connection without).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pillarbox_config::{Bound, Directive, Error, Kind, Node, bind};
use rustls::client::WebPkiServerVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::certificate::{self, Pair};
use super::settings::{provider, versions};

/// The row for blocks that connect to somebody under TLS; see
/// [`crate::assemble::Assembly::tls_client`].
pub const DIRECTIVE: Directive = Directive::new(
    "tls_client",
    Kind::Custom,
    "",
    "TLS towards other servers: a block with `root_ca FILE...` (PEM files of the only authorities \
     to trust, instead of the system's), `cert FILE` and `key FILE` (to show a certificate of our \
     own), `protocols`, `ciphers` and `curves` (see `tls.loader.file`). Files are read when the \
     configuration is loaded. The default is the global value.",
)
.inherit();

/// What may stand in the block.
pub const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "root_ca",
        Kind::TextList,
        "",
        "Files in PEM form with the certificates of the only authorities to trust. The default is \
         those that the system trusts.",
    ),
    Directive::new(
        "cert",
        Kind::Text,
        "",
        "A file in PEM form with the certificate to show to servers that want one, and its chain.",
    ),
    Directive::new("key", Kind::Text, "", "The private key of `cert`."),
    Directive::new(
        "protocols",
        Kind::TextList,
        "tls1.2 tls1.3",
        "Lowest and highest TLS version.",
    ),
    Directive::new("ciphers", Kind::TextList, "", "Cipher suites for TLS 1.2."),
    Directive::new("curves", Kind::TextList, "", "Groups for the key exchange."),
];

/// Builds what a `tls_client` block says; without one, what holds by default. Relative paths are in
/// `state_dir`. Reads files, and makes no connection.
///
/// # Errors
///
/// All that is wrong with the block, and what is wrong with its files. Without a block, that the
/// system trusts no authority at all; the error stands at `owner`.
pub fn build(
    node: Option<&Node>,
    owner: &Node,
    state_dir: &Path,
) -> Result<Arc<ClientConfig>, Vec<Error>> {
    build_trusting(node, None, owner, state_dir)
}

/// As [`build`]; if there is a directive `roots`, its arguments are the files that count instead of
/// `root_ca`.
///
/// # Errors
///
/// As [`build`].
pub(super) fn build_trusting(
    node: Option<&Node>,
    roots: Option<&Node>,
    owner: &Node,
    state_dir: &Path,
) -> Result<Arc<ClientConfig>, Vec<Error>> {
    let at = node.unwrap_or(owner);
    if let Some(word) = node.and_then(|node| node.args.first()) {
        let error = Error::new(word.span, "tls_client takes no arguments, but a block");
        return Err(vec![error.help("as in `tls_client { root_ca FILE }`")]);
    }
    let children = node.map_or(&[][..], |node| node.children());
    let bound = bind(at, children, DIRECTIVES, None)?;
    let mut errors = Vec::new();
    let provider = keep(provider(&bound), &mut errors);
    let versions = keep(versions(&bound), &mut errors);
    let named = roots.or_else(|| bound.node("root_ca"));
    let roots = keep(trusted(named, at, state_dir), &mut errors);
    let own = keep(own_certificate(&bound, at, state_dir), &mut errors);
    let (Some(provider), Some(versions), Some(roots), Some(own)) = (provider, versions, roots, own)
    else {
        return Err(errors);
    };
    let unusable = |error: &dyn std::fmt::Display| {
        vec![Error::new(at.span(), format!("no usable TLS: {error}"))]
    };
    let provider = Arc::new(provider);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| unusable(&error))?
        .with_webpki_verifier(verifier);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
    };
    Ok(Arc::new(config))
}

fn keep<T>(found: Result<T, Vec<Error>>, errors: &mut Vec<Error>) -> Option<T> {
    found.map_err(|more| errors.extend(more)).ok()
}

fn trusted(named: Option<&Node>, at: &Node, state_dir: &Path) -> Result<RootCertStore, Vec<Error>> {
    match named {
        Some(node) => named_roots(node, state_dir),
        None => system_roots().map_err(|reason| {
            let message = format!("the system has no trusted certificate authorities{reason}");
            let help = "install ca-certificates, or write `tls_client { root_ca FILE }`";
            vec![Error::new(at.span(), message).help(help)]
        }),
    }
}

/// The authorities in these files.
fn named_roots(node: &Node, state_dir: &Path) -> Result<RootCertStore, Vec<Error>> {
    let mut roots = RootCertStore::empty();
    let mut errors = Vec::new();
    for word in &node.args {
        if let Err(reason) = add_roots(&mut roots, &state_dir.join(&word.text)) {
            let name = &node.name.text;
            errors.push(Error::new(word.span, format!("{name}: {reason}")));
        }
    }
    if errors.is_empty() {
        Ok(roots)
    } else {
        Err(errors)
    }
}

/// Adds the authorities of a PEM file.
pub(super) fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    for authority in certificate::chain(path).map_err(|error| error.to_string())? {
        roots.add(authority).map_err(|error| {
            let path = path.display();
            format!("{path} has a certificate that can't be used: {error}")
        })?;
    }
    Ok(())
}

/// The authorities that the system trusts; those that can't be understood are left out, as others
/// do. If none is left, why, to follow upon a sentence.
fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match (added, found.errors.first()) {
        (0, Some(error)) => Err(format!(": {error}")),
        (0, None) => Err(String::new()),
        _ => Ok(roots),
    }
}

fn own_certificate(
    bound: &Bound<'_>,
    at: &Node,
    state_dir: &Path,
) -> Result<Option<CertifiedKey>, Vec<Error>> {
    let path = |name| bound.text(name).map(|text: &str| state_dir.join(text));
    let (certificate, key): (PathBuf, PathBuf) = match (path("cert"), path("key")) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => {
            let there = bound.node("cert").or_else(|| bound.node("key"));
            let span = there.map_or(at.span(), |node| node.span());
            return Err(vec![Error::new(span, "cert and key need each other")]);
        }
    };
    let loaded = certificate::load(&Pair { certificate, key });
    loaded.map(Some).map_err(|error| {
        let span = bound.node("cert").map_or(at.span(), |node| node.span());
        let message = format!("failed to load the client certificate: {error}");
        vec![Error::new(span, message)]
    })
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

//! What is the same in the blocks of all endpoints.

use pillarbox_config::{Address, Error, Node, addresses};

use super::{Assembly, proxy};
use crate::endpoint::{EndpointBlock, EndpointKind};
use crate::module::{Built, Declaration};
use crate::net::TlsSettings;

/// Reads an endpoint's block; nothing comes of it when verifying. All of its directives are looked
/// at, even after an error.
pub(super) fn build<'t>(
    assembly: &mut Assembly<'t>,
    kind: &'static EndpointKind,
    node: &'t Node,
    errors: &mut Vec<Error>,
) -> Option<EndpointBlock> {
    let addresses = keep(addresses(node), errors);
    let declaration = Declaration::own(node);
    let bound = keep(
        assembly.bind_inheriting(&declaration, kind.directives),
        errors,
    )?;
    let tls = bound.node("tls").map(|node| assembly.tls(node));
    let tls = keep(tls.unwrap_or(Ok(TlsSettings::Off)), errors);
    let known = tls.as_ref().unwrap_or(&TlsSettings::Off);
    let protocol = (kind.build)(assembly, &bound, known, errors);
    let known = addresses.as_deref().unwrap_or_default();
    let proxy = keep(proxy::proxy(assembly, &bound, known), errors);
    let (addresses, tls, proxy) = (addresses?, tls?, proxy?);
    errors.extend(tls_without_tls(node, &addresses, &tls));
    Some(EndpointBlock {
        name: node.name.text.clone(),
        addresses,
        tls,
        proxy,
        limits: (kind.limits)(&bound),
        io_debug: bound.flag("io_debug"),
        io_errors: bound.flag("io_errors"),
        debug: bound.flag("debug"),
        protocol: protocol?,
    })
}

/// The value, or nothing and its errors noted.
pub(super) fn keep<T>(built: Built<T>, errors: &mut Vec<Error>) -> Option<T> {
    built.map_err(|more| errors.extend(more)).ok()
}

/// Addresses that want TLS where there is none.
fn tls_without_tls(node: &Node, addresses: &[Address], tls: &TlsSettings) -> Vec<Error> {
    if matches!(tls, TlsSettings::On(_)) {
        return Vec::new();
    }
    let both = node.args.iter().zip(addresses);
    let wanting = both.filter(|(_, address)| address.tls);
    let error = |(word, _): (&pillarbox_config::Word, _)| {
        let name = node.name.text.as_str();
        let message = format!(
            "{name}: can't bind on {}S endpoint without TLS configuration",
            name.to_uppercase()
        );
        let error = Error::new(word.span, message);
        error.help("name certificates with `tls`, or listen at `tcp://`")
    };
    wanting.map(error).collect()
}

//! `proxy_protocol` in the blocks of endpoints.

use std::sync::Arc;

use pillarbox_config::{Address, Bound, Node, Place};

use super::Assembly;
use super::endpoint::keep;
use crate::module::Built;
use crate::net::TlsSettings;
use crate::net::proxy::{self, Proxy, Trust};

/// What an endpoint's block says of proxies, if it does.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn proxy<'t>(
    assembly: &mut Assembly<'t>,
    bound: &Bound<'t>,
    addresses: &[Address],
) -> Built<Option<Proxy>> {
    let Some(node) = bound.node("proxy_protocol") else {
        return Ok(None);
    };
    let block = proxy::read(node)?;
    let mut errors = Vec::new();
    let trust = keep(proxy::trust(node, &block), &mut errors);
    let tls = block.node("tls").map(|node| assembly.tls(node));
    let tls = keep(tls.unwrap_or(Ok(TlsSettings::Off)), &mut errors);
    let (Some(trust), Some(tls)) = (trust, tls) else {
        return Err(errors);
    };
    if trust == Trust::Everybody && addresses.iter().any(reachable) {
        warn_of_everybody(assembly, node);
    }
    Ok(Some(Proxy {
        trust,
        // A proxy is not a client: it need not know the protocol's name in ALPN.
        tls: match tls {
            TlsSettings::On(tls) => Some(Arc::new(tls.for_protocol(None))),
            TlsSettings::Off => None,
        },
        header_timeout: block.duration("header_timeout"),
    }))
}

/// Whether others than users of this machine come there.
fn reachable(address: &Address) -> bool {
    !matches!(address.place, Place::Unix { .. })
}

fn warn_of_everybody(assembly: &mut Assembly<'_>, node: &Node) {
    assembly.warn(
        node.span(),
        "proxy_protocol believes everybody who connects: anyone can claim any address; name the \
         proxies, as in `proxy_protocol 192.0.2.1`",
    );
}

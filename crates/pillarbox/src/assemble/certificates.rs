//! Blocks that certificates come from: `tls.loader.*`.
//!
//! A `tls` directive reads them itself, since its own block says more about them.

use crate::assemble::Assembly;
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::net::tls::{DIRECTIVES, Scope, acme, build_block};

pub(super) const MODULES: &[&Module] = &[&FILE, &ACME, &SELF_SIGNED];

const FILE: Module = Module {
    name: "tls.loader.file",
    aliases: &[],
    offers: &[Offer::Certificates],
    arguments: "CERT KEY...",
    doc: "Certificates and keys in files. They are read again when they change.",
    directives: DIRECTIVES,
    build: check,
};

const ACME: Module = Module {
    name: "tls.loader.acme",
    aliases: &[],
    offers: &[Offer::Certificates],
    arguments: "",
    doc: "Certificates that are ordered from an authority such as Let's Encrypt (ACME, RFC 8555), \
          and renewed when the authority wants it (RFC 9773) or when two thirds of their life are \
          over. The server starts without a certificate and orders one; until it is there, \
          connections under TLS and STARTTLS fail, and the log says so. While an authority fails, \
          the old certificate stays. A certificate is replaced without a restart.",
    directives: acme::DIRECTIVES,
    build: check,
};

const SELF_SIGNED: Module = Module {
    name: "tls.loader.self_signed",
    aliases: &[],
    offers: &[Offer::Certificates],
    arguments: "NAME...",
    doc: "A certificate made when the server starts, which no client trusts. For tests.",
    directives: DIRECTIVES,
    build: check,
};

/// Checks a block that nobody's `tls` has read.
fn check<'t>(assembly: &mut Assembly<'t>, declaration: &Declaration<'t>) -> Built<Parts> {
    let (log, _) = Logger::captured("tls");
    let scope = Scope {
        state_dir: &assembly.globals.state_dir,
        log: &log,
        blocks: &|word| {
            assembly
                .find_word(word)
                .map(|index| assembly.blocks[index].node)
        },
        outer: &assembly.outer,
        orders: None,
    };
    build_block(declaration.node, &scope)?;
    Ok(Parts::default())
}

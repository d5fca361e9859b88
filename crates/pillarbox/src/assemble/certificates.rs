//! Blocks that certificates come from: `tls.loader.*`.
//!
//! A `tls` directive reads them itself, since its own block says more about them.

use crate::assemble::Assembly;
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::net::tls::{DIRECTIVES, build_block};

pub(super) const MODULES: &[&Module] = &[&FILE, &SELF_SIGNED];

const FILE: Module = Module {
    name: "tls.loader.file",
    aliases: &[],
    offers: &[Offer::Certificates],
    arguments: "CERT KEY...",
    doc: "Certificates and keys in files. They are read again when they change.",
    directives: DIRECTIVES,
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
    build_block(declaration.node, &assembly.globals().state_dir, &log)?;
    Ok(Parts::default())
}

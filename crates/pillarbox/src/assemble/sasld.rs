//! `dovecot_sasld` blocks.

use std::sync::Arc;

use pillarbox_config::{Bound, Error};

use super::Assembly;
use super::endpoint::keep;
use super::imap;
use crate::endpoint::{EndpointKind, Protocol, common_limits};
use crate::sasld::directives::DIRECTIVES;
use crate::sasld::endpoint::SasldRules;

pub(super) const KIND: EndpointKind = EndpointKind {
    name: "dovecot_sasld",
    summary: "authentication for other servers",
    doc: "`dovecot_sasld ADDRESS... { ... }` lets other servers, such as Postfix, ask whether users are \
          who they say, by Dovecot's authentication protocol. Whoever can connect can try passwords \
          and say from which address they come: give it a socket in a directory that only the other \
          server can reach. Users get the name that `auth_map_normalize` makes.",
    directives: DIRECTIVES,
    limits: common_limits,
    build: |assembly, bound, _, errors| build(assembly, bound, errors).map(Protocol::Sasld),
};

fn build<'t>(
    assembly: &mut Assembly<'t>,
    bound: &Bound<'t>,
    errors: &mut Vec<Error>,
) -> Option<SasldRules> {
    let login = keep(imap::asking(assembly, bound), errors)?;
    Some(SasldRules {
        login: Arc::new(login),
        sasl_login: bound.flag("sasl_login"),
        insecure_auth: bound.flag("insecure_auth"),
    })
}

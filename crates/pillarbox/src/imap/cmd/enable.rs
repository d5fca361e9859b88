//! ENABLE (RFC 5161).

use pillarbox_proto::imap::encode::{self, Dialect};

use super::{Completed, Outcome, Session};

/// ENABLE. What is unknown or not announced is passed over (RFC 5161 §3.1); what was enabled before is named
/// again, which the RFC leaves open.
pub(super) fn enable(session: &mut Session, names: &[&str]) -> Outcome {
    let mut enabled = Vec::new();
    for name in names {
        if session.announces(name) {
            enabled.extend(one(&mut session.dialect, name));
        }
    }
    encode::enabled(&mut session.wire.out, &enabled);
    Ok(Completed::default())
}

/// Enables an extension, if it is one of those that have to be; gives its name as registered.
fn one(_dialect: &mut Dialect, _name: &str) -> Option<&'static str> {
    None
}

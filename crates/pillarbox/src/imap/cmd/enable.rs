//! ENABLE (RFC 5161).

use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Session};

/// ENABLE. What is unknown or not announced is passed over (RFC 5161 §3.1); what was enabled before is named
/// again, which the RFC leaves open.
pub(super) fn enable(session: &mut Session, names: &[&str]) -> Outcome {
    let mut enabled = Vec::new();
    for name in names {
        if session.announces(name) {
            enabled.extend(one(session, name));
        }
    }
    encode::enabled(&mut session.wire.out, &enabled);
    Ok(Completed::default())
}

/// Enables an extension, if it is one of those that have to be; gives its name as registered.
fn one(session: &mut Session, name: &str) -> Option<&'static str> {
    match name.to_ascii_uppercase().as_str() {
        // RFC 7162 §3.1, §3.2.3.
        "CONDSTORE" => {
            session.know_modseqs();
            Some("CONDSTORE")
        }
        "QRESYNC" => {
            session.know_modseqs();
            session.dialect.qresync = true;
            Some("QRESYNC")
        }
        _ => None,
    }
}

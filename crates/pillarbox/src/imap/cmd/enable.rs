//! ENABLE (RFC 5161).

use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Session};

/// ENABLE. What is unknown or not announced is passed over (RFC 5161 §3.1); what was enabled before is named
/// again, which the RFC leaves open.
pub(super) async fn enable(session: &mut Session, names: &[&str]) -> Outcome {
    let mut enabled = Vec::new();
    for name in names {
        if session.announces(name) {
            enabled.extend(one(session, name).await?);
        }
    }
    encode::enabled(&mut session.wire.out, &enabled);
    Ok(Completed::default())
}

/// Enables an extension, if it is one of those that have to be; gives its name as registered.
async fn one(session: &mut Session, name: &str) -> std::io::Result<Option<&'static str>> {
    Ok(match name.to_ascii_uppercase().as_str() {
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
        // RFC 9586 §3.1.
        "UIDONLY" => {
            session.give_up_numbers().await?;
            Some("UIDONLY")
        }
        // RFC 5464 §4.1.
        "METADATA" => {
            session.hear_news(true);
            Some("METADATA")
        }
        // RFC 9755 §3. Once names are UTF-8 they can't be anything else again.
        "UTF8=ACCEPT" => {
            session.dialect.utf8 = true;
            Some("UTF8=ACCEPT")
        }
        // RFC 9051 §6.3.1, appendix A: with it names and quoted strings are UTF-8, too.
        "IMAP4REV2" => {
            session.dialect.utf8 = true;
            session.dialect.rev2 = true;
            Some("IMAP4rev2")
        }
        _ => None,
    })
}

//! ID (RFC 2971).

use std::borrow::Cow;

use pillarbox_proto::imap::command::Bytes;
use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Session};
use crate::log::Text;

/// ID: says who we are, and notes who they say they are.
pub(super) fn id(session: &mut Session, fields: &[(Bytes<'_>, Option<Bytes<'_>>)]) -> Outcome {
    encode::id(
        &mut session.wire.out,
        &[
            ("name", "Pillarbox"),
            ("version", env!("CARGO_PKG_VERSION")),
        ],
    );
    withhold(session, fields);
    let said: Vec<Cow<'_, str>> = fields
        .iter()
        .filter_map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_ref()?);
            Some(format!("{}={value}", String::from_utf8_lossy(name)).into())
        })
        .collect();
    session.endpoint.log.debug(
        "client identified itself",
        &[
            ("client", &said.join(" ")),
            ("src_ip", &Text(&session.origin.peer)),
        ],
    );
    Ok(Completed::default())
}

/// Some extensions are withheld from some kinds of clients. One that has been told otherwise before is told
/// what holds now (RFC 3501 §7.2.1 lets the server say so unasked).
fn withhold(session: &mut Session, fields: &[(Bytes<'_>, Option<Bytes<'_>>)]) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let id: Vec<(String, String)> = fields
        .iter()
        .filter_map(|(name, value)| Some((text(name), text(value.as_ref()?))))
        .collect();
    let mut withheld = session.endpoint.withheld.for_client(&id);
    withheld.extend(&session.withheld_from_account);
    if withheld != session.withheld {
        session.withheld = withheld;
        let list = session.capabilities();
        encode::capability(&mut session.wire.out, &list);
    }
}

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

//! NAMESPACE (RFC 2342).

use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Session};

/// NAMESPACE: one personal namespace, without a prefix.
pub(super) fn namespace(session: &mut Session) -> Outcome {
    let delimiter = session.endpoint.storage.delimiter;
    let own = [("", Some(delimiter))];
    encode::namespace(&mut session.wire.out, &own, &[], &[], session.dialect);
    Ok(Completed::default())
}

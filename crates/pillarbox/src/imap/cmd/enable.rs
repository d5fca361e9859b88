//! ENABLE (RFC 5161).

use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Session};

/// ENABLE. Unknown extensions are passed over (RFC 5161 §3.1); none of those announced has to be
/// enabled, so the answer is an empty list.
pub(super) fn enable(session: &mut Session, _names: &[&str]) -> Outcome {
    encode::enabled(&mut session.wire.out, &[]);
    Ok(Completed::default())
}

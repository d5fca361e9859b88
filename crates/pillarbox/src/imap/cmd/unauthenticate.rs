//! UNAUTHENTICATE (RFC 8437).

use pillarbox_proto::imap::encode::{self, Status};

use super::{Completed, Outcome, Session};

/// UNAUTHENTICATE: the connection is nobody's again, as after the greeting. Compression ends with the OK, and in
/// the other direction with the command (§4.1); what the client said after it in clear is read as such.
pub(super) async fn unauthenticate(session: &mut Session, tag: &str) -> Outcome {
    session.log_out();
    let out = &mut session.wire.out;
    encode::tagged(out, tag, Status::Ok, None, "Nobody is logged in now");
    session.wire.flush().await?;
    session.wire.end_compression();
    Ok(Completed {
        said: true,
        ..Completed::default()
    })
}

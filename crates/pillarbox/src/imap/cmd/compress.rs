//! COMPRESS (RFC 4978).

use pillarbox_proto::imap::encode::{self, Status};

use super::{Completed, Outcome, Refusal, Session};

/// COMPRESS. The OK goes out in clear, all after it is compressed. A client that has said more by then, which
/// can only be in clear, is refused, and what it said is read as what it is (§3).
pub(super) async fn compress(session: &mut Session, tag: &str, mechanism: &str) -> Outcome {
    if !mechanism.eq_ignore_ascii_case("DEFLATE") {
        return Err(Refusal::Client("DEFLATE is the only mechanism".into()).into());
    }
    if session.wire.is_compressed() {
        return Err(Refusal::CompressionActive.into());
    }
    if session.wire.has_unread() {
        let early = "Nothing may be said between COMPRESS and its OK";
        return Err(Refusal::Client(early.into()).into());
    }
    let out = &mut session.wire.out;
    encode::tagged(out, tag, Status::Ok, None, "DEFLATE active");
    session.wire.flush().await?;
    session.wire.compress();
    Ok(Completed {
        said: true,
        ..Completed::default()
    })
}

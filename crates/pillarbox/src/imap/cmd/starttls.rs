//! STARTTLS (RFC 3501 §6.2.1).

use pillarbox_proto::imap::encode::{self, Status};

use super::{Completed, Outcome, Refusal, Session};

/// STARTTLS. The OK goes out in clear; whatever the client sent after the command is thrown away.
pub(super) async fn starttls(session: &mut Session, tag: &str) -> Outcome {
    if session.secure {
        return Err(Refusal::State("TLS is already in use").into());
    }
    let Some(tls) = session.endpoint.tls.clone() else {
        return Err(Refusal::State("TLS is not available here").into());
    };
    encode::tagged(
        &mut session.wire.out,
        tag,
        Status::Ok,
        None,
        "Begin TLS negotiation now",
    );
    session.wire.flush().await?;
    let clear = session.wire.take_stream();
    let (stream, facts) = tls
        .accept(clear, session.endpoint.limits.tls_timeout)
        .await?;
    session.wire.set_stream(stream);
    session.secured(&facts);
    Ok(Completed {
        said: true,
        ..Completed::default()
    })
}

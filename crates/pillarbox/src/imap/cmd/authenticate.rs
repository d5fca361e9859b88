//! AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959).

use std::io;

use pillarbox_proto::sasl::{self, Exchange, Failure, Step};

use super::{Outcome, Refusal, Session, login};
use crate::imap::session::Halt;
use crate::imap::wire::{Incoming, Input};
use crate::secret::Secret;

/// AUTHENTICATE: runs the mechanism's exchange, then the same check as LOGIN.
pub(super) async fn authenticate(
    session: &mut Session,
    mechanism: &str,
    initial: Option<Vec<u8>>,
) -> Outcome {
    login::admit(session)?;
    let offered = session.endpoint.sasl_login || !mechanism.eq_ignore_ascii_case("LOGIN");
    let begun = Exchange::begin(mechanism, initial.as_deref()).filter(|_| offered);
    let (mut exchange, mut step) = begun.ok_or(Refusal::Mechanism)?;
    loop {
        match step {
            Step::Challenge(challenge) => {
                sasl::push_challenge(&mut session.wire.out, &challenge);
                step = exchange.respond(&respond(session).await?);
            }
            Step::Done(credentials) => {
                let own = credentials.authorization.is_empty()
                    || credentials.authorization == credentials.user;
                if !own {
                    // Nobody may act as another.
                    return Err(Refusal::Credentials.into());
                }
                let password = Secret::new(credentials.password.bytes().to_vec());
                return login::check(session, &credentials.user, &password, mechanism).await;
            }
            Step::Fail(Failure::Malformed) => return Err(Refusal::Credentials.into()),
            Step::Fail(failure) => return Err(Refusal::Client(failure.to_string().into()).into()),
        }
    }
}

/// One line of the client's, still encoded.
async fn respond(session: &mut Session) -> Result<Vec<u8>, Halt> {
    session.wire.framer().expect_line();
    session.wire.flush().await?;
    let deadline = session.deadline();
    let input = tokio::time::timeout_at(deadline, session.wire.next()).await;
    match input.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
        Input::Event(Incoming::Line(line)) => Ok(line),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

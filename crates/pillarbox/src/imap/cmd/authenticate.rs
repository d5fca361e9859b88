//! AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959).

use std::io;

use pillarbox_proto::sasl::{self, Mechanism};

use super::{Outcome, Refusal, Session, login};
use crate::auth::exchange::{Conversation, Out, Turn};
use crate::imap::outcome::Halt;
use crate::imap::wire::{Incoming, Input};

/// AUTHENTICATE: runs the mechanism's exchange.
pub(super) async fn authenticate(
    session: &mut Session,
    mechanism: &str,
    initial: Option<Vec<u8>>,
) -> Outcome {
    login::admit(session)?;
    let mechanism = Mechanism::from_name(mechanism)
        .filter(|mechanism| session.mechanisms().contains(mechanism))
        .ok_or(Refusal::Mechanism)?;
    let (login, origin) = (session.endpoint.login.clone(), session.origin.clone());
    let begun = Conversation::begin(&login, &origin, mechanism, initial.as_deref());
    let (mut conversation, mut turn) = begun.await;
    loop {
        match turn {
            Turn::Challenge(challenge) => {
                sasl::push_challenge(&mut session.wire.out, &challenge);
                turn = conversation.answer(&respond(session).await?).await;
            }
            Turn::In(entered) => return login::enter(session, entered, mechanism.name()).await,
            Turn::Out(Out::Broken(failure)) => {
                return Err(Refusal::Client(failure.to_string().into()).into());
            }
            Turn::Out(Out::Refused(refused)) => {
                let name = mechanism.name();
                let refusal = login::deny(session, &refused.user, name, &refused.denied);
                return Err(refusal.into());
            }
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

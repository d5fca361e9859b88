//! IDLE (RFC 2177).

use std::io;

use pillarbox_proto::imap::encode::{self, Status};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::{Completed, Outcome, Refusal, Session};
use crate::imap::notify;
use crate::imap::session::KEEPALIVE;
use crate::imap::wire::{Incoming, Input};

/// Why IDLE woke up.
enum Wake {
    Input(io::Result<Input>),
    Change,
    Keepalive,
    Stop,
    Timeout,
}

/// IDLE: tells changes as they come, until DONE.
pub(super) async fn idle(session: &mut Session) -> Outcome {
    // NOTIFY says what else is to be told, or that nothing is (RFC 5465 §4).
    let selected = session
        .selected
        .as_ref()
        .filter(|_| session.notify.is_none());
    let mut changes = selected.map(|s| s.member.mailbox().watch());
    let news = session.news.is_some();
    let mut news = news.then(|| session.endpoint.storage.store.annotation_changes().watch());
    let deadline = session.deadline();
    // What the client has been waiting for since its last command comes first: some overlook what comes in
    // one piece with the continuation.
    tell(session).await?;
    if session.leaving {
        return Ok(Completed::default());
    }
    encode::continuation(&mut session.wire.out, "idling");
    session.wire.framer().expect_line();
    loop {
        session.wire.flush().await?;
        session.wire.rest();
        match wait(session, &mut changes, &mut news, deadline).await {
            Wake::Change => {}
            Wake::Keepalive => {
                encode::untagged(&mut session.wire.out, Status::Ok, None, "Still here");
            }
            Wake::Input(input) => return done(input?),
            Wake::Stop => {
                session.say_bye(None, "The server is shutting down");
                return Ok(Completed::default());
            }
            Wake::Timeout => {
                session.say_bye(None, "Nothing heard for too long");
                return Ok(Completed::default());
            }
        }
        tell(session).await?;
        if session.leaving {
            return Ok(Completed::default());
        }
    }
}

/// All that there is to tell.
async fn tell(session: &mut Session) -> io::Result<()> {
    session.sync(true, None).await?;
    session.tell_news().await?;
    Box::pin(session.tell_events()).await
}

async fn wait(
    session: &mut Session,
    changes: &mut Option<Receiver<u64>>,
    news: &mut Option<Receiver<u64>>,
    deadline: Instant,
) -> Wake {
    let events = notify::changed(&mut session.notify);
    tokio::select! {
        input = session.wire.next() => Wake::Input(input),
        () = changed(changes) => Wake::Change,
        () = changed(news) => Wake::Change,
        () = events => Wake::Change,
        () = session.shutdown.stopping() => Wake::Stop,
        () = tokio::time::sleep(KEEPALIVE) => Wake::Keepalive,
        () = tokio::time::sleep_until(deadline) => Wake::Timeout,
    }
}

/// Waits for a change, if there is something that may.
async fn changed(watched: &mut Option<Receiver<u64>>) {
    match watched {
        Some(watched) => {
            // The sender lives as long as the mailbox or the store, which the session holds.
            let _ = watched.changed().await;
        }
        None => std::future::pending().await,
    }
}

/// The line that ends IDLE: DONE, in any case.
fn done(input: Input) -> Outcome {
    match input {
        Input::Event(Incoming::Line(line)) if line.trim_ascii().eq_ignore_ascii_case(b"DONE") => {
            Ok(Completed::default())
        }
        Input::Event(_) => Err(Refusal::Client("IDLE ends with DONE".into()).into()),
        Input::End => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

//! One exchange.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_proto::dovecot_auth::server::{self, Begin};
use pillarbox_proto::sasl::Mechanism;
use tokio::sync::mpsc;

use super::Endpoint;
use super::connection::Answer;
use crate::auth::Denied;
use crate::auth::exchange::{Conversation, Entered, Out, Refused, Turn};
use crate::auth::login::Origin;
use crate::log::Text;
use crate::net::Peer;

/// How long a user may think about a challenge.
const PATIENCE: Duration = Duration::from_secs(120);
/// What users may be told who did not encrypt their connection.
const IN_CLEAR: &str = "Use TLS first: passwords are not taken in clear";

/// Runs an exchange to its end. `messages` are the client's, in base64.
pub(super) async fn run(
    endpoint: Arc<Endpoint>,
    begin: Begin,
    mechanism: Mechanism,
    mut messages: mpsc::Receiver<Vec<u8>>,
    answers: mpsc::Sender<Answer>,
) {
    let id = begin.id;
    if !begin.secured && !endpoint.rules.insecure_auth {
        let mut lines = Vec::new();
        server::push_fail(&mut lines, id, "", false, Some(IN_CLEAR));
        return say(&answers, id, lines, true).await;
    }
    let origin = Origin::bare(peer(&begin));
    let login = Arc::clone(&endpoint.rules.login);
    let started = Conversation::begin(&login, &origin, mechanism, begin.initial.as_deref());
    let (mut conversation, mut turn) = started.await;
    while let Turn::Challenge(challenge) = turn {
        let mut lines = Vec::new();
        server::push_challenge(&mut lines, id, &challenge);
        say(&answers, id, lines, false).await;
        let message = tokio::time::timeout(PATIENCE, messages.recv()).await;
        // Given up, or nobody is there any more.
        let message = message.ok().flatten().unwrap_or_else(|| b"*".to_vec());
        turn = conversation.answer(&message).await;
    }
    let lines = verdict(&endpoint, &origin, mechanism, id, turn);
    say(&answers, id, lines, true).await;
}

async fn say(answers: &mpsc::Sender<Answer>, id: u32, lines: Vec<u8>, last: bool) {
    // Without a connection nobody listens.
    let _ = answers.send(Answer { id, lines, last }).await;
}

/// Where the user comes from, as the other server says.
fn peer(begin: &Begin) -> Peer {
    let address = begin.remote_address.as_deref();
    match address.and_then(|address| address.parse().ok()) {
        Some(address) => {
            let port = begin.remote_port.unwrap_or_default();
            Peer::Ip(SocketAddr::new(address, port))
        }
        None => Peer::Unix,
    }
}

fn verdict(
    endpoint: &Endpoint,
    origin: &Origin,
    mechanism: Mechanism,
    id: u32,
    turn: Turn,
) -> Vec<u8> {
    let mut lines = Vec::new();
    match turn {
        Turn::In(Entered { user, account }) => {
            log_in(endpoint, origin, mechanism, &user);
            server::push_ok(&mut lines, id, &account);
        }
        Turn::Out(Out::Refused(refused)) => {
            log_refusal(endpoint, origin, &refused);
            let temporary = matches!(refused.denied, Denied::Unavailable(_));
            server::push_fail(&mut lines, id, &refused.user, temporary, None);
        }
        Turn::Out(Out::Broken(_)) | Turn::Challenge(_) => {
            server::push_fail(&mut lines, id, "", false, None);
        }
    }
    lines
}

fn log_in(endpoint: &Endpoint, origin: &Origin, mechanism: Mechanism, user: &str) {
    endpoint.log.info(
        "logged in",
        &[
            ("mechanism", &mechanism.name()),
            ("src_ip", &Text(&origin.peer)),
            ("username", &user),
        ],
    );
}

/// In the form that log watchers know.
fn log_refusal(endpoint: &Endpoint, origin: &Origin, refused: &Refused) {
    let (event, reason) = match &refused.denied {
        Denied::Credentials(reason) => ("authentication failed", reason.clone()),
        Denied::Unavailable(error) => ("authentication unavailable", format!("{error:#}")),
    };
    endpoint.log.child("sasl").warn(
        event,
        &[
            ("reason", &reason),
            ("src_ip", &Text(&origin.peer)),
            ("username", &refused.user),
        ],
    );
}

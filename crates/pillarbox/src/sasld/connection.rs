//! One connection of another server: its exchanges go on side by side, and none waits for another.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use pillarbox_proto::dovecot_auth::MAJOR;
use pillarbox_proto::dovecot_auth::line::Lines;
use pillarbox_proto::dovecot_auth::server::{self, Begin, Request};
use pillarbox_proto::sasl::Mechanism;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Endpoint;
use super::exchange;
use crate::auth::login::Origin;
use crate::net::{Connection, Peer, Stream};

/// Exchanges of one connection at the same time.
const EXCHANGES: usize = 256;
/// Answers that wait to be written; exchanges wait when there are more.
const ANSWERS: usize = 64;
/// Bytes read at once.
const READ_BYTES: usize = 8 * 1024;

/// What an exchange has to say: its lines, and whether they are its last.
pub(super) struct Answer {
    pub(super) id: u32,
    pub(super) lines: Vec<u8>,
    pub(super) last: bool,
}

/// The exchanges under way, by their numbers, with the way to them.
struct Exchanges {
    running: HashMap<u32, mpsc::Sender<Vec<u8>>>,
    answers: mpsc::Sender<Answer>,
    /// All end with the connection.
    tasks: JoinSet<()>,
}

/// Serves a connection until the other server leaves, or says what makes no sense.
pub(super) async fn serve(
    endpoint: &Arc<Endpoint>,
    connection: Connection,
    number: u64,
) -> io::Result<()> {
    let mut stream = connection.stream;
    let mut shutdown = connection.shutdown;
    write(endpoint, &mut stream, &handshake(endpoint, number)?).await?;
    let (answers, mut answered) = mpsc::channel(ANSWERS);
    let mut exchanges = Exchanges {
        running: HashMap::new(),
        answers,
        tasks: JoinSet::new(),
    };
    let mut lines = Lines::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read? {
                0 => return Ok(()),
                read => {
                    lines.feed(&buffer[..read]);
                    while let Some(line) = lines.next_line().map_err(invalid)? {
                        endpoint.trace("C:", &format!("{line:?}"));
                        let request = server::request(&line).map_err(invalid)?;
                        if let Some(refusal) = exchanges.take(endpoint, request)? {
                            write(endpoint, &mut stream, &refusal).await?;
                        }
                    }
                }
            },
            // There is always one sender: ours.
            Some(answer) = answered.recv() => {
                if answer.last {
                    exchanges.running.remove(&answer.id);
                }
                write(endpoint, &mut stream, &answer.lines).await?;
            }
            Some(_) = exchanges.tasks.join_next(), if !exchanges.tasks.is_empty() => {}
            () = shutdown.stopping() => return Ok(()),
        }
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What the other server is told first.
fn handshake(endpoint: &Endpoint, number: u64) -> io::Result<Vec<u8>> {
    let mut cookie = [0; server::COOKIE_BYTES];
    aws_lc_rs::rand::fill(&mut cookie).map_err(|_| io::Error::other("no random numbers"))?;
    let mut out = Vec::new();
    let mechanisms = mechanisms(endpoint);
    let mechanisms = mechanisms.iter().map(|one| (one.name(), properties(*one)));
    server::push_handshake(&mut out, mechanisms, std::process::id(), number, cookie);
    Ok(out)
}

/// What does not need to know the user's connection.
fn mechanisms(endpoint: &Endpoint) -> Vec<Mechanism> {
    let rules = &endpoint.rules;
    let nowhere = Origin::bare(Peer::Unix);
    rules.login.mechanisms(&nowhere, rules.sasl_login)
}

/// As servers such as Postfix use them to choose among mechanisms.
const fn properties(mechanism: Mechanism) -> &'static [&'static str] {
    match mechanism {
        Mechanism::Plain | Mechanism::Login => &["plaintext"],
        Mechanism::Scram { .. } => &["mutual-auth"],
        _ => &[],
    }
}

async fn write(endpoint: &Endpoint, stream: &mut dyn Stream, bytes: &[u8]) -> io::Result<()> {
    endpoint.trace("S:", &String::from_utf8_lossy(bytes));
    let written = tokio::time::timeout(endpoint.write_timeout, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    written.await.map_err(|_| io::ErrorKind::TimedOut)?
}

impl Exchanges {
    /// Does what is asked; lines that have to be said at once.
    fn take(&mut self, endpoint: &Arc<Endpoint>, request: Request) -> io::Result<Option<Vec<u8>>> {
        match request {
            Request::Version(version) if version != MAJOR => {
                Err(invalid("another version of the protocol"))
            }
            Request::Version(_) | Request::Other => Ok(None),
            Request::Begin(begin) => self.begin(endpoint, begin),
            Request::Continue(id, message) => {
                // One message for each challenge: more are not waited for.
                let running = self.running.get(&id);
                let taken = running.is_some_and(|exchange| exchange.try_send(message).is_ok());
                Ok((!taken).then(|| refusal(id, false)))
            }
            Request::Cancel(id) => {
                self.running.remove(&id);
                Ok(None)
            }
        }
    }

    fn begin(&mut self, endpoint: &Arc<Endpoint>, begin: Begin) -> io::Result<Option<Vec<u8>>> {
        if self.running.contains_key(&begin.id) {
            return Err(invalid("two exchanges of the same number"));
        }
        if self.tasks.len() >= EXCHANGES {
            return Ok(Some(refusal(begin.id, true)));
        }
        let offered = Mechanism::from_name(&begin.mechanism)
            .filter(|mechanism| mechanisms(endpoint).contains(mechanism));
        let Some(mechanism) = offered else {
            return Ok(Some(refusal(begin.id, false)));
        };
        let (messages, coming) = mpsc::channel(1);
        self.running.insert(begin.id, messages);
        let (endpoint, answers) = (Arc::clone(endpoint), self.answers.clone());
        self.tasks
            .spawn(exchange::run(endpoint, begin, mechanism, coming, answers));
        Ok(None)
    }
}

fn refusal(id: u32, temporary: bool) -> Vec<u8> {
    let mut out = Vec::new();
    server::push_fail(&mut out, id, "", temporary, None);
    out
}

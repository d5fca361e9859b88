//! A connection to an authentication service.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use aws_lc_rs::rand;
use pillarbox_proto::dovecot_auth::MAJOR;
use pillarbox_proto::dovecot_auth::client::{
    Failure, Reply, push_begin, push_continue, push_handshake, reply,
};
use pillarbox_proto::dovecot_auth::line::Lines;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use zeroize::Zeroizing;

use crate::net::Stream;
use crate::secret::Secret;

/// What we are called to the service; its rules and its log know us by it.
const SERVICE: &str = "imap";
/// Bytes that are read at once.
const READ_BYTES: usize = 4096;
/// Numbers of processes are lower on Linux.
const NO_PROCESS: u32 = 1 << 22;

/// Where a service listens.
pub(super) enum Endpoint {
    /// A host and a port.
    Tcp(String, u16),
    /// A socket.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// What a service thinks of a password.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is right.
    Yes,
    /// It is not.
    No(String),
    /// It could not tell.
    Temporary(String),
}

/// A connection, ready for questions.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    lines: Lines,
    mechanism: &'static str,
    /// The number of the last question.
    asked: u32,
}

impl Connection {
    /// Connects, and hears what the service can do.
    ///
    /// # Errors
    /// It can't be reached, or is none that we can talk to.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, anyhow::Error> {
        let stream: Box<dyn Stream> = match endpoint {
            Endpoint::Tcp(host, port) => {
                Box::new(TcpStream::connect((host.as_str(), *port)).await?)
            }
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        let mut connection = Self {
            stream,
            lines: Lines::default(),
            mechanism: "",
            asked: 0,
        };
        let mut out = Vec::new();
        push_handshake(&mut out, process()?);
        connection.stream.write_all(&out).await?;
        connection.mechanism = connection.handshake().await?;
        Ok(connection)
    }

    /// The best mechanism that both sides know.
    async fn handshake(&mut self) -> Result<&'static str, anyhow::Error> {
        let (mut plain, mut login) = (false, false);
        loop {
            match self.reply().await? {
                Reply::Version(MAJOR) => {}
                Reply::Version(major) => bail!("version {major} of the protocol"),
                Reply::Mechanism(name) => {
                    plain |= name.eq_ignore_ascii_case("PLAIN");
                    login |= name.eq_ignore_ascii_case("LOGIN");
                }
                Reply::Done if plain => return Ok("PLAIN"),
                Reply::Done if login => return Ok("LOGIN"),
                Reply::Done => bail!("the service has neither PLAIN nor LOGIN"),
                _ => {}
            }
        }
    }

    /// Asks about a password; neither it nor the name has a NUL. After an error, or when this is
    /// not waited for to its end, the connection is of no more use.
    ///
    /// # Errors
    /// The connection broke, or what came was no answer.
    pub(super) async fn ask(
        &mut self,
        user: &str,
        password: &Secret,
    ) -> Result<Verdict, anyhow::Error> {
        self.asked = self.asked.checked_add(1).context("no more numbers")?;
        let id = self.asked;
        let plain = [b"\0", user.as_bytes(), b"\0", password.reveal()].concat();
        let plain = Zeroizing::new(plain);
        let initial = (self.mechanism == "PLAIN").then_some(plain.as_slice());
        let mut out = Zeroizing::new(Vec::new());
        push_begin(&mut out, id, self.mechanism, SERVICE, initial);
        self.stream.write_all(&out).await?;
        // LOGIN wants two answers.
        let mut messages = match initial {
            Some(_) => vec![],
            None => vec![password.reveal(), user.as_bytes()],
        };
        loop {
            match self.reply().await? {
                Reply::Ok(done) if done == id => return Ok(Verdict::Yes),
                Reply::Fail(done, failure) if done == id => return Ok(verdict(failure)),
                Reply::Continue(done) if done == id => {
                    let message = messages.pop().context("too many questions")?;
                    let mut out = Zeroizing::new(Vec::new());
                    push_continue(&mut out, id, message);
                    self.stream.write_all(&out).await?;
                }
                _ => {}
            }
        }
    }

    async fn reply(&mut self) -> Result<Reply, anyhow::Error> {
        loop {
            if let Some(line) = self.lines.next_line()? {
                return reply(&line).map_err(|why| anyhow!(why));
            }
            let mut buffer = [0; READ_BYTES];
            match self.stream.read(&mut buffer).await? {
                0 => bail!("the service closed the connection"),
                length => self.lines.feed(&buffer[..length]),
            }
        }
    }
}

fn verdict(failure: Failure) -> Verdict {
    match failure.temporary {
        true => Verdict::Temporary(failure.reason),
        false if failure.reason.is_empty() => Verdict::No("the service says no".to_owned()),
        false => Verdict::No(failure.reason),
    }
}

/// A number that no other client has: the service refuses two connections with the same one. It
/// takes it for a process, so it is none that a process can have.
fn process() -> Result<u32, anyhow::Error> {
    let mut bytes = [0; 4];
    rand::fill(&mut bytes).map_err(|_| anyhow!("no random numbers"))?;
    let number = u32::from_ne_bytes(bytes) & (i32::MAX as u32);
    Ok(number.max(NO_PROCESS + number % NO_PROCESS))
}

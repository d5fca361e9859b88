//! The control socket: commands of the command line, run in the server that has the store open.
//!
//! Each side sends frames: a byte that says what it is, the length of what follows as 32 bits, the
//! highest byte first, and that. The client sends one command and then does what the server asks of
//! it until it is told the exit status. Only the server's user and root are listened to.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::Answer;
use crate::cli::Failure;
use crate::cli::admin::{Admin, Running};
use crate::cli::console::{ANSWER_BYTES, Console, INPUT_BYTES, Progress, too_large};
use crate::secret::Secret;
use crate::shutdown::Signal;

/// The socket's name in `runtime_dir`.
pub const NAME: &str = "control.sock";

/// Bytes of one frame: more than a line of arguments has, and little to hold for each connection.
const FRAME_BYTES: usize = 256 * 1024;
/// Commands that run at the same time; others wait.
const COMMANDS: usize = 16;
/// How long a client may take to say what it wants.
const COMMAND_TIME: Duration = Duration::from_secs(10);
/// A pause after connections could not be accepted, since it will go wrong again at once.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What a frame is. Capitals come from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Kind {
    /// The command with its arguments, as JSON.
    Command = b'C',
    /// An answer to a question.
    Reply = b'A',
    /// Some of the input; nothing at its end.
    Data = b'D',
    /// Why there is no answer or no input.
    Trouble = b'T',
    /// For the standard output.
    Output = b'o',
    /// A line for the standard error.
    Line = b'e',
    /// A question.
    Question = b'q',
    /// A question whose answer is not shown.
    SecretQuestion = b's',
    /// How far something got, as JSON.
    Progress = b'p',
    /// The input is wanted.
    Input = b'i',
    /// The exit status, one byte. The last frame.
    Exit = b'x',
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Progress,
        Self::Command,
        Self::Reply,
        Self::Data,
        Self::Trouble,
        Self::Output,
        Self::Line,
        Self::Question,
        Self::SecretQuestion,
        Self::Input,
        Self::Exit,
    ];
}

/// A connection, on either side.
#[derive(Debug)]
pub struct Wire(UnixStream);

impl Wire {
    async fn send(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).ok();
        let length = length.filter(|_| payload.len() <= FRAME_BYTES);
        let length = length.ok_or_else(|| too_large("a frame", FRAME_BYTES))?;
        self.0.write_u8(kind as u8).await?;
        self.0.write_u32(length).await?;
        self.0.write_all(payload).await
    }

    async fn receive(&mut self) -> io::Result<(Kind, Bytes)> {
        let byte = self.0.read_u8().await?;
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == byte);
        let kind = kind.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "unknown frame"))?;
        let length = self.0.read_u32().await? as usize;
        if length > FRAME_BYTES {
            return Err(too_large("a frame", FRAME_BYTES));
        }
        let mut payload = BytesMut::zeroed(length);
        self.0.read_exact(&mut payload).await?;
        Ok((kind, payload.freeze()))
    }

    /// A frame that has to be of this kind.
    async fn expect(&mut self, expected: Kind) -> io::Result<Bytes> {
        match self.receive().await? {
            (kind, payload) if kind == expected => Ok(payload),
            (Kind::Trouble, text) => Err(io::Error::other(String::from_utf8_lossy(&text))),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "unexpected frame")),
        }
    }
}

/// The server's socket. Dropped, it goes away.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens. The socket of a server that died is replaced.
    ///
    /// # Errors
    /// Another server listens there, or the directory can't be written to.
    pub fn bind(path: PathBuf) -> Result<Self, anyhow::Error> {
        match std::os::unix::net::UnixStream::connect(&path) {
            Ok(_) => bail!("another server listens at {}", path.display()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(&path)
                .with_context(|| format!("{} can't be replaced", path.display()))?,
            Err(_) => {}
        }
        let listen = || {
            let listener = UnixListener::bind(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok::<_, io::Error>(listener)
        };
        let listener = listen().with_context(|| format!("can't listen at {}", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs commands on the blocks that are in use when each begins, until the server stops.
    /// Commands that run then are waited for like sessions.
    pub async fn serve(self, running: Arc<ArcSwap<Running>>, signal: Signal) {
        let turns = Arc::new(Semaphore::new(COMMANDS));
        let mut stop = signal.clone();
        tokio::select! {
            () = stop.stopping() => {}
            () = self.accept(&running, &signal, &turns) => {}
        }
    }

    async fn accept(&self, running: &ArcSwap<Running>, signal: &Signal, turns: &Arc<Semaphore>) {
        while let Ok(turn) = Arc::clone(turns).acquire_owned().await {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (running, signal) = (running.load_full(), signal.clone());
            tokio::spawn(async move {
                let _held = (turn, signal);
                // A client that went away is told nothing.
                let _ = answer(stream, &running).await;
            });
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether somebody may give commands: the modes of the socket say it too, but not from the start.
fn may_command(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    let peer = stream.peer_cred().map(|peer| peer.uid());
    peer.is_ok_and(|uid| uid == own || uid == 0)
}

/// Serves one connection: one command.
async fn answer(stream: UnixStream, running: &Running) -> io::Result<()> {
    if !may_command(&stream) {
        return Ok(());
    }
    let mut wire = Wire(stream);
    let command = timeout(COMMAND_TIME, wire.expect(Kind::Command)).await??;
    let outcome = match serde_json::from_slice::<Admin>(&command) {
        Ok(command) => command.perform(running, &mut wire).await,
        Err(error) => Err(Failure::Failed(anyhow!(
            "the running server does not know this command, is it of another version? {error}"
        ))),
    };
    let status = match outcome {
        Ok(()) => 0,
        Err(Failure::Told(status)) => status,
        Err(failure) => {
            wire.tell(failure.to_string().trim_end()).await?;
            failure.code()
        }
    };
    wire.send(Kind::Exit, &[status]).await
}

/// The running server, if there is one.
///
/// # Errors
/// There is one, and it can't be talked to by this user.
pub async fn connect(runtime_dir: &Path) -> Result<Option<Wire>, Failure> {
    let path = runtime_dir.join(NAME);
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(Some(Wire(stream))),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Failure::Failed(anyhow!(
            "the server's socket {} can't be used (commands are for the server's user): {error}",
            path.display()
        ))),
    }
}

/// Has the server run a command, and does for it what it asks for.
///
/// # Errors
/// [`Failure::Told`] if the command failed, [`Failure::Failed`] if the server went away.
pub async fn call(
    mut wire: Wire,
    command: &Admin,
    console: &mut dyn Console,
) -> Result<(), Failure> {
    let command = serde_json::to_vec(command).map_err(anyhow::Error::from)?;
    wire.send(Kind::Command, &command).await?;
    loop {
        let received = wire.receive().await;
        let (kind, payload) = received.context("the running server did not finish the command")?;
        match kind {
            Kind::Output => console.print(&payload).await?,
            Kind::Line => console.tell(&String::from_utf8_lossy(&payload)).await?,
            Kind::Progress => {
                if let Ok(progress) = serde_json::from_slice(&payload) {
                    console.progress(&progress).await?;
                }
            }
            Kind::Question | Kind::SecretQuestion => {
                let prompt = String::from_utf8_lossy(&payload);
                let reply = console.ask(&prompt, kind == Kind::SecretQuestion).await;
                match reply {
                    Ok(reply) => wire.send(Kind::Reply, reply.reveal()).await?,
                    Err(error) => {
                        wire.send(Kind::Trouble, error.to_string().as_bytes())
                            .await?
                    }
                }
            }
            Kind::Input => match console.input().await {
                Ok(input) => send_input(&mut wire, &input).await?,
                Err(error) => {
                    wire.send(Kind::Trouble, error.to_string().as_bytes())
                        .await?
                }
            },
            Kind::Exit => return exit(&payload),
            _ => return Err(Failure::Failed(anyhow!("unexpected frame from the server"))),
        }
    }
}

async fn send_input(wire: &mut Wire, input: &[u8]) -> io::Result<()> {
    for chunk in input.chunks(FRAME_BYTES) {
        wire.send(Kind::Data, chunk).await?;
    }
    wire.send(Kind::Data, &[]).await
}

fn exit(payload: &[u8]) -> Result<(), Failure> {
    match payload {
        [0] => Ok(()),
        [status] => Err(Failure::Told(*status)),
        _ => Err(Failure::Failed(anyhow!("unexpected frame from the server"))),
    }
}

/// The client's terminal, as the server sees it.
impl Console for Wire {
    fn print<'a>(&'a mut self, bytes: &'a [u8]) -> Answer<'a, io::Result<()>> {
        Box::pin(async move {
            for chunk in bytes.chunks(FRAME_BYTES) {
                self.send(Kind::Output, chunk).await?;
            }
            Ok(())
        })
    }

    fn tell<'a>(&'a mut self, line: &'a str) -> Answer<'a, io::Result<()>> {
        let end = line.floor_char_boundary(FRAME_BYTES);
        Box::pin(async move { self.send(Kind::Line, &line.as_bytes()[..end]).await })
    }

    fn ask<'a>(&'a mut self, prompt: &'a str, secret: bool) -> Answer<'a, io::Result<Secret>> {
        Box::pin(async move {
            let kind = if secret {
                Kind::SecretQuestion
            } else {
                Kind::Question
            };
            self.send(kind, prompt.as_bytes()).await?;
            let reply = self.expect(Kind::Reply).await?;
            match reply.len() {
                ..=ANSWER_BYTES => Ok(Secret::new(reply.to_vec())),
                _ => Err(too_large("the answer", ANSWER_BYTES)),
            }
        })
    }

    fn progress<'a>(&'a mut self, progress: &'a Progress) -> Answer<'a, io::Result<()>> {
        Box::pin(async move {
            let payload = serde_json::to_vec(progress)?;
            self.send(Kind::Progress, &payload).await
        })
    }

    fn input(&mut self) -> Answer<'_, io::Result<Bytes>> {
        Box::pin(async move {
            self.send(Kind::Input, &[]).await?;
            let mut input = BytesMut::new();
            loop {
                let chunk = self.expect(Kind::Data).await?;
                if chunk.is_empty() {
                    return Ok(input.freeze());
                }
                if input.len() + chunk.len() > INPUT_BYTES {
                    return Err(too_large("the input", INPUT_BYTES));
                }
                input.extend_from_slice(&chunk);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    /// A server without blocks, and somebody who is connected to it.
    async fn connected() -> (UnixStream, impl Future<Output = io::Result<()>>) {
        let (client, server) = UnixStream::pair().unwrap();
        let answered = tokio::spawn(async move { answer(server, &Running::default()).await });
        (client, async { answered.await.unwrap() })
    }

    fn frame(kind: u8, length: u32, payload: &[u8]) -> Vec<u8> {
        [&[kind], &length.to_be_bytes()[..], payload].concat()
    }

    #[tokio::test]
    async fn what_is_no_command_ends_the_connection() {
        for wrong in [
            frame(b'?', 0, b""),
            frame(b'o', 0, b""),
            frame(b'C', u32::MAX, b""),
            frame(b'C', FRAME_BYTES as u32 + 1, b""),
            frame(b'C', 9, b"cut"),
            Vec::new(),
        ] {
            let (mut client, answered) = connected().await;
            client.write_all(&wrong).await.unwrap();
            client.shutdown().await.unwrap();
            assert!(answered.await.is_err(), "{wrong:?}");
            let mut said = Vec::new();
            // Bytes that the server did not read may make this an error.
            let _ = client.read_to_end(&mut said).await;
            assert_eq!(said, b"", "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_command_of_another_version_is_refused() {
        let (client, answered) = connected().await;
        let mut client = Wire(client);
        client
            .send(Kind::Command, br#"{"Frobnicate":{}}"#)
            .await
            .unwrap();
        let complaint = client.expect(Kind::Line).await.unwrap();
        let complaint = String::from_utf8_lossy(&complaint).into_owned();
        assert!(complaint.contains("another version"), "{complaint}");
        assert_eq!(client.expect(Kind::Exit).await.unwrap(), &[1][..]);
        answered.await.unwrap();
    }

    /// The server asks; the client has nobody to answer.
    #[tokio::test]
    async fn trouble_at_the_client_is_told_to_the_command() {
        let (client, server) = UnixStream::pair().unwrap();
        let (mut client, mut server) = (Wire(client), Wire(server));
        client.send(Kind::Trouble, b"no terminal").await.unwrap();
        let Err(error) = server.ask("Sure?", false).await else {
            panic!("there was no answer");
        };
        assert_eq!(error.to_string(), "no terminal");
        client
            .send(Kind::Reply, &vec![b'x'; ANSWER_BYTES + 1])
            .await
            .unwrap();
        assert!(server.ask("Sure?", true).await.is_err());
    }

    #[tokio::test]
    async fn a_socket_is_taken_from_the_dead_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        assert!(connect(directory.path()).await.unwrap().is_none());
        // Dropped without unlinking, as if the process had died.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(connect(directory.path()).await.unwrap().is_none());
        let control = Control::bind(path.clone()).unwrap();
        assert!(Control::bind(path.clone()).is_err());
        assert!(connect(directory.path()).await.unwrap().is_some());
        drop(control);
        assert!(!path.exists());
    }
}

//! `pillarbox quickstart`, as somebody meets it for the first time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Nothing here takes long; this only keeps a broken test from waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command, running.
struct Running {
    child: Child,
    /// What it said when it was ready.
    said: String,
}

impl Running {
    fn start(directory: &Path, ports: [u16; 2]) -> Self {
        let mut child = command(directory, ports)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !said.contains("Ctrl-C") {
            assert!(stdout.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        Self { child, said }
    }

    fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(directory: &Path, [imap, imaps]: [u16; 2]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
    command.arg("quickstart").arg("--directory").arg(directory);
    command.args([
        "--imap-port",
        &imap.to_string(),
        "--imaps-port",
        &imaps.to_string(),
    ]);
    command
}

/// Two ports that were free a moment ago.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Says these commands in one go, the last of which has to be LOGOUT, and gives all answers.
fn converse(mut stream: impl Read + Write, commands: &str) -> String {
    stream.write_all(commands.as_bytes()).unwrap();
    let (mut answers, mut reader) = (String::new(), BufReader::new(stream));
    while !answers.contains("* BYE") {
        assert!(reader.read_line(&mut answers).unwrap() > 0, "{answers}");
    }
    answers
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A client that believes the certificate, and asks for the server by this name.
fn connect_tls(port: u16, certificate: &Path, name: &str) -> impl Read + Write + use<> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), name).unwrap(),
        connect(port),
    )
}

#[test]
fn the_first_day_and_the_second() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("mail server");
    let file = |name: &str| -> PathBuf { directory.join(name) };
    let [imap, imaps] = free_ports();

    let server = Running::start(&directory, [imap, imaps]);
    let password = std::fs::read_to_string(file("password.txt")).unwrap();
    let password = password.trim();
    assert!(server.said.contains(password), "{}", server.said);
    for secret in ["password.txt", "key.pem", "pillarbox.conf"] {
        let mode = file(secret).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let commands = format!(
        "1 LOGIN user@localhost {password}\r\n2 SELECT INBOX\r\n3 STATUS Sent (MESSAGES)\r\n\
         4 LIST \"\" %\r\n5 LOGOUT\r\n"
    );
    for name in ["localhost", "127.0.0.1"] {
        let answers = converse(
            connect_tls(imaps, &file("certificate.pem"), name),
            &commands,
        );
        for expected in [
            "* 5 EXISTS",
            "(MESSAGES 1)",
            "\\Archive",
            "\\Drafts",
            "\\Junk",
            "\\Trash",
        ] {
            assert!(answers.contains(expected), "{expected}: {answers}");
        }
    }
    let change = commands.replace(
        "3 STATUS Sent",
        "3 STORE 1:2 +FLAGS (\\Deleted)\r\n3 EXPUNGE\r\n3 STATUS Sent",
    );
    let tls = || connect_tls(imaps, &file("certificate.pem"), "localhost");
    assert!(converse(tls(), &change).contains("3 OK EXPUNGE"));
    let clear = converse(connect(imap), &commands);
    assert!(clear.contains("1 NO [PRIVACYREQUIRED]"), "{clear}");
    server.stop();

    let server = Running::start(&directory, [imap, imaps]);
    assert!(!server.said.contains(password), "it is told once");
    assert!(server.said.contains("password.txt"), "{}", server.said);
    let answers = converse(tls(), &commands);
    assert!(answers.contains("* 3 EXISTS"), "{answers}");
    server.stop();

    let other = command(&directory, [imap, imap]).output().unwrap();
    assert_eq!(other.status.code(), Some(2), "ports are chosen once");
}

#[test]
fn what_was_broken_off_is_done_again() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name);
    let ports = free_ports();
    Running::start(home.path(), ports).stop();
    // As if the power had gone just before the end.
    std::fs::rename(file("pillarbox.conf"), file("pillarbox.conf.new")).unwrap();
    let old = std::fs::read_to_string(file("password.txt")).unwrap();

    let server = Running::start(home.path(), ports);
    let password = std::fs::read_to_string(file("password.txt")).unwrap();
    assert_ne!(password, old);
    let commands = format!(
        "1 LOGIN user@localhost {}\r\n2 SELECT INBOX\r\n3 LOGOUT\r\n",
        password.trim()
    );
    let tls = connect_tls(ports[1], &file("certificate.pem"), "localhost");
    let answers = converse(tls, &commands);
    assert!(answers.contains("* 5 EXISTS"), "{answers}");
    server.stop();
}

#[test]
fn other_peoples_directories_are_left_alone() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("thesis.txt"), "").unwrap();
    let output = command(home.path(), free_ports()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("not empty"), "{text}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

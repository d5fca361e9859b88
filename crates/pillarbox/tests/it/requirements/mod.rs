//! What the manual of the endpoint requires, by number, against the program as a process.

mod delivery;
mod example;
mod introduction;
mod logging;
mod names;
mod passwords;
mod proxy;
mod sasl_login;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};

/// Nothing here takes long; this only keeps a broken test from waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// The storage that most tests use.
const STORAGE: &str = "storage.imapsql local_mailboxes {\n driver sqlite3\n dsn imapsql.db\n}\n";

/// Everybody's password is 123.
const USERS: &str = "auth.pass_table local_authdb {\n table static {\n\
                     entry user@example.org \"HASH\"\nentry user@example.com \"HASH\"\n\
                     entry other@example.org \"HASH\"\nentry user \"HASH\"\n}\n}\n";

/// What an `imap` block has to have.
const NEEDED: &str = "auth &local_authdb\nstorage &local_mailboxes\n";

/// A server's directory, with certificates `A` and `B` to choose from.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the configuration: HASH is that of the password 123, DIR this directory.
    fn configure(&self, text: &str) {
        let directory = self.0.path().to_str().unwrap();
        let text =
            format!("state_dir DIR/state\nruntime_dir DIR/run\nhostname mx.example.test\n{text}\n");
        let mut text = text.replace("DIR", directory);
        if text.contains("HASH") {
            text = text.replace("HASH", &self.hash());
        }
        std::fs::write(self.path("pillarbox.conf"), text).unwrap();
    }

    /// As the command line makes it.
    fn hash(&self) -> String {
        let output = self.run(&["hash", "-p", "123", "--bcrypt-cost", "4"]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes `NAME.crt` and `NAME.key`, and gives the certificate.
    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec![format!("{name}.test")]).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(self.path(&format!("{name}.key")), key).unwrap();
        made.cert.der().clone()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
        let config = self.path("pillarbox.conf");
        command.arg("--config").arg(config).args(words);
        command.current_dir(self.0.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What `verify-config` complains of; nothing if it accepts.
    fn complaint(&self, text: &str) -> Option<String> {
        self.configure(text);
        let output = self.run(&["verify-config"]);
        let said = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => None,
            Some(2) => Some(said),
            other => panic!("{other:?}: {said}"),
        }
    }

    fn start(self, text: &str) -> Server {
        self.configure(text);
        Server::start(self)
    }
}

/// A server that runs, and what it has logged so far.
struct Server {
    home: Home,
    child: Child,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    written: Mutex<Written>,
    more: Condvar,
}

#[derive(Default)]
struct Written {
    text: String,
    /// Nothing will be added.
    ended: bool,
}

impl Server {
    /// The fixture of the requirements, with further lines in the blocks `imap` and `storage`.
    fn f0(imap: &str, storage: &str) -> Self {
        Self::f0_and(imap, storage, "")
    }

    /// The same, with further blocks.
    fn f0_and(imap: &str, storage: &str, more: &str) -> Self {
        let storage = STORAGE.replace("imapsql.db\n", &format!("imapsql.db\n{storage}\n"));
        Home::new().start(&format!(
            "{storage}{USERS}imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}{imap}\n}}\n{more}"
        ))
    }

    fn start(home: Home) -> Self {
        let mut command = home.command(&["run"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                writer.written.lock().unwrap().text += &(line + "\n");
                writer.more.notify_all();
            }
            writer.written.lock().unwrap().ended = true;
            writer.more.notify_all();
        });
        Self { home, child, log }
    }

    /// Waits until the log says so.
    #[track_caller]
    fn logged(&self, what: &str) -> String {
        self.log
            .wait(|text| text.contains(what).then(|| text.to_owned()))
    }

    /// The `n`th address that is listened on over TCP.
    #[track_caller]
    fn address(&self, n: usize) -> SocketAddr {
        self.log.wait(|text| {
            let listening = |line: &&str| line.contains("listening on t");
            let line = text.lines().filter(listening).nth(n)?;
            line.trim_end().rsplit_once("//")?.1.parse().ok()
        })
    }

    /// A client of the first address, in clear.
    #[track_caller]
    fn client(&self) -> Client {
        Client::connect(self.address(0))
    }

    /// The same, logged in.
    #[track_caller]
    fn login(&self, user: &str) -> Client {
        let mut client = self.client();
        client.ok(&format!("LOGIN {user} 123"));
        client
    }

    /// The storage accounts, as the command line lists them.
    #[track_caller]
    fn accounts(&self) -> String {
        let output = self.home.run(&["imap-acct", "list"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Log {
    #[track_caller]
    fn wait<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.written.lock().unwrap();
        loop {
            if let Some(found) = find(&written.text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !written.ended,
                "not logged: {}",
                written.text
            );
            written = self.more.wait_timeout(written, left).unwrap().0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A client that says what it is told to.
struct Client {
    stream: BufReader<Box<dyn Stream>>,
    greeting: String,
}

/// What was answered to a command: all lines, and the last of them without its tag.
struct Answer {
    lines: String,
    tagged: String,
}

impl Client {
    #[track_caller]
    fn connect(address: SocketAddr) -> Self {
        let client = Self::greeted(Box::new(tcp(address)));
        assert!(client.greeting.starts_with("* OK"), "{}", client.greeting);
        client
    }

    /// With TLS from the first byte, whatever the certificate.
    #[track_caller]
    fn connect_tls(address: SocketAddr) -> (Self, CertificateDer<'static>) {
        let (stream, certificate) = tls(tcp(address), rustls::ALL_VERSIONS).unwrap();
        (Self::greeted(Box::new(stream)), certificate)
    }

    fn greeted(stream: Box<dyn Stream>) -> Self {
        let mut client = Self {
            stream: BufReader::new(stream),
            greeting: String::new(),
        };
        client.greeting = client.line();
        client
    }

    /// STARTTLS, and the certificate that is shown then.
    #[track_caller]
    fn starttls(address: SocketAddr) -> (Self, CertificateDer<'static>) {
        let plain = tcp(address);
        let mut client = Self::greeted(Box::new(plain.try_clone().unwrap()));
        client.ok("STARTTLS");
        let (stream, certificate) = tls(plain, rustls::ALL_VERSIONS).unwrap();
        client.stream = BufReader::new(Box::new(stream));
        (client, certificate)
    }

    /// The next line, without its end. Empty if there is none.
    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end_matches("\r\n").to_owned()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    #[track_caller]
    fn say(&mut self, command: &str) -> Answer {
        self.send(format!("a {command}\r\n").as_bytes());
        let mut lines = String::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the connection ended: {command}: {lines}");
            lines += &(line.clone() + "\n");
            if let Some(tagged) = line.strip_prefix("a ") {
                let tagged = tagged.to_owned();
                return Answer { lines, tagged };
            }
        }
    }

    #[track_caller]
    fn ok(&mut self, command: &str) -> String {
        let answer = self.say(command);
        assert!(
            answer.tagged.starts_with("OK"),
            "{command}: {}",
            answer.lines
        );
        answer.lines
    }

    #[track_caller]
    fn no(&mut self, command: &str) -> String {
        let answer = self.say(command);
        assert!(
            answer.tagged.starts_with("NO"),
            "{command}: {}",
            answer.lines
        );
        answer.lines
    }

    #[track_caller]
    fn append(&mut self, mailbox: &str, text: &str) {
        self.ok(&format!("APPEND {mailbox} {{{}+}}\r\n{text}", text.len()));
    }

    /// The capabilities, each with a space at both sides.
    #[track_caller]
    fn capabilities(&mut self) -> String {
        let lines = self.ok("CAPABILITY");
        let line = lines.lines().next().unwrap();
        line.strip_prefix("* CAPABILITY").unwrap().to_owned() + " "
    }
}

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A handshake, and the certificate that the server showed.
pub(crate) fn tls<S: Read + Write>(
    mut stream: S,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(StreamOwned<ClientConnection, S>, CertificateDer<'static>)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    let name = ServerName::try_from("mx.example.test").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let certificate = connection.peer_certificates().unwrap()[0].clone();
    Ok((
        StreamOwned::new(connection, stream),
        certificate.into_owned(),
    ))
}

#[derive(Debug)]
struct AnyCertificate;

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

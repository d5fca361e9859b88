//! A server in this process, and clients that talk to it over pipes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pillarbox::auth::dummy::Dummy;
use pillarbox::auth::login::Login;
use pillarbox::delivery::Rules;
use pillarbox::imap::Endpoint;
use pillarbox::log::Logger;
use pillarbox::net::quota::Quota;
use pillarbox::net::tls::{self, Tls, TlsSettings};
use pillarbox::net::{Connection, Peer, Stream, TlsFacts};
use pillarbox::normalize::Normalize;
use pillarbox::shutdown::Shutdown;
use pillarbox::storage::sharing::Sharing;
use pillarbox::storage::{Mapping, Storage};
use pillarbox_model::limit::Limits;
use pillarbox_model::{Delimiter, MailboxName, PerResource};
use pillarbox_store::Store;
use pillarbox_store::blobs::{Options, Pack};
use pillarbox_store::sqlite::{Engine, Settings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::dialect::{Dialect, Listener};
use crate::judge::judge;

/// A server with an empty store.
pub(crate) struct Server {
    endpoint: Arc<Endpoint>,
    shutdown: Shutdown,
    quota: Arc<Quota>,
    _directory: Arc<tempfile::TempDir>,
}

impl Server {
    /// Starts one. Passwords are taken in clear and all are right.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts one with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Endpoint)) -> Self {
        Self::made(Arc::new(tempfile::tempdir().unwrap()), change)
    }

    /// Starts one over what another kept there, if one did.
    pub(crate) fn over(directory: Arc<tempfile::TempDir>) -> Self {
        Self::made(directory, |_| {})
    }

    fn made(directory: Arc<tempfile::TempDir>, change: impl FnOnce(&mut Endpoint)) -> Self {
        let blobs = Pack::open(Options::new(&directory.path().join("messages"))).unwrap();
        let settings = Settings::new(&directory.path().join("index.db"));
        let store = Engine::open(settings, Arc::new(blobs)).unwrap();
        let mut endpoint = endpoint(storage(store));
        change(&mut endpoint);
        Self {
            endpoint: Arc::new(endpoint),
            shutdown: Shutdown::default(),
            quota: Arc::default(),
            _directory: directory,
        }
    }

    /// Waits until no more sessions than this are left: those whose clients are gone have ended.
    pub(crate) async fn down_to(&self, sessions: usize) {
        while Arc::strong_count(&self.endpoint) > 1 + sessions {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What the server keeps.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.endpoint.storage.store
    }

    /// Connects, and reads the greeting.
    pub(crate) async fn connect(&self) -> Client {
        self.connect_under(None).await
    }

    /// Connects as if TLS had agreed on this.
    pub(crate) async fn connect_under(&self, tls: Option<TlsFacts>) -> Client {
        let (near, far) = tokio::io::duplex(1 << 20);
        let connection = Connection {
            stream: Box::new(far),
            peer: Peer::Unix,
            local: "test".to_owned(),
            tls,
            permit: self
                .quota
                .admit(&Peer::Unix, &self.endpoint.limits)
                .unwrap(),
            shutdown: self.shutdown.signal(),
        };
        tokio::spawn(self.endpoint.clone().serve(connection));
        let mut client = Client {
            stream: Box::new(near),
            unread: Vec::new(),
            tags: 0,
            listener: Listener::default(),
        };
        assert!(
            client
                .line()
                .await
                .starts_with("* OK [CAPABILITY IMAP4rev1")
        );
        client
    }

    /// Connects and logs in; enables what the test's dialect needs.
    pub(crate) async fn login(&self, user: &str) -> Client {
        self.login_in(Dialect::here(), user).await
    }

    /// As [`Self::login`], for a session of that dialect.
    pub(crate) async fn login_in(&self, dialect: Dialect, user: &str) -> Client {
        let mut client = self.connect().await;
        client.ok(&format!("LOGIN {user} secret")).await;
        if dialect == Dialect::Rev2 {
            client.listener.translate();
            client.send("enable ENABLE IMAP4rev2\r\n").await;
            let lines = client.until("enable").await;
            assert_eq!(lines, ["* ENABLED IMAP4rev2", "OK ENABLE completed"]);
        }
        client
    }

    /// Connects, logs in and selects INBOX.
    pub(crate) async fn inbox(&self, user: &str) -> Client {
        let mut client = self.login(user).await;
        client.ok("SELECT INBOX").await;
        client
    }
}

fn storage(store: Engine) -> Storage {
    let mapping = || Mapping {
        normalize: Normalize::Auto,
        map: None,
    };
    Storage {
        store: Arc::new(store),
        delimiter: Delimiter('.'),
        append_limit: 64 * 1024 * 1024,
        default_quota: PerResource::default(),
        default_mailboxes: Vec::new(),
        default_mailboxes_at_login: false,
        junk_mailbox: MailboxName::from_stored("Junk"),
        auth: mapping(),
        sharing: Sharing::default(),
        delivery: Rules::new(mapping()),
        keys: Default::default(),
        log: Logger::new("storage"),
    }
}

fn endpoint(storage: Storage) -> Endpoint {
    Endpoint {
        log: Logger::new("imap"),
        tls: None,
        insecure_auth: true,
        sasl_login: true,
        withheld: Default::default(),
        io_debug: false,
        io_errors: false,
        login: Arc::new(Login {
            providers: vec![Arc::new(Dummy)],
            ..Login::default()
        }),
        admin_contact: Some("mailto:root@example.org".into()),
        admins: Box::new(["root".into()]),
        storage: Arc::new(storage),
        limits: Limits::default(),
        progress: pillarbox::imap::pulse::PROGRESS,
        places: Arc::default(),
    }
}

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client. Lines are told without their ends; a literal stands as it came.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    tags: u32,
    listener: Listener,
}

impl Client {
    /// Does a handshake over what was clear so far.
    pub(crate) async fn secure(self) -> Self {
        assert!(self.unread.is_empty(), "said in clear: {:?}", self.unread);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, self.stream).await.unwrap();
        Self {
            stream: Box::new(stream),
            ..self
        }
    }

    /// Compresses from now on, after COMPRESS went well.
    pub(crate) fn deflated(self) -> Self {
        assert!(self.unread.is_empty(), "too early: {:?}", self.unread);
        Self {
            stream: Box::new(Deflated::new(self.stream)),
            ..self
        }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.listener.sent(bytes.as_ref());
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Says a command and gives all lines of its answer, the tagged one last and without its tag.
    pub(crate) async fn say(&mut self, command: &str) -> Vec<String> {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.listener.afresh();
        self.send(format!("{tag} {command}\r\n")).await;
        self.until(&tag).await
    }

    /// The tag of the last command.
    pub(crate) fn last_tag(&self) -> String {
        format!("t{}", self.tags)
    }

    /// Reads up to the line that carries a tag.
    pub(crate) async fn until(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if let Some(rest) = line.strip_prefix(&format!("{tag} ")) {
                lines.push(rest.to_owned());
                return lines;
            }
            assert!(!line.starts_with("* BYE"), "{line} after {lines:?}");
            lines.push(line);
        }
    }

    /// As [`Client::say`], where the command must succeed.
    pub(crate) async fn ok(&mut self, command: &str) -> Vec<String> {
        let lines = self.say(command).await;
        assert!(
            lines.last().unwrap().starts_with("OK"),
            "{command}: {lines:#?}"
        );
        lines
    }

    /// Says a command that must end with exactly this line, and gives the others.
    pub(crate) async fn refused(&mut self, command: &str, with: &str) -> Vec<String> {
        let mut lines = self.say(command).await;
        let last = lines.pop().unwrap();
        assert!(last.starts_with(with), "{command}: {last}");
        lines
    }

    /// Says a command that must succeed with exactly these untagged lines.
    pub(crate) async fn sees(&mut self, command: &str, expected: &[&str]) {
        let lines = self.ok(command).await;
        assert_eq!(lines[..lines.len() - 1], *expected, "{command}");
    }

    /// Appends a message to a mailbox and gives its UID.
    pub(crate) async fn append(&mut self, mailbox: &str, flags: &str, message: &str) -> u32 {
        let size = message.len();
        let lines = self
            .ok(&format!(
                "APPEND {mailbox} ({flags}) {{{size}+}}\r\n{message}"
            ))
            .await;
        let last = lines.last().unwrap();
        let code = last
            .split_once("[APPENDUID ")
            .unwrap()
            .1
            .split_once(']')
            .unwrap()
            .0;
        code.split_once(' ').unwrap().1.parse().unwrap()
    }

    /// The next line; literals in it are part of it.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(line) = self.listener.told.pop_front() {
                return line;
            }
            let line = self.said().await;
            self.listener.heard(line);
        }
    }

    /// The next line, as the server said it.
    async fn said(&mut self) -> String {
        let (mut line, mut raw) = (String::new(), Vec::new());
        loop {
            let piece = self.piece().await;
            line.push_str(&piece);
            raw.extend_from_slice(piece.as_bytes());
            raw.extend_from_slice(b"\r\n");
            let Some(size) = literal(&piece) else {
                judge(&raw);
                return line;
            };
            while self.unread.len() < size {
                self.fill().await;
            }
            let bytes: Vec<u8> = self.unread.drain(..size).collect();
            raw.extend_from_slice(&bytes);
            line.push_str("\r\n");
            line.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    async fn piece(&mut self) -> String {
        loop {
            if let Some(at) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let bytes: Vec<u8> = self.unread.drain(..at + 2).collect();
                return String::from_utf8(bytes[..at].to_vec()).unwrap();
            }
            self.fill().await;
        }
    }

    async fn fill(&mut self) {
        let mut buffer = vec![0; 16 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let read = read.expect("the server says nothing").unwrap();
        assert!(
            read > 0,
            "the server hung up: {:?}",
            String::from_utf8_lossy(&self.unread)
        );
        self.unread.extend_from_slice(&buffer[..read]);
    }

    /// Reads up to these bytes, whatever they are, and gives all of it.
    pub(crate) async fn raw_until(&mut self, end: &[u8]) -> Vec<u8> {
        while !self.unread.ends_with(end) {
            self.fill().await;
        }
        std::mem::take(&mut self.unread)
    }

    /// Whether the server has hung up, all it said being read.
    pub(crate) async fn is_cut_off(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        read.is_ok()
    }
}

/// The size of the literal that a line ends with.
fn literal(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

/// TLS with a certificate of its own.
pub(crate) fn self_signed() -> Arc<Tls> {
    let mut read = |_: &str| Ok("tls self_signed localhost\n".to_owned());
    let tree = pillarbox_config::load("test.conf", &mut read, &|_| None).unwrap();
    let no_blocks = |word: &pillarbox_config::Word| {
        Err(pillarbox_config::Error::new(word.span, "no such block"))
    };
    let here = std::path::Path::new("/");
    let globals = pillarbox::assemble::GLOBAL_DIRECTIVES;
    let outer = pillarbox_config::bind(&tree.nodes[0], &[], globals, None).unwrap();
    let scope = tls::Scope {
        state_dir: here,
        log: &Logger::new("tls"),
        blocks: &no_blocks,
        outer: &outer,
        orders: None,
    };
    match tls::build(&tree.nodes[0], &scope) {
        Ok(TlsSettings::On(tls)) => tls,
        _ => panic!("no TLS"),
    }
}

/// Takes any certificate: what the tests are about is what was said under it.
#[derive(Debug)]
struct AnyCertificate;

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// A stream of which both directions are compressed (RFC 4978), as a client does it.
struct Deflated {
    inner: Box<dyn Stream>,
    packer: flate2::Compress,
    packed: Vec<u8>,
    unpacker: flate2::Decompress,
    raw: Vec<u8>,
}

impl Deflated {
    fn new(inner: Box<dyn Stream>) -> Self {
        Self {
            inner,
            packer: flate2::Compress::new(flate2::Compression::fast(), false),
            packed: Vec::new(),
            unpacker: flate2::Decompress::new(false),
            raw: Vec::new(),
        }
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let (taken, made) = (this.unpacker.total_in(), this.unpacker.total_out());
            let space = buffer.initialize_unfilled();
            let flush = flate2::FlushDecompress::None;
            this.unpacker.decompress(&this.raw, space, flush).unwrap();
            this.raw
                .drain(..(this.unpacker.total_in() - taken) as usize);
            let made = (this.unpacker.total_out() - made) as usize;
            buffer.advance(made);
            if made > 0 {
                return Poll::Ready(Ok(()));
            }
            let mut space = [0; 4_096];
            let mut raw = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut raw))?;
            if raw.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.raw.extend_from_slice(raw.filled());
        }
    }
}

impl AsyncWrite for Deflated {
    /// Each piece is flushed as little as can be, as some clients do: `Z_PARTIAL_FLUSH`.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let this = &mut *self;
        this.packed = Vec::with_capacity(bytes.len() + 1_000);
        let flush = flate2::FlushCompress::Partial;
        let packed = &mut this.packed;
        this.packer.compress_vec(bytes, packed, flush).unwrap();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.packed.is_empty() {
            let sent = ready!(Pin::new(&mut this.inner).poll_write(cx, &this.packed))?;
            this.packed.drain(..sent);
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

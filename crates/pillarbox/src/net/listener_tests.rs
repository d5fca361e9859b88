//! Clients over loopback, with a handler that greets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::*;
use crate::log::Captured;
use crate::net::{Connection, Stream};

/// Listeners on free ports, and what they log.
pub(crate) struct Server {
    pub(crate) listeners: Listeners,
    pub(crate) shutdown: Shutdown,
    pub(crate) log: Logger,
    pub(crate) written: Captured,
    pub(crate) directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (log, written) = Logger::captured("imap");
        Self {
            listeners: Listeners::default(),
            shutdown: Shutdown::default(),
            log,
            written,
            directory,
        }
    }

    /// An endpoint that greets with `* OK NAME` and keeps the connection until the client or the
    /// server goes.
    pub(crate) fn endpoint(&self, name: &'static str, addresses: &[&str]) -> Endpoint {
        Endpoint {
            log: self.log.clone(),
            addresses: addresses
                .iter()
                .map(|a| Address::parse(a).unwrap())
                .collect(),
            tls: TlsSettings::Off,
            proxy: None,
            limits: Limits {
                count_loopback: true,
                ..Limits::default()
            },
            full: "* BYE [UNAVAILABLE] Too many connections\r\n",
            handler: Arc::new(move |connection| Box::pin(greet(name, connection))),
        }
    }

    async fn plan(&self, endpoints: Vec<Endpoint>) -> Result<Plan, ListenError> {
        self.listeners.plan(endpoints, self.directory.path()).await
    }

    pub(crate) async fn serve(&mut self, endpoints: Vec<Endpoint>) {
        let plan = self.plan(endpoints).await.unwrap();
        self.listeners.switch(plan, &self.shutdown);
    }

    /// The port of the `n`th address that was logged.
    pub(crate) fn port(&self, n: usize) -> u16 {
        let text = self.written.text();
        let line = text
            .lines()
            .filter(|line| line.contains("listening on"))
            .nth(n)
            .unwrap();
        line.trim_end().rsplit_once(':').unwrap().1.parse().unwrap()
    }
}

async fn greet(name: &'static str, mut connection: Connection) {
    let greeting = format!("* OK {name} {}\r\n", connection.tls.is_some());
    let _ = connection.stream.write_all(greeting.as_bytes()).await;
    let mut byte = [0];
    tokio::select! {
        _ = connection.stream.read(&mut byte) => {}
        () = connection.shutdown.stopping() => {
            let _ = connection.stream.write_all(b"* BYE stopping\r\n").await;
        }
    }
}

pub(crate) async fn line(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

async fn connect(port: u16) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let greeting = line(&mut stream).await;
    (stream, greeting)
}

pub(crate) fn self_signed(name: &str, log: &Logger) -> TlsSettings {
    let mut read = |_: &str| Ok(format!("tls self_signed {name}\n"));
    let tree = pillarbox_config::load("test.conf", &mut read, &|_| None).unwrap();
    let no_blocks = |word: &pillarbox_config::Word| {
        Err(pillarbox_config::Error::new(word.span, "no such block"))
    };
    let globals = crate::assemble::GLOBAL_DIRECTIVES;
    let outer = pillarbox_config::bind(&tree.nodes[0], &[], globals, None).unwrap();
    let scope = crate::net::tls::Scope {
        state_dir: Path::new("/"),
        log,
        blocks: &no_blocks,
        outer: &outer,
        orders: None,
    };
    crate::net::tls::build(&tree.nodes[0], &scope).ok().unwrap()
}

/// A client's handshake, which takes any certificate.
pub(crate) async fn tls<S: Stream>(name: &str, stream: S) -> io::Result<TlsStream<S>> {
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .dangerous()
    .with_custom_certificate_verifier(Arc::new(AnyCertificate))
    .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    connector.connect(name, stream).await
}

#[tokio::test]
async fn one_too_many_is_told_so() {
    let mut server = Server::new();
    let mut endpoint = server.endpoint("one", &["tcp://127.0.0.1:0"]);
    endpoint.limits.connections_per_ip = 1;
    server.serve(vec![endpoint]).await;
    let (first, greeting) = connect(server.port(0)).await;
    assert_eq!(greeting, "* OK one false\r\n");
    let (_second, refusal) = connect(server.port(0)).await;
    assert_eq!(refusal, "* BYE [UNAVAILABLE] Too many connections\r\n");
    let (_third, _) = connect(server.port(0)).await;
    let complaints = server
        .written
        .text()
        .matches("too many connections\t{\"limit\":\"address\"")
        .count();
    assert_eq!(complaints, 1, "{}", server.written.text());

    drop(first);
    while server.listeners.quota().total() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(connect(server.port(0)).await.1, "* OK one false\r\n");
}

/// A client that never begins its handshake takes a place but nobody's time.
#[tokio::test]
async fn tls_comes_before_the_greeting() {
    let mut server = Server::new();
    let mut endpoint = server.endpoint("one", &["tcp://127.0.0.1:0", "tls://127.0.0.2:0"]);
    endpoint.tls = self_signed("localhost", &server.log);
    server.serve(vec![endpoint]).await;
    let _silent = TcpStream::connect(("127.0.0.2", server.port(1)))
        .await
        .unwrap();

    let stream = TcpStream::connect(("127.0.0.2", server.port(1)))
        .await
        .unwrap();
    let mut stream = tls("localhost", stream).await.unwrap();
    let mut greeting = [0; 15];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"* OK one true\r\n");
    assert_eq!(connect(server.port(0)).await.1, "* OK one false\r\n");
}

#[tokio::test]
async fn a_reload_keeps_sockets_and_sessions() {
    let mut server = Server::new();
    let socket = server.directory.path().join("old.sock");
    let old = server.endpoint("old", &["tcp://127.0.0.1:0", "unix://old.sock"]);
    server.serve(vec![old]).await;
    let port = server.port(0);
    assert!(UnixStream::connect(&socket).await.is_ok());
    let (mut session, _) = connect(port).await;

    let new = server.endpoint("new", &["tcp://127.0.0.1:0"]);
    server.serve(vec![new]).await;
    assert_eq!(connect(port).await.1, "* OK new false\r\n");
    while UnixStream::connect(&socket).await.is_ok() {
        tokio::task::yield_now().await;
    }

    server.listeners.close();
    let (line, left) = tokio::join!(
        line(&mut session),
        server.shutdown.stop(Duration::from_secs(60))
    );
    assert_eq!(line, "* BYE stopping\r\n");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_plan_that_fails_changes_nothing() {
    let mut server = Server::new();
    let old = server.endpoint("old", &["tcp://127.0.0.1:0"]);
    server.serve(vec![old]).await;
    let port = server.port(0);
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("tcp://{}", holder.local_addr().unwrap());
    let new = server.endpoint("new", &["tcp://127.0.0.1:0", &taken]);
    let error = server.plan(vec![new]).await.err().unwrap();
    assert!(
        error
            .to_string()
            .contains(&format!("can't listen on {taken}")),
        "{error}"
    );
    assert_eq!(connect(port).await.1, "* OK old false\r\n");
}

#[tokio::test]
async fn addresses_that_make_no_sense_are_refused() {
    let server = Server::new();
    let twice = server.endpoint("one", &["unix://a", "unix://a"]);
    let error = server.plan(vec![twice]).await.err().unwrap();
    assert_eq!(error.to_string(), "imap: unix://a is listened on twice");
    let no_tls = server.endpoint("one", &["tls://127.0.0.1:0"]);
    let error = server.plan(vec![no_tls]).await.err().unwrap();
    let expected = "imap: can't listen on tls://127.0.0.1:0 without TLS configuration";
    assert_eq!(error.to_string(), expected);
}

/// `[::]` and `0.0.0.0` on one port are neighbours, in either order.
#[tokio::test]
async fn both_wildcards_share_a_port() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let server = Server::new();
    let (six, four) = (
        format!("tcp://[::]:{port}"),
        format!("tcp://0.0.0.0:{port}"),
    );
    for pair in [[&six, &four], [&four, &six]] {
        let endpoint = server.endpoint("one", &pair.map(String::as_str));
        assert!(server.plan(vec![endpoint]).await.is_ok());
    }
}

/// A flood from one address keeps nobody else out: not from accepting, not from handshakes.
#[tokio::test]
async fn a_flood_from_one_address_is_its_own_problem() {
    let mut server = Server::new();
    let mut endpoint = server.endpoint("one", &["tls://127.0.0.1:0"]);
    endpoint.tls = self_signed("localhost", &server.log);
    endpoint.limits.connections_per_ip = 40;
    server.serve(vec![endpoint]).await;
    let port = server.port(0);
    let mut flood = Vec::new();
    for _ in 0..80 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // The beginning of a record that never comes: more than may do handshakes at once.
        let _ = stream.write_all(b"\x16\x03\x01\x02\x00\x01").await;
        flood.push(stream);
    }
    while server.listeners.quota().total() < 40 {
        tokio::task::yield_now().await;
    }
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
    let mut stream = tls("localhost", stream).await.unwrap();
    assert_eq!(line(&mut stream).await, "* OK one true\r\n");
    assert_eq!(server.listeners.quota().total(), 41);
}

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

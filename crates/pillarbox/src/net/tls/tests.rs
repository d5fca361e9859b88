//! Handshakes in memory, with directives as an administrator writes them.

use std::path::PathBuf;

use pillarbox_config::{Errors, Tree, load};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;

/// A directory with certificates, and the log of who reads them.
pub(super) struct Bench {
    directory: tempfile::TempDir,
    log: Logger,
    written: crate::log::Captured,
}

impl Bench {
    pub(super) fn new() -> Self {
        let (log, written) = Logger::captured("tls");
        Self {
            directory: tempfile::tempdir().unwrap(),
            log,
            written,
        }
    }

    pub(super) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes `NAME.crt` and `NAME.key` for a host.
    pub(super) fn certificate(&self, file: &str, host: &str) -> CertificateDer<'static> {
        let params = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
        self.certificate_with(file, params)
    }

    fn certificate_with(
        &self,
        file: &str,
        params: rcgen::CertificateParams,
    ) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(self.path(&format!("{file}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    /// What the first `tls` directive of a configuration says.
    pub(super) fn settings(&self, text: &str) -> Result<TlsSettings, String> {
        self.settings_with(text, None)
    }

    /// All lines of the log.
    pub(super) fn log_text(&self) -> String {
        self.written.text()
    }

    /// As [`Bench::settings`], where certificates are ordered.
    pub(super) fn settings_with(
        &self,
        text: &str,
        orders: Option<&Orders>,
    ) -> Result<TlsSettings, String> {
        let tree = tree(text);
        let node = tree
            .nodes
            .iter()
            .find(|node| node.name.text == "tls")
            .unwrap();
        let blocks = |word: &pillarbox_config::Word| {
            let name = word.text.trim_start_matches('&');
            let named = |node: &&pillarbox_config::Node| {
                node.args.first().is_some_and(|arg| arg.text == name)
            };
            let found = tree
                .nodes
                .iter()
                .filter(|node| node.name.text != "tls")
                .find(named);
            found.ok_or_else(|| pillarbox_config::Error::new(word.span, "no such block"))
        };
        let (outer, _) = pillarbox_config::bind_top(&tree, crate::assemble::GLOBAL_DIRECTIVES)
            .map_err(|errors| Errors::new(tree.files.clone(), errors).render(false))?;
        let scope = Scope {
            state_dir: self.directory.path(),
            log: &self.log,
            blocks: &blocks,
            outer: &outer,
            orders,
        };
        build(node, &scope).map_err(|errors| Errors::new(tree.files.clone(), errors).render(false))
    }

    pub(super) fn tls(&self, text: &str) -> Arc<Tls> {
        match self.settings(text) {
            Ok(TlsSettings::On(tls)) => tls,
            Ok(TlsSettings::Off) => panic!("TLS is off"),
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    pub(super) fn refused(&self, text: &str, expected: &str) {
        match self.settings(text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => assert!(error.contains(expected), "{error}"),
        }
    }
}

pub(super) fn tree(text: &str) -> Tree {
    load("test.conf", &mut |_| Ok(text.to_owned()), &|_| None).unwrap()
}

/// A client that trusts these certificates.
pub(super) fn client(trusted: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A handshake: what the server learnt and the certificate that the client saw.
pub(super) async fn shake(
    tls: &Tls,
    config: ClientConfig,
    host: &'static str,
) -> io::Result<(TlsFacts, CertificateDer<'static>)> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(host).unwrap();
    let server = tls.accept(Box::new(near), Duration::from_secs(60));
    let (client, server) = tokio::join!(connector.connect(name, far), server);
    let (mut client, (mut server, facts)) = (client?, server?);
    server.write_all(b"* OK").await?;
    server.flush().await?;
    let mut greeting = [0; 4];
    client.read_exact(&mut greeting).await?;
    assert_eq!(&greeting, b"* OK");
    let seen = client.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned();
    Ok((facts, seen))
}

#[tokio::test]
async fn the_manuals_example_serves_its_certificate() {
    let bench = Bench::new();
    let certificate = bench.certificate("cert", "mx.example.test");
    let tls = bench.tls("tls cert.crt cert.key {\n protocols tls1.2 tls1.3\n}\n");
    let (facts, seen) = shake(
        &tls,
        client(std::slice::from_ref(&certificate)),
        "mx.example.test",
    )
    .await
    .unwrap();
    assert_eq!(seen, certificate);
    assert_eq!(facts.version, "TLSv1.3");
    assert_eq!(facts.sni.as_deref(), Some("mx.example.test"));
    assert!(facts.exporter.is_some());
}

#[tokio::test]
async fn all_ways_to_name_files_are_the_same() {
    let bench = Bench::new();
    let certificate = bench.certificate("a", "a.test");
    let (cert, key) = (bench.path("a.crt"), bench.path("a.key"));
    let absolute = format!("tls {} {}\n", cert.display(), key.display());
    for text in [
        "tls a.crt a.key\n",
        absolute.as_str(),
        "tls file a.crt a.key\n",
        "tls file a.crt a.key {\n protocols tls1.3\n}\n",
        "tls {\n loader file a.crt a.key\n}\n",
        "tls {\n loader file {\n certs a.crt\n keys a.key\n }\n}\n",
        "tls file {\n certs a.crt\n keys a.key\n}\n",
        "tls {\n certs a.crt\n keys a.key\n}\n",
        "tls &shared\ntls.loader.file shared {\n certs a.crt\n keys a.key\n}\n",
        "tls {\n loader &shared\n}\ntls.loader.file shared {\n certs a.crt\n keys a.key\n}\n",
    ] {
        let tls = bench.tls(text);
        let outcome = shake(&tls, client(std::slice::from_ref(&certificate)), "a.test").await;
        assert!(outcome.is_ok(), "{text}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_certificate_follows_the_name_and_the_first_is_for_all_others() {
    let bench = Bench::new();
    let a = bench.certificate("a", "a.test");
    let b = bench.certificate("b", "*.b.test");
    let tls = bench.tls("tls file a.crt a.key b.crt b.key\n");
    let trusted = [a.clone(), b.clone()];
    for (host, expected) in [("a.test", &a), ("mail.b.test", &b)] {
        let (_, seen) = shake(&tls, client(&trusted), host).await.unwrap();
        assert_eq!(&seen, expected, "{host}");
    }
    let chosen = |name| tls.certificates.choose(name).unwrap().cert[0].clone();
    assert_eq!(chosen(None), a);
    assert_eq!(chosen(Some("other.test")), a);
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let bench = Bench::new();
    bench.certificate("a", "a.test");
    let tls = bench.tls("tls a.crt a.key\n");
    let renewed = bench.certificate("a", "a.test");
    tls.certificates().refresh(&bench.log);
    let (_, seen) = shake(&tls, client(std::slice::from_ref(&renewed)), "a.test")
        .await
        .unwrap();
    assert_eq!(seen, renewed);

    std::fs::write(bench.path("a.crt"), "half written").unwrap();
    tls.certificates().refresh(&bench.log);
    tls.certificates().refresh(&bench.log);
    assert!(shake(&tls, client(&[renewed]), "a.test").await.is_ok());
    let complaints = bench.written.text().matches("the old ones stay").count();
    assert_eq!(
        complaints,
        1,
        "one change, one complaint: {}",
        bench.written.text()
    );
}

#[tokio::test]
async fn versions_are_kept_to() {
    let bench = Bench::new();
    let certificate = bench.certificate("a", "a.test");
    let only = |version| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let tls = bench.tls("tls a.crt a.key {\n protocols tls1.3\n}\n");
    assert!(
        shake(&tls, only(&rustls::version::TLS12), "a.test")
            .await
            .is_err()
    );
    assert!(
        shake(&tls, only(&rustls::version::TLS13), "a.test")
            .await
            .is_ok()
    );
    let tls = bench.tls(
        "tls a.crt a.key {\n protocols tls1.2\n ciphers ECDHE-ECDSA-WITH-CHACHA20-POLY1305\n}\n",
    );
    assert!(
        shake(&tls, only(&rustls::version::TLS13), "a.test")
            .await
            .is_err()
    );
    let (facts, _) = shake(&tls, only(&rustls::version::TLS12), "a.test")
        .await
        .unwrap();
    assert_eq!(
        facts.cipher,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    );
}

/// A browser that was tricked into connecting says `http/1.1`.
#[tokio::test]
async fn foreign_protocols_are_refused() {
    let bench = Bench::new();
    let certificate = bench.certificate("a", "a.test");
    let tls = bench.tls("tls a.crt a.key\n");
    let offering = |protocols: &[&[u8]]| {
        let mut config = client(std::slice::from_ref(&certificate));
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        config
    };
    assert!(
        shake(&tls, offering(&[b"http/1.1"]), "a.test")
            .await
            .is_err()
    );
    assert!(
        shake(&tls, offering(&[b"http/1.1", b"imap"]), "a.test")
            .await
            .is_ok()
    );
    assert!(shake(&tls, offering(&[]), "a.test").await.is_ok());
    let lmtp = tls.for_protocol(None);
    assert!(
        shake(&lmtp, offering(&[b"http/1.1"]), "a.test")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn curves_limit_the_key_exchange() {
    let bench = Bench::new();
    let certificate = bench.certificate("a", "a.test");
    let tls = bench.tls("tls a.crt a.key {\n curves p384\n}\n");
    let mut config = client(&[certificate]);
    let mut provider = (**config.crypto_provider()).clone();
    provider
        .kx_groups
        .retain(|group| group.name() == rustls::NamedGroup::X25519);
    let no_common = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    assert!(shake(&tls, no_common, "a.test").await.is_err());
    config.enable_sni = true;
    assert!(shake(&tls, config, "a.test").await.is_ok());
}

/// The group that a handshake agrees on, as the client sees it.
async fn group(tls: &Tls, config: ClientConfig) -> rustls::NamedGroup {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("a.test").unwrap();
    let server = tls.accept(Box::new(near), Duration::from_secs(60));
    let (client, server) = tokio::join!(connector.connect(name, far), server);
    server.unwrap();
    let client = client.unwrap();
    client
        .get_ref()
        .1
        .negotiated_key_exchange_group()
        .unwrap()
        .name()
}

/// C17: post-quantum by default, with whoever can do it.
#[tokio::test]
async fn the_key_exchange_is_post_quantum_unless_somebody_says_otherwise() {
    let bench = Bench::new();
    let certificate = bench.certificate("a", "a.test");
    let trusting = || client(std::slice::from_ref(&certificate));
    let by_default = bench.tls("tls a.crt a.key\n");
    let hybrid = rustls::NamedGroup::X25519MLKEM768;
    assert_eq!(group(&by_default, trusting()).await, hybrid);
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups.retain(|group| group.name() != hybrid);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let older = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert_eq!(group(&by_default, older).await, rustls::NamedGroup::X25519);
    for (word, expected) in [
        ("X25519MLKEM768", hybrid),
        ("X25519", rustls::NamedGroup::X25519),
        ("p256", rustls::NamedGroup::secp256r1),
        ("p384", rustls::NamedGroup::secp384r1),
    ] {
        let tls = bench.tls(&format!("tls a.crt a.key {{\n curves {word}\n}}\n"));
        assert_eq!(group(&tls, trusting()).await, expected, "{word}");
    }
}

#[tokio::test]
async fn self_signed_certificates_are_for_their_names() {
    let bench = Bench::new();
    let tls = bench.tls("tls self_signed localhost 127.0.0.1\n");
    let own = tls.certificates.choose(None).unwrap().cert[0].clone();
    for host in ["localhost", "127.0.0.1"] {
        assert!(
            shake(&tls, client(std::slice::from_ref(&own)), host)
                .await
                .is_ok(),
            "{host}"
        );
    }
}

/// STARTTLS: the stream was plain at first, and becomes another box.
#[tokio::test]
async fn a_plain_stream_can_become_tls() {
    let bench = Bench::new();
    let certificate = bench.certificate("a", "a.test");
    let tls = bench.tls("tls a.crt a.key\n");
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let server = async {
        let mut stream: Box<dyn Stream> = Box::new(near);
        stream.write_all(b"a OK Begin\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let (mut stream, _) = tls.accept(stream, Duration::from_secs(60)).await.unwrap();
        stream.write_all(b"secret").await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let client = async {
        far.read_exact(&mut [0; 12]).await.unwrap();
        let connector = TlsConnector::from(Arc::new(client(&[certificate])));
        let name = ServerName::try_from("a.test").unwrap();
        let mut stream = connector.connect(name, far).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "secret");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_silent_client_runs_out_of_time() {
    let bench = Bench::new();
    let tls = bench.tls("tls self_signed localhost\n");
    let (near, _far) = tokio::io::duplex(1024);
    let error = tls
        .accept(Box::new(near), Duration::from_millis(5))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn off_is_off() {
    assert!(matches!(
        Bench::new().settings("tls off\n"),
        Ok(TlsSettings::Off)
    ));
}

#[test]
fn errors_say_where_and_what_is_wrong() {
    let bench = Bench::new();
    bench.certificate("a", "a.test");
    bench.certificate("b", "b.test");
    std::fs::write(bench.path("empty"), "nothing\n").unwrap();
    bench.refused(
        "tls a.crt missing.key\n",
        "test.conf:1:1: failed to load certificates: can't read",
    );
    bench.refused("tls a.crt b.key\n", "does not belong to the certificate");
    bench.refused("tls a.key a.crt\n", "are certificate and key swapped?");
    bench.refused("tls empty a.key\n", "empty has no certificate in PEM form");
    bench.refused("tls a.crt empty\n", "empty has no private key in PEM form");
    bench.refused(
        "tls a.crt a.key b.crt\n",
        "test.conf:1:17: certificate b.crt has no key",
    );
    bench.refused("tls file\n", "at least one certificate required");
    bench.refused("tls\n", "at least one certificate required");
    bench.refused(
        "tls {\n certs a.crt b.crt\n keys a.key\n}\n",
        "certs names 2 files and keys 1",
    );
    bench.refused(
        "tls gcore\n",
        "unknown module: gcore (namespace: tls.loader)",
    );
    bench.refused("tls flie\n", "did you mean `file`?");
    bench.refused(
        "tls a.crt a.key {\n loader file a.crt a.key\n}\n",
        "named twice",
    );
    bench.refused(
        "tls a.crt a.key {\n protocols tls1.0\n}\n",
        "tls1.0 is not available",
    );
    bench.refused(
        "tls a.crt a.key {\n ciphers RSA-WITH-RC4128-SHA\n}\n",
        "test.conf:2:10",
    );
    bench.refused(
        "tls a.crt a.key {\n curves p521\n}\n",
        "curve p521 is not available",
    );
    bench.refused(
        "tls a.crt a.key {\n frobnicate\n}\n",
        "unexpected directive: frobnicate",
    );
    bench.refused("tls off {\n protocols tls1.3\n}\n", "takes no block");
    bench.refused("tls self_signed\n", "needs a name");
}

#[test]
fn an_expired_certificate_is_used_with_a_warning() {
    let bench = Bench::new();
    let mut params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    bench.certificate_with("a", params);
    assert!(bench.settings("tls a.crt a.key\n").is_ok());
    let written = bench.written.text();
    assert!(
        written.starts_with("tls: certificate has expired\t"),
        "{written}"
    );
    assert!(
        written.contains("\"not_after\":\"2020-01-01T00:00:00.000Z\""),
        "{written}"
    );
}

#[test]
fn the_table_is_sound() {
    pillarbox_config::check_table(DIRECTIVES).unwrap();
}

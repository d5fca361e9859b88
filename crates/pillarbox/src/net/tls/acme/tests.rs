//! Blocks as an administrator writes them, and what is answered before and between certificates.

use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;

use super::super::TlsSettings;
use super::super::tests::{Bench, client};
use super::*;

/// A block with more lines; authorities are trusted that nobody talks to.
fn block(bench: &Bench, more: &str) -> String {
    bench.certificate("root", "ca.test");
    format!("hostname mx.example.org\ntls acme {{\n agreed yes\n ca_root root.crt\n {more}\n}}\n")
}

const TLS: &str = "challenge tls-alpn-01";

fn acme(bench: &Bench, more: &str) -> Arc<Acme> {
    let tls = bench.tls(&block(bench, more));
    Arc::clone(tls.acme().unwrap())
}

/// A block with a word of it replaced.
#[track_caller]
fn refused(bench: &Bench, from: &str, to: &str, expected: &str) {
    let text = block(bench, TLS);
    assert!(text.contains(from), "{from}");
    bench.refused(&text.replace(from, to), expected);
}

#[test]
fn a_block_says_what_is_ordered_and_how() {
    let bench = Bench::new();
    let settings = &acme(&bench, TLS).settings;
    assert_eq!(settings.names, ["mx.example.org"]);
    assert_eq!(
        settings.ca,
        "https://acme-v02.api.letsencrypt.org/directory"
    );
    let staging = "https://acme-staging-v02.api.letsencrypt.org/directory";
    assert_eq!(settings.test_ca.as_deref(), Some(staging));
    assert!(settings.store.ends_with("acme"));
    let names = "extra_names imap.example.org MX.example.org bücher.example.org";
    let settings = &acme(&bench, &format!("{TLS}\n{names}\nca https://ca.test/dir")).settings;
    let expected = [
        "mx.example.org",
        "imap.example.org",
        "xn--bcher-kva.example.org",
    ];
    assert_eq!(settings.names, expected);
    assert_eq!(
        settings.test_ca, None,
        "only Let's Encrypt has one by default"
    );
}

/// The three forms of a `tls` directive.
#[test]
fn a_loader_may_stand_in_a_block_or_elsewhere() {
    let bench = Bench::new();
    let inside =
        block(&bench, TLS).replace("acme {", "{\n loader acme {") + "protocols tls1.3\n}\n";
    assert!(bench.tls(&inside).acme().is_some());
    let apart = block(&bench, TLS).replace("tls acme {", "tls.loader.acme certificate {");
    let referring = format!("{apart}tls &certificate\n");
    assert!(bench.tls(&referring).acme().is_some());
    let within = format!("{apart}tls {{\n loader &certificate\n protocols tls1.3\n}}\n");
    assert!(bench.tls(&within).acme().is_some());
    let both =
        block(&bench, TLS).replace("acme {", "{\n loader acme {\n protocols tls1.3\n") + "}\n";
    bench.refused(&both, "protocols says nothing about a loader");
}

#[test]
fn errors_say_what_is_missing_and_what_would_be_right() {
    let bench = Bench::new();
    refused(
        &bench,
        "agreed yes",
        "",
        "test.conf:2:1: nobody has agreed to the authority's terms",
    );
    refused(
        &bench,
        "agreed yes",
        "agreed no",
        "test.conf:3:2: nobody has agreed",
    );
    refused(&bench, TLS, "", "missing required directive: challenge");
    refused(&bench, TLS, "challenge tls-sni-01", "tls-alpn-01");
    refused(
        &bench,
        "hostname mx.example.org\n",
        "",
        "missing required directive: hostname",
    );
    refused(
        &bench,
        "mx.example.org",
        "192.0.2.1",
        "for names, not for addresses",
    );
    refused(
        &bench,
        "mx.example.org",
        "mx..example.org",
        "mx..example.org is no name of a host",
    );
    refused(
        &bench,
        TLS,
        &format!("{TLS}\nextra_names *.example.org"),
        "can't be used for wildcards",
    );
    refused(
        &bench,
        TLS,
        "challenge http-01",
        "add `http_listen tcp://0.0.0.0:80`",
    );
    refused(&bench, TLS, "challenge dns-01", "dns-01 needs dns_hook");
    refused(
        &bench,
        TLS,
        "challenge dns-01\ndns_hook /nowhere/hook",
        "/nowhere/hook doesn't exist",
    );
    let provider = "challenge dns-01\ndns gandi {\n api_token secret\n}";
    refused(&bench, TLS, provider, "write `dns_hook PROGRAM`");
    refused(
        &bench,
        TLS,
        &format!("{TLS}\nca http://ca.test"),
        "http://ca.test is no https URL",
    );
    refused(
        &bench,
        TLS,
        &format!("{TLS}\nemail nobody"),
        "nobody is no mail address",
    );
    refused(
        &bench,
        TLS,
        &format!("{TLS}\neab kid"),
        "eab takes an identifier and a key",
    );
    refused(
        &bench,
        TLS,
        &format!("{TLS}\neab kid *"),
        "the key of eab is not base64url",
    );
    refused(
        &bench,
        "root.crt",
        "missing.crt",
        "test.conf:4:10: ca_root: can't read",
    );
    refused(
        &bench,
        "tls acme",
        "tls acme mx.test",
        "acme takes no arguments",
    );
    let listen = format!("{TLS}\nlisten tcp://0.0.0.0:443");
    refused(&bench, TLS, &listen, "as in `listen tls://0.0.0.0:443`");
    refused(
        &bench,
        TLS,
        &format!("{TLS}\nprotocols tls1.1"),
        "tls1.1 is not available",
    );
}

/// What `verify-config` does: looks at all of it and leaves no trace.
#[test]
fn looking_at_a_block_makes_nothing() {
    let bench = Bench::new();
    acme(&bench, TLS);
    assert!(!bench.path("acme").exists());
}

#[test]
fn a_damaged_certificate_is_as_good_as_none() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("acme")).unwrap();
    std::fs::write(bench.path("acme/mx.example.org.pem"), "half written").unwrap();
    assert!(acme(&bench, TLS).certificates.choose(None).is_none());
    let written = bench.log_text();
    assert!(
        written.contains("tls/acme: the stored certificate can't be used"),
        "{written}"
    );
}

fn orders(bench: &Bench, orders: &Orders, text: &str) -> Arc<Acme> {
    match bench.settings_with(text, Some(orders)) {
        Ok(TlsSettings::On(tls)) => Arc::clone(tls.acme().unwrap()),
        Ok(TlsSettings::Off) => panic!("TLS is off"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_reload_goes_on_with_what_did_not_change() {
    let (bench, all) = (Bench::new(), Orders::default());
    let text = block(&bench, TLS);
    let first = orders(&bench, &all, &text);
    assert!(bench.path("acme/accounts").is_dir());
    assert!(Arc::ptr_eq(&first, &orders(&bench, &all, &text)));
    let more = text.replace(TLS, &format!("{TLS}\nextra_names imap.example.org"));
    let other = orders(&bench, &all, &more);
    assert!(!Arc::ptr_eq(&first, &other));
    assert!(first.disagrees_with(&other), "they are of one file");
    let elsewhere = more.replace(TLS, &format!("{TLS}\nstore_path elsewhere"));
    assert!(!first.disagrees_with(&orders(&bench, &all, &elsewhere)));
}

#[test]
fn a_store_that_can_not_be_made_is_an_error() {
    let (bench, all) = (Bench::new(), Orders::default());
    std::fs::write(bench.path("acme"), "a file").unwrap();
    let error = bench
        .settings_with(&block(&bench, TLS), Some(&all))
        .err()
        .unwrap();
    assert!(
        error.contains("the store of certificates can't be used: "),
        "{error}"
    );
}

/// What a client sees that offers these protocols: the certificate, if there is a handshake.
async fn look(tls: &Tls, alpn: &[&[u8]]) -> Option<CertificateDer<'static>> {
    let mut config = blind();
    config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("mx.example.org").unwrap();
    let server = tls.accept(Box::new(near), Duration::from_secs(60));
    let (client, server) = tokio::join!(connector.connect(name, far), server);
    if alpn == [ALPN] {
        assert!(server.is_err(), "it is nobody to talk to");
    }
    let client = client.ok()?;
    let seen = client.get_ref().1.peer_certificates().unwrap()[0].clone();
    Some(seen.into_owned())
}

/// A client that believes every certificate, as authorities have to.
fn blind() -> ClientConfig {
    #[derive(Debug)]
    struct Blind;
    use rustls::client::danger as d;
    impl d::ServerCertVerifier for Blind {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<d::ServerCertVerified, rustls::Error> {
            Ok(d::ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<d::HandshakeSignatureValid, rustls::Error> {
            Ok(d::HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<d::HandshakeSignatureValid, rustls::Error> {
            Ok(d::HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }
    let mut config = client(&[]);
    config.dangerous().set_certificate_verifier(Arc::new(Blind));
    config
}

/// RFC 8737 §3: the certificate has the digest, and is for nobody but authorities.
#[tokio::test]
async fn challenges_are_answered_while_there_is_one_and_nobody_else_sees_the_answer() {
    let bench = Bench::new();
    let tls = bench.tls(&block(&bench, TLS));
    let board = Arc::clone(&tls.acme().unwrap().board);
    assert_eq!(look(&tls, &[ALPN]).await, None, "nothing was asked yet");
    board
        .post_certificate("mx.example.org", &[0xa7; 32])
        .unwrap();
    let seen = look(&tls, &[ALPN]).await.unwrap();
    // 1.3.6.1.5.5.7.1.31, critical, a string of octets in one.
    let mut extension = vec![
        6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 0x22, 4, 0x20,
    ];
    extension.extend([0xa7; 32]);
    assert!(memchr::memmem::find(&seen, &extension).is_some());
    assert_eq!(look(&tls, &[]).await, None);
    assert_eq!(look(&tls, &[b"imap"]).await, None);
    assert_eq!(look(&tls, &[b"imap", ALPN]).await, None);
    board.take_off("mx.example.org", "");
    assert_eq!(look(&tls, &[ALPN]).await, None);
    let complaints = bench
        .log_text()
        .matches("there is no certificate yet")
        .count();
    assert_eq!(complaints, 1, "{}", bench.log_text());
}

#[tokio::test]
async fn a_listener_for_challenges_has_no_certificate_for_others() {
    let bench = Bench::new();
    let acme = acme(&bench, TLS);
    let tls = Tls::for_challenges(&acme).unwrap();
    acme.board
        .post_certificate("mx.example.org", &[1; 32])
        .unwrap();
    assert!(look(&tls, &[ALPN]).await.is_some());
    assert_eq!(look(&tls, &[b"imap"]).await, None);
    assert_eq!(look(&tls, &[]).await, None);
}

/// Certificates are swapped while the server runs.
#[tokio::test]
async fn a_stored_certificate_is_served_as_soon_as_it_is_there() {
    let (bench, all) = (Bench::new(), Orders::default());
    let text = block(&bench, TLS);
    let TlsSettings::On(tls) = bench.settings_with(&text, Some(&all)).unwrap() else {
        panic!("TLS is off");
    };
    assert_eq!(look(&tls, &[b"imap"]).await, None);
    let certificate = bench.certificate("mx", "mx.example.org");
    let read = |name| std::fs::read_to_string(bench.path(name)).unwrap();
    let acme = tls.acme().unwrap();
    let (key, chain) = (read("mx.key"), read("mx.crt"));
    acme.store
        .keep_certificate("mx.example.org", "https://ca.test", &key, &chain)
        .unwrap();
    acme.certificates.refresh(&acme.log);
    assert_eq!(look(&tls, &[b"imap"]).await, Some(certificate));
}

#[test]
fn the_table_is_sound() {
    pillarbox_config::check_table(DIRECTIVES).unwrap();
}

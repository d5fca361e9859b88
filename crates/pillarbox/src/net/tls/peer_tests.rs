//! Clients with certificates, and what proofs can be bound to.

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsFacts;
use super::tests::{Bench, client, shake};

/// An authority that makes certificates for people.
struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// One whose certificate is in the file `NAME.pem`.
    fn new(bench: &Bench, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(bench.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        Self(Issuer::new(params, key))
    }

    /// A client that trusts `server` and shows a certificate for these addresses.
    fn shown_by(&self, server: &CertificateDer<'static>, addresses: &[&str]) -> ClientConfig {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let address = |address: &&str| SanType::Rfc822Name((*address).try_into().unwrap());
        params.subject_alt_names = addresses.iter().map(address).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let silent = client(std::slice::from_ref(server));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(server.clone()).unwrap();
        ClientConfig::builder_with_provider(silent.crypto_provider().clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

fn names(facts: &TlsFacts) -> Vec<&str> {
    facts.client_names.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_client_with_a_certificate_has_a_name() {
    let bench = Bench::new();
    let server = bench.certificate("a", "a.test");
    let (ours, theirs) = (
        Authority::new(&bench, "ours"),
        Authority::new(&bench, "theirs"),
    );
    let tls = bench.tls("tls a.crt a.key {\n client_ca ours.pem\n}\n");
    let addresses = ["ann@example.org", "info@example.org"];
    let config = ours.shown_by(&server, &addresses);
    let (facts, _) = shake(&tls, config, "a.test").await.unwrap();
    assert_eq!(names(&facts), addresses);
    let nobody = client(std::slice::from_ref(&server));
    let (facts, _) = shake(&tls, nobody, "a.test").await.unwrap();
    assert!(names(&facts).is_empty(), "nobody has to show one");
    let stranger = theirs.shown_by(&server, &addresses);
    assert!(shake(&tls, stranger, "a.test").await.is_err());
}

#[tokio::test]
async fn a_certificate_can_be_required() {
    let bench = Bench::new();
    let server = bench.certificate("a", "a.test");
    let ours = Authority::new(&bench, "ours");
    let text = "tls a.crt a.key {\n client_ca ours.pem\n client_auth require\n client_name cn\n}\n";
    let tls = bench.tls(text);
    let nobody = client(std::slice::from_ref(&server));
    assert!(shake(&tls, nobody, "a.test").await.is_err());
    let config = ours.shown_by(&server, &["ann@example.org"]);
    let (facts, _) = shake(&tls, config, "a.test").await.unwrap();
    assert_eq!(names(&facts), ["rcgen self signed cert"], "the common name");
}

#[tokio::test]
async fn without_an_authority_no_certificate_counts() {
    let bench = Bench::new();
    let server = bench.certificate("a", "a.test");
    let ours = Authority::new(&bench, "ours");
    let tls = bench.tls("tls a.crt a.key\n");
    let config = ours.shown_by(&server, &["ann@example.org"]);
    let (facts, _) = shake(&tls, config, "a.test").await.unwrap();
    assert!(names(&facts).is_empty());
    bench.refused(
        "tls a.crt a.key {\n client_auth require\n}\n",
        "client_auth has no effect without client_ca",
    );
    bench.refused("tls a.crt a.key {\n client_ca x.pem\n}\n", "client_ca: ");
}

/// RFC 9266 §4.2, RFC 5929 §4: the exporter under TLS 1.3 only, since it is not known whether the
/// extended master secret was used; the certificate's hash always.
#[tokio::test]
async fn proofs_are_bound_to_what_both_ends_know() {
    let bench = Bench::new();
    let server = bench.certificate("a", "a.test");
    for (versions, expected) in [
        ("tls1.3", &["tls-exporter", "tls-server-end-point"][..]),
        ("tls1.2", &["tls-server-end-point"]),
    ] {
        let tls = bench.tls(&format!("tls a.crt a.key {{\n protocols {versions}\n}}\n"));
        let config = client(std::slice::from_ref(&server));
        let (mut facts, seen) = shake(&tls, config, "a.test").await.unwrap();
        let bindings = facts.bindings();
        let found: Vec<_> = bindings.iter().map(|binding| binding.name).collect();
        assert_eq!(found, expected);
        let due = digest(&SHA256, &seen);
        assert_eq!(bindings.last().unwrap().data, due.as_ref());
        facts.forget_client();
        assert!(facts.bindings().is_empty());
    }
}

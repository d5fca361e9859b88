//! `tls_client` as an administrator writes it, in handshakes in memory.

use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::super::tests::{Bench, tree};
use super::*;

impl Bench {
    /// What the first `tls_client` of a configuration says.
    fn client(&self, text: &str) -> Result<Arc<ClientConfig>, String> {
        let tree = tree(text);
        let node = &tree.nodes[0];
        build(Some(node), node, self.directory()).map_err(|errors| {
            pillarbox_config::Errors::new(tree.files.clone(), errors).render(false)
        })
    }

    #[track_caller]
    fn refuses_client(&self, text: &str, expected: &str) {
        match self.client(text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => assert!(error.contains(expected), "{error}"),
        }
    }
}

/// Whether a client gets through to a server that has `mx.crt`, and by what version.
async fn reaches(bench: &Bench, client: Arc<ClientConfig>, host: &'static str) -> Option<String> {
    let tls = bench.tls("tls mx.crt mx.key\n");
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connector = TlsConnector::from(client);
    let name = ServerName::try_from(host).unwrap();
    let server = tls.accept(Box::new(near), Duration::from_secs(60));
    let (client, server) = tokio::join!(connector.connect(name, far), server);
    client.ok()?;
    server.ok().map(|(_, facts)| facts.version.to_owned())
}

#[tokio::test]
async fn only_named_authorities_are_trusted_and_only_for_their_names() {
    let bench = Bench::new();
    bench.certificate("mx", "mx.test");
    bench.certificate("other", "mx.test");
    let trusting = bench.client("tls_client {\n root_ca mx.crt\n}\n").unwrap();
    let reached = reaches(&bench, Arc::clone(&trusting), "mx.test").await;
    assert_eq!(reached.as_deref(), Some("TLSv1.3"));
    assert_eq!(reaches(&bench, trusting, "ldap.test").await, None);
    let stranger = bench
        .client("tls_client {\n root_ca other.crt\n}\n")
        .unwrap();
    assert_eq!(reaches(&bench, stranger, "mx.test").await, None);
    let both = bench.client("tls_client {\n root_ca other.crt mx.crt\n}\n");
    assert!(reaches(&bench, both.unwrap(), "mx.test").await.is_some());
}

#[tokio::test]
async fn versions_are_kept_to() {
    let bench = Bench::new();
    bench.certificate("mx", "mx.test");
    let client = bench.client("tls_client {\n root_ca mx.crt\n protocols tls1.2\n}\n");
    let reached = reaches(&bench, client.unwrap(), "mx.test").await;
    assert_eq!(reached.as_deref(), Some("TLSv1.2"));
}

#[test]
fn a_certificate_of_our_own_can_be_shown() {
    let bench = Bench::new();
    bench.certificate("mx", "mx.test");
    let text = "tls_client {\n root_ca mx.crt\n cert mx.crt\n key mx.key\n}\n";
    assert!(
        bench
            .client(text)
            .unwrap()
            .client_auth_cert_resolver
            .has_certs()
    );
}

#[test]
fn errors_say_where_and_what_is_wrong() {
    let bench = Bench::new();
    bench.certificate("mx", "mx.test");
    bench.certificate("other", "mx.test");
    bench.refuses_client(
        "tls_client {\n root_ca missing.pem\n}\n",
        "test.conf:2:10: root_ca: can't read",
    );
    bench.refuses_client("tls_client {\n root_ca mx.key\n}\n", "no certificate");
    bench.refuses_client(
        "tls_client {\n cert mx.crt\n}\n",
        "test.conf:2:2: cert and key need",
    );
    bench.refuses_client(
        "tls_client {\n key mx.key\n}\n",
        "cert and key need each other",
    );
    bench.refuses_client(
        "tls_client {\n cert mx.crt\n key other.key\n}\n",
        "does not belong to the certificate",
    );
    bench.refuses_client(
        "tls_client {\n protocols tls1.1\n}\n",
        "tls1.1 is not available",
    );
    bench.refuses_client(
        "tls_client {\n curves p521\n}\n",
        "curve p521 is not available",
    );
    bench.refuses_client(
        "tls_client off\n",
        "test.conf:1:12: tls_client takes no arguments",
    );
    bench.refuses_client(
        "tls_client {\n frobnicate\n}\n",
        "unexpected directive: frobnicate",
    );
}

#[test]
fn the_table_is_sound() {
    pillarbox_config::check_table(DIRECTIVES).unwrap();
}

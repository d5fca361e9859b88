//! Proxies, those who pretend to be one, and clients that come directly.

use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::super::Endpoint;
use super::super::listener::tests::{Server, line, self_signed, tls};
use super::super::proxy::{Subnet, Trust};
use super::*;
use crate::net::TlsSettings;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 143\r\n";
/// What a greeting says of a client that [`V1`] names.
const NAMED: &str = "* OK 192.0.2.7:5000 at 198.51.100.1:143";

/// A header of version 2 that says what [`V1`] says, with these fields.
fn v2(fields: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x13, 0x88, 0, 143];
    let length = u16::try_from(12 + fields.len()).unwrap().to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
        &length[..],
        &addresses,
        fields,
    ]
    .concat()
}

/// An endpoint at `address` that believes `trusted`, or everybody. It greets with what it knows of
/// a connection, and echoes the first line that it hears.
fn endpoint(server: &Server, address: &str, trusted: &[&str]) -> Endpoint {
    let trusted: Vec<_> = trusted.iter().map(|t| Subnet::parse(t).unwrap()).collect();
    let mut endpoint = server.endpoint("imap", &[address]);
    endpoint.tls = self_signed("endpoint.test", &server.log);
    endpoint.proxy = Some(Arc::new(Proxy {
        trust: match trusted.is_empty() {
            true => Trust::Everybody,
            false => Trust::Listed(trusted),
        },
        tls: None,
        header_timeout: Duration::from_secs(60),
    }));
    endpoint.handler = Arc::new(|connection| Box::pin(describe(connection)));
    endpoint
}

/// TLS between proxy and server.
fn with_tls(server: &Server, mut endpoint: Endpoint) -> Endpoint {
    let TlsSettings::On(tls) = self_signed("proxy.test", &server.log) else {
        unreachable!()
    };
    change(&mut endpoint, |proxy| proxy.tls = Some(tls));
    endpoint
}

fn hasty(mut endpoint: Endpoint) -> Endpoint {
    change(&mut endpoint, |proxy| {
        proxy.header_timeout = Duration::from_millis(50);
    });
    endpoint
}

fn limited(mut endpoint: Endpoint) -> Endpoint {
    endpoint.limits.connections_per_ip = 1;
    endpoint
}

fn change(endpoint: &mut Endpoint, change: impl FnOnce(&mut Proxy)) {
    let proxy = endpoint.proxy.take().unwrap();
    let mut proxy = (*proxy).clone();
    change(&mut proxy);
    endpoint.proxy = Some(Arc::new(proxy));
}

async fn describe(mut connection: Connection) {
    let tls = match &connection.tls {
        Some(facts) => {
            let binding = facts.exporter.map_or("unbound", |_| "bound");
            format!("{} {binding} {:?}", facts.version, facts.sni)
        }
        None => "in clear".to_owned(),
    };
    let greeting = format!("* OK {} at {} {tls}\r\n", connection.peer, connection.local);
    let _ = connection.stream.write_all(greeting.as_bytes()).await;
    let heard = line(&mut connection.stream).await;
    let _ = connection.stream.write_all(heard.as_bytes()).await;
}

/// A server with one endpoint, and its port.
async fn serve(endpoint: impl FnOnce(&Server) -> Endpoint) -> (Server, u16) {
    let mut server = Server::new();
    let endpoint = endpoint(&server);
    server.serve(vec![endpoint]).await;
    let port = server.port(0);
    (server, port)
}

/// A client of `port` at another loopback address than the server's.
async fn connect(port: u16) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(([127, 0, 0, 1], port).into()).await.unwrap()
}

/// Sends these bytes one by one.
async fn trickle(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_nodelay(true).unwrap();
    for byte in bytes {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// All that still comes.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut rest = Vec::new();
    // A reset ends a conversation as well as an orderly end.
    let _ = stream.read_to_end(&mut rest).await;
    String::from_utf8(rest).unwrap()
}

/// The names in the certificate that the server showed.
fn shown<S>(stream: &tokio_rustls::client::TlsStream<S>, name: &str) -> bool {
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0]
        .windows(name.len())
        .any(|w| w == name.as_bytes())
}

/// C20, C21: both versions, however they come.
#[tokio::test]
async fn a_believed_header_says_who_is_there() {
    let (_server, port) =
        serve(|server| endpoint(server, "tcp://127.0.0.1:0", &["127.0.0.0/8"])).await;
    for header in [V1, &v2(b"")] {
        let mut stream = connect(port).await;
        stream
            .write_all(&[header, b"a1 NOOP\r\n"].concat())
            .await
            .unwrap();
        assert_eq!(line(&mut stream).await, format!("{NAMED} in clear\r\n"));
        assert_eq!(line(&mut stream).await, "a1 NOOP\r\n");

        let mut stream = connect(port).await;
        trickle(&mut stream, header).await;
        assert_eq!(line(&mut stream).await, format!("{NAMED} in clear\r\n"));
        trickle(&mut stream, b"a1 NOOP\r\n").await;
        assert_eq!(line(&mut stream).await, "a1 NOOP\r\n");
    }
}

/// C21: LOCAL, and UNKNOWN.
#[tokio::test]
async fn a_proxy_may_speak_for_itself() {
    let (_server, port) = serve(|server| endpoint(server, "tcp://127.0.0.1:0", &[])).await;
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut stream = connect(port).await;
        stream.write_all(header).await.unwrap();
        let greeting = line(&mut stream).await;
        assert!(greeting.starts_with("* OK 127.0.0.2:"), "{greeting}");
    }
}

/// C22: those who are not believed are greeted at once, and what they claim is dropped.
#[tokio::test]
async fn headers_of_strangers_are_dropped() {
    let (server, port) =
        serve(|server| endpoint(server, "tcp://127.0.0.1:0", &["203.0.113.1"])).await;
    for header in [V1, &v2(b"")] {
        let mut stream = connect(port).await;
        let greeting = line(&mut stream).await;
        assert!(greeting.starts_with("* OK 127.0.0.2:"), "{greeting}");
        trickle(&mut stream, header).await;
        stream.write_all(b"a1 NOOP\r\n").await.unwrap();
        assert_eq!(line(&mut stream).await, "a1 NOOP\r\n");
    }
    let text = server.written.text();
    let said = "connection from untrusted source\t{\"src_ip\":\"127.0.0.2:";
    assert_eq!(text.matches(said).count(), 2, "{text}");
}

#[tokio::test]
async fn a_strangers_malformed_header_ends_it() {
    let (server, port) =
        serve(|server| endpoint(server, "tcp://127.0.0.1:0", &["203.0.113.1"])).await;
    let mut stream = connect(port).await;
    line(&mut stream).await;
    stream
        .write_all(b"PROXY a1 NOOP\r\na2 NOOP\r\n")
        .await
        .unwrap();
    assert_eq!(rest(&mut stream).await, "");
    let text = server.written.text();
    assert!(
        text.contains("malformed PROXY header\t{\"reason\":\"the line"),
        "{text}"
    );
}

/// Somebody without a header came directly, be it that he waits for the greeting or that he does
/// not. Once greeted, it is too late for a header.
#[tokio::test]
async fn a_header_may_be_missing_but_not_late() {
    let (server, port) = serve(|server| hasty(endpoint(server, "tcp://127.0.0.1:0", &[]))).await;
    let mut stream = connect(port).await;
    let greeting = line(&mut stream).await;
    assert!(greeting.starts_with("* OK 127.0.0.2:"), "{greeting}");
    stream.write_all(b"P1 NOOP\r\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "P1 NOOP\r\n");

    let mut stream = connect(port).await;
    line(&mut stream).await;
    stream.write_all(V1).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    let text = server.written.text();
    assert!(
        text.contains("{\"reason\":\"it came too late\",\"src_ip\":\"127.0.0.2:"),
        "{text}"
    );
}

#[tokio::test]
async fn who_speaks_first_is_not_waited_for() {
    let (_server, port) = serve(|server| endpoint(server, "tcp://127.0.0.1:0", &[])).await;
    let mut stream = connect(port).await;
    stream.write_all(b"P1 NOOP\r\n").await.unwrap();
    let greeting = line(&mut stream).await;
    assert!(greeting.starts_with("* OK 127.0.0.2:"), "{greeting}");
    assert_eq!(line(&mut stream).await, "P1 NOOP\r\n");
}

#[tokio::test]
async fn malformed_headers_close_and_are_logged() {
    let (server, port) = serve(|server| endpoint(server, "tcp://127.0.0.1:0", &[])).await;
    for (header, reason) in [
        (
            &b"PROXY TCP4 everywhere\r\n"[..],
            "the line of version 1 is not well-formed",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\0",
            "unsupported address family 0x31",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "too long"),
    ] {
        let mut stream = connect(port).await;
        stream.write_all(header).await.unwrap();
        assert_eq!(rest(&mut stream).await, "", "{reason}");
        let text = server.written.text();
        let said =
            format!("malformed PROXY header\t{{\"reason\":\"{reason}\",\"src_ip\":\"127.0.0.2:");
        assert!(text.contains(&said), "{text}");
    }
    let mut stream = connect(port).await;
    stream.write_all(b"PROXY TCP4").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    assert!(
        server
            .written
            .text()
            .contains("the connection ended within it")
    );
}

#[tokio::test]
async fn half_a_header_is_not_waited_for_for_ever() {
    let (server, port) = serve(|server| hasty(endpoint(server, "tcp://127.0.0.1:0", &[]))).await;
    let mut stream = connect(port).await;
    stream.write_all(b"PROXY TCP4 192.0.2.7").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    assert!(
        server
            .written
            .text()
            .contains("incomplete when time was up")
    );
}

/// The server's end does not wait for a header either.
#[tokio::test]
async fn a_stop_ends_the_wait() {
    let (mut server, port) = serve(|server| endpoint(server, "tcp://127.0.0.1:0", &[])).await;
    let mut stream = connect(port).await;
    while server.listeners.quota().total() == 0 {
        tokio::task::yield_now().await;
    }
    server.listeners.close();
    let (heard, left) = tokio::join!(
        rest(&mut stream),
        server.shutdown.stop(Duration::from_secs(60))
    );
    assert_eq!((heard.as_str(), left), ("", 0));
}

#[tokio::test]
async fn peers_on_unix_sockets_are_believed() {
    let mut server = Server::new();
    let endpoint = endpoint(&server, "unix://imap.sock", &["203.0.113.1"]);
    server.serve(vec![endpoint]).await;
    let socket = server.directory.path().join("imap.sock");
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(V1).await.unwrap();
    assert_eq!(line(&mut stream).await, format!("{NAMED} in clear\r\n"));
}

/// D8: on a `tls://` address the header comes in clear, and TLS behind it, as load balancers do.
#[tokio::test]
async fn tls_comes_behind_the_header() {
    let (_server, port) = serve(|server| endpoint(server, "tls://127.0.0.1:0", &[])).await;
    for header in [V1, &v2(b"")] {
        let mut stream = connect(port).await;
        stream.write_all(header).await.unwrap();
        let mut stream = tls("mx.test", stream).await.unwrap();
        assert!(shown(&stream, "endpoint.test"));
        let expected = format!("{NAMED} TLSv1.3 bound Some(\"mx.test\")\r\n");
        assert_eq!(line(&mut stream).await, expected);
    }
    // Directly, and as a stranger to whom nobody listens.
    let mut stream = tls("mx.test", connect(port).await).await.unwrap();
    let greeting = line(&mut stream).await;
    assert!(greeting.starts_with("* OK 127.0.0.2:"), "{greeting}");
}

#[tokio::test]
async fn a_strangers_header_before_tls_is_dropped() {
    let (server, port) =
        serve(|server| endpoint(server, "tls://127.0.0.1:0", &["203.0.113.1"])).await;
    let mut stream = connect(port).await;
    stream.write_all(V1).await.unwrap();
    let mut stream = tls("mx.test", stream).await.unwrap();
    let greeting = line(&mut stream).await;
    assert!(greeting.starts_with("* OK 127.0.0.2:"), "{greeting}");
    assert!(
        server
            .written
            .text()
            .contains("connection from untrusted source")
    );
}

/// C26, C28: TLS of the block's own, before the header or behind it.
#[tokio::test]
async fn tls_may_protect_the_header() {
    let (_server, port) =
        serve(|server| with_tls(server, endpoint(server, "tcp://127.0.0.1:0", &[]))).await;
    let expected = format!("{NAMED} TLSv1.3 unbound Some(\"mx.test\")\r\n");
    let mut stream = tls("mx.test", connect(port).await).await.unwrap();
    assert!(shown(&stream, "proxy.test"));
    stream.write_all(V1).await.unwrap();
    assert_eq!(line(&mut stream).await, expected);

    let mut stream = connect(port).await;
    stream.write_all(V1).await.unwrap();
    let mut stream = tls("mx.test", stream).await.unwrap();
    assert!(shown(&stream, "proxy.test"));
    assert_eq!(line(&mut stream).await, expected);

    // Without TLS nothing is said.
    let mut stream = connect(port).await;
    stream
        .write_all(&[V1, b"a1 NOOP\r\n"].concat())
        .await
        .unwrap();
    assert!(!rest(&mut stream).await.contains("OK"));
}

/// The proxy's TLS around the header, and the client's own, passed through, within.
#[tokio::test]
async fn tls_within_tls() {
    let (_server, port) =
        serve(|server| with_tls(server, endpoint(server, "tls://127.0.0.1:0", &[]))).await;
    let mut outer = tls("proxy", connect(port).await).await.unwrap();
    outer.write_all(V1).await.unwrap();
    assert!(shown(&outer, "proxy.test"));
    let mut inner = tls("mx.test", outer).await.unwrap();
    assert!(shown(&inner, "endpoint.test"));
    let expected = format!("{NAMED} TLSv1.3 bound Some(\"mx.test\")\r\n");
    assert_eq!(line(&mut inner).await, expected);

    // A proxy that encrypts on its own behind the header has no other TLS within.
    let mut stream = connect(port).await;
    stream.write_all(V1).await.unwrap();
    let mut stream = tls("proxy", stream).await.unwrap();
    assert!(shown(&stream, "proxy.test"));
    let expected = format!("{NAMED} TLSv1.3 unbound Some(\"proxy\")\r\n");
    assert_eq!(line(&mut stream).await, expected);
}

/// `PP2_TYPE_SSL` and `PP2_TYPE_AUTHORITY` count if their proxy does.
#[tokio::test]
async fn a_proxy_tells_of_the_clients_tls() {
    let fields = b"\x20\0\x0f\x01\0\0\0\0\x21\0\x07TLSv1.2\x02\0\x07mx.test";
    let (_server, port) = serve(|server| endpoint(server, "tcp://127.0.0.1:0", &[])).await;
    let mut stream = connect(port).await;
    stream.write_all(&v2(fields)).await.unwrap();
    let expected = format!("{NAMED} TLSv1.2 unbound Some(\"mx.test\")\r\n");
    assert_eq!(line(&mut stream).await, expected);

    let (_server, port) =
        serve(|server| endpoint(server, "tcp://127.0.0.1:0", &["203.0.113.1"])).await;
    let mut stream = connect(port).await;
    stream.write_all(&v2(fields)).await.unwrap();
    let greeting = line(&mut stream).await;
    assert!(greeting.ends_with(" in clear\r\n"), "{greeting}");
}

/// Limits are about clients. The proxy itself has none.
#[tokio::test]
async fn a_proxys_clients_are_counted_apart() {
    let (server, port) =
        serve(|server| limited(endpoint(server, "tcp://127.0.0.1:0", &["127.0.0.2"]))).await;
    let mut held = Vec::new();
    for (client, welcome) in [
        ("TCP4 192.0.2.7 198.51.100.1 5000 143", true),
        ("TCP4 192.0.2.8 198.51.100.1 5000 143", true),
        ("TCP4 192.0.2.7 198.51.100.1 5001 143", false),
        ("UNKNOWN", true),
        ("UNKNOWN", true),
    ] {
        let mut stream = connect(port).await;
        let header = format!("PROXY {client}\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        let greeting = line(&mut stream).await;
        assert_eq!(
            greeting.starts_with("* OK"),
            welcome,
            "{client}: {greeting}"
        );
        assert_eq!(greeting.starts_with("* BYE [UNAVAILABLE]"), !welcome);
        held.push(stream);
    }
    let text = server.written.text();
    let said = "too many connections\t{\"limit\":\"address\",\"src_ip\":\"192.0.2.7:5001\"}";
    assert!(text.contains(said), "{text}");
}

/// Where everybody is believed, those who claim nothing are counted as who they are.
#[tokio::test]
async fn among_everybody_each_counts() {
    let (_server, port) = serve(|server| limited(endpoint(server, "tcp://127.0.0.1:0", &[]))).await;
    let mut first = connect(port).await;
    first.write_all(b"a1 ").await.unwrap();
    assert!(line(&mut first).await.starts_with("* OK"));
    let mut second = connect(port).await;
    second.write_all(b"PROXY UNKNOWN\r\n").await.unwrap();
    let refusal = line(&mut second).await;
    assert!(refusal.starts_with("* BYE [UNAVAILABLE]"), "{refusal}");
}

//! Logging in: mechanisms, names, and what must not get in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox::Answer;
use pillarbox::auth::credentials::Making;
use pillarbox::auth::hash::Hash;
use pillarbox::auth::login::Login;
use pillarbox::auth::pass_table::PassTable;
use pillarbox::auth::{Denied, Offers, Provider, TokenHint};
use pillarbox::imap::Endpoint;
use pillarbox::net::TlsFacts;
use pillarbox::secret::Secret;
use pillarbox::table::WritableTable;

use crate::harness::{Client, Server};
use crate::scram;
use crate::table::Memory;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn making() -> Making {
    Making {
        hash: Hash::Bcrypt { cost: 4 },
        ..Making::default()
    }
}

/// Ann, with the password `sesame` and one for her phone, `ring`.
async fn passwords() -> Arc<PassTable> {
    let table = PassTable::new(Arc::new(Memory::default()));
    table
        .create("ann@example.org", secret("sesame"), making())
        .await
        .unwrap();
    let phone = table.add("ann@example.org", "phone", secret("ring"), making());
    phone.await.unwrap();
    Arc::new(table)
}

fn with(endpoint: &mut Endpoint, passwords: &Arc<PassTable>) {
    endpoint.login = Arc::new(Login {
        providers: vec![Arc::clone(passwords) as Arc<dyn Provider>],
        ..Login::default()
    });
}

async fn server() -> Server {
    let passwords = passwords().await;
    Server::with(|endpoint| with(endpoint, &passwords))
}

async fn capabilities(client: &mut Client) -> String {
    client.ok("CAPABILITY").await.remove(0)
}

const REFUSED: &str = "NO [AUTHENTICATIONFAILED] Invalid user name or password";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scram_and_passwords_open_the_same_account() {
    let server = server().await;
    let mut client = server.connect().await;
    let listed = capabilities(&mut client).await;
    assert!(
        listed.contains(" AUTH=SCRAM-SHA-256 AUTH=PLAIN"),
        "{listed}"
    );
    assert!(
        !listed.contains("-PLUS") && !listed.contains("SCRAM-SHA-1 "),
        "{listed}"
    );
    let done = scram::log_in(&mut client, "Ann@example.org", "sesame").await;
    assert!(done.starts_with("OK [CAPABILITY "), "{done}");
    client.ok("CREATE Work").await;

    let mut phone = server.connect().await;
    let done = scram::log_in(&mut phone, "ann@example.org", "ring").await;
    assert!(done.starts_with("OK "), "{done}");
    let mut plain = server.connect().await;
    plain.ok("LOGIN ann@example.org ring").await;
    for client in [&mut phone, &mut plain] {
        let listed = client.ok("LIST \"\" Work").await;
        assert_eq!(listed.len(), 2, "{listed:?}");
    }
}

/// Nothing tells an unknown user from a wrong password: not the salt, not the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scram_does_not_say_who_there_is() {
    let server = server().await;
    let mut client = server.connect().await;
    assert_eq!(
        scram::log_in(&mut client, "ann@example.org", "x").await,
        REFUSED
    );
    assert_eq!(
        scram::log_in(&mut client, "eve@example.org", "x").await,
        REFUSED
    );
    let mut salts = Vec::new();
    for user in [
        "ann@example.org",
        "eve@example.org",
        "EVE@example.org",
        "mallory",
    ] {
        let said = scram::first(&mut client, user).await.unwrap();
        let (_, salt) = said.split_once(",s=").unwrap();
        salts.push(salt.to_owned());
        client.send("*\r\n").await;
        let ended = client.until("s").await.pop().unwrap();
        assert!(ended.starts_with("BAD "), "{ended}");
    }
    assert_eq!(salts[1], salts[2], "one user under two spellings");
    let [ann, eve, _, mallory] = &salts[..] else {
        unreachable!()
    };
    assert!(ann != eve && eve != mallory);
    assert_eq!(ann.len(), eve.len());
    assert_eq!(
        ann.rsplit_once(",i="),
        Some((ann.split(',').next().unwrap(), "50000"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_offered_is_refused() {
    let server = server().await;
    let mut client = server.connect().await;
    for mechanism in [
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1",
        "EXTERNAL",
        "OAUTHBEARER",
        "GSSAPI",
    ] {
        let command = format!("AUTHENTICATE {mechanism} =");
        client.refused(&command, "NO [CANNOT] Unsupported").await;
    }
}

/// C35: in clear nothing is offered and nothing is taken, whatever the mechanism.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_in_clear() {
    let passwords = passwords().await;
    let server = Server::with(|endpoint| {
        with(endpoint, &passwords);
        endpoint.insecure_auth = false;
    });
    let mut client = server.connect().await;
    let listed = capabilities(&mut client).await;
    assert!(
        listed.contains("LOGINDISABLED") && !listed.contains("AUTH="),
        "{listed}"
    );
    let refused = "NO [PRIVACYREQUIRED]";
    client
        .refused("LOGIN ann@example.org sesame", refused)
        .await;
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "LOGIN"] {
        client
            .refused(&format!("AUTHENTICATE {mechanism}"), refused)
            .await;
    }
}

/// C55, C56: LOGIN only if it is wanted; it asks for `Username:` and `Password:`, and takes an
/// initial response.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sasl_login_is_there_if_it_is_wanted() {
    let passwords = passwords().await;
    let without = Server::with(|endpoint| {
        with(endpoint, &passwords);
        endpoint.sasl_login = false;
    });
    let mut client = without.connect().await;
    assert!(!capabilities(&mut client).await.contains("AUTH=LOGIN"));
    client.refused("AUTHENTICATE LOGIN", "NO [CANNOT]").await;

    let server = Server::with(|endpoint| with(endpoint, &passwords));
    let mut client = server.connect().await;
    assert!(capabilities(&mut client).await.contains("AUTH=LOGIN"));
    client.send("a AUTHENTICATE LOGIN\r\n").await;
    assert_eq!(
        client.line().await,
        format!("+ {}", STANDARD.encode("Username:"))
    );
    client
        .send(format!("{}\r\n", STANDARD.encode("ann@example.org")))
        .await;
    assert_eq!(
        client.line().await,
        format!("+ {}", STANDARD.encode("Password:"))
    );
    client
        .send(format!("{}\r\n", STANDARD.encode("sesame")))
        .await;
    assert!(client.until("a").await.pop().unwrap().starts_with("OK "));

    let mut client = server.connect().await;
    let user = STANDARD.encode("ann@example.org");
    client
        .send(format!("a AUTHENTICATE LOGIN {user}\r\n"))
        .await;
    assert_eq!(
        client.line().await,
        format!("+ {}", STANDARD.encode("Password:"))
    );
    client
        .send(format!("{}\r\n", STANDARD.encode("wrong")))
        .await;
    assert_eq!(client.until("a").await.pop().unwrap(), REFUSED);
}

/// RFC 4422 §3.4.1: the identity to act as may be one's own, and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_acts_as_another() {
    let server = server().await;
    let plain = |authorization: &str| {
        let message = format!("{authorization}\0ann@example.org\0sesame");
        format!("AUTHENTICATE PLAIN {}", STANDARD.encode(message))
    };
    let mut client = server.connect().await;
    client.refused(&plain("bob@example.org"), REFUSED).await;
    client.ok(&plain("ann@example.org")).await;
    let mut client = server.connect().await;
    client.ok(&plain("")).await;
}

/// What TLS has agreed on with a client that shows a certificate for these names.
fn tls(names: &[&str]) -> Option<TlsFacts> {
    Some(TlsFacts {
        version: "TLSv1.3",
        cipher: "TLS13_AES_256_GCM_SHA384",
        sni: None,
        exporter: Some([7; 32]),
        end_point: None,
        client_names: names.iter().map(|&name| name.to_owned()).collect(),
    })
}

/// RFC 4422 appendix A: the certificate says who the client is, and it may act as that and as
/// nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_opens() {
    let server = server().await;
    let names = ["Ann@example.org", "bob@example.org"];
    let mut client = server.connect_under(tls(&names)).await;
    let listed = capabilities(&mut client).await;
    assert!(listed.contains(" AUTH=EXTERNAL "), "{listed}");
    let other = STANDARD.encode("eve@example.org");
    client
        .refused(&format!("AUTHENTICATE EXTERNAL {other}"), REFUSED)
        .await;
    client.send("a AUTHENTICATE EXTERNAL\r\n").await;
    assert_eq!(client.line().await, "+ ");
    client.send("\r\n").await;
    let done = client.until("a").await.pop().unwrap();
    assert!(done.starts_with("OK "), "{done}");
    client.ok("CREATE Ann").await;

    let mut client = server.connect_under(tls(&names)).await;
    let bob = STANDARD.encode("BOB@example.org");
    client.ok(&format!("AUTHENTICATE EXTERNAL {bob}")).await;
    assert_eq!(client.ok("LIST \"\" Ann").await.len(), 1, "another account");

    let mut client = server.connect_under(tls(&[])).await;
    assert!(!capabilities(&mut client).await.contains("EXTERNAL"));
    client
        .refused("AUTHENTICATE EXTERNAL =", "NO [CANNOT]")
        .await;
}

/// The name in a certificate is translated; one that the table does not have is nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_in_certificates_are_mapped() {
    let names = Memory::default();
    names.set("CN=Ann", "ann@example.org").await.unwrap();
    let server = Server::with(|endpoint| {
        endpoint.login = Arc::new(Login {
            certificate_map: Some(Arc::new(names)),
            ..Login::default()
        });
    });
    let mut client = server.connect_under(tls(&["CN=Eve"])).await;
    client.refused("AUTHENTICATE EXTERNAL =", REFUSED).await;
    let mut client = server.connect_under(tls(&["CN=Eve", "CN=Ann"])).await;
    client.ok("AUTHENTICATE EXTERNAL =").await;
}

/// RFC 5802 §6: under TLS the proof can be bound to it, and whoever keeps the client from it is
/// noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channel_binding_is_offered_under_tls() {
    let server = server().await;
    let mut client = server.connect_under(tls(&[])).await;
    let listed = capabilities(&mut client).await;
    let best = "AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN";
    assert!(listed.contains(best), "{listed}");
    let first = STANDARD.encode("y,,n=ann@example.org,r=x");
    client
        .refused(&format!("AUTHENTICATE SCRAM-SHA-256 {first}"), REFUSED)
        .await;
    let done = scram::log_in_bound(&mut client, "ann@example.org", "sesame", &[8; 32]).await;
    assert_eq!(done, REFUSED, "bound to another connection");
    let done = scram::log_in_bound(&mut client, "ann@example.org", "sesame", &[7; 32]).await;
    assert!(done.starts_with("OK "), "{done}");
}

/// Knows one token, and when it is broken nothing.
struct Tokens {
    broken: bool,
}

impl Provider for Tokens {
    fn authenticate<'a>(&'a self, _: &'a str, _: &'a Secret) -> Answer<'a, Result<(), Denied>> {
        Box::pin(async { Err(Denied::Credentials("no passwords".to_owned())) })
    }

    fn offers(&self) -> Offers {
        Offers {
            tokens: true,
            ..Offers::default()
        }
    }

    fn token<'a>(&'a self, token: &'a Secret) -> Answer<'a, Result<String, Denied>> {
        let known = token.reveal() == b"good";
        let broken = self.broken;
        Box::pin(async move {
            match (broken, known) {
                (true, _) => Err(Denied::Unavailable(anyhow::anyhow!("broken"))),
                (false, true) => Ok("Ann@example.org".to_owned()),
                (false, false) => Err(Denied::Credentials("no such token".to_owned())),
            }
        })
    }

    fn token_hint(&self) -> TokenHint {
        TokenHint {
            scope: Some("mail".to_owned()),
            openid_configuration: Some("https://id.example.org/x".to_owned()),
        }
    }
}

fn tokens(broken: bool) -> Server {
    Server::with(|endpoint| {
        endpoint.login = Arc::new(Login {
            providers: vec![Arc::new(Tokens { broken })],
            ..Login::default()
        });
    })
}

fn bearer(user: &str, token: &str) -> String {
    let message = format!("n,{user},\u{1}host=x\u{1}auth=Bearer {token}\u{1}\u{1}");
    format!(
        "a AUTHENTICATE OAUTHBEARER {}\r\n",
        STANDARD.encode(message)
    )
}

fn xoauth2(user: &str, token: &str) -> String {
    let message = format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}");
    format!("a AUTHENTICATE XOAUTH2 {}\r\n", STANDARD.encode(message))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_open() {
    let server = tokens(false);
    for command in [
        bearer("", "good"),
        bearer("a=ann@example.org", "good"),
        bearer("a=ANN@example.org", "good"),
        xoauth2("ann@example.org", "good"),
    ] {
        let mut client = server.connect().await;
        let listed = capabilities(&mut client).await;
        assert!(
            listed.ends_with(" AUTH=OAUTHBEARER AUTH=XOAUTH2"),
            "{listed}"
        );
        client.send(&command).await;
        let done = client.until("a").await.pop().unwrap();
        assert!(done.starts_with("OK "), "{command}: {done}");
    }
    let mut client = server.connect().await;
    client
        .refused("LOGIN ann@example.org good", "NO [CANNOT]")
        .await;
}

/// RFC 7628 §3.2.2, §3.2.3: the error comes in a challenge, and after the client's answer the
/// command fails. A token opens nobody else's account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_tokens_get_a_reason() {
    let server = tokens(false);
    for (command, status) in [
        (bearer("", "bad"), "invalid_token"),
        (bearer("a=bob@example.org", "good"), "invalid_token"),
        (xoauth2("ann@example.org", "bad"), "401"),
        (xoauth2("bob@example.org", "good"), "401"),
    ] {
        let mut client = server.connect().await;
        client.send(&command).await;
        let line = client.line().await;
        let error = STANDARD.decode(line.strip_prefix("+ ").unwrap()).unwrap();
        let error: serde_json::Value = serde_json::from_slice(&error).unwrap();
        assert_eq!(error["status"], status);
        assert_eq!(error["scope"], "mail");
        assert_eq!(error["openid-configuration"], "https://id.example.org/x");
        client.send("AQ==\r\n").await;
        assert_eq!(client.until("a").await.pop().unwrap(), REFUSED);
        // The connection goes on.
        client.send(bearer("", "good")).await;
        assert!(client.until("a").await.pop().unwrap().starts_with("OK "));
    }
    let mut client = server.connect().await;
    client.send(bearer("", "bad")).await;
    assert!(client.line().await.starts_with("+ "));
    client.send("*\r\n").await;
    let ended = client.until("a").await.pop().unwrap();
    assert!(ended == REFUSED, "{ended}");
}

/// A server that can't be asked has not said no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorization_server_that_is_down_refuses_nobody() {
    let server = tokens(true);
    let mut client = server.connect().await;
    client.send(bearer("", "good")).await;
    let ended = client.until("a").await.pop().unwrap();
    assert!(ended.starts_with("NO [UNAVAILABLE]"), "{ended}");
}

/// A password that was right is not asked about again, until the command line changes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_forgets_what_was_changed() {
    let passwords = passwords().await;
    let server = Server::with(|endpoint| {
        let hour = std::time::Duration::from_secs(3_600);
        endpoint.login = Arc::new(Login {
            providers: vec![Arc::clone(&passwords) as Arc<dyn Provider>],
            cache: pillarbox::auth::Cache::new(hour),
            ..Login::default()
        });
    });
    let login = "LOGIN ann@example.org ring";
    for _ in 0..2 {
        server.connect().await.ok(login).await;
    }
    // Behind the server's back: only the cache can know it still.
    let table = passwords.table();
    let writable = table.writable().unwrap();
    writable
        .set("ann@example.org", "sha256:c2FsdA==:AAAA")
        .await
        .unwrap();
    server.connect().await.ok(login).await;
    server
        .connect()
        .await
        .refused("LOGIN ann@example.org x", REFUSED)
        .await;
    server
        .connect()
        .await
        .refused("LOGIN bob@example.org ring", REFUSED)
        .await;
    passwords
        .change("ann@example.org", secret("new"), making())
        .await
        .unwrap();
    server.connect().await.refused(login, REFUSED).await;
    server.connect().await.ok("LOGIN ann@example.org new").await;
}

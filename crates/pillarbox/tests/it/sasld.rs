//! Other servers ask who is who, by Dovecot's authentication protocol.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox::auth::Provider;
use pillarbox::auth::credentials::Making;
use pillarbox::auth::hash::Hash;
use pillarbox::auth::login::Login;
use pillarbox::auth::pass_table::PassTable;
use pillarbox::log::Logger;
use pillarbox::net::quota::Quota;
use pillarbox::net::{Connection, Peer};
use pillarbox::sasld::Endpoint;
use pillarbox::sasld::endpoint::SasldRules;
use pillarbox::secret::Secret;
use pillarbox::shutdown::Shutdown;
use pillarbox_model::limit::Limits;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use crate::table::Memory;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who asks.
struct Asking {
    stream: BufReader<DuplexStream>,
    _shutdown: Shutdown,
}

impl Asking {
    /// Connects to a service that knows ann, whose password is `sesame`.
    async fn connect(insecure_auth: bool) -> Self {
        let table = PassTable::new(Arc::new(Memory::default()));
        let making = Making {
            hash: Hash::Bcrypt { cost: 4 },
            ..Making::default()
        };
        let password = Secret::new(b"sesame".to_vec());
        table
            .create("ann@example.org", password, making)
            .await
            .unwrap();
        let endpoint = Arc::new(Endpoint {
            log: Logger::new("dovecot_sasld"),
            io_debug: false,
            io_errors: false,
            rules: SasldRules {
                login: Arc::new(Login {
                    providers: vec![Arc::new(table) as Arc<dyn Provider>],
                    ..Login::default()
                }),
                sasl_login: true,
                insecure_auth,
            },
            write_timeout: PATIENCE,
            connections: 0.into(),
        });
        let (near, far) = tokio::io::duplex(1 << 16);
        let (shutdown, quota) = (Shutdown::default(), Arc::<Quota>::default());
        tokio::spawn(endpoint.serve(Connection {
            stream: Box::new(far),
            peer: Peer::Unix,
            local: "test".to_owned(),
            tls: None,
            permit: quota.admit(&Peer::Unix, &Limits::default()).unwrap(),
            shutdown: shutdown.signal(),
        }));
        Self {
            stream: BufReader::new(near),
            _shutdown: shutdown,
        }
    }

    async fn say(&mut self, text: &str) {
        self.stream
            .get_mut()
            .write_all(text.as_bytes())
            .await
            .unwrap();
    }

    /// The next line; nothing after the last.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await;
        read.expect("nothing is said").unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    async fn handshake(&mut self) -> Vec<String> {
        self.say("VERSION\t1\t0\nCPID\t4711\n").await;
        let mut lines = Vec::new();
        while lines.last().is_none_or(|last| last != "DONE") {
            lines.push(self.line().await);
        }
        lines
    }
}

fn plain(id: u32, user: &str, password: &str) -> String {
    let message = STANDARD.encode(format!("\0{user}\0{password}"));
    format!("AUTH\t{id}\tPLAIN\tservice=smtp\trip=192.0.2.7\tsecured\tresp={message}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_ask_who_is_who() {
    let mut asking = Asking::connect(false).await;
    let told = asking.handshake().await;
    assert_eq!(told[0], "VERSION\t1\t2");
    assert!(
        told.contains(&"MECH\tPLAIN\tplaintext".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"MECH\tLOGIN\tplaintext".to_owned()),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.starts_with("SPID\t")));
    assert!(told.iter().any(|line| line.starts_with("CUID\t")));
    assert!(
        told.iter()
            .any(|line| line.starts_with("COOKIE\t") && line.len() == 39)
    );
    asking.say(&plain(1, "Ann@Example.org", "sesame")).await;
    assert_eq!(asking.line().await, "OK\t1\tuser=ann@example.org");
    asking.say(&plain(2, "ann@example.org", "x")).await;
    assert_eq!(asking.line().await, "FAIL\t2\tuser=ann@example.org");
    asking.say(&plain(3, "eve@example.org", "x")).await;
    assert_eq!(asking.line().await, "FAIL\t3\tuser=eve@example.org");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_have_several_rounds_and_go_on_side_by_side() {
    let mut asking = Asking::connect(false).await;
    asking.handshake().await;
    asking.say("AUTH\t7\tLOGIN\tservice=smtp\tsecured\n").await;
    let challenge = |id: u32, text: &str| format!("CONT\t{id}\t{}", STANDARD.encode(text));
    assert_eq!(asking.line().await, challenge(7, "Username:"));
    asking.say("AUTH\t8\tLOGIN\tservice=smtp\tsecured\n").await;
    assert_eq!(asking.line().await, challenge(8, "Username:"));
    let user = STANDARD.encode("ann@example.org");
    asking.say(&format!("CONT\t7\t{user}\n")).await;
    assert_eq!(asking.line().await, challenge(7, "Password:"));
    asking.say("CANCEL\t8\n").await;
    assert_eq!(asking.line().await, "FAIL\t8");
    asking
        .say(&format!("CONT\t7\t{}\n", STANDARD.encode("sesame")))
        .await;
    assert_eq!(asking.line().await, "OK\t7\tuser=ann@example.org");
    asking.say("CONT\t7\tAA==\n").await;
    assert_eq!(asking.line().await, "FAIL\t7", "it is over");
    asking.say("AUTH\t9\tGSSAPI\tservice=smtp\tsecured\n").await;
    assert_eq!(asking.line().await, "FAIL\t9");
}

/// Credentials that came in clear are not looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_text_is_refused_unless_wanted() {
    let clear = plain(1, "ann@example.org", "sesame").replace("\tsecured", "");
    let mut asking = Asking::connect(false).await;
    asking.handshake().await;
    asking.say(&clear).await;
    let refused = asking.line().await;
    assert!(
        refused.starts_with("FAIL\t1\treason=Use TLS first"),
        "{refused}"
    );
    let mut asking = Asking::connect(true).await;
    asking.handshake().await;
    asking.say(&clear).await;
    assert_eq!(asking.line().await, "OK\t1\tuser=ann@example.org");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_ends_the_connection() {
    for wrong in [
        "VERSION\t2\t0\n",
        "AUTH\n",
        "AUTH\t1\tPLAIN\tresp=?\n",
        "AUTH\t1\tLOGIN\tsecured\nAUTH\t1\tLOGIN\tsecured\n",
        &"x".repeat(20_000),
    ] {
        let mut asking = Asking::connect(false).await;
        asking.handshake().await;
        asking.say(wrong).await;
        while !asking.line().await.is_empty() {}
    }
}

/// More exchanges than there may be at the same time are put off, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_are_bounded() {
    let mut asking = Asking::connect(false).await;
    asking.handshake().await;
    for id in 0..256 {
        asking.say(&format!("AUTH\t{id}\tLOGIN\tsecured\n")).await;
        assert!(asking.line().await.starts_with(&format!("CONT\t{id}\t")));
    }
    asking.say("AUTH\t1000\tLOGIN\tsecured\n").await;
    assert_eq!(asking.line().await, "FAIL\t1000\ttemp\tcode=temp_fail");
    asking
        .say(&format!("CONT\t5\t{}\n", STANDARD.encode("ann")))
        .await;
    assert!(asking.line().await.starts_with("CONT\t5\t"));
}

//! What is stored, as clients see it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use pillarbox_message::DigestRef;
use pillarbox_model::MailboxName;
use pillarbox_store::blobs::{Compression, Files, Options, Pack};
use pillarbox_store::sqlite::{Engine, Settings};
use pillarbox_store::{Blobs, Row, Store};

use crate::harness::{Client, Server};
use crate::process::{Home, Running, line, session};

fn mail(n: usize) -> String {
    format!("Subject: mail {n}\r\nFrom: ann@example.org\r\n\r\nHow are you?\r\n")
}

/// The rows of ann's INBOX.
pub(crate) async fn rows(server: &Server) -> Vec<Row> {
    let store = server.store();
    let account = store.account("ann").await.unwrap().unwrap().id;
    let inbox = store.mailbox(account, &MailboxName::inbox()).await;
    let open = store.open(inbox.unwrap().unwrap().id).await.unwrap();
    open.read().range(0, u32::MAX).collect()
}

/// The digests of ann's INBOX, and its rows.
async fn digests(server: &Server) -> (Vec<Row>, Vec<Bytes>) {
    let (store, rows) = (server.store(), rows(server).await);
    let contents = store.contents(&rows, true).await.unwrap();
    (
        rows,
        contents.into_iter().map(|content| content.digest).collect(),
    )
}

/// A digest that is missing, or was made by another version, is made by whoever asks first, and
/// then is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_is_made_once() {
    for command in ["FETCH 1:3 ENVELOPE", "SEARCH SENTSINCE 1-Jan-2020"] {
        let server = Server::start();
        let mut client = server.inbox("ann").await;
        for n in 0..3 {
            client.append("INBOX", "", &mail(n)).await;
        }
        let answer = client.ok(command).await;
        let (rows, before) = digests(&server).await;
        let spoilt = [Bytes::new(), Bytes::from_static(b"of another version")];
        let spoilt = rows.iter().map(|row| row.blob).zip(spoilt);
        server.store().redigest(spoilt.collect()).await.unwrap();
        let (_, spoilt) = digests(&server).await;
        assert!(DigestRef::new(&spoilt[0]).is_none() && DigestRef::new(&spoilt[1]).is_none());
        let untagged = |answer: &[String]| answer[..answer.len() - 1].to_vec();
        assert_eq!(untagged(&client.ok(command).await), untagged(&answer));
        assert_eq!(digests(&server).await.1, before, "{command}");
    }
}

/// A text that compresses well, one that does not, and some that look compressed already.
fn mails(round: usize) -> Vec<String> {
    let noise = |n: usize| {
        let mut seed = 1 + round as u64 * 100 + n as u64;
        let mut letter = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(33 + (seed >> 33) as u8 % 90)
        };
        (0..n * 1_000).map(|_| letter()).collect::<String>()
    };
    let begin = format!("Subject: round {round}\r\n\r\n");
    vec![
        format!("{begin}{}", "Are you there?\r\n".repeat(1_000)),
        format!("{begin}{}\r\n", noise(9)),
        format!("\u{4}\"M\u{18}{begin}{}", "like a frame\r\n".repeat(200)),
        format!("{begin}{}\r\n", "in pieces ".repeat(40_000)),
        format!("{begin}x\r\n"),
        format!("{begin}{}\r\n", noise(1)),
    ]
}

fn keeper(fs: bool, directory: &Path, compression: Compression) -> Arc<dyn Blobs> {
    let messages = directory.join("messages");
    if fs {
        return Arc::new(Files::open(&messages, compression).unwrap());
    }
    Arc::new(
        Pack::open(Options {
            segment_bytes: 32 * 1024,
            compression,
            linger: Duration::ZERO,
            ..Options::new(&messages)
        })
        .unwrap(),
    )
}

fn open(fs: bool, directory: &Path, compression: Compression) -> Arc<dyn Store> {
    let settings = Settings {
        grace: Duration::ZERO,
        ..Settings::new(&directory.join("index.db"))
    };
    Arc::new(Engine::open(settings, keeper(fs, directory, compression)).unwrap())
}

/// A server over a store, and somebody who is logged in.
async fn serve(store: Arc<dyn Store>) -> (Server, Client) {
    let server = Server::with(|endpoint| {
        Arc::get_mut(&mut endpoint.storage).unwrap().store = store;
    });
    let client = server.inbox("ann").await;
    (server, client)
}

/// Ends a session, after which nobody holds the store.
async fn leave(server: Server, mut client: Client) {
    client.send("x LOGOUT\r\n").await;
    assert!(client.is_cut_off().await);
    drop(server);
}

async fn check(client: &mut Client, all: &[String]) {
    for (uid, text) in (1..).zip(all) {
        let size = text.len();
        let body = format!("UID {uid} BODY[] {{{size}}}\r\n{text}");
        let asked = format!("UID FETCH {uid} BODY.PEEK[]");
        client
            .sees(&asked, &[&format!("* {uid} FETCH ({body})")])
            .await;
        let part = &text[7.min(size)..(7 + 1_000).min(size)];
        let part = format!("UID {uid} BODY[]<7> {{{}}}\r\n{part}", part.len());
        let asked = format!("UID FETCH {uid} BODY.PEEK[]<7.1000>");
        client
            .sees(&asked, &[&format!("* {uid} FETCH ({part})")])
            .await;
    }
    let found = client.ok("SEARCH TEXT \"there?\"").await;
    let expected: String = (1..=all.len())
        .step_by(6)
        .map(|uid| format!(" {uid}"))
        .collect();
    assert_eq!(found[0], format!("* SEARCH{expected}"));
}

fn size_of(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory.join("messages")).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

/// Whether and how messages are compressed may change with each start. Clients see the same bytes,
/// of all that was ever stored, and of a backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_is_not_seen() {
    use Compression::{Lz4, Off, Zstd};
    for fs in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        for (round, compression) in [Off, Lz4, Zstd(1), Off, Zstd(19)].into_iter().enumerate() {
            let store = open(fs, directory.path(), compression);
            let (server, mut client) = serve(store.clone()).await;
            for text in mails(round) {
                client.append("INBOX", "", &text).await;
                all.push(text);
            }
            check(&mut client, &all).await;
            for _ in 0..3 {
                store.reap().await.unwrap();
            }
            check(&mut client, &all).await;
            assert_eq!(store.check(None).await.unwrap(), []);
            drop(store);
            leave(server, client).await;
        }
        let stored = size_of(directory.path());
        let sent: usize = all.iter().map(String::len).sum();
        assert!(stored < sent as u64 * 2 / 3, "{stored} bytes for {sent}");
        let store = open(fs, directory.path(), Off);
        let copy = directory.path().join("copy");
        store.backup(&copy).await.unwrap();
        let (server, mut client) = serve(open(fs, &copy, Lz4)).await;
        check(&mut client, &all).await;
        leave(server, client).await;
    }
}

/// Logs in to a server and says commands that must succeed; the server then ends.
fn say(mut server: Running, commands: &[String]) {
    let mut stream = session(server.port());
    for command in commands {
        let sent = format!("t {command}\r\n");
        stream.get_mut().write_all(sent.as_bytes()).unwrap();
        while let said = line(&mut stream)
            && !said.starts_with("t OK")
        {
            assert!(said.starts_with('*'), "{command:.40}: {said}");
        }
    }
    server.signal(Signal::SIGTERM);
    server.end();
}

fn append(text: &str) -> String {
    format!("APPEND INBOX {{{}+}}\r\n{text}", text.len())
}

/// The same with the program: settings from the configuration, and an export.
#[test]
fn an_export_has_messages_as_they_came_however_they_are_kept() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let path = home.path("pillarbox.conf");
    let plain = std::fs::read_to_string(&path).unwrap();
    let mut all = Vec::new();
    let settings = [
        "msg_store fs mail",
        "msg_store fs mail\n compression zstd 19",
        "msg_store fs mail\n compression lz4",
    ];
    for (round, setting) in settings.into_iter().enumerate() {
        let text = plain.replace("driver sqlite3", &format!("driver sqlite3\n {setting}"));
        std::fs::write(&path, text).unwrap();
        let mut commands = vec!["LOGIN ann x".to_owned()];
        commands.extend(mails(round).iter().map(|text| append(text)));
        say(home.start(), &commands);
        all.extend(mails(round));
    }
    let target = home.path("out");
    let words = ["export", "--format", "eml", "ann", target.to_str().unwrap()];
    assert!(home.command(&words).status().unwrap().success());
    for (uid, text) in (1..).zip(&all) {
        let file = target.join(format!("INBOX/{uid:010}.eml"));
        assert!(
            std::fs::read_to_string(file).unwrap() == *text,
            "message {uid}"
        );
    }
}

/// Without its database the mail comes back in accounts by their numbers; until then nobody gets
/// an account, which would be somebody else's.
#[test]
fn a_lost_database_is_made_anew_by_a_repair() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let users = ["ann", "bob"];
    let of = |user: &str| format!("Subject: to {user}\r\n\r\nfor {user} alone\r\n");
    for user in users {
        say(
            home.start(),
            &[format!("LOGIN {user} x"), append(&of(user))],
        );
    }
    for file in ["imapsql.db", "imapsql.db-wal", "imapsql.db-shm"] {
        let _ = std::fs::remove_file(home.path("state").join(file));
    }
    let mut server = home.start();
    let mut stream = session(server.port());
    stream.get_mut().write_all(b"t LOGIN eve x\r\n").unwrap();
    let refused = line(&mut stream);
    assert!(refused.starts_with("t NO [UNAVAILABLE]"), "{refused}");
    server.signal(Signal::SIGTERM);
    server.end();
    let status = |words: &[&str]| home.command(words).output().unwrap().status.code();
    assert_eq!(status(&["check"]), Some(1));
    assert_eq!(status(&["check", "--repair"]), Some(0));
    assert_eq!(status(&["check"]), Some(0));
    for (number, user) in (1..).zip(users) {
        let target = home.path(user);
        let account = format!("recovered-{number}");
        let words = [
            "export",
            "--format",
            "eml",
            &account,
            target.to_str().unwrap(),
        ];
        assert_eq!(status(&words), Some(0));
        let below = std::fs::read_dir(target.join("Recovered")).unwrap();
        let mailboxes: Vec<_> = below.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(mailboxes.len(), 1);
        let message = std::fs::read_to_string(mailboxes[0].join("0000000001.eml"));
        assert_eq!(message.unwrap(), of(user));
    }
    say(home.start(), &["LOGIN ann x".into(), append(&of("ann"))]);
}

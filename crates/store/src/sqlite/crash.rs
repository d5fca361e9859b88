//! A process under load is killed, again and again; what it acknowledged has to be there.
//!
//! The child is this test binary, told by the environment to run [`child`]. Each writer appends to
//! INBOX, flags what it appended, and moves some of it to a mailbox of its own; after each answer
//! it says so on standard output, in one line. The parent kills it in the middle and believes the
//! lines that are complete.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use pillarbox_model::{Flag, Flags, NumberSet, Rights, Uid};

use super::*;
use crate::blobs::{Options, Pack};
use crate::suite::{message, name};

/// More lines than the test harness says by itself.
const BEGUN_LINES: u32 = 10;
/// For the child to begin.
const PATIENCE: Duration = Duration::from_secs(60);
const DIRECTORY: &str = "PILLARBOX_CRASH_DIRECTORY";
const ROUND: &str = "PILLARBOX_CRASH_ROUND";
const ROUNDS: u64 = 6;
const WRITERS: u32 = 8;

fn open(directory: &Path) -> Engine {
    let options = Options {
        segment_bytes: 64 * 1024,
        ..Options::new(&directory.join("messages"))
    };
    let blobs = Arc::new(Pack::open(options).unwrap());
    Engine::open(Settings::new(&directory.join("index.db")), blobs).unwrap()
}

fn say(line: String) {
    // One write, so that lines of two writers do not mix. The parent may be gone.
    let _ = io::stdout().write_all(line.as_bytes());
}

async fn mailbox(engine: &Engine, text: &str) -> MailboxId {
    let account = engine.account("user").await.unwrap().unwrap().id;
    engine
        .mailbox(account, &name(text))
        .await
        .unwrap()
        .unwrap()
        .id
}

/// Not a test: what the killed process does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is run by the other test, in a process of its own"]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let round = std::env::var(ROUND).unwrap();
    let engine = Arc::new(open(Path::new(&directory)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(engine.clone(), round.clone(), writer)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Goes on until it is killed.
async fn write(engine: Arc<Engine>, round: String, writer: u32) {
    let inbox = mailbox(&engine, "INBOX").await;
    let own = mailbox(&engine, &format!("writer{writer}")).await;
    for n in 0.. {
        let text = format!("{round}-{writer}-{n}-{}", "x".repeat(n % 50 * 40));
        let added = engine
            .append(inbox, vec![message(&text, &[])])
            .await
            .unwrap();
        let uid = NumberSet::range(added.uids[0].0..=added.uids[0].0);
        say(format!("added {text} {uid}\n"));
        let seen = [Flag::System(Flags::SEEN)];
        engine
            .set_flags(inbox, &uid, FlagAction::Add, &seen, None)
            .await
            .unwrap();
        say(format!("seen {text}\n"));
        if n % 3 == 0 {
            let moved = engine
                .copy(inbox, &uid, own, true, Rights::ALL)
                .await
                .unwrap();
            say(format!("moved {text} {}\n", moved.to));
        }
    }
}

/// What the child said of one message.
#[derive(Default, Debug)]
struct Said {
    uid: u32,
    seen: bool,
    moved: Option<u32>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path());
    let names: Vec<_> = (0..WRITERS)
        .map(|n| (name(&format!("writer{n}")), None))
        .collect();
    engine.create_account("user", &names).await.unwrap();
    drop(engine);
    let mut said = BTreeMap::new();
    for round in 0..ROUNDS {
        let before = said.len();
        listen(&run_and_kill(directory.path(), round), &mut said);
        assert!(said.len() > before, "the child did nothing");
        verify(&open(directory.path()), &said).await;
    }
}

/// Starts the child, kills it after a while, and returns what it said.
fn run_and_kill(directory: &Path, round: u64) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "sqlite::crash::child",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (sender, begun) = channel();
    let reader = std::thread::spawn(move || {
        let (mut said, mut lines) = (String::new(), 0);
        while output.read_line(&mut said)? > 0 {
            lines += 1;
            if lines == BEGUN_LINES {
                let _ = sender.send(());
            }
        }
        io::Result::Ok(said)
    });
    // On a busy machine it takes its time to begin.
    begun.recv_timeout(PATIENCE).expect("the child works");
    std::thread::sleep(Duration::from_millis(250 + round * 70));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap().unwrap()
}

/// Believes complete lines. UIDs are never given twice.
fn listen(output: &str, said: &mut BTreeMap<String, Said>) {
    let end = output.rfind('\n').map_or(0, |at| at + 1);
    let highest = said.values().map(|message| message.uid).max().unwrap_or(0);
    for line in output[..end].lines() {
        // The test harness says something too.
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["added", text, uid] => {
                let uid = uid.parse().unwrap();
                assert!(uid > highest, "UID {uid} comes back after {highest}");
                said.entry(text.into()).or_default().uid = uid;
            }
            ["seen", text] => said.get_mut(text).unwrap().seen = true,
            ["moved", text, uid] => said.get_mut(text).unwrap().moved = Some(uid.parse().unwrap()),
            _ => {}
        }
    }
}

async fn verify(engine: &Engine, said: &BTreeMap<String, Said>) {
    let mut findings = engine.check(None).await.unwrap();
    // Bytes of appends that were under way: nobody was told that they are there.
    findings.retain(|finding| finding.problem != "no message names it");
    assert_eq!(findings, []);
    let mut there: BTreeMap<String, (String, Row)> = BTreeMap::new();
    let account = engine.account("user").await.unwrap().unwrap().id;
    for info in engine.mailboxes(account).await.unwrap() {
        let rows: Vec<Row> = engine
            .open(info.id)
            .await
            .unwrap()
            .read()
            .range(0, u32::MAX)
            .collect();
        let contents = engine.contents(&rows, true).await.unwrap();
        for (row, content) in rows.into_iter().zip(contents) {
            let bytes = engine.read(&content.location).await.unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let before = there.insert(text, (info.name.to_string(), row));
            assert!(before.is_none(), "a message is there twice");
        }
    }
    for (text, said) in said {
        let (mailbox, row) = there
            .get(text)
            .unwrap_or_else(|| panic!("{said:?} is lost"));
        assert!(
            !said.seen || row.flags.contains(Flags::SEEN),
            "{said:?} is not seen"
        );
        match said.moved {
            Some(uid) => assert!(mailbox != "INBOX" && row.uid == Uid(uid), "{said:?}"),
            // It may have been moved without our hearing of it.
            None => assert!(mailbox != "INBOX" || row.uid == Uid(said.uid), "{said:?}"),
        }
    }
}

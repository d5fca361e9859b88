//! A client that only listens to NOTIFY, compared with one that asks.

use std::collections::BTreeMap;

use crate::harness::Server;
use crate::notify::{EVERYTHING, MAIL};

/// Names and counters as a client has them that only ever listens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_only_listens_knows_what_a_fresh_one_is_told() {
    for seed in 1..=6 {
        listen(seed).await;
    }
}

/// What a client that listens makes of a line.
fn take_in(known: &mut BTreeMap<String, Option<String>>, line: &str) {
    let name = |text: &str| text.trim_matches('"').to_owned();
    if let Some(rest) = line.strip_prefix("* LIST (") {
        let (attributes, rest) = rest.split_once(") \".\" ").unwrap();
        let (new, old) = match rest.split_once(" (\"OLDNAME\" (") {
            Some((new, old)) => (name(new), Some(name(old.trim_end_matches("))")))),
            None => (name(rest), None),
        };
        if let Some(old) = old {
            // Those below go along.
            let moved: Vec<_> = known
                .keys()
                .filter(|k| **k == old || k.starts_with(&format!("{old}.")))
                .cloned()
                .collect();
            for from in moved {
                let counts = known.remove(&from).unwrap();
                known.insert(format!("{new}{}", &from[old.len()..]), counts);
            }
        }
        if attributes.contains("\\NonExistent") {
            known.remove(&new);
        } else {
            known.entry(new).or_default();
        }
    } else if let Some(rest) = line.strip_prefix("* STATUS ") {
        let (mailbox, counts) = rest.split_once(" (").unwrap();
        known.insert(name(mailbox), Some(counts.to_owned()));
    }
}

async fn listen(mut seed: u64) {
    let server = Server::start();
    let mut next = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let (mut watcher, mut other) = (server.login("ann").await, server.login("ann").await);
    let mut known = BTreeMap::new();
    let items = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN";
    for line in watcher
        .ok(&format!("LIST \"\" * RETURN (STATUS ({items}))"))
        .await
    {
        take_in(&mut known, &line);
    }
    watcher.ok(EVERYTHING).await;
    for round in 0..60 {
        let names = ["INBOX", "a", "a.b", "c", "c.d.e", "c.d"];
        let (one, two) = (names[next(6) as usize], names[next(6) as usize]);
        match next(9) {
            0 | 1 => drop(other.say(&format!("CREATE {one}")).await),
            2 => drop(other.say(&format!("DELETE {one}")).await),
            3 => drop(other.say(&format!("RENAME {one} {two}")).await),
            4 if known.contains_key(one) => {
                other
                    .say(&format!("APPEND {one} () {{{}+}}\r\n{MAIL}", MAIL.len()))
                    .await;
            }
            5 => drop(other.say(&format!("SELECT {one}")).await),
            6 => drop(other.say("STORE 1 FLAGS (\\Seen)").await),
            7 => drop(other.say("UID STORE 1:* +FLAGS (\\Deleted)").await),
            _ => {
                // Only now and then: also what happened several times is to be understood.
                for line in watcher.ok("NOOP").await {
                    take_in(&mut known, &line);
                }
            }
        }
        if next(4) == 0 {
            other.say("EXPUNGE").await;
            other.say("UNSELECT").await;
        }
        if round % 10 == 9 {
            for line in watcher.ok("NOOP").await {
                take_in(&mut known, &line);
            }
            let mut fresh = BTreeMap::new();
            let mut newcomer = server.login("ann").await;
            for line in newcomer
                .ok(&format!("LIST \"\" * RETURN (STATUS ({items}))"))
                .await
            {
                take_in(&mut fresh, &line);
            }
            for (mailbox, counts) in &fresh {
                let heard = known.get(mailbox);
                // A mailbox of which only its making was told is empty.
                match heard {
                    Some(None) => assert!(
                        counts
                            .as_ref()
                            .unwrap()
                            .starts_with("MESSAGES 0 UIDNEXT 1 "),
                        "{mailbox}"
                    ),
                    heard => assert_eq!(heard, Some(counts), "{mailbox}"),
                }
            }
            assert!(known.keys().eq(fresh.keys()), "{known:?} {fresh:?}");
        }
    }
}

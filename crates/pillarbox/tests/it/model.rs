//! Several sessions on one mailbox, random commands, and a reference that is too simple to be wrong.
//!
//! The reference is a map from UIDs to flags. Each session's view is built from nothing but what the server
//! said to it. After a NOOP both must agree; in between, what a session is told must never contradict its view.
//! Messages come and go between INBOX and a second mailbox, which is renamed and deleted while somebody has it
//! selected. A failing run is shrunk to the commands that matter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::dialect::Dialect;
use crate::harness::{Client, Server};
use crate::rounds::{self, shrink};

const SESSIONS: usize = 3;
const STEPS: usize = 120;
const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "\\Deleted", "$Label", "odd"];

type FlagSet = BTreeSet<String>;

/// What to do, in terms that mean something whatever went before: numbers are taken modulo what is there.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append {
        flag: usize,
    },
    Store {
        action: usize,
        first: usize,
        count: usize,
        flag: usize,
        silent: bool,
        uid: bool,
    },
    Expunge,
    UidExpunge {
        first: usize,
        count: usize,
    },
    Copy {
        first: usize,
        count: usize,
        uid: bool,
    },
    MoveAway {
        first: usize,
        count: usize,
        uid: bool,
    },
    Fetch {
        first: usize,
        count: usize,
        uid: bool,
    },
    /// Reads, and thereby marks as read.
    Read {
        first: usize,
    },
    Partial {
        first: usize,
        origin: usize,
        length: usize,
    },
    Search {
        flag: usize,
        uid: bool,
    },
    CopyAway {
        first: usize,
        count: usize,
        uid: bool,
    },
    /// Everything in the other mailbox moves to INBOX.
    ComeBack,
    /// INBOX gives all its messages to a new mailbox.
    RenameInbox,
    /// The other mailbox goes by another name for a while.
    RenameAway,
    /// The other mailbox is deleted, and made anew.
    DeleteAway,
    Reselect,
    Noop,
}

/// What everybody should agree on in the end.
#[derive(Default)]
struct Reference {
    messages: BTreeMap<u32, FlagSet>,
    last_uid: u32,
    /// What the other mailbox has.
    away: BTreeMap<u32, FlagSet>,
    last_away: u32,
    /// How often INBOX was renamed.
    renamed: usize,
}

/// A session, and what it was told.
struct Session {
    client: Client,
    /// UIDs in sequence order. The test knows them from the reference when EXISTS tells of them.
    view: Vec<u32>,
    flags: BTreeMap<u32, FlagSet>,
}

struct World {
    server: Server,
    sessions: Vec<Session>,
    /// Has the other mailbox selected.
    watcher: Client,
    reference: Reference,
}

fn flags(text: &str) -> FlagSet {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The text between a `(` after `after` and the next `)`.
fn parenthesised<'a>(line: &'a str, after: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!("{after} ("))?.1;
    Some(rest.split_once(')')?.0)
}

impl Session {
    /// Takes in what was told. `steady` commands must not change sequence numbers (RFC 3501 §7.4.1).
    fn hear(&mut self, lines: &[String], steady: bool) -> Result<(), String> {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["*", number, "EXISTS"] => self.grow(parse(number)?)?,
                ["*", number, "EXPUNGE"] => {
                    let at = parse(number)?
                        .checked_sub(1)
                        .filter(|at| *at < self.view.len());
                    let at = at.ok_or_else(|| format!("{line}: there are {}", self.view.len()))?;
                    if steady {
                        return Err(format!("{line} while sequence numbers are in use"));
                    }
                    let uid = self.view.remove(at);
                    self.flags.remove(&uid);
                }
                ["*", number, "FETCH", ..] => self.learn(parse(number)?, line)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// EXISTS never shrinks.
    fn grow(&mut self, count: usize) -> Result<(), String> {
        if count < self.view.len() {
            return Err(format!(
                "EXISTS shrinks from {} to {count}",
                self.view.len()
            ));
        }
        // Which UIDs the new ones have is asked by FETCH at the next NOOP.
        self.view.resize(count, 0);
        Ok(())
    }

    fn learn(&mut self, seq: usize, line: &str) -> Result<(), String> {
        let at = seq.checked_sub(1).filter(|at| *at < self.view.len());
        let at = at.ok_or_else(|| format!("{line}: there are {}", self.view.len()))?;
        if let Some(uid) = line.split_once("UID ") {
            let digits: String = uid.1.chars().take_while(char::is_ascii_digit).collect();
            let uid = digits.parse().map_err(|_| line.to_owned())?;
            if self.view[at] != 0 && self.view[at] != uid {
                return Err(format!("{line}: that number was UID {}", self.view[at]));
            }
            self.view[at] = uid;
        }
        if let (Some(names), true) = (parenthesised(line, "FLAGS"), self.view[at] != 0) {
            self.flags.insert(self.view[at], flags(names));
        }
        Ok(())
    }

    async fn say(&mut self, command: &str, steady: bool) -> Result<Vec<String>, String> {
        let mut lines = self.client.say(command).await;
        let last = lines.pop().unwrap_or_default();
        self.hear(&lines, steady)
            .map_err(|why| format!("{command}: {why}"))?;
        lines.push(last);
        Ok(lines)
    }

    /// Sequence numbers, or UIDs, of some messages of the view, and which UIDs they are.
    fn pick(&self, first: usize, count: usize, uid: bool) -> Option<(String, Vec<u32>)> {
        if self.view.is_empty() {
            return None;
        }
        let first = first % self.view.len();
        let last = (first + count).min(self.view.len() - 1);
        let uids = self.view[first..=last].to_vec();
        if uid && uids.contains(&0) {
            return None;
        }
        let set = if uid {
            uids.iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(",")
        } else {
            format!("{}:{}", first + 1, last + 1)
        };
        Some((set, uids))
    }
}

fn parse(number: &str) -> Result<usize, String> {
    number.parse().map_err(|_| format!("{number} is no number"))
}

impl World {
    async fn new() -> Self {
        let server = Server::start();
        let mut sessions = Vec::new();
        for nth in 0..SESSIONS {
            // One of them speaks IMAP4rev2 with the server.
            let dialect = [Dialect::Rev1, Dialect::Rev2][nth % 2];
            let mut client = server.login_in(dialect, "ann").await;
            client.ok("SELECT INBOX").await;
            client.say("CREATE away").await;
            sessions.push(Session {
                client,
                view: Vec::new(),
                flags: BTreeMap::new(),
            });
        }
        Self {
            watcher: watcher(&server).await,
            server,
            sessions,
            reference: Reference::default(),
        }
    }

    /// Messages arrive in the other mailbox.
    fn send_away(&mut self, all: impl IntoIterator<Item = FlagSet>) {
        for flags in all {
            self.reference.last_away += 1;
            let uid = self.reference.last_away;
            self.reference.away.insert(uid, flags);
        }
    }

    fn make(&mut self, flags: FlagSet) -> u32 {
        self.reference.last_uid += 1;
        let uid = self.reference.last_uid;
        self.reference.messages.insert(uid, flags);
        uid
    }

    async fn step(&mut self, who: usize, step: Step) -> Result<(), String> {
        let session = &mut self.sessions[who];
        match step {
            Step::Append { flag } => {
                let uid = self.make(flags(FLAGS[flag]));
                let session = &mut self.sessions[who];
                let message = format!("Subject: {uid}\r\n\r\n{uid}\r\n");
                let command = format!(
                    "APPEND INBOX ({}) {{{}+}}\r\n{message}",
                    FLAGS[flag],
                    message.len()
                );
                let lines = session.say(&command, false).await?;
                expect(&lines, &format!(" {uid}] APPEND completed"), &command)?;
            }
            Step::Store {
                action,
                first,
                count,
                flag,
                silent,
                uid,
            } => {
                // Numbers of messages not yet asked about can be used, but say nothing to the reference.
                let Some((set, uids)) = session.pick(first, count, uid) else {
                    return Ok(());
                };
                if uids.contains(&0) {
                    return Ok(());
                }
                let word = ["FLAGS", "+FLAGS", "-FLAGS"][action];
                let command = format!(
                    "{}STORE {set} {word}{} ({})",
                    if uid { "UID " } else { "" },
                    if silent { ".SILENT" } else { "" },
                    FLAGS[flag]
                );
                session.say(&command, !uid).await?;
                for uid in uids {
                    let new = self.reference.messages.get_mut(&uid);
                    let Some(now) = new else { continue };
                    match action {
                        0 => *now = flags(FLAGS[flag]),
                        1 => drop(now.insert(FLAGS[flag].to_owned())),
                        _ => drop(now.remove(FLAGS[flag])),
                    }
                    // The client knows what it stored without being told.
                    if silent && self.sessions[who].view.contains(&uid) {
                        self.sessions[who].flags.remove(&uid);
                    }
                }
            }
            Step::Expunge => {
                session.say("EXPUNGE", false).await?;
                self.reference
                    .messages
                    .retain(|_, flags| !flags.contains("\\Deleted"));
            }
            Step::UidExpunge { first, count } => {
                if let Some((set, uids)) = session.pick(first, count, true) {
                    session.say(&format!("UID EXPUNGE {set}"), false).await?;
                    self.reference
                        .messages
                        .retain(|uid, flags| !uids.contains(uid) || !flags.contains("\\Deleted"));
                }
            }
            Step::Copy { first, count, uid } => {
                let Some((set, uids)) = session.pick(first, count, uid) else {
                    return Ok(());
                };
                if uids.contains(&0) {
                    return Ok(());
                }
                let by = if uid { "UID " } else { "" };
                session.say(&format!("{by}COPY {set} INBOX"), false).await?;
                for uid in uids {
                    if let Some(flags) = self.reference.messages.get(&uid).cloned() {
                        self.make(flags);
                    }
                }
            }
            Step::MoveAway { first, count, uid } => {
                let Some((set, uids)) = session.pick(first, count, uid) else {
                    return Ok(());
                };
                if uids.contains(&0) {
                    return Ok(());
                }
                let by = if uid { "UID " } else { "" };
                session.say(&format!("{by}MOVE {set} away"), false).await?;
                let here = &mut self.reference.messages;
                let moved: Vec<_> = uids.iter().filter_map(|uid| here.remove(uid)).collect();
                self.send_away(moved);
            }
            Step::CopyAway { first, count, uid } => {
                let Some((set, uids)) = session.pick(first, count, uid) else {
                    return Ok(());
                };
                if uids.contains(&0) {
                    return Ok(());
                }
                let by = if uid { "UID " } else { "" };
                session.say(&format!("{by}COPY {set} away"), false).await?;
                let here = &self.reference.messages;
                let copied: Vec<_> = uids
                    .iter()
                    .filter_map(|uid| here.get(uid).cloned())
                    .collect();
                self.send_away(copied);
            }
            Step::ComeBack => {
                let command = "UID MOVE 1:* INBOX";
                session.client.ok("SELECT away").await;
                let lines = session.client.ok(command).await;
                let gone = lines
                    .iter()
                    .filter(|line| line.ends_with(" EXPUNGE"))
                    .count();
                if gone != self.reference.away.len() {
                    return Err(format!(
                        "{command} took {gone} of {}",
                        self.reference.away.len()
                    ));
                }
                session.view.clear();
                session.flags.clear();
                session.say("SELECT INBOX", false).await?;
                for flags in std::mem::take(&mut self.reference.away).into_values() {
                    self.make(flags);
                }
            }
            Step::RenameInbox => {
                self.reference.renamed += 1;
                let command = format!("RENAME INBOX old{}", self.reference.renamed);
                let lines = session.say(&command, false).await?;
                expect(&lines, "OK", &command)?;
                self.reference.messages.clear();
            }
            Step::RenameAway => {
                for command in ["RENAME away else", "RENAME else away"] {
                    let lines = session.say(command, false).await?;
                    expect(&lines, "OK", command)?;
                    // Whoever has it selected notices nothing.
                    self.watcher.ok("NOOP").await;
                }
            }
            Step::DeleteAway => {
                for command in ["DELETE away", "CREATE away"] {
                    let lines = session.say(command, false).await?;
                    expect(&lines, "OK", command)?;
                }
                self.watcher.send("a NOOP\r\n").await;
                if !self.watcher.is_cut_off().await {
                    return Err("somebody is left in a deleted mailbox".to_owned());
                }
                self.watcher = watcher(&self.server).await;
                self.reference.away.clear();
                self.reference.last_away = 0;
            }
            Step::Read { first } => {
                let Some((set, uids)) = session.pick(first, 0, false) else {
                    return Ok(());
                };
                session
                    .say(&format!("FETCH {set} (UID BODY[TEXT])"), true)
                    .await?;
                // Asked about for the first time, or known before: by now its UID is known.
                let at = parse(set.split(':').next().unwrap_or_default())? - 1;
                let uid = uids.first().filter(|uid| **uid != 0).copied();
                let uid = uid.unwrap_or(session.view[at]);
                if let Some(flags) = self.reference.messages.get_mut(&uid) {
                    flags.insert("\\Seen".to_owned());
                }
            }
            Step::Partial {
                first,
                origin,
                length,
            } => {
                let Some((set, _)) = session.pick(first, 0, false) else {
                    return Ok(());
                };
                let command = format!("FETCH {set} (BODY.PEEK[] BODY.PEEK[]<{origin}.{length}>)");
                let lines = session.say(&command, true).await?;
                partial_fits(&lines, origin, length)
                    .ok_or_else(|| format!("{command}: {lines:?}"))?;
            }
            Step::Fetch { first, count, uid } => {
                if let Some((set, uids)) = session.pick(first, count, uid) {
                    let by = if uid { "UID " } else { "" };
                    let command = format!("{by}FETCH {set} (UID BODY.PEEK[TEXT])");
                    let lines = session.say(&command, !uid).await?;
                    // Each message that the client knows is there, also if others expunged it.
                    let told = lines
                        .iter()
                        .filter(|line| line.contains("BODY[TEXT]"))
                        .count();
                    if told != uids.len() {
                        return Err(format!("{command} told {told} of {}", uids.len()));
                    }
                    expect(&lines, "OK", &command)?;
                }
            }
            Step::Search { flag, uid } => {
                let word = match FLAGS[flag].strip_prefix('\\') {
                    Some(system) => system.to_uppercase(),
                    None => format!("KEYWORD {}", FLAGS[flag]),
                };
                let by = if uid { "UID " } else { "" };
                let command = format!("{by}SEARCH RETURN (MIN MAX COUNT ALL) {word}");
                let known = session.view.clone();
                let lines = session.say(&command, !uid).await?;
                let found = found(&lines).ok_or_else(|| format!("{command}: {lines:?}"))?;
                if known.contains(&0) {
                    return Ok(());
                }
                let found: BTreeSet<u32> = found
                    .into_iter()
                    .filter_map(|number| {
                        if uid {
                            Some(number)
                        } else {
                            known.get(number as usize - 1).copied()
                        }
                    })
                    // What others expunged may be found or not.
                    .filter(|uid| self.reference.messages.contains_key(uid))
                    .collect();
                let real: BTreeSet<u32> = known
                    .into_iter()
                    .filter(|uid| {
                        self.reference
                            .messages
                            .get(uid)
                            .is_some_and(|flags| flags.contains(FLAGS[flag]))
                    })
                    .collect();
                if found != real {
                    return Err(format!("{command} found {found:?}, there are {real:?}"));
                }
            }
            Step::Reselect => {
                session.view.clear();
                session.flags.clear();
                session.say("SELECT INBOX", false).await?;
            }
            Step::Noop => self.check(who).await?,
        }
        Ok(())
    }

    /// The other mailbox has what it should have.
    async fn check_away(&mut self) -> Result<(), String> {
        let mut looking = Session {
            client: watcher(&self.server).await,
            view: Vec::new(),
            flags: BTreeMap::new(),
        };
        let lines = looking.client.ok("STATUS away (MESSAGES)").await;
        let count = self.reference.away.len();
        expect(&lines[..1], &format!("(MESSAGES {count})"), "STATUS away")?;
        looking.grow(count)?;
        if count > 0 {
            looking.say("FETCH 1:* (UID FLAGS)", true).await?;
        }
        match looking.flags == self.reference.away {
            true => Ok(()),
            false => Err(format!(
                "away has {:?}, not {:?}",
                looking.flags, self.reference.away
            )),
        }
    }

    /// After a NOOP and a FETCH, the session knows exactly what there is.
    async fn check(&mut self, who: usize) -> Result<(), String> {
        let session = &mut self.sessions[who];
        session.say("NOOP", false).await?;
        // What was told so far must be right without asking again.
        for (uid, told) in &session.flags {
            if self
                .reference
                .messages
                .get(uid)
                .is_some_and(|real| real != told)
            {
                let real = &self.reference.messages[uid];
                return Err(format!("UID {uid} was told {told:?} and has {real:?}"));
            }
        }
        session
            .say("FETCH 1:* (UID FLAGS)", true)
            .await
            .or_else(|why| {
                // An empty mailbox has no message 1.
                if self.reference.messages.is_empty() {
                    Ok(Vec::new())
                } else {
                    Err(why)
                }
            })?;
        let real: Vec<u32> = self.reference.messages.keys().copied().collect();
        if session.view != real {
            return Err(format!(
                "the view is {:?}, there are {real:?}",
                session.view
            ));
        }
        for (uid, flags) in &self.reference.messages {
            if session.flags.get(uid) != Some(flags) {
                let told = session.flags.get(uid);
                return Err(format!("UID {uid} has {flags:?}, told {told:?}"));
            }
        }
        Ok(())
    }
}

/// Somebody who has the other mailbox selected.
async fn watcher(server: &Server) -> Client {
    let mut client = server.login("ann").await;
    client.ok("SELECT away").await;
    client
}

/// The numbers that an ESEARCH tells in full, if its MIN, MAX and COUNT agree with them.
fn found(lines: &[String]) -> Option<Vec<u32>> {
    let line = lines.iter().find(|line| line.starts_with("* ESEARCH "))?;
    let words: Vec<&str> = line.split(' ').collect();
    let after = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + 1).copied()
    };
    let mut numbers = Vec::new();
    for range in after("ALL").into_iter().flat_map(|set| set.split(',')) {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        numbers.extend(from.parse::<u32>().ok()?..=to.parse().ok()?);
    }
    let number = |word| after(word).and_then(|number| number.parse::<u32>().ok());
    let fits = number("COUNT") == Some(numbers.len() as u32)
        && number("MIN") == numbers.first().copied()
        && number("MAX") == numbers.last().copied();
    fits.then_some(numbers)
}

/// Whether the second literal of an answer is that piece of the first.
fn partial_fits(lines: &[String], origin: usize, length: usize) -> Option<()> {
    let line = lines.iter().find(|line| line.contains("BODY[] {"))?;
    let literal = |after: &str| {
        let rest = line.split_once(after)?.1;
        let (size, rest) = rest.split_once("}\r\n")?;
        rest.get(..size.parse().ok()?)
    };
    let whole = literal("BODY[] {")?;
    let piece = literal(&format!("BODY[]<{origin}> {{"))?;
    let from = origin.min(whole.len());
    let to = (from + length).min(whole.len());
    (whole.get(from..to)? == piece).then_some(())
}

fn expect(lines: &[String], what: &str, command: &str) -> Result<(), String> {
    let last = lines.last().map_or("", String::as_str);
    if last.contains(what) {
        Ok(())
    } else {
        Err(format!("{command}: {last}"))
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// What empties a mailbox would leave too little for the rest.
    fn rarely(&mut self, step: Step) -> Step {
        if self.below(4) == 0 { step } else { Step::Noop }
    }

    fn step(&mut self) -> (usize, Step) {
        let (first, count) = (self.below(1_000), self.below(4));
        let (flag, uid) = (self.below(FLAGS.len()), self.below(2) == 0);
        let step = match self.below(32) {
            0..=3 => Step::Append { flag },
            4..=8 => Step::Store {
                action: self.below(3),
                first,
                count,
                flag,
                silent: self.below(2) == 0,
                uid,
            },
            9 => Step::Expunge,
            10 => Step::UidExpunge { first, count },
            11 => Step::Copy { first, count, uid },
            12 => Step::MoveAway { first, count, uid },
            13..=14 => Step::Fetch { first, count, uid },
            15..=16 => Step::Search { flag, uid },
            17 => Step::Reselect,
            18 => Step::Read { first },
            19 => Step::Partial {
                first,
                origin: self.below(30),
                length: self.below(30) + 1,
            },
            20..=21 => Step::CopyAway { first, count, uid },
            22 => Step::ComeBack,
            23 => Step::RenameAway,
            24 => self.rarely(Step::RenameInbox),
            25 => self.rarely(Step::DeleteAway),
            26..=27 => Step::Append { flag },
            _ => Step::Noop,
        };
        (self.below(SESSIONS), step)
    }
}

async fn run(steps: &[(usize, Step)]) -> Result<(), String> {
    let mut world = World::new().await;
    for (number, (who, step)) in steps.iter().enumerate() {
        let done = world.step(*who, *step).await;
        done.map_err(|why| format!("step {number}, session {who}: {why}"))?;
    }
    for who in 0..SESSIONS {
        world
            .check(who)
            .await
            .map_err(|why| format!("in the end, session {who}: {why}"))?;
    }
    world.check_away().await?;
    Ok(())
}

/// Runs for `PILLARBOX_MODEL_SECONDS`, or a few rounds if that is not set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_agree_with_the_reference() {
    let end = rounds::end();
    let mut seed = 1_u64;
    while end.map_or(seed <= 12, |end| Instant::now() < end) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let steps: Vec<_> = (0..STEPS).map(|_| random.step()).collect();
        if let Err(why) = run(&steps).await {
            let least = shrink(steps, async |steps| run(&steps).await.is_err()).await;
            let again = run(&least).await;
            panic!("seed {seed}: {why}\nshrunk: {least:#?}\nwhich says {again:?}");
        }
        seed += 1;
    }
    println!("{} rounds of {STEPS} commands", seed - 1);
}

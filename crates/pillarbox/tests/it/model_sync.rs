//! Clients that come and go, and catch up by mod-sequences: each must know in the end what there is.
//!
//! A client's state is built from nothing but what the server said, as RFC 7162 §6 has it: what it was told
//! counts at the tagged response, and the highest mod-sequence that it saw, or HIGHESTMODSEQ, says where it is.
//! Clients break off anywhere, also in the middle of an answer, and come back with what they knew: with or
//! without the UIDs, with some of them, with numbers that match; after the server forgot its history, or was
//! started again; while others are at work. What they have is compared with what the store has. A failing run
//! is shrunk to the steps that matter.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pillarbox_model::MailboxName;

use crate::harness::{Client, Server};
use crate::rounds::{self, shrink};

/// Lines of each conversation that a failure shows.
const TOLD: usize = 40;
const STEPS: usize = 150;
const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "\\Deleted", "$Label", "odd"];
const MODES: [Mode; 4] = [Mode::CondStore, Mode::QResync, Mode::QResync, Mode::UidOnly];

type FlagSet = BTreeSet<String>;
type Told = Result<(), String>;

/// What a client has enabled.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    CondStore,
    QResync,
    UidOnly,
}

/// What to do, in terms that mean something whatever went before: numbers are taken modulo what is there.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Append {
        flag: usize,
    },
    Store {
        action: usize,
        flag: usize,
        silent: bool,
        condition: usize,
    },
    Expunge,
    UidExpunge,
    Copy,
    Move,
    Fetch,
    /// Reads, and thereby marks as read.
    Read,
    Search,
    /// Asks for what changed a while ago.
    Since {
        back: u64,
    },
    Noop,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Do(Deed),
    /// Breaks off.
    Leave,
    /// Breaks off after some lines of the next answer.
    LeaveSoon(usize),
    Check,
    /// The server forgets what was expunged.
    Forget,
    Restart,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    who: usize,
    what: What,
    /// Which messages.
    first: usize,
    count: usize,
    uid: bool,
    /// How it comes back, if it is away.
    style: usize,
    /// The answer is read only after somebody else said something, too.
    along: bool,
}

/// What a client knows.
#[derive(Default, Debug)]
struct Cache {
    validity: u32,
    /// Everything up to here is known of the messages up to `listed`.
    modseq: u64,
    listed: u32,
    /// Those messages, while the client is away.
    known: BTreeSet<u32>,
    flags: BTreeMap<u32, FlagSet>,
    /// UIDs by number, as far as they are known.
    view: Vec<Option<u32>>,
    /// There are no numbers: those that are not known stand at the end.
    by_uid: bool,
    /// Where this session is; and what the answer that is being read says of it.
    here: u64,
    seen: u64,
    said: Option<u64>,
}

/// A command that is not answered yet.
#[derive(Default)]
struct Asked {
    tag: String,
    /// Numbers must not change.
    steady: bool,
    /// May be answered by VANISHED (EARLIER).
    earlier: bool,
    /// What was changed in silence.
    own: Option<(usize, &'static str)>,
}

struct Member {
    mode: Mode,
    client: Option<Client>,
    cache: Cache,
    tags: u32,
    asked: Option<Asked>,
    cut: Option<usize>,
    commands: u64,
    /// What was said last.
    told: VecDeque<String>,
}

struct World {
    directory: Arc<tempfile::TempDir>,
    server: Option<Server>,
    members: Vec<Member>,
}

fn numbers(set: &str) -> Result<Vec<u32>, String> {
    let mut all = Vec::new();
    for range in set.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        all.extend(number(from)?..=number(to)?);
    }
    Ok(all)
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// The number after some text.
fn after(line: &str, text: &str) -> Option<u64> {
    let rest = line.split_once(text)?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn set(uids: impl IntoIterator<Item = u32>) -> String {
    pillarbox_model::NumberSet::from_iter(uids).to_string()
}

impl Cache {
    /// Takes in a line that is not the last of its answer.
    fn learn(&mut self, line: &str, asked: &Asked) -> Told {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["*", count, "EXISTS"] => self.grow(number(count)? as usize),
            ["*", at, "EXPUNGE"] => {
                let at = number(at)? as usize;
                if asked.steady || at == 0 || at > self.view.len() {
                    return Err(format!("{line}: there are {}", self.view.len()));
                }
                let uid = self.view.remove(at - 1);
                uid.iter().for_each(|uid| self.lose(*uid));
                Ok(())
            }
            ["*", "VANISHED", "(EARLIER)", uids] => {
                if !asked.earlier {
                    return Err(format!("{line}: nobody asked"));
                }
                for uid in numbers(uids)? {
                    if self.view.contains(&Some(uid)) {
                        return Err(format!("{line}: {uid} is in the view"));
                    }
                    self.lose(uid);
                }
                Ok(())
            }
            ["*", "VANISHED", uids] if !asked.steady => {
                self.settle()?;
                for uid in numbers(uids)? {
                    let at = self.find(uid);
                    let at = at.ok_or_else(|| format!("{line}: {uid} is not in the view"))?;
                    self.view.remove(at);
                    self.lose(uid);
                }
                Ok(())
            }
            ["*", at, "FETCH", ..] => {
                let at = number(at)? as usize;
                if at == 0 || at > self.view.len() {
                    return Err(format!("{line}: there are {}", self.view.len()));
                }
                if let Some(uid) = after(line, "UID ") {
                    self.place(at - 1, uid as u32)?;
                }
                self.take(self.view[at - 1], line, asked)
            }
            ["*", uid, "UIDFETCH", ..] => {
                let uid = number(uid)?;
                let at = self.find(uid);
                let at = at.ok_or_else(|| format!("{line}: it is not in the view"))?;
                self.view[at] = Some(uid);
                self.view.sort_by_key(|there| there.unwrap_or(u32::MAX));
                self.take(Some(uid), line, asked)
            }
            ["*", "SEARCH", ..] | ["*", "ESEARCH", ..] => Ok(()),
            ["*", "VANISHED", ..] => Err(format!("{line} while numbers are in use")),
            _ => {
                if let Some(modseq) = after(line, "[HIGHESTMODSEQ ") {
                    self.said = Some(modseq);
                }
                if let Some(validity) = after(line, "[UIDVALIDITY ") {
                    self.validity = validity as u32;
                }
                Ok(())
            }
        }
    }

    fn grow(&mut self, count: usize) -> Told {
        if count < self.view.len() {
            return Err(format!(
                "EXISTS shrinks from {} to {count}",
                self.view.len()
            ));
        }
        self.view.resize(count, None);
        Ok(())
    }

    fn lose(&mut self, uid: u32) {
        self.known.remove(&uid);
        self.flags.remove(&uid);
    }

    /// Where a message is, or one that may be it.
    fn find(&self, uid: u32) -> Option<usize> {
        let range = match self.by_uid {
            true => 0..self.view.len(),
            false => self.room(uid),
        };
        let known = self.view.iter().position(|there| *there == Some(uid));
        known.or_else(|| {
            let unknown = self.view[range.clone()].iter().position(Option::is_none);
            unknown.map(|at| range.start + at)
        })
    }

    /// Where in the view a UID can be: between those that are known to be below and above.
    fn room(&self, uid: u32) -> std::ops::Range<usize> {
        if let Some(at) = self.view.iter().position(|there| *there == Some(uid)) {
            return at..at + 1;
        }
        let below = |there: &Option<u32>| there.is_some_and(|there| there < uid);
        let above = |there: &Option<u32>| there.is_some_and(|there| there > uid);
        let from = self.view.iter().rposition(below).map_or(0, |at| at + 1);
        let to = self.view.iter().position(above).unwrap_or(self.view.len());
        from..to.max(from)
    }

    fn place(&mut self, at: usize, uid: u32) -> Told {
        match self.view[at] {
            Some(there) if there != uid => Err(format!("{} is UID {uid}, was {there}", at + 1)),
            Some(_) => Ok(()),
            None => {
                let ascends = self.room(uid).contains(&at);
                self.view[at] = Some(uid);
                ascends
                    .then_some(())
                    .ok_or_else(|| format!("{} can't be UID {uid}", at + 1))
            }
        }
    }

    /// What a FETCH says of a message.
    fn take(&mut self, uid: Option<u32>, line: &str, asked: &Asked) -> Told {
        let modseq = after(line, "MODSEQ (");
        self.seen = self.seen.max(modseq.unwrap_or(0));
        let flags = line.split_once("FLAGS (").map(|(_, rest)| rest);
        let flags = flags.and_then(|rest| rest.split(')').next());
        let Some(uid) = uid else { return Ok(()) };
        match (flags, asked.own) {
            (Some(names), _) => {
                let names = names.split_ascii_whitespace().map(str::to_owned);
                self.flags.insert(uid, names.collect());
            }
            (None, Some((action, flag))) if modseq.is_some() => {
                if let Some(flags) = self.flags.get_mut(&uid) {
                    change(flags, action, flag);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The answer is complete: RFC 7162 §6.
    fn end(&mut self, last: &str) {
        if let Some(modseq) = after(last, "[HIGHESTMODSEQ ") {
            self.said = Some(modseq);
        }
        self.here = self.said.take().unwrap_or(self.here.max(self.seen));
        self.seen = 0;
    }

    /// What is known of all messages up to some UID is kept from here on.
    fn keep(&mut self) {
        self.modseq = self.here;
        if self.by_uid && self.view.contains(&None) {
            return;
        }
        let whole = |uid: &u32| self.flags.contains_key(uid);
        let listed = self.view.iter().map_while(|uid| uid.filter(whole)).last();
        self.listed = self.listed.max(listed.unwrap_or(0));
    }

    /// Puts the messages that were known before where they must be.
    fn settle(&mut self) -> Told {
        let known = std::mem::take(&mut self.known);
        if self.by_uid {
            let all: BTreeSet<u32> = self.view.iter().flatten().copied().chain(known).collect();
            if all.len() > self.view.len() {
                return Err(format!(
                    "{all:?} are known, and there are {}",
                    self.view.len()
                ));
            }
            let unknown = self.view.len() - all.len();
            self.view = all.into_iter().map(Some).collect();
            self.view.extend(std::iter::repeat_n(None, unknown));
            return Ok(());
        }
        for (at, uid) in known.into_iter().enumerate() {
            if at >= self.view.len() {
                return Err(format!("{uid} is known, and there are {}", self.view.len()));
            }
            self.place(at, uid)?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if self.known.is_empty() {
            let known = self.view.iter().flatten().copied();
            self.known = known.filter(|uid| *uid <= self.listed).collect();
        }
        self.view.clear();
        let listed = self.listed;
        self.flags.retain(|uid, _| *uid <= listed);
        (self.seen, self.said) = (0, None);
    }
}

fn change(flags: &mut FlagSet, action: usize, flag: &str) {
    match action {
        0 => *flags = FlagSet::from([flag.to_owned()]),
        1 => drop(flags.insert(flag.to_owned())),
        _ => drop(flags.remove(flag)),
    }
}

impl Member {
    fn new(mode: Mode) -> Self {
        Self {
            mode,
            client: None,
            cache: Cache {
                by_uid: mode == Mode::UidOnly,
                ..Cache::default()
            },
            tags: 0,
            asked: None,
            cut: None,
            commands: 0,
            told: VecDeque::new(),
        }
    }

    fn leave(&mut self) {
        self.note(format!("leaves, knowing {:?}", self.cache));
        self.client = None;
        self.asked = None;
        self.cut = None;
        self.cache.leave();
    }

    fn note(&mut self, line: String) {
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back(line);
    }

    async fn ask(&mut self, command: &str, asked: Asked) {
        self.tags += 1;
        self.commands += 1;
        let tag = format!("m{}", self.tags);
        self.note(format!("C: {tag} {command}"));
        if let Some(client) = &mut self.client {
            client.send(format!("{tag} {command}\r\n")).await;
            self.asked = Some(Asked { tag, ..asked });
        }
    }

    /// Reads the answer to what was asked, or as much of it as it stays for. Gives its lines.
    async fn hear(&mut self) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        let Some(asked) = self.asked.take() else {
            return Ok(lines);
        };
        let mut cut = self.cut.take();
        while let Some(client) = &mut self.client {
            if cut == Some(0) {
                self.leave();
                break;
            }
            let line = client.line().await;
            self.note(line.clone());
            cut = cut.map(|cut| cut - 1);
            if let Some(last) = line.strip_prefix(&format!("{} ", asked.tag)) {
                self.cache.end(last);
                lines.push(last.to_owned());
                break;
            }
            self.cache.learn(&line, &asked)?;
            lines.push(line);
        }
        Ok(lines)
    }

    async fn say(&mut self, command: &str, asked: Asked) -> Result<Vec<String>, String> {
        self.ask(command, asked).await;
        let lines = self
            .hear()
            .await
            .map_err(|why| format!("{command}: {why}"))?;
        match lines.last() {
            Some(last) if self.client.is_some() && !last.starts_with("OK") => {
                Err(format!("{command}: {last}"))
            }
            _ => Ok(lines),
        }
    }

    /// Connects, and learns what happened meanwhile. It may break off on the way.
    async fn come_back(&mut self, server: &Server, style: usize) -> Told {
        let mut client = server.login("ann").await;
        match self.mode {
            Mode::CondStore => {}
            Mode::QResync => drop(client.ok("ENABLE QRESYNC").await),
            Mode::UidOnly => drop(client.ok("ENABLE UIDONLY QRESYNC").await),
        }
        self.client = Some(client);
        match self.mode {
            Mode::CondStore => self.compare(style).await?,
            _ if self.cache.validity == 0 => {
                drop(self.say("SELECT INBOX", Asked::default()).await?)
            }
            _ => self.resync(style).await?,
        }
        if self.client.is_none() {
            return Ok(());
        }
        self.list().await?;
        if self.client.is_some() {
            self.cache.settle()?;
            self.cache.keep();
        }
        Ok(())
    }

    /// Asks for the messages that it has not listed.
    async fn list(&mut self) -> Told {
        let command = format!("UID FETCH {}:* (FLAGS)", self.cache.listed + 1);
        self.say(&command, Asked::default()).await.map(drop)
    }

    /// As a client does that knows nothing of QRESYNC.
    async fn compare(&mut self, style: usize) -> Told {
        let command = ["SELECT INBOX (CONDSTORE)", "SELECT INBOX"][style % 2];
        if style % 2 == 1 {
            self.say("ENABLE CONDSTORE", Asked::default()).await?;
        }
        self.say(command, Asked::default()).await?;
        self.ask("UID SEARCH ALL", Asked::default()).await;
        // The answer comes before what is told of the mailbox after it.
        let (Some(client), Some(asked)) = (&mut self.client, &self.asked) else {
            return Ok(());
        };
        let line = client.line().await;
        let found = line.strip_prefix("* SEARCH").ok_or(line.clone())?;
        let found: Result<Vec<u32>, _> = found.split_ascii_whitespace().map(number).collect();
        let found = found?;
        if found.len() != self.cache.view.len() {
            return Err(format!(
                "{line}: there are {} {}",
                self.cache.view.len(),
                asked.tag
            ));
        }
        self.cache.view = found.iter().copied().map(Some).collect();
        let gone: Vec<u32> = self.cache.flags.keys().copied().collect();
        for uid in gone.into_iter().filter(|uid| !found.contains(uid)) {
            self.cache.lose(uid);
        }
        self.cache.known.clear();
        self.hear().await?;
        let (listed, modseq) = (self.cache.listed, self.cache.modseq);
        if listed > 0 && self.client.is_some() {
            let command = format!("UID FETCH 1:{listed} (FLAGS) (CHANGEDSINCE {modseq})");
            self.say(&command, Asked::default()).await?;
        }
        Ok(())
    }

    /// SELECT with QRESYNC, in all its forms.
    async fn resync(&mut self, style: usize) -> Told {
        let Cache {
            listed,
            known,
            modseq,
            ..
        } = &self.cache;
        let (listed, known, modseq) = (*listed, known.clone(), *modseq);
        let matches = style / 8 % 2 == 1 && !known.is_empty() && self.mode == Mode::QResync;
        let (some, rest): (Vec<u32>, Vec<u32>) = match style % 4 {
            2 => known
                .iter()
                .partition(|uid| uid.is_multiple_of(2 + style as u32 / 16 % 3)),
            _ => (known.iter().copied().collect(), Vec::new()),
        };
        let mut arguments = format!("{} {modseq}", self.cache.validity);
        if listed > 0 && !some.is_empty() {
            match style % 4 {
                0 => {}
                1 => arguments += &format!(" 1:{listed}"),
                _ => arguments += &format!(" {}", set(some.iter().copied())),
            }
        } else if !rest.is_empty() {
            arguments += &format!(" {}", listed + 1);
        }
        if matches {
            let numbered = known.iter().enumerate();
            let some = numbered.filter(|(at, _)| at % (1 + style / 32 % 3) == 0);
            let (at, uids): (Vec<u32>, Vec<u32>) =
                some.map(|(at, uid)| (at as u32 + 1, *uid)).unzip();
            arguments += &format!(" ({} {})", set(at), set(uids));
        }
        let earlier = || Asked {
            earlier: true,
            ..Asked::default()
        };
        self.say(&format!("SELECT INBOX (QRESYNC ({arguments}))"), earlier())
            .await?;
        if !rest.is_empty() && self.client.is_some() {
            let rest = set(rest);
            let command = format!("UID FETCH {rest} (FLAGS) (CHANGEDSINCE {modseq} VANISHED)");
            self.say(&command, earlier()).await?;
        }
        Ok(())
    }

    /// Numbers, or UIDs, of some messages of the view.
    fn pick(&self, step: &Step) -> Option<(String, bool)> {
        let view = &self.cache.view;
        if view.is_empty() {
            return None;
        }
        let first = step.first % view.len();
        let last = (first + step.count).min(view.len() - 1);
        let uid = step.uid || self.mode == Mode::UidOnly;
        if !uid {
            return Some((format!("{}:{}", first + 1, last + 1), false));
        }
        let uids: Option<Vec<u32>> = view[first..=last].iter().copied().collect();
        Some((set(uids?), true))
    }

    /// The command for a deed, if there is something to do it to.
    fn command(&self, step: &Step, deed: Deed) -> Option<(String, Asked)> {
        let mut asked = Asked::default();
        let by = |uid: bool| if uid { "UID " } else { "" };
        let here = self.cache.here;
        let command = match deed {
            Deed::Append { flag } => format!("APPEND INBOX ({}) {{1+}}\r\nx", FLAGS[flag]),
            Deed::Store {
                action,
                flag,
                silent,
                condition,
            } => {
                let (set, uid) = self.pick(step)?;
                asked.steady = !uid;
                let mut word = ["FLAGS", "+FLAGS", "-FLAGS"][action].to_owned();
                if silent {
                    asked.own = Some((action, FLAGS[flag]));
                    word += ".SILENT";
                }
                let condition = match condition {
                    0 => format!("(UNCHANGEDSINCE {here}) "),
                    1 => format!("(UNCHANGEDSINCE {}) ", here.saturating_sub(4)),
                    2 => "(UNCHANGEDSINCE 0) ".to_owned(),
                    _ => String::new(),
                };
                format!("{}STORE {set} {condition}{word} ({})", by(uid), FLAGS[flag])
            }
            Deed::Expunge => "EXPUNGE".to_owned(),
            Deed::UidExpunge => {
                let uids = self.cache.view.iter().flatten();
                let uids = uids.skip(step.first % 7).step_by(1 + step.count);
                let uids: Vec<u32> = uids.copied().collect();
                if uids.is_empty() {
                    return None;
                }
                format!("UID EXPUNGE {}", set(uids))
            }
            Deed::Copy | Deed::Move => {
                let (set, uid) = self.pick(step)?;
                let (name, target) = match deed {
                    Deed::Copy => ("COPY", "INBOX"),
                    _ => ("MOVE", ["away", "INBOX"][step.style % 2]),
                };
                format!("{}{name} {set} {target}", by(uid))
            }
            Deed::Fetch | Deed::Read => {
                let (set, uid) = self.pick(step)?;
                asked.steady = !uid;
                let items = match deed {
                    Deed::Read => "BODY[]",
                    _ => ["MODSEQ", "FLAGS", "(UID FLAGS)", "(UID MODSEQ)"][step.style % 4],
                };
                format!("{}FETCH {set} {items}", by(uid))
            }
            Deed::Search => {
                let uid = step.uid || self.mode == Mode::UidOnly;
                asked.steady = !uid;
                let returns = ["", "RETURN (MIN COUNT) ", "RETURN (ALL) "][step.style % 3];
                format!("{}SEARCH {returns}MODSEQ {}", by(uid), here / 2)
            }
            Deed::Since { back } => {
                let since = here.saturating_sub(back);
                let vanished = match self.mode {
                    Mode::CondStore => "",
                    _ => " VANISHED",
                };
                asked.earlier = true;
                format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{vanished})")
            }
            Deed::Noop => "NOOP".to_owned(),
        };
        Some((command, asked))
    }
}

impl World {
    async fn new() -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let server = Server::over(directory.clone());
        let mut client = server.login("ann").await;
        client.ok("CREATE away").await;
        Self {
            directory,
            server: Some(server),
            members: MODES.into_iter().map(Member::new).collect(),
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs between two steps")
    }

    /// Reads all answers that somebody waits for.
    async fn hear(&mut self, waiting: &mut Option<usize>) -> Told {
        if let Some(who) = waiting.take() {
            self.hear_one(who).await?;
        }
        Ok(())
    }

    async fn hear_one(&mut self, who: usize) -> Told {
        let member = &mut self.members[who];
        let lines = member.hear().await?;
        if member.client.is_some() {
            if lines.last().is_some_and(|last| last.starts_with("BAD")) {
                return Err(format!("{lines:?}"));
            }
            member.cache.keep();
        }
        Ok(())
    }

    /// Does a step. Who is in `waiting` has not read its answer yet.
    async fn step(&mut self, step: &Step, waiting: &mut Option<usize>) -> Told {
        if *waiting == Some(step.who) || !matches!(step.what, What::Do(_)) {
            self.hear(waiting).await?;
        }
        let (server, member) = (self.server.as_ref(), &mut self.members[step.who]);
        match step.what {
            What::Do(deed) => {
                if member.client.is_none() {
                    member.come_back(server.unwrap(), step.style).await?;
                }
                let command = member
                    .command(step, deed)
                    .filter(|_| member.client.is_some());
                if let Some((command, asked)) = command {
                    member.ask(&command, asked).await;
                }
                let mut both = waiting.take();
                self.hear(&mut both).await?;
                match step.along {
                    true => *waiting = Some(step.who),
                    false => self.hear_one(step.who).await?,
                }
            }
            What::Leave => member.leave(),
            What::LeaveSoon(lines) => member.cut = member.client.is_some().then_some(lines),
            What::Check => self.check(step.who, step.style).await?,
            What::Forget => {
                let path = self.directory.path().join("index.db");
                let sql = rusqlite::Connection::open(path).unwrap();
                sql.busy_timeout(Duration::from_secs(5)).unwrap();
                let forget = "UPDATE mailbox SET expunge_floor = highest_modseq;
                    DELETE FROM expunged";
                sql.execute_batch(&format!("BEGIN IMMEDIATE;{forget};COMMIT"))
                    .unwrap();
            }
            What::Restart => {
                self.members.iter_mut().for_each(Member::leave);
                if let Some(server) = self.server.take() {
                    server.down_to(0).await;
                }
                self.server = Some(Server::over(self.directory.clone()));
            }
        }
        Ok(())
    }

    /// A client that has asked for everything knows exactly what there is.
    async fn check(&mut self, who: usize, style: usize) -> Told {
        let there = |member: &&Member| member.client.is_some();
        let connected = self.members.iter().filter(there).count();
        // What somebody asked for who did not wait for the answer is done by then.
        self.server().down_to(connected).await;
        let server = self.server.as_ref().unwrap();
        let member = &mut self.members[who];
        member.cut = None;
        if member.client.is_none() {
            member.come_back(server, style).await?;
        }
        member.say("NOOP", Asked::default()).await?;
        member.cache.keep();
        let cache = &member.cache;
        if cache
            .view
            .last()
            .is_some_and(|last| *last != Some(cache.listed))
        {
            member.list().await?;
            member.cache.keep();
        }
        let (real, highest) = self.truth().await;
        let cache = &self.members[who].cache;
        let view: Vec<Option<u32>> = real.keys().copied().map(Some).collect();
        if cache.view != view {
            return Err(format!("the view is {:?}, there are {view:?}", cache.view));
        }
        if cache.flags != real {
            return Err(format!("{:#?} are told, {real:#?} are set", cache.flags));
        }
        if cache.here > highest {
            return Err(format!("it is at {}, the mailbox at {highest}", cache.here));
        }
        Ok(())
    }

    /// What INBOX has, and its highest mod-sequence.
    async fn truth(&self) -> (BTreeMap<u32, FlagSet>, u64) {
        let store = self.server().store();
        let account = store.account("ann").await.unwrap().unwrap();
        let inbox = store.mailbox(account.id, &MailboxName::inbox()).await;
        let open = store.open(inbox.unwrap().unwrap().id).await.unwrap();
        let rows = open.read();
        let named = |row: pillarbox_store::Row| {
            let names = rows.keywords().names_of(row.flags).map(str::to_owned);
            (row.uid.0, names.collect())
        };
        let all = rows.range(0, u32::MAX).map(named).collect();
        (all, rows.highest_modseq().0)
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

    fn deed(&mut self) -> Deed {
        let flag = self.below(FLAGS.len());
        match self.below(24) {
            0..=4 => Deed::Append { flag },
            5..=10 => Deed::Store {
                action: self.below(3),
                flag,
                silent: self.below(3) > 0,
                condition: self.below(6),
            },
            11 => Deed::Expunge,
            12..=13 => Deed::UidExpunge,
            14 => Deed::Copy,
            15 => Deed::Move,
            16..=17 => Deed::Fetch,
            18 => Deed::Read,
            19 => Deed::Search,
            20..=21 => Deed::Since {
                back: self.below(12) as u64,
            },
            _ => Deed::Noop,
        }
    }

    fn step(&mut self) -> Step {
        let what = match self.below(64) {
            0..=5 => What::Leave,
            6..=11 => What::LeaveSoon(self.below(5)),
            12..=14 => What::Check,
            15 => What::Forget,
            16 if self.below(3) == 0 => What::Restart,
            _ => What::Do(self.deed()),
        };
        Step {
            who: self.below(MODES.len()),
            what,
            first: self.below(1_000),
            count: self.below(4),
            uid: self.below(2) == 0,
            style: self.below(1_000),
            along: self.below(4) == 0,
        }
    }
}

/// Does the steps; how many commands that were.
async fn run(steps: &[Step]) -> Result<u64, String> {
    let mut world = World::new().await;
    let mut waiting = None;
    for (number, step) in steps.iter().enumerate() {
        let done = world.step(step, &mut waiting).await;
        let told = |who: usize| format!("{:#?}", world.members[who].told);
        done.map_err(|why| format!("step {number}, {step:?}: {why}\n{}", told(step.who)))?;
    }
    world.hear(&mut waiting).await?;
    for who in 0..MODES.len() {
        let done = world.check(who, 0).await;
        let told = &world.members[who].told;
        done.map_err(|why| format!("in the end, {who}: {why}\n{told:#?}"))?;
    }
    Ok(world.members.iter().map(|member| member.commands).sum())
}

/// As [`run`], where a panic is a failure like any other.
async fn attempt(steps: Vec<Step>) -> Result<u64, String> {
    let task = tokio::spawn(async move { run(&steps).await });
    task.await.unwrap_or_else(|panic| Err(panic.to_string()))
}

/// Runs for `PILLARBOX_MODEL_SECONDS`, or a few rounds if that is not set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_knows_what_there_is() {
    let end = rounds::end();
    let (mut seed, mut commands) = (1_u64, 0);
    while end.map_or(seed <= 3, |end| Instant::now() < end) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let steps: Vec<_> = (0..STEPS).map(|_| random.step()).collect();
        match attempt(steps.clone()).await {
            Ok(done) => commands += done,
            Err(why) => {
                let least = shrink(steps, async |steps| attempt(steps).await.is_err()).await;
                let again = attempt(least.clone()).await;
                panic!("seed {seed}: {why}\nshrunk: {least:#?}\nwhich says {again:?}");
            }
        }
        seed += 1;
    }
    println!("{} rounds, {commands} commands", seed - 1);
}

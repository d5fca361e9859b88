//! Conversations in both dialects. IMAP4rev2 says some things otherwise than IMAP4rev1 (RFC 9051, appendix
//! E); a test is written for one of them, and run in both: here what the server says in IMAP4rev2 is checked
//! for being that, and told as IMAP4rev1 would have it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Regex;

/// What the sessions of a test enable once they are logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Dialect {
    /// Nothing.
    #[default]
    Rev1,
    /// IMAP4rev2.
    Rev2,
}

thread_local! {
    static DIALECT: Cell<Dialect> = const { Cell::new(Dialect::Rev1) };
}

impl Dialect {
    /// That of the test that runs on this thread.
    pub(crate) fn here() -> Self {
        DIALECT.get()
    }
}

/// Runs a test with sessions that enable IMAP4rev2.
pub(crate) fn in_rev2(test: impl FnOnce()) {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            DIALECT.set(Dialect::Rev1);
        }
    }
    let _back = Back;
    DIALECT.set(Dialect::Rev2);
    test();
}

/// Tests of a file that hold in IMAP4rev2, too.
macro_rules! also_in_rev2 {
    ($($name:ident),* $(,)?) => {
        mod rev2 {
            $(#[test] fn $name() {
                crate::dialect::in_rev2(super::$name);
            })*
        }
    };
}
pub(crate) use also_in_rev2;

/// What a client said and hears, as far as it takes that to tell the dialects apart.
#[derive(Default)]
pub(crate) struct Listener {
    /// Tells what is said in IMAP4rev2 as IMAP4rev1 has it.
    translating: bool,
    /// Whether the client has enabled IMAP4rev2.
    rev2: bool,
    /// Whether it has asked to be told of mailboxes (RFC 5465), which has words of RFC 5258 in it.
    notify: bool,
    /// Commands without an answer, by tag, the oldest first.
    waiting: Vec<(String, String)>,
    /// How much of a literal the client has still to send.
    literal: usize,
    /// The next line goes on with a command.
    within: bool,
    /// LIST responses within the SELECT that is being answered.
    lists: usize,
    /// What was told and not yet heard.
    pub(crate) told: VecDeque<String>,
}

/// What a line of a client's has to have after its tag to be a command and not part of a message.
static COMMAND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)^(UID|[A-Z]{2,16})( |$)").unwrap());
static LITERAL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{(\d+)\+?\}$").unwrap());
static UNASKED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\* \d+ FETCH \()UID \d+ (FLAGS \([^)]*\)\))$").unwrap());
static ESEARCH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\* ESEARCH \(TAG "([^"]*)"\)(?: UID)?(?: MODSEQ (\d+))?(?: ALL ([\d:,]+))?$"#)
        .unwrap()
});

impl Listener {
    /// From here on what is heard is IMAP4rev2, and is to be told as if it were not.
    pub(crate) const fn translate(&mut self) {
        self.translating = true;
    }

    /// What the client says next begins a command, whatever it left unfinished.
    pub(crate) const fn afresh(&mut self) {
        self.literal = 0;
        self.within = false;
    }

    /// The client says something: commands, and literals, in which nothing is one.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        let mut rest = &bytes[self.literal.min(bytes.len())..];
        self.literal = self.literal.saturating_sub(bytes.len());
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 2..];
            let begins = !std::mem::replace(&mut self.within, false);
            if let Some((tag, command)) = line.split_once(' ').filter(|_| begins)
                && COMMAND.is_match(command)
            {
                self.notify |= command.to_uppercase().starts_with("NOTIFY");
                self.waiting.push((tag.to_owned(), command.to_uppercase()));
            }
            if let Some(size) = LITERAL.captures(&line) {
                self.within = true;
                let size: usize = size[1].parse().unwrap_or(0);
                let here = size.min(rest.len());
                self.literal = size - here;
                rest = &rest[here..];
            }
        }
    }

    /// The server says something.
    pub(crate) fn heard(&mut self, line: String) {
        if line.starts_with("* ENABLED") {
            self.rev2 |= line.contains("IMAP4rev2");
        }
        if let Some((tag, rest)) = line.split_once(' ')
            && let Some(at) = self.waiting.iter().position(|(waiting, _)| waiting == tag)
        {
            self.completed(at, rest);
            return self.told.push_back(line);
        }
        if !self.rev2 {
            self.is_rev1(&line);
        } else if self.translating {
            return self.translated(line);
        }
        self.told.push_back(line);
    }

    fn completed(&mut self, at: usize, how: &str) {
        let command = &self.waiting[at].1;
        if self.rev2 && self.translating && is_select(command) {
            let expected = usize::from(how.starts_with("OK"));
            assert_eq!(self.lists, expected, "LIST in {command}: {how}");
        }
        self.lists = 0;
        self.waiting.drain(..=at);
    }

    /// What is being answered.
    fn command(&self) -> &str {
        self.waiting.first().map_or("", |(_, command)| command)
    }

    /// Nothing of IMAP4rev2 is for whoever has not enabled it.
    fn is_rev1(&self, line: &str) {
        assert!(self.notify || !line.contains("(\"OLDNAME\""), "{line}");
        if line.starts_with("* LIST (") && !self.notify && !is_extended(self.command()) {
            assert!(!line.contains("\\NonExistent"), "{line}");
        }
        if line.starts_with("* ESEARCH ") {
            assert!(self.asked_for_esearch(line), "{line}");
        }
    }

    /// Checks that it is IMAP4rev2, and tells what IMAP4rev1 has in its place.
    fn translated(&mut self, line: String) {
        assert!(!line.ends_with(" RECENT"), "{line}");
        assert!(!line.starts_with("* SEARCH"), "{line}");
        assert!(!line.starts_with("* OK [UNSEEN"), "{line}");
        let told = &mut self.told;
        if line.ends_with(" EXISTS") {
            told.extend([line, "* 0 RECENT".to_owned()]);
        } else if line.starts_with("* LIST (") {
            self.list(line);
        } else if line.starts_with("* ESEARCH ") && !self.asked_for_esearch(&line) {
            self.told.push_back(as_search(&line));
        } else if UNASKED.is_match(&line) && !self.command().contains("UID") {
            self.told
                .push_back(UNASKED.replace(&line, "$1$2").into_owned());
        } else {
            let flags = line.contains(" FETCH (FLAGS (") && line.ends_with("))");
            let asked = self.command().contains("STORE") || self.command().contains("FETCH");
            assert!(!flags || asked, "without UID: {line}");
            self.told.push_back(line);
        }
    }

    fn list(&mut self, line: String) {
        if is_select(self.command()) {
            self.lists += 1;
        } else if !line.contains("(\"OLDNAME\"") {
            self.told.push_back(match is_extended(self.command()) {
                true => line,
                false => line.replace("\\NonExistent", "\\Noselect"),
            });
        }
    }

    fn asked_for_esearch(&self, line: &str) -> bool {
        let is_for = |tag: &str| line.contains(&format!("(TAG \"{tag}\""));
        let asks = |command: &str| command.contains("RETURN") || command.starts_with("ESEARCH");
        // What is not waited for any more is an update that was asked for.
        self.waiting
            .iter()
            .find(|(tag, _)| is_for(tag))
            .is_none_or(|(_, command)| asks(command))
    }
}

fn is_select(command: &str) -> bool {
    command.starts_with("SELECT ") || command.starts_with("EXAMINE ")
}

/// RFC 5258 §3: a LIST that has more than a reference and a pattern.
fn is_extended(command: &str) -> bool {
    command.starts_with("LIST (") || command.contains(" RETURN ") || command.ends_with(')')
}

/// SEARCH for ESEARCH.
fn as_search(line: &str) -> String {
    let found = ESEARCH.captures(line);
    let found = found.unwrap_or_else(|| panic!("more than was asked for: {line}"));
    let mut search = String::from("* SEARCH");
    for range in found.get(3).map_or("", |all| all.as_str()).split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let (Ok(from), Ok(to)) = (from.parse::<u32>(), to.parse::<u32>()) else {
            continue;
        };
        (from..=to).for_each(|number| search.push_str(&format!(" {number}")));
    }
    if let Some(modseq) = found.get(2) {
        search.push_str(&format!(" (MODSEQ {})", modseq.as_str()));
    }
    search
}

#[test]
fn a_search_is_told_as_it_was() {
    assert_eq!(as_search("* ESEARCH (TAG \"a\")"), "* SEARCH");
    assert_eq!(
        as_search("* ESEARCH (TAG \"a\") UID MODSEQ 7 ALL 1,3:5"),
        "* SEARCH 1 3 4 5 (MODSEQ 7)"
    );
}

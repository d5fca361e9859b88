//! `imap_filter`: programs that say where a message goes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use pillarbox_config::{Directive, Error, Kind, Span, Word};
use pillarbox_message::{decode_header, fields};
use pillarbox_model::Flag;
use pillarbox_model::limit::KEYWORD_BYTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Recipient;
use super::post::Letter;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};

/// All that has to do with filters.
pub(crate) const MODULES: &[&Module] = &[&GROUP, &COMMAND];

/// Programs of one directive that run at the same time; further deliveries wait.
const AT_ONCE: usize = 16;
/// How long a program may think, and a delivery wait for its turn. The client is waiting, and
/// RFC 5321 §4.5.3.2.6 has it do so for ten minutes.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read of a program's answer, in bytes: a name and some flags.
const ANSWER_BYTES: u64 = 16 * 1024;
/// Flags that one program may give a message.
const FLAGS: usize = 32;

const GROUP: Module = Module {
    name: "imap_filters",
    aliases: &[],
    offers: &[Offer::Filters],
    arguments: "",
    doc: "Programs that choose a mailbox and flags for delivered mail, as a block to be referred to, as \
          in `imap_filter &NAME`. All of them are run, in their order, with the message as standard \
          input. The first line of what a program writes is the mailbox, or empty; every further line \
          is a flag. The first mailbox that is named counts, and flags add up. The mailbox has to be \
          there; otherwise, and if a program fails or takes longer than 30 seconds, the message goes to \
          INBOX, and failures are logged. Messages that are marked as junk are not filtered.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        Ok(Parts {
            filters: group(assembly, declaration)?,
            ..Parts::default()
        })
    },
};

const COMMAND: Module = Module {
    name: "imap.filter.command",
    aliases: &[],
    offers: &[Offer::Filters],
    arguments: "PROGRAM [ARGUMENT...]",
    doc: "One program that chooses a mailbox and flags for delivered mail. See `imap_filters`.",
    directives: &[],
    build: |assembly, declaration| {
        declaration.bind(&[])?;
        let filter = Filter::build(assembly, declaration.args, declaration.span())?;
        Ok(Parts {
            filters: vec![Arc::new(filter)],
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[Directive::new(
    "command",
    Kind::TextList,
    "",
    "A program and its arguments. In those, `{msg_id}`, `{sender}`, `{rcpt_to}`, `{original_rcpt_to}`, \
     `{account_name}`, `{subject}`, `{source_ip}`, `{source_host}` (what the client calls itself) stand for \
     what is known of the message; `{auth_user}` and `{source_rdns}` are empty. They are arguments of \
     their own and never seen by a shell.",
)
.repeat()
.required()];

/// The filters of a group's block.
pub(crate) fn group<'t>(
    assembly: &Assembly<'t>,
    declaration: &Declaration<'t>,
) -> Built<Vec<Arc<Filter>>> {
    declaration.no_args()?;
    let bound = declaration.bind(DIRECTIVES)?;
    let commands = bound.nodes("command").into_iter();
    let filters =
        commands.map(|node| Filter::build(assembly, &node.args, node.span()).map(Arc::new));
    filters.collect()
}

/// A program that chooses.
#[derive(Debug)]
pub struct Filter {
    program: PathBuf,
    arguments: Vec<String>,
    running: Semaphore,
}

/// What is known of a message and its recipient.
pub(super) struct Facts<'a> {
    pub(super) letter: &'a Letter<'a>,
    pub(super) recipient: &'a Recipient,
}

/// What a program says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) folder: Option<String>,
    pub(super) flags: Vec<Flag>,
}

impl Filter {
    fn build(assembly: &Assembly<'_>, words: &[Word], span: Span) -> Built<Self> {
        let Some((program, arguments)) = words.split_first() else {
            let error = Error::new(span, "a program is expected here");
            return Err(vec![
                error.help("as in `command /usr/local/bin/sort-mail {account_name}`"),
            ]);
        };
        let path = find(assembly, &program.text).ok_or_else(|| {
            let message = format!("imap_filter: there is no program {}", program.text);
            vec![Error::new(program.span, message)]
        })?;
        Ok(Self {
            program: path,
            arguments: arguments.iter().map(|word| word.text.clone()).collect(),
            running: Semaphore::new(AT_ONCE),
        })
    }

    /// Runs the program on a message. If nobody waits any more, it is killed.
    pub(super) async fn ask(&self, facts: &Facts<'_>) -> Result<Verdict, anyhow::Error> {
        let run = async {
            let _turn = self.running.acquire().await?;
            let mut child = Command::new(&self.program)
                .args(self.arguments.iter().map(|argument| facts.fill(argument)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .with_context(|| self.program.display().to_string())?;
            talk(&mut child, facts).await
        };
        let late = |_| anyhow!("{} takes too long", self.program.display());
        let answer = timeout(PATIENCE, run).await.map_err(late)?;
        Ok(Verdict::read(
            &answer.with_context(|| self.program.display().to_string())?,
        ))
    }
}

/// A program by its path, relative to the state directory, or by its name.
fn find(assembly: &Assembly<'_>, program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(assembly.path(program)).filter(|path| path.is_file());
    }
    let directories = std::env::var_os("PATH")?;
    let mut paths = std::env::split_paths(&directories).map(|path| path.join(program));
    paths.find(|path: &PathBuf| Path::is_file(path))
}

async fn talk(child: &mut Child, facts: &Facts<'_>) -> Result<Vec<u8>, anyhow::Error> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let write = async {
        match stdin {
            Some(stdin) => facts.write(stdin).await,
            None => Ok(()),
        }
    };
    let read = async {
        let mut answer = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
        }
        Ok::<_, std::io::Error>(answer)
    };
    let (written, answer) = tokio::join!(write, read);
    written?;
    let status = child.wait().await?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(answer?)
}

impl Facts<'_> {
    /// Writes the message. A program that has decided need not read all of it.
    async fn write(&self, mut stdin: ChildStdin) -> Result<(), anyhow::Error> {
        let header = self.letter.trace.header(&self.recipient.account.name);
        if stdin.write_all(&header).await.is_err() {
            return Ok(());
        }
        let (mut at, mut space) = (0, Vec::new());
        while let Some(piece) = self.letter.piece(at, &mut space)? {
            if stdin.write_all(piece).await.is_err() {
                return Ok(());
            }
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// An argument with its placeholders filled in. Unknown ones stay.
    fn fill(&self, argument: &str) -> String {
        let (mut filled, mut rest) = (String::new(), argument);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((name, further)) if self.value(name).is_some() => {
                    filled.push_str(&self.value(name).unwrap_or_default());
                    rest = further;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        let (trace, recipient) = (self.letter.trace, self.recipient);
        let value = match name {
            "auth_user" | "source_rdns" => String::new(),
            "source_ip" => trace.address.map(|ip| ip.to_string()).unwrap_or_default(),
            "source_host" => trace.helo.clone(),
            "msg_id" => trace.message_id.clone(),
            "sender" => trace.sender.clone(),
            "rcpt_to" | "original_rcpt_to" => recipient.address.clone(),
            "account_name" => recipient.account.name.to_string(),
            "subject" => self.subject(),
            _ => return None,
        };
        // An argument can't have a NUL.
        Some(value.replace('\0', ""))
    }

    fn subject(&self) -> String {
        let subject = fields(&self.letter.header).find(|field| field.is(b"Subject"));
        let subject = subject.map(|field| decode_header(field.value));
        subject
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    }
}

impl Verdict {
    /// The first line is a mailbox, the others are flags. What is no flag is passed over.
    fn read(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer);
        let mut lines = text.lines().map(str::trim);
        let folder = lines.next().filter(|line| !line.is_empty());
        let fits = |name: &&str| {
            let special = |c: char| !c.is_ascii_graphic() || "(){%*\"]".contains(c);
            !name.contains(special) && name.len() <= KEYWORD_BYTES
        };
        Self {
            folder: folder.map(str::to_owned),
            flags: lines
                .filter(fits)
                .filter_map(Flag::parse)
                .take(FLAGS)
                .collect(),
        }
    }
}

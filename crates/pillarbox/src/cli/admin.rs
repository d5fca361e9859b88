//! Commands on what the server keeps: they run in the server if there is one, else in a process of
//! their own.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use nix::unistd::{User, geteuid};
use pillarbox_config::Tree;
use pillarbox_model::MailboxName;
use pillarbox_store::{Account, MailboxInfo};
use serde::{Deserialize, Serialize};

use super::console::{Console, Terminal};
use super::{
    Context, Failure, backup, check, creds, deliver, imap_acct, imap_acl, imap_mboxes, imap_msgs,
    transfer,
};
use crate::assemble::{self, Mode, Options, Server};
use crate::auth::pass_table::PassTable;
use crate::control;
use crate::endpoint::Protocol;
use crate::module::Parts;
use crate::normalize::Normalize;
use crate::secret::Secret;
use crate::storage::Storage;
use crate::storage::names::composed;

/// A command with its arguments, as it is sent to the server.
#[derive(clap::Subcommand, Serialize, Deserialize)]
pub enum Admin {
    /// List and change users and their passwords
    Creds(creds::Creds),
    /// List and change storage accounts
    ImapAcct(imap_acct::ImapAcct),
    /// List and change the mailboxes of an account
    ImapMboxes(imap_mboxes::ImapMboxes),
    /// Show and change who may do what with a mailbox
    ImapAcl(imap_acl::ImapAcl),
    /// List and change the messages of a mailbox
    ImapMsgs(imap_msgs::ImapMsgs),
    /// Copy all mail into a directory, while the server goes on
    Backup(backup::Backup),
    /// Look for damage, and repair it
    Check(check::Check),
    /// Bring mail from files into an account
    Import(transfer::Import),
    /// Write the mail of an account into files
    Export(transfer::Export),
    /// Deliver a message that is the standard input
    ///
    /// As LMTP does it: by the storage's `delivery_map` and all that belongs to it. To be run by an MTA, in
    /// the running server, or in this process if there is none. Either all recipients get the message or,
    /// if one of them is unknown or can't be found out about, none.
    ///
    /// The exit status is one of sysexits.h: 64 wrong command line, 65 no message, 67 no such user, 73 the
    /// mailbox is full, 75 anything that may pass; MTAs try again after 75, and else send the message back.
    Deliver(deliver::Deliver),
}

/// Where a command finds what the configuration's blocks made.
pub trait Blocks: Send + Sync {
    /// The storage of that name.
    ///
    /// # Errors
    /// There is none.
    fn storage(&self, name: &str) -> Result<Arc<Storage>, Failure>;

    /// The credentials of that name.
    ///
    /// # Errors
    /// There are none.
    fn credentials(&self, name: &str) -> Result<Arc<PassTable>, Failure>;

    /// What the server calls itself.
    fn hostname(&self) -> String;
}

impl Admin {
    /// Runs the command where the store is open.
    ///
    /// # Errors
    /// [`Failure`]; what was done until then stays done.
    pub async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        match self {
            Self::Creds(command) => command.perform(blocks, console).await,
            Self::ImapAcct(command) => command.perform(blocks, console).await,
            Self::ImapMboxes(command) => command.perform(blocks, console).await,
            Self::ImapAcl(command) => command.perform(blocks, console).await,
            Self::ImapMsgs(command) => command.perform(blocks, console).await,
            Self::Backup(command) => command.perform(blocks, console).await,
            Self::Check(command) => command.perform(blocks, console).await,
            Self::Import(command) => command.perform(blocks, console).await,
            Self::Export(command) => command.perform(blocks, console).await,
            Self::Deliver(command) => command.perform(blocks, console).await,
        }
    }

    /// Finds out where the store is open, and runs the command there.
    pub(super) fn run(mut self, context: &Context) -> Outcome {
        match &mut self {
            Self::Backup(backup) => backup.make_absolute()?,
            Self::Import(import) => import.make_absolute()?,
            Self::Export(export) => export.make_absolute()?,
            _ => {}
        }
        let tree = context.load()?;
        let globals = assemble::globals(&tree).map_err(Failure::Configuration)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)?;
        runtime.block_on(async {
            match control::connect(&globals.runtime_dir).await? {
                Some(server) => control::call(server, &self, &mut Terminal::default()).await,
                None => {
                    check_owner(&globals.state_dir)?;
                    self.perform(&Here::new(tree), &mut Terminal::default())
                        .await
                }
            }
        })
    }
}

/// Refuses to work as root on the files of another user: what is made anew would be root's, and
/// keep the server from starting.
fn check_owner(state_dir: &Path) -> Outcome {
    let root = 0;
    let owner = fs::metadata(state_dir).map_or(root, |metadata| metadata.uid());
    if owner == root || geteuid().as_raw() != root {
        return Ok(());
    }
    let user = User::from_uid(owner.into()).ok().flatten();
    let user = user.map_or_else(|| format!("#{owner}"), |user| user.name);
    let path = state_dir.display();
    Err(failed(format!(
        "{path} belongs to {user}, so run this as that user, as in `sudo -u {user} pillarbox ...`"
    )))
}

/// What came of a command.
pub type Outcome = Result<(), Failure>;

/// This process, which opens what a command needs.
pub(super) struct Here {
    tree: Tree,
    options: Options,
}

impl Here {
    pub(super) fn new(tree: Tree) -> Self {
        let options = Options::new(Mode::Run, crate::storage::engine::open);
        Self { tree, options }
    }

    fn block(&self, name: &str) -> Result<Parts, Failure> {
        let made = || assemble::instance(&self.tree, &self.options, name);
        tokio::task::block_in_place(made).map_err(Failure::Configuration)
    }
}

impl Blocks for Here {
    fn storage(&self, name: &str) -> Result<Arc<Storage>, Failure> {
        let storage = self.block(name)?.storage;
        let no_storage = || Failure::Usage(format!("block {name} is not a storage"));
        let storage = storage.ok_or_else(no_storage)?;
        storage.take_effect();
        Ok(storage)
    }

    fn credentials(&self, name: &str) -> Result<Arc<PassTable>, Failure> {
        let credentials = self.block(name)?.credentials;
        credentials.ok_or_else(|| {
            Failure::Usage(format!("block {name} keeps no credentials to be changed"))
        })
    }

    fn hostname(&self) -> String {
        let globals = assemble::globals(&self.tree).ok();
        hostname(globals.and_then(|globals| globals.hostname))
    }
}

/// What the commands of a running server work on: the blocks of its present configuration.
#[derive(Clone, Default)]
pub struct Running {
    storages: Vec<(String, Arc<Storage>)>,
    credentials: Vec<(String, Arc<PassTable>)>,
    hostname: Option<String>,
    /// Those that endpoints have, also where they are written in place.
    all_storages: Vec<Arc<Storage>>,
}

impl Running {
    /// The blocks that a server uses.
    #[must_use]
    pub fn new(server: &Server) -> Self {
        Self {
            storages: server.storages.clone(),
            credentials: server.credentials.clone(),
            hostname: server.globals.hostname.clone(),
            all_storages: all_storages(server),
        }
    }

    /// The storages in use, each once, whether they have names or not.
    pub fn all_storages(&self) -> impl Iterator<Item = &Storage> {
        self.all_storages.iter().map(|storage| &**storage)
    }
}

fn all_storages(server: &Server) -> Vec<Arc<Storage>> {
    let mut all: Vec<Arc<Storage>> = Vec::new();
    let protocols = server.endpoints.iter().map(|block| &block.protocol);
    for storage in protocols.filter_map(Protocol::storage) {
        let known = |other: &Arc<Storage>| Arc::ptr_eq(&other.store, &storage.store);
        if !all.iter().any(known) {
            all.push(Arc::clone(storage));
        }
    }
    all
}

impl Blocks for Running {
    fn storage(&self, name: &str) -> Result<Arc<Storage>, Failure> {
        named(&self.storages, name)
            .ok_or_else(|| Failure::Usage(format!("the running server has no storage {name}")))
    }

    fn credentials(&self, name: &str) -> Result<Arc<PassTable>, Failure> {
        named(&self.credentials, name)
            .ok_or_else(|| Failure::Usage(format!("the running server has no credentials {name}")))
    }

    fn hostname(&self) -> String {
        hostname(self.hostname.clone())
    }
}

/// `localhost`, where the configuration does not say.
fn hostname(said: Option<String>) -> String {
    said.unwrap_or_else(|| "localhost".to_owned())
}

fn named<T: Clone>(blocks: &[(String, T)], name: &str) -> Option<T> {
    let found = blocks.iter().find(|(known, _)| known == name)?;
    Some(found.1.clone())
}

/// Which storage a command works on.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct StorageBlock {
    /// The storage's block in the configuration
    #[arg(
        long,
        global = true,
        value_name = "BLOCK",
        env = "PILLARBOX_CFGBLOCK",
        default_value = "local_mailboxes"
    )]
    cfg_block: String,
}

impl StorageBlock {
    /// The block's name.
    pub(super) fn name(&self) -> &str {
        &self.cfg_block
    }

    pub(super) fn storage(&self, blocks: &dyn Blocks) -> Result<Arc<Storage>, Failure> {
        blocks.storage(&self.cfg_block)
    }
}

/// The name of an account as accounts are kept: in lower case.
pub(super) fn account_name(name: &str) -> Result<String, Failure> {
    let applied = Normalize::Casefold.apply(name);
    applied.map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

/// An account that has to be there.
pub(super) async fn account(storage: &Storage, name: &str) -> Result<Account, Failure> {
    let found = storage.store.account(&account_name(name)?).await?;
    found.ok_or_else(|| failed(format!("there is no account {name}")))
}

/// A mailbox name that has to be one, as names are kept.
pub(super) fn mailbox_name(storage: &Storage, name: &str) -> Result<MailboxName, Failure> {
    let read = MailboxName::new(name, storage.delimiter);
    let read = read.and_then(|name| composed(&name, storage.delimiter));
    read.map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

/// A mailbox that has to be there.
pub(super) async fn mailbox(
    storage: &Storage,
    account: &Account,
    name: &str,
) -> Result<MailboxInfo, Failure> {
    let read = MailboxName::new(name, storage.delimiter);
    let read = read.map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    let found = storage.find(account.id, &read).await?;
    found.ok_or_else(|| failed(format!("there is no mailbox {name}")))
}

/// A failure in words.
pub(super) fn failed(text: String) -> Failure {
    Failure::Failed(anyhow!(text))
}

/// Asks before something is lost, unless `yes` was said already.
///
/// # Errors
/// The answer was not yes.
pub(super) async fn confirm(console: &mut dyn Console, yes: bool, question: &str) -> Outcome {
    if yes {
        return Ok(());
    }
    let prompt = format!("{question} [y/N]: ");
    let answer = console.ask(&prompt, false).await?;
    match answer.reveal() {
        b"y" | b"Y" | b"yes" => Ok(()),
        _ => Err(failed("cancelled".to_owned())),
    }
}

/// The password that was said, or else is asked for.
pub(super) async fn password(
    console: &mut dyn Console,
    said: Option<String>,
) -> Result<Secret, Failure> {
    let secret = match said {
        Some(text) => Secret::new(text.into_bytes()),
        None => console.ask("Password: ", true).await?,
    };
    let bytes = secret.reveal();
    if bytes.is_empty() {
        console.tell("warning: the password is empty").await?;
    } else if bytes.trim_ascii().len() != bytes.len() {
        let warning = "warning: the password begins or ends with white space";
        console.tell(warning).await?;
    }
    Ok(secret)
}

/// Writes a line to the standard output.
pub(super) async fn say(console: &mut dyn Console, line: &str) -> Outcome {
    Ok(console.print(format!("{line}\n").as_bytes()).await?)
}

/// Writes a listing as JSON.
pub(super) async fn say_json<T: Serialize>(console: &mut dyn Console, listing: &T) -> Outcome {
    let text = serde_json::to_string_pretty(listing).map_err(anyhow::Error::from)?;
    say(console, &text).await
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<pillarbox_store::Error> for Failure {
    fn from(error: pillarbox_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

//! From the configuration tree to modules that work together.
//!
//! The only place that knows both directives and modules. Blocks are read when something refers to
//! them; what nothing refers to is a mistake. All errors are collected, each with its place.

mod certificates;
mod endpoint;
mod globals;
mod imap;
mod lmtp;
mod proxy;
mod registry;
mod sasld;
mod server;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pillarbox_config::{
    Bound, Directive, Error, Node, Reference, Span, Tree, Word, bind, nearest, reference,
};
use rustls::ClientConfig;

pub use globals::{DIRECTIVES as GLOBAL_DIRECTIVES, Globals};
pub use imap::ImapBlock;
pub use registry::{endpoints, modules};
pub use server::{Options, Server, assemble, globals, instance};

use crate::auth::penalty::Penalties;
use crate::auth::{Provider, salt_secret};
use crate::delivery::{Filter, filter};
use crate::lmtp::throttle::Throttle;
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::net::tls::{self, Acme, Orders, TlsSettings};
use crate::storage::engine::Engines;
use crate::storage::{MessageStore, Storage};
use crate::table::Table;

/// What is done with the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Everything is checked, nothing is opened for writing or created.
    Verify,
    /// Everything is opened.
    Run,
}

/// An assembly under way: what the blocks are, and which of them are made already.
pub struct Assembly<'t> {
    mode: Mode,
    globals: Globals,
    /// The directives at top level, for blocks that inherit.
    outer: Bound<'t>,
    blocks: Vec<Block<'t>>,
    /// Blocks by all of their names.
    names: HashMap<&'t str, usize>,
    engines: Arc<Engines>,
    penalties: Arc<Penalties>,
    orders: Arc<Orders>,
    /// TLS by the place of its directive, which several endpoints may inherit; nothing if it
    /// failed.
    tls: Vec<(Span, Option<TlsSettings>)>,
    warnings: Vec<Error>,
    beginning: Span,
}

/// A module's block at top level.
struct Block<'t> {
    node: &'t Node,
    module: &'static Module,
    /// The first of its names.
    name: &'t str,
    state: State,
}

/// How far a block is.
#[derive(Clone)]
enum State {
    /// Nothing has referred to it.
    Unused,
    /// It is being made; a reference to it now is one to itself.
    Underway,
    /// What it gave.
    Made(Parts),
    /// Its errors were told.
    Failed,
}

impl<'t> Assembly<'t> {
    /// Takes stock of the blocks at top level. Endpoints are given back.
    fn new(
        tree: &'t Tree,
        options: &Options,
        errors: &mut Vec<Error>,
    ) -> Built<(Self, Vec<&'t Node>)> {
        let (outer, rest) = pillarbox_config::bind_top(tree, globals::DIRECTIVES)?;
        let globals = Globals::new(&outer)?;
        let mut assembly = Self {
            mode: options.mode,
            globals,
            outer,
            blocks: Vec::new(),
            names: HashMap::new(),
            engines: Arc::clone(&options.engines),
            penalties: Arc::clone(&options.penalties),
            orders: Arc::clone(&options.orders),
            tls: Vec::new(),
            warnings: Vec::new(),
            beginning: tree.beginning(),
        };
        assembly.warn_of_globals();
        let mut endpoints = Vec::new();
        for node in rest {
            if registry::is_endpoint(&node.name.text) {
                endpoints.push(node);
            } else if let Err(error) = assembly.declare(node) {
                errors.push(error);
            }
        }
        Ok((assembly, endpoints))
    }

    fn warn_of_globals(&mut self) {
        for name in globals::WITHOUT_EFFECT {
            if let Some(node) = self.outer.node(name) {
                self.warn(node.span(), format!("{name} has no effect"));
            }
        }
    }

    /// Notes a block under its names.
    fn declare(&mut self, node: &'t Node) -> Result<(), Error> {
        let module =
            registry::module(&node.name.text).ok_or_else(|| registry::unknown_top(node))?;
        let index = self.blocks.len();
        let words: Vec<_> = match node.args.as_slice() {
            [] => vec![&node.name],
            names => names.iter().collect(),
        };
        for word in &words {
            if let Some(&other) = self.names.get(word.text.as_str()) {
                let message = format!("config block named {} already exists", word.text);
                let label = self.blocks.get(other).map(|block| block.node.span());
                let error = Error::new(word.span, message);
                return Err(label
                    .into_iter()
                    .fold(error, |error, span| error.label(span, "first given here")));
            }
            self.names.insert(&word.text, index);
        }
        self.blocks.push(Block {
            node,
            module,
            name: words.first().map_or("", |word| &word.text),
            state: State::Unused,
        });
        Ok(())
    }

    /// What is done with the configuration.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The secret of which the salts of unknown users are made, and of those without keys.
    ///
    /// # Errors
    /// Its file can't be used.
    pub fn salt_secret(&self) -> Built<Arc<[u8; 32]>> {
        if self.mode == Mode::Verify {
            return Ok(Arc::default());
        }
        let state_dir = &self.globals.state_dir;
        let secret = salt_secret::load(state_dir).map_err(|error| {
            let message = format!("the salt secret in {}: {error}", state_dir.display());
            vec![Error::new(self.beginning, message)]
        })?;
        Ok(Arc::new(secret))
    }

    /// What is said for the whole server.
    #[must_use]
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// The engines that are open.
    #[must_use]
    pub fn engines(&self) -> Arc<Engines> {
        Arc::clone(&self.engines)
    }

    /// A path as directives give it: relative to the state directory.
    #[must_use]
    pub fn path(&self, text: &str) -> PathBuf {
        // SQLite's name for a database in memory is no path.
        if text == ":memory:" {
            return PathBuf::from(text);
        }
        self.globals.state_dir.join(Path::new(text))
    }

    /// Says something that is not wrong, but worth a look.
    pub fn warn(&mut self, span: Span, text: impl Into<String>) {
        self.warnings.push(Error::new(span, text));
    }

    /// Reads a block by a table; what it does not say is as at top level.
    ///
    /// # Errors
    /// All that is wrong in it.
    pub fn bind_inheriting(
        &self,
        declaration: &Declaration<'t>,
        table: &'static [Directive],
    ) -> Built<Bound<'t>> {
        bind(
            declaration.node,
            declaration.block,
            table,
            Some(&self.outer),
        )
    }

    /// The table that a directive refers to.
    ///
    /// # Errors
    /// There is none, or something is wrong in it.
    pub fn table(&mut self, node: &'t Node) -> Built<Arc<dyn Table>> {
        let reference = reference(node, 0).map_err(|error| vec![error])?;
        self.table_of(reference)
    }

    /// The table that is referred to.
    ///
    /// # Errors
    /// As [`Assembly::table`].
    pub fn table_of(&mut self, reference: Reference<'t>) -> Built<Arc<dyn Table>> {
        self.resolve(reference, Offer::Table)?
            .table
            .ok_or_else(Vec::new)
    }

    /// The provider that a directive refers to.
    ///
    /// # Errors
    /// As [`Assembly::table`].
    pub fn provider(&mut self, node: &'t Node) -> Built<Arc<dyn Provider>> {
        let parts = self.resolve_node(node, Offer::Provider)?;
        parts.provider.ok_or_else(Vec::new)
    }

    /// The storage that a directive refers to; none when verifying.
    ///
    /// # Errors
    /// As [`Assembly::table`].
    pub fn storage(&mut self, node: &'t Node) -> Built<Option<Arc<Storage>>> {
        Ok(self.resolve_node(node, Offer::Storage)?.storage)
    }

    /// The message store that a directive refers to.
    ///
    /// # Errors
    /// As [`Assembly::table`].
    pub fn message_store(&mut self, node: &'t Node) -> Built<MessageStore> {
        let parts = self.resolve_node(node, Offer::MessageStore)?;
        parts.message_store.ok_or_else(Vec::new)
    }

    /// The filters that a directive has in its block, or refers to.
    ///
    /// # Errors
    /// As [`Assembly::table`].
    pub fn filters(&mut self, node: &'t Node) -> Built<Vec<Arc<Filter>>> {
        if node.args.is_empty() {
            return filter::group(self, &Declaration::own(node));
        }
        Ok(self.resolve_node(node, Offer::Filters)?.filters)
    }

    /// The limits that a directive has in its block, or refers to.
    ///
    /// # Errors
    /// As [`Assembly::table`].
    pub fn throttle(&mut self, node: &'t Node) -> Built<Arc<Throttle>> {
        if node.args.is_empty() {
            return Throttle::build(&Declaration::own(node)).map(Arc::new);
        }
        let parts = self.resolve_node(node, Offer::Throttle)?;
        parts.throttle.ok_or_else(Vec::new)
    }

    /// What a `tls` directive says. Endpoints that inherit the same one share it.
    ///
    /// # Errors
    /// All that is wrong with it and its files, once.
    pub fn tls(&mut self, node: &'t Node) -> Built<TlsSettings> {
        let span = node.span();
        if let Some((_, known)) = self.tls.iter().find(|(known, _)| *known == span) {
            return known.clone().ok_or_else(Vec::new);
        }
        let used = Cell::new(None);
        let find = |word: &Word| {
            let index = self.find_word(word)?;
            let block = &self.blocks[index];
            check_offer(block.module, block.name, Offer::Certificates, word.span)?;
            used.set(Some(index));
            Ok(block.node)
        };
        let (quiet, said) = Logger::captured("tls");
        let log = match self.mode {
            Mode::Run => Logger::new("tls").with_debug(self.globals.debug),
            Mode::Verify => quiet,
        };
        let scope = tls::Scope {
            state_dir: &self.globals.state_dir,
            log: &log,
            blocks: &find,
            outer: &self.outer,
            orders: (self.mode == Mode::Run).then_some(&*self.orders),
        };
        let built = tls::build(node, &scope);
        let built = built.and_then(|built| self.without_conflict(node, built));
        if let Some(index) = used.get() {
            self.blocks[index].state = State::Made(Parts::default());
        }
        for line in said.text().lines() {
            self.warn(span, line.trim_end());
        }
        self.tls.push((span, built.as_ref().ok().cloned()));
        built
    }

    /// Two blocks must not order different certificates into one file.
    fn without_conflict(&self, node: &Node, built: TlsSettings) -> Built<TlsSettings> {
        let conflict = acme_of(&built).and_then(|acme| {
            self.acme()
                .into_iter()
                .find(|other| other.disagrees_with(acme))
        });
        let Some(other) = conflict else {
            return Ok(built);
        };
        let file = other.file();
        let message = format!(
            "two blocks order different certificates into {}",
            file.display()
        );
        let help = "make them one block and refer to it as `&NAME`, or give one another store_path";
        Err(vec![Error::new(node.span(), message).help(help)])
    }

    /// The certificates that are ordered.
    fn acme(&self) -> Vec<Arc<Acme>> {
        let settings = self.tls.iter().filter_map(|(_, tls)| tls.as_ref());
        let mut all: Vec<Arc<Acme>> = Vec::new();
        for acme in settings.filter_map(acme_of) {
            if !all.iter().any(|known| Arc::ptr_eq(known, acme)) {
                all.push(Arc::clone(acme));
            }
        }
        all
    }

    /// TLS towards other servers, as the block of `owner` wants it: `bound` has the row
    /// [`tls::client::DIRECTIVE`] and was bound with what is inherited.
    ///
    /// # Errors
    /// All that is wrong with the `tls_client` block and its files.
    pub fn tls_client(&self, bound: &Bound<'t>, owner: &Node) -> Built<Arc<ClientConfig>> {
        tls::client::build(bound.node("tls_client"), owner, &self.globals.state_dir)
    }

    /// Looks into a `tls_client` at top level, which maybe nobody inherits.
    fn check_tls_client(&self) -> Built<()> {
        let node = self.outer.node("tls_client");
        node.map_or(Ok(()), |node| self.tls_client(&self.outer, node).map(drop))
    }

    fn resolve_node(&mut self, node: &'t Node, offer: Offer) -> Built<Parts> {
        let reference = reference(node, 0).map_err(|error| vec![error])?;
        self.resolve(reference, offer)
    }

    /// What a reference gives: a block's parts, which all references to it share, or an instance of
    /// its own.
    fn resolve(&mut self, reference: Reference<'t>, offer: Offer) -> Built<Parts> {
        let word = reference.word();
        match reference {
            Reference::Named(_) => {
                let index = self.find_word(word).map_err(|error| vec![error])?;
                let block = &self.blocks[index];
                check_offer(block.module, block.name, offer, word.span)
                    .map_err(|error| vec![error])?;
                self.make(index, word.span)
            }
            Reference::Inline {
                module,
                args,
                block,
                node,
            } => {
                let module = registry::inline(module, offer).map_err(|error| vec![error])?;
                check_offer(module, &word.text, offer, word.span).map_err(|error| vec![error])?;
                (module.build)(self, &Declaration { node, args, block })
            }
        }
    }

    /// The block that `&name` means.
    fn find_word(&self, word: &Word) -> Result<usize, Error> {
        self.find(word.text.strip_prefix('&').unwrap_or(&word.text), word.span)
    }

    /// The block of that name, which is asked for at `span`.
    fn find(&self, name: &str, span: Span) -> Result<usize, Error> {
        self.names.get(name).copied().ok_or_else(|| {
            let message = format!("no such instance registered: {name}");
            let error = Error::new(span, message);
            match nearest(name, self.names.keys().copied()) {
                Some(near) => error.help(format!("did you mean `&{near}`?")),
                None => error.help("a block of this name has to stand at top level"),
            }
        })
    }

    /// Makes a block at its first use.
    fn make(&mut self, index: usize, used_at: Span) -> Built<Parts> {
        let block = &mut self.blocks[index];
        match &block.state {
            State::Made(parts) => return Ok(parts.clone()),
            State::Failed => return Err(Vec::new()),
            State::Underway => {
                let message = format!("block {} refers to itself", block.name);
                return Err(vec![Error::new(used_at, message)]);
            }
            State::Unused => block.state = State::Underway,
        }
        let declaration = Declaration::own(block.node);
        let build = block.module.build;
        let made = build(self, &declaration);
        self.blocks[index].state = match &made {
            Ok(parts) => State::Made(parts.clone()),
            Err(_) => State::Failed,
        };
        made
    }

    /// Looks into blocks that nothing has referred to.
    fn check_unused(&mut self, errors: &mut Vec<Error>) {
        for index in 0..self.blocks.len() {
            if matches!(self.blocks[index].state, State::Unused) {
                let span = self.blocks[index].node.span();
                errors.extend(self.make(index, span).err().unwrap_or_default());
            }
        }
    }

    /// Blocks that nothing refers to.
    fn unused(&self) -> impl Iterator<Item = Error> {
        let unused = |block: &&Block<'t>| matches!(block.state, State::Unused);
        self.blocks.iter().filter(unused).map(|block| {
            let message = format!(
                "unused configuration block {} ({})",
                block.name, block.module.name
            );
            let help = format!("refer to it as `&{}`, or remove it", block.name);
            Error::new(block.node.span(), message).help(help)
        })
    }
}

fn acme_of(tls: &TlsSettings) -> Option<&Arc<Acme>> {
    match tls {
        TlsSettings::On(tls) => tls.acme(),
        TlsSettings::Off => None,
    }
}

fn check_offer(module: &Module, name: &str, offer: Offer, span: Span) -> Result<(), Error> {
    if module.offers.contains(&offer) {
        return Ok(());
    }
    let message = format!("module {} ({name}) is not {}", module.name, offer.noun());
    Err(Error::new(span, message))
}

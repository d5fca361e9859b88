//! The whole server, or one of its blocks.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use pillarbox_config::{Error, Errors, Tree, bind_top};

use super::{Assembly, GLOBAL_DIRECTIVES, Globals, Mode, State, endpoint, registry};
use crate::auth::pass_table::PassTable;
use crate::auth::penalty::Penalties;
use crate::endpoint::EndpointBlock;
use crate::module::{Built, Parts};
use crate::net::tls::{Acme, Orders};
use crate::storage::Storage;
use crate::storage::engine::{Engines, Opener};

/// How to assemble, and what outlives a configuration.
#[derive(Clone)]
pub struct Options {
    /// What is done.
    pub mode: Mode,
    /// The engines that are open. A reload has to be given those of the server that runs.
    pub engines: Arc<Engines>,
    /// Failed logins so far. Likewise.
    pub penalties: Arc<Penalties>,
    /// Certificates that are ordered. Likewise.
    pub orders: Arc<Orders>,
}

impl Options {
    /// Options of a process that has opened nothing yet.
    #[must_use]
    pub fn new(mode: Mode, open: Opener) -> Self {
        Self {
            mode,
            engines: Arc::new(Engines::new(open)),
            penalties: Arc::default(),
            orders: Arc::default(),
        }
    }
}

/// What a configuration makes.
pub struct Server {
    /// What is said for the whole of it.
    pub globals: Globals,
    /// Its endpoints, in order. None when verifying.
    pub endpoints: Vec<EndpointBlock>,
    /// Certificates that are to be ordered.
    pub acme: Vec<Arc<Acme>>,
    /// Storages by the names of their blocks. None when verifying.
    pub storages: Vec<(String, Arc<Storage>)>,
    /// Credentials by the names of their blocks.
    pub credentials: Vec<(String, Arc<PassTable>)>,
    /// What is not wrong but worth a look, each as `FILE:LINE:COLUMN: text`.
    pub warnings: Vec<String>,
}

/// Makes everything that a configuration describes, or checks it. What is to be made is checked
/// before.
///
/// # Errors
/// All that is wrong; nothing was made or opened. If it only shows when things are made (a
/// database is damaged, a disk full), what was made by then stays.
pub fn assemble(tree: &Tree, options: &Options) -> Result<Server, Errors> {
    if options.mode == Mode::Run {
        let check = Options {
            mode: Mode::Verify,
            ..options.clone()
        };
        assemble(tree, &check)?;
    }
    let mut errors = Vec::new();
    match assemble_into(tree, options, &mut errors) {
        Ok(server) if errors.is_empty() => Ok(server),
        outcome => {
            errors.extend(outcome.err().unwrap_or_default());
            Err(failure(tree, errors))
        }
    }
}

/// The directives at top level alone.
///
/// # Errors
/// All that is wrong in them.
pub fn globals(tree: &Tree) -> Result<Globals, Errors> {
    let bound = bind_top(tree, GLOBAL_DIRECTIVES);
    let globals = bound.and_then(|(bound, _)| Globals::new(&bound));
    globals.map_err(|errors| failure(tree, errors))
}

/// One block by name, with what it refers to and nothing else: what the command line works on.
///
/// # Errors
/// There is no such block, or something is wrong in it.
pub fn instance(tree: &Tree, options: &Options, name: &str) -> Result<Parts, Errors> {
    let mut others = Vec::new();
    let parts = Assembly::new(tree, options, &mut others).and_then(|(mut assembly, _)| {
        if assembly.mode == Mode::Run {
            prepare(tree, &assembly.globals.state_dir)?;
        }
        match assembly.find(name, tree.beginning()) {
            Ok(index) => assembly.make(index, tree.beginning()),
            // A block that could not be understood may be the one.
            Err(_) if !others.is_empty() => Err(Vec::new()),
            Err(error) => Err(vec![error]),
        }
    });
    parts.map_err(|errors| failure(tree, if errors.is_empty() { others } else { errors }))
}

fn failure(tree: &Tree, errors: Vec<Error>) -> Errors {
    Errors::new(tree.files.clone(), errors)
}

fn assemble_into(tree: &Tree, options: &Options, errors: &mut Vec<Error>) -> Built<Server> {
    let (mut assembly, nodes) = Assembly::new(tree, options, errors)?;
    if assembly.mode == Mode::Run {
        prepare(tree, &assembly.globals.state_dir)?;
        prepare(tree, &assembly.globals.runtime_dir)?;
    }
    errors.extend(assembly.check_tls_client().err().unwrap_or_default());
    if nodes.is_empty() {
        let error = Error::new(
            tree.beginning(),
            "at least one endpoint should be configured",
        );
        errors.push(error.help("add an `imap` block"));
    }
    let mut endpoints = Vec::new();
    for node in nodes {
        match registry::endpoint(&node.name) {
            Ok(kind) => endpoints.extend(endpoint::build(&mut assembly, kind, node, errors)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        errors.extend(assembly.unused());
    } else if assembly.mode == Mode::Verify {
        // They may be unused only because what refers to them is broken: see what else is wrong.
        assembly.check_unused(errors);
    }
    Ok(Server {
        endpoints,
        acme: assembly.acme(),
        storages: made(&assembly, |parts| parts.storage.clone()),
        credentials: made(&assembly, |parts| parts.credentials.clone()),
        warnings: warnings(tree, &assembly),
        globals: assembly.globals,
    })
}

/// The named blocks that are of a kind.
fn made<T>(assembly: &Assembly<'_>, part: impl Fn(&Parts) -> Option<T>) -> Vec<(String, T)> {
    let blocks = assembly.blocks.iter();
    let made = blocks.filter_map(|block| match &block.state {
        State::Made(parts) => Some((block.name.to_owned(), part(parts)?)),
        _ => None,
    });
    made.collect()
}

fn warnings(tree: &Tree, assembly: &Assembly<'_>) -> Vec<String> {
    let warnings = assembly.warnings.iter();
    warnings
        .map(|warning| format!("{}: {}", tree.files.locate(warning.span), warning.message))
        .collect()
}

/// Makes a directory of the server, for nobody else to look into.
fn prepare(tree: &Tree, path: &Path) -> Built<()> {
    prepare_directory(path).map_err(|error| {
        let message = format!("{} can't be used: {error}", path.display());
        vec![Error::new(tree.beginning(), message).may_pass()]
    })
}

/// Makes a directory if need be, and sees whether it can be written to.
fn prepare_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let probe = path.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, [])?;
    fs::remove_file(&probe)
}

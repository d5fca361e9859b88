//! What the tests of modules have in common.

use std::io;
use std::sync::{Arc, LazyLock};

use pillarbox_config::{Errors, Tree};
use tokio::runtime::Runtime;

use crate::assemble::{Mode, Options, instance};
use crate::module::Parts;
use crate::secret::Secret;
use crate::table::Table;

/// A configuration in a file called test.conf.
#[track_caller]
pub(crate) fn tree(text: &str) -> Tree {
    try_tree(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn try_tree(text: &str) -> Result<Tree, Errors> {
    let mut read = |path: &str| match path {
        "test.conf" => Ok(text.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    pillarbox_config::load("test.conf", &mut read, &|_| None)
}

/// How tests assemble: no engine can be opened.
fn options(mode: Mode) -> Options {
    Options::new(mode, |_| anyhow::bail!("there is no engine in this test"))
}

/// The block called `name`, of a server whose state is in a directory that goes away at once.
fn block(text: &str, mode: Mode, name: &str) -> Result<Parts, Errors> {
    let state = tempfile::tempdir().unwrap();
    let text = format!("{text}\nstate_dir {}", state.path().display());
    instance(&tree(&text), &options(mode), name)
}

/// What the block called `name` gives.
#[track_caller]
pub(crate) fn parts(text: &str, name: &str) -> Parts {
    match block(text, Mode::Run, name) {
        Ok(parts) => parts,
        Err(errors) => panic!("{}", errors.render(false)),
    }
}

/// Checks the block called `name`.
pub(crate) fn verify(text: &str, name: &str) -> Result<(), Errors> {
    block(text, Mode::Verify, name).map(drop)
}

/// What is said against the block called `name`.
#[track_caller]
pub(crate) fn refused(text: &str, name: &str) -> String {
    match block(text, Mode::Run, name) {
        Ok(_) => panic!("it was accepted"),
        Err(errors) => errors.render(false),
    }
}

/// A table from `text`, which is what would follow a directive that takes one.
#[track_caller]
pub(crate) fn table(text: &str) -> Arc<dyn Table> {
    let text = format!("auth.pass_table x {{\ntable {text}\n}}");
    parts(&text, "x").credentials.unwrap().table()
}

/// What is said against a table; its first line is line 1.
#[track_caller]
pub(crate) fn refused_table(text: &str) -> String {
    refused(&format!("table.chain x {{ step {text}\n}}"), "x")
}

/// All values of a key.
#[track_caller]
pub(crate) fn look(table: &dyn Table, key: &str) -> Vec<String> {
    now(table.lookup_all(key)).unwrap()
}

/// The first value of a key.
#[track_caller]
pub(crate) fn first(table: &dyn Table, key: &str) -> Option<String> {
    now(table.lookup(key)).unwrap()
}

/// Why a lookup failed.
#[track_caller]
pub(crate) fn look_error(table: &dyn Table, key: &str) -> String {
    format!("{:#}", now(table.lookup_all(key)).unwrap_err())
}

/// Runs a future to its end, where blocking is allowed, as in the server.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(future)
}

/// A password.
pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

//! What the configuration language accepts, what it refuses, and in which words.

mod address;
mod binding;
mod documentation;
mod examples;
mod expansion;
mod grammar;
mod limits;
mod rendering;
mod unit;

use std::io;

use pillarbox_config::{Errors, Tree, load, print};

/// Files by path, and `WORLD=mundi`, `SPACED=a b`, `MACRO=$(m)` as environment. The first file is
/// loaded.
fn load_files(files: &[(&str, &str)]) -> Result<Tree, Errors> {
    let mut read = |path: &str| {
        let found = files.iter().find(|(known, _)| *known == path);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or(io::Error::from(io::ErrorKind::NotFound))
    };
    let env = |name: &str| match name {
        "WORLD" => Some("mundi".to_owned()),
        "SPACED" => Some("a b".to_owned()),
        "MACRO" => Some("$(m)".to_owned()),
        _ => None,
    };
    load(files[0].0, &mut read, &env)
}

/// What became of files: the tree printed, or the errors, one a line.
fn outcome(files: &[(&str, &str)]) -> String {
    match load_files(files) {
        Ok(tree) => print(&tree.nodes).expect("what was read can be printed"),
        Err(errors) => format!("{errors}\n"),
    }
}

/// `text`, as the file `F`, is read as `expected`, or refused with it.
#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(outcome(&[("F", text)]), expected, "{text:?}");
}

#[track_caller]
fn tree(text: &str) -> Tree {
    load_files(&[("F", text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

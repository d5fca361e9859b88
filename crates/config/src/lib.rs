//! The configuration language: maddy's, whole, and knowing no directive.
//!
//! A file goes through four steps, each in a module of its own:
//!
//! 1. `lex` cuts text into tokens;
//! 2. `parse` makes directives and blocks of them, and checks names;
//! 3. `expand` puts in macros, snippets, imported files and the environment: [`load`] does all
//!    three and gives a [`Tree`];
//! 4. [`bind`] reads one block of the tree by a table of [`Directive`]s and gives a [`Bound`].
//!
//! The same table prints the documentation ([`reference_page`], [`sample`]), so that what is parsed
//! and what is written about it can't differ.
//!
//! This crate opens no file and reads no environment: both come through closures. Nothing in a file
//! makes it panic or grow without bound; the bounds are in [`limit`]. Every error is an [`Error`],
//! which knows file, line and column.

mod address;
mod bind;
mod directive;
mod error;
mod expand;
mod lex;
pub mod limit;
mod page;
mod parse;
mod print;
mod reference;
mod render;
mod suggest;
mod tree;
pub mod unit;

pub use address::{Address, Place, addresses};
pub use bind::{Bound, bind, bind_top};
pub use directive::{Directive, Kind, check_table};
pub use error::{Error, Errors, Fault};
pub use expand::load;
pub use page::{reference_page, sample};
pub use print::print;
pub use reference::{Reference, reference};
pub use suggest::nearest;
pub use tree::{FileId, Files, Node, Span, Tree, Word};

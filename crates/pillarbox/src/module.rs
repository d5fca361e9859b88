//! What the configuration's modules have in common.
//!
//! A module is one file with one [`Module`] row: its name, its directives, and how it is built.
//! [`crate::assemble`] knows all rows and finds what is referred to.

use std::sync::Arc;

use pillarbox_config::{Bound, Directive, Error, Node, Span, Word, bind};

use crate::assemble::Assembly;
use crate::auth::Provider;
use crate::auth::pass_table::PassTable;
use crate::delivery::Filter;
use crate::lmtp::throttle::Throttle;
use crate::storage::{MessageStore, Storage};
use crate::table::Table;

/// What comes out of reading a piece of configuration: the thing, or all that is wrong with it. An
/// empty list of errors means that they were told before.
pub type Built<T> = Result<T, Vec<Error>>;

/// A kind of module, as the configuration names it.
#[derive(Debug)]
pub struct Module {
    /// The full name, as in `table.static`.
    pub name: &'static str,
    /// Other full names.
    pub aliases: &'static [&'static str],
    /// What it can be used as.
    pub offers: &'static [Offer],
    /// The arguments it takes when it is written in place, for the documentation.
    pub arguments: &'static str,
    /// The text of the reference, in Markdown.
    pub doc: &'static str,
    /// The directives in its block.
    pub directives: &'static [Directive],
    /// Reads a declaration.
    pub build: for<'t> fn(&mut Assembly<'t>, &Declaration<'t>) -> Built<Parts>,
}

impl Module {
    /// Whether this is one of its full names.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// What a module can be used as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// Where a directive wants a table.
    Table,
    /// Where a directive wants somebody who knows passwords.
    Provider,
    /// Where a directive wants mailboxes.
    Storage,
    /// Where a storage wants a place for messages.
    MessageStore,
    /// Where TLS wants certificates.
    Certificates,
    /// Where a storage wants programs that choose mailboxes.
    Filters,
    /// Where an endpoint wants limits on how much mail comes.
    Throttle,
}

impl Offer {
    /// Where a name without a dot is looked up first.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Provider => "auth",
            Self::Storage => "storage",
            Self::MessageStore => "storage.blob",
            Self::Certificates => "tls.loader",
            Self::Filters => "imap.filter",
            Self::Throttle => "limits",
        }
    }

    /// In a sentence: "is not ...".
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Table => "a table",
            Self::Provider => "an authentication provider",
            Self::Storage => "a storage",
            Self::MessageStore => "a message store",
            Self::Certificates => "a source of certificates",
            Self::Filters => "a filter of delivered mail",
            Self::Throttle => "a set of limits",
        }
    }
}

/// What a module gave: one object for each of its offers. A storage is missing where the
/// configuration is only verified.
#[derive(Clone, Default)]
pub struct Parts {
    /// For [`Offer::Table`].
    pub table: Option<Arc<dyn Table>>,
    /// For [`Offer::Provider`].
    pub provider: Option<Arc<dyn Provider>>,
    /// For [`Offer::Storage`].
    pub storage: Option<Arc<Storage>>,
    /// For [`Offer::MessageStore`].
    pub message_store: Option<MessageStore>,
    /// For [`Offer::Filters`].
    pub filters: Vec<Arc<Filter>>,
    /// For [`Offer::Throttle`].
    pub throttle: Option<Arc<Throttle>>,
    /// Credentials that the command line can list and change.
    pub credentials: Option<Arc<PassTable>>,
}

impl Parts {
    /// A module that is a table.
    #[must_use]
    pub fn table(table: impl Table + 'static) -> Self {
        Self {
            table: Some(Arc::new(table)),
            ..Self::default()
        }
    }

    /// A module that knows passwords.
    #[must_use]
    pub fn provider(provider: impl Provider + 'static) -> Self {
        Self {
            provider: Some(Arc::new(provider)),
            ..Self::default()
        }
    }
}

/// One use of a module in the configuration: a block at top level, or in place.
#[derive(Clone, Copy, Debug)]
pub struct Declaration<'t> {
    /// The directive that it stands in, for the place of errors.
    pub node: &'t Node,
    /// The arguments after the module's name. None at top level.
    pub args: &'t [Word],
    /// The directives of its block.
    pub block: &'t [Node],
}

impl<'t> Declaration<'t> {
    /// A node that is a block of its own: its arguments are no business of the module.
    #[must_use]
    pub fn own(node: &'t Node) -> Self {
        Self {
            node,
            args: &[],
            block: node.children(),
        }
    }

    /// Reads the block by a table. Nothing is inherited.
    ///
    /// # Errors
    /// All that is wrong in it.
    pub fn bind(&self, table: &'static [Directive]) -> Built<Bound<'t>> {
        bind(self.node, self.block, table, None)
    }

    /// Where it is.
    #[must_use]
    pub fn span(&self) -> Span {
        self.node.span()
    }

    /// An error about the whole of it.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::new(self.span(), message)
    }

    /// Refuses arguments.
    ///
    /// # Errors
    /// There is an argument.
    pub fn no_args(&self) -> Built<()> {
        match self.args {
            [] => Ok(()),
            [first, ..] => Err(vec![Error::new(
                first.span,
                "no arguments are expected here",
            )]),
        }
    }

    /// The texts of the arguments.
    #[must_use]
    pub fn texts(&self) -> Vec<&'t str> {
        self.args.iter().map(|word| word.text.as_str()).collect()
    }
}

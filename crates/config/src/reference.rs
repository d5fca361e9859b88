//! References to modules: `&name`, or a module written in place.

use crate::error::Error;
use crate::tree::{Node, Word};

/// What a directive that takes a module says.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'t> {
    /// `&name`: a block that stands elsewhere. The word has its `&`; see [`Reference::name`].
    Named(&'t Word),
    /// `module args... { directives }`: an instance of its own.
    Inline {
        /// The module's name, with or without its namespace.
        module: &'t Word,
        /// What follows the name.
        args: &'t [Word],
        /// The directives in the block; none if there is no block.
        block: &'t [Node],
        /// The directive that holds the reference, for the place of errors.
        node: &'t Node,
    },
}

impl<'t> Reference<'t> {
    /// The name of the block without `&`, or of the module.
    pub fn name(&self) -> &'t str {
        let word = self.word();
        word.text.strip_prefix('&').unwrap_or(&word.text)
    }

    /// The word that says what is referred to, for the place of errors.
    pub fn word(&self) -> &'t Word {
        match self {
            Self::Named(word) | Self::Inline { module: word, .. } => word,
        }
    }
}

/// Reads a module reference from the arguments of a directive, `skip_args` of them left out.
///
/// # Errors
///
/// No argument is left, `&` stands without a name, or `&name` is followed by arguments or a block.
pub fn reference(node: &Node, skip_args: usize) -> Result<Reference<'_>, Error> {
    let Some([module, args @ ..]) = node.args.get(skip_args..) else {
        let error = Error::new(node.span(), "at least one argument is required");
        return Err(error.help("name a module, or a block as `&name`"));
    };
    let Some(name) = module.text.strip_prefix('&') else {
        return Ok(Reference::Inline {
            module,
            args,
            block: node.children(),
            node,
        });
    };
    if name.is_empty() {
        let error = Error::new(module.span, "empty name of a configuration block");
        return Err(error.help("write `&` and the name together, as in `&local_mailboxes`"));
    }
    if !args.is_empty() || !node.children().is_empty() {
        let message = "exactly one argument is required to use existing config block";
        let help = format!("`{}` takes neither arguments nor a block", module.text);
        return Err(Error::new(node.span(), message).help(help));
    }
    Ok(Reference::Named(module))
}

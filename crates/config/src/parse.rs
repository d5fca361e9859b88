//! Tokens to directives.
//!
//! ```text
//! file      = *( directive newline )
//! directive = name *argument [ "{" block "}" ]     ; "{" on the directive's own line
//! block     = *( directive newline ) [ directive ] ; "}" may follow the last child at once
//! ```
//!
//! Macro and snippet declarations are directives with odd names here; `expand` takes them out.

use crate::error::Error;
use crate::lex::{Lexer, Token};
use crate::limit;
use crate::tree::{FileId, Node, Span, Word};

/// Parses one file, nothing expanded.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Vec<Node>, Error> {
    let mut parser = Parser {
        tokens: Tokens::new(file, text),
        depth: 0,
    };
    parser.nodes(None)
}

/// The name in `$(name)`, if this is how the declaration of a macro begins.
pub(crate) fn macro_name(name: &str) -> Option<&str> {
    name.strip_prefix("$(")?.strip_suffix(')')
}

/// The name in `(name)`, if this is how the declaration of a snippet begins.
pub(crate) fn snippet_name(name: &str) -> Option<&str> {
    name.strip_prefix('(')?
        .strip_suffix(')')
        .filter(|name| !name.is_empty())
}

struct Parser<'s> {
    tokens: Tokens<'s>,
    /// Blocks that are open.
    depth: usize,
}

impl Parser<'_> {
    /// The directives up to the brace that closes `open`, or up to the end of the file.
    fn nodes(&mut self, open: Option<Span>) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        loop {
            let Some(token) = self.tokens.take()? else {
                return open.map_or(Ok(nodes), |open| Err(self.unclosed(open)));
            };
            if token.closes() {
                let stray = Error::new(token.span, "unexpected }").help("no block is open here");
                return if open.is_some() {
                    Ok(nodes)
                } else {
                    Err(stray)
                };
            }
            let node = self.directive(token)?;
            if node.block.is_some() {
                self.expect_newline()?;
            }
            nodes.push(node);
        }
    }

    fn directive(&mut self, name: Token) -> Result<Node, Error> {
        if name.opens() {
            let message = "Syntax error: Unexpected token '{', expecting 'block header'";
            let help = "write the directive's name before `{`, on the same line";
            return Err(Error::new(name.span, message).help(help));
        }
        let mut args = Vec::new();
        let mut block = None;
        let mut continued = false;
        while let Some(token) = self
            .tokens
            .take_if(|next| !next.closes() && (continued || !next.first))?
        {
            if token.opens() {
                block = Some(self.block(token.span)?);
                break;
            }
            continued = token.continues() && self.tokens.at_line_end();
            if !continued {
                args.push(Word {
                    text: token.text,
                    span: token.span,
                });
            }
        }
        let name = Word {
            text: name.text,
            span: name.span,
        };
        let node = Node { name, args, block };
        self.check(&node)?;
        Ok(node)
    }

    fn block(&mut self, open: Span) -> Result<Vec<Node>, Error> {
        if self.depth == limit::NESTING {
            let help = format!("blocks may be within blocks {} deep", limit::NESTING);
            return Err(Error::new(open, "nesting limit reached").help(help));
        }
        self.depth += 1;
        let nodes = self.nodes(Some(open))?;
        self.depth -= 1;
        Ok(nodes)
    }

    fn expect_newline(&mut self) -> Result<(), Error> {
        match self.tokens.peek() {
            Some(next) if !next.first => {
                let error = Error::new(next.span, "newline is required after closing brace");
                Err(error.help("put what follows `}` on a line of its own"))
            }
            _ => Ok(()),
        }
    }

    /// What holds for the name of a directive, a macro or a snippet.
    fn check(&self, node: &Node) -> Result<(), Error> {
        let name = node.name.text.as_str();
        if name.starts_with("$(") {
            check_macro(node, self.depth)
        } else if snippet_name(name).is_some() {
            check_snippet(node, self.depth)
        } else {
            check_name(&node.name)
        }
    }

    /// The error of a file that ends within the block opened at `open`.
    fn unclosed(&self, open: Span) -> Error {
        let message = "unexpected EOF when looking for }";
        let error = Error::new(self.tokens.end(), message).label(open, "this block is not closed");
        match self.tokens.unclosed_quote() {
            Some(quote) => error.label(quote, "this quote runs to the end of the file"),
            None => error,
        }
    }
}

fn check_macro(node: &Node, depth: usize) -> Result<(), Error> {
    let assigned = node.args.first().is_some_and(|arg| arg.text == "=");
    let message = if macro_name(&node.name.text).is_none() {
        "macro name must end with )"
    } else if depth > 0 && !assigned {
        "can't use macro argument as directive name"
    } else if depth > 0 {
        "macro declarations are only allowed at top-level"
    } else if node.args.len() < 2 {
        "at least 2 arguments are required"
    } else if !assigned {
        "missing = in macro declaration"
    } else if node.block.is_some() {
        "macro declarations can't have a block"
    } else {
        return Ok(());
    };
    let help = "a macro is declared as `$(name) = value`, outside of all blocks";
    Err(Error::new(node.name.span, message).help(help))
}

fn check_snippet(node: &Node, depth: usize) -> Result<(), Error> {
    let message = if depth > 0 {
        "snippet declarations are only allowed at top-level"
    } else if !node.args.is_empty() {
        "snippet declarations can't have arguments"
    } else {
        return Ok(());
    };
    let help = "a snippet is declared as `(name) { ... }`, outside of all blocks";
    Err(Error::new(node.name.span, message).help(help))
}

fn check_name(name: &Word) -> Result<(), Error> {
    let text = name.text.as_str();
    let stray = text
        .chars()
        .find(|&c| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_')));
    let message = if text.is_empty() {
        "empty directive name".to_owned()
    } else if text.starts_with(|c: char| c.is_numeric()) {
        "directive name cannot start with a digit".to_owned()
    } else if text.contains("$(") {
        "can't use macro argument as directive name".to_owned()
    } else if let Some(stray) = stray {
        format!("character not allowed in directive name: {stray}")
    } else {
        return Ok(());
    };
    let help = "a line begins with a directive's name: letters, digits, `.`, `-` and `_`";
    Err(Error::new(name.span, message).help(help))
}

/// The tokens of a file, counted, and one of them seen ahead.
struct Tokens<'s> {
    lexer: Lexer<'s>,
    ahead: Option<Token>,
    taken: usize,
}

impl<'s> Tokens<'s> {
    fn new(file: FileId, text: &'s str) -> Self {
        let mut lexer = Lexer::new(file, text);
        let ahead = lexer.next();
        Self {
            lexer,
            ahead,
            taken: 0,
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.ahead.as_ref()
    }

    fn take(&mut self) -> Result<Option<Token>, Error> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, wanted: impl FnOnce(&Token) -> bool) -> Result<Option<Token>, Error> {
        let Some(token) = self.ahead.take_if(|next| wanted(next)) else {
            return Ok(None);
        };
        self.taken += 1;
        if self.taken > limit::WORDS {
            let message = format!("more than {} words in a file", limit::WORDS);
            return Err(Error::new(token.span, message));
        }
        self.ahead = self.lexer.next();
        Ok(Some(token))
    }

    /// The token just taken was the last one of its line, but for a brace.
    fn at_line_end(&self) -> bool {
        self.peek()
            .is_none_or(|next| next.first || next.opens() || next.closes())
    }

    fn end(&self) -> Span {
        self.lexer.position()
    }

    fn unclosed_quote(&self) -> Option<Span> {
        self.lexer.unclosed()
    }
}

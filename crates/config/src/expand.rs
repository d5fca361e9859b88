//! Macros, snippets, imports and the environment: from files to one tree.
//!
//! A file is read in two passes. The first goes from top to bottom, takes macros and snippets out
//! and puts macros in, so that a macro means nothing above its declaration. The second follows
//! imports, so that a snippet may stand below its use. The environment comes last, over the whole
//! tree. Macros are known in their own file only; snippets in every file that comes after.

use std::collections::HashMap;
use std::io;

use crate::error::{Error, Errors};
use crate::limit;
use crate::parse::{self, macro_name, snippet_name};
use crate::tree::{FileId, Files, Node, Span, Tree, Word};

/// Reads the configuration at `path`, with all that it imports.
///
/// `read` gives a file's text; [`io::ErrorKind::NotFound`] means that there is no such file, and
/// makes an import look further. It is asked once for each path. `env` gives a variable of the
/// environment. Paths of imports are relative to the file that is being read.
///
/// # Errors
///
/// The first thing that is wrong, with its place; a file that can't be read is wrong where it was
/// imported.
pub fn load(
    path: &str,
    read: &mut dyn FnMut(&str) -> io::Result<String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Tree, Errors> {
    let mut loader = Loader::new(read, env);
    match loader.tree(path) {
        Ok(nodes) => Ok(Tree {
            nodes,
            files: loader.files,
        }),
        Err(error) => Err(Errors {
            errors: vec![error],
            files: loader.files,
        }),
    }
}

struct Loader<'c> {
    read: &'c mut dyn FnMut(&str) -> io::Result<String>,
    env: &'c dyn Fn(&str) -> Option<String>,
    files: Files,
    /// The files read so far, by path.
    known: HashMap<String, FileId>,
    snippets: HashMap<String, Vec<Node>>,
    spent: Spent,
}

/// What one file's macros stand for.
type Macros = HashMap<String, Vec<String>>;

impl<'c> Loader<'c> {
    fn new(
        read: &'c mut dyn FnMut(&str) -> io::Result<String>,
        env: &'c dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            read,
            env,
            files: Files::default(),
            known: HashMap::new(),
            snippets: HashMap::new(),
            spent: Spent::default(),
        }
    }

    fn tree(&mut self, path: &str) -> Result<Vec<Node>, Error> {
        let file = match self.open(path) {
            Ok(file) => file,
            Err(error) => {
                let file = self.files.add(path, String::new());
                let message = format!("cannot read {path}: {error}");
                return Err(Error::new(Span::beginning(file), message));
            }
        };
        let mut nodes = self.file(file, 0)?;
        self.expand_env(&mut nodes)?;
        Ok(nodes)
    }

    /// The text of a file, read if it wasn't before.
    fn open(&mut self, path: &str) -> io::Result<FileId> {
        if let Some(&file) = self.known.get(path) {
            return Ok(file);
        }
        let text = (self.read)(path)?;
        if text.len() > limit::BYTES {
            let message = format!("the file is longer than {} bytes", limit::BYTES);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let file = self.files.add(path, text);
        self.known.insert(path.to_owned(), file);
        Ok(file)
    }

    /// The directives of a file, `depth` blocks and imports down.
    fn file(&mut self, file: FileId, depth: usize) -> Result<Vec<Node>, Error> {
        let files = self.files.clone();
        let text = files.text(file);
        self.spent.bytes(text.len(), Span::beginning(file))?;
        let nodes = parse::parse(file, text)?;
        self.spent.nodes(&nodes, Span::beginning(file))?;
        let nodes = self.define(nodes)?;
        self.follow(nodes, file, depth)
    }

    /// First pass: takes out declarations of macros and snippets, and puts macros in.
    fn define(&mut self, nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
        let mut macros = Macros::new();
        let mut rest = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            self.expand_macros(&mut node, &macros)?;
            if let Some(name) = macro_name(&node.name.text) {
                let values = node
                    .args
                    .into_iter()
                    .skip(1)
                    .map(|word| word.text)
                    .collect();
                macros.insert(name.to_owned(), values);
            } else if let Some(name) = snippet_name(&node.name.text) {
                self.snippets
                    .insert(name.to_owned(), node.block.unwrap_or_default());
            } else {
                rest.push(node);
            }
        }
        Ok(rest)
    }

    fn expand_macros(&mut self, node: &mut Node, macros: &Macros) -> Result<(), Error> {
        if node.args.iter().any(|word| word.text.contains("$(")) {
            let mut args = Vec::with_capacity(node.args.len());
            for word in node.args.drain(..) {
                self.expand_word(word, macros, &mut args)?;
            }
            node.args = args;
        }
        for child in node.block.iter_mut().flatten() {
            self.expand_macros(child, macros)?;
        }
        Ok(())
    }

    /// Adds to `args` what a word becomes: all values of a macro if it is nothing but that macro.
    fn expand_word(
        &mut self,
        word: Word,
        macros: &Macros,
        args: &mut Vec<Word>,
    ) -> Result<(), Error> {
        let whole = macro_name(&word.text).filter(|name| !name.contains(')'));
        if let Some(name) = whole {
            for text in macros.get(name).into_iter().flatten() {
                self.spent.word(text, word.span)?;
                args.push(Word {
                    text: text.clone(),
                    span: word.span,
                });
            }
            return Ok(());
        }
        let text = substitute(&word.text, "$(", ')', |name| {
            let values = macros.get(name).map(Vec::as_slice).unwrap_or_default();
            let value = match values {
                [] => "",
                [value] => value,
                _ => return Err(multiple(name, word.span)),
            };
            self.spent.bytes(value.len(), word.span)?;
            Ok(value.to_owned())
        })?;
        args.push(Word {
            text,
            span: word.span,
        });
        Ok(())
    }

    /// Second pass: puts what is imported in the place of `import`.
    fn follow(&mut self, nodes: Vec<Node>, file: FileId, depth: usize) -> Result<Vec<Node>, Error> {
        let mut out = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            if node.name.text == "import" {
                out.append(&mut self.import(&node, file, depth)?);
                continue;
            }
            if let Some(block) = node.block.take() {
                if depth >= limit::NESTING {
                    return Err(Error::new(node.name.span, "nesting limit reached"));
                }
                node.block = Some(self.follow(block, file, depth + 1)?);
            }
            out.push(node);
        }
        Ok(out)
    }

    fn import(&mut self, node: &Node, file: FileId, depth: usize) -> Result<Vec<Node>, Error> {
        let [name] = node.args.as_slice() else {
            let error = Error::new(node.span(), "import directive requires exactly 1 argument");
            return Err(error.help("name one snippet or one file"));
        };
        if !node.children().is_empty() {
            return Err(Error::new(node.name.span, "can't declare block here"));
        }
        if depth >= limit::NESTING {
            let error = Error::new(node.span(), "hit import expansion limit");
            return Err(error.help("something imports itself"));
        }
        self.spent.import(node.span())?;
        if let Some(snippet) = self.snippets.get(&name.text) {
            self.spent.nodes(snippet, name.span)?;
            let snippet = snippet.clone();
            return self.follow(snippet, file, depth + 1);
        }
        let imported = self.find(name, file)?;
        self.file(imported, depth + 1)
    }

    /// The file that an import names, beside `file`, with or without `.conf`.
    fn find(&mut self, name: &Word, file: FileId) -> Result<FileId, Error> {
        let path = beside(self.files.path(file), &name.text);
        for path in [path.clone(), format!("{path}.conf")] {
            match self.open(&path) {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let message = format!("cannot read {path}: {error}");
                    return Err(Error::new(name.span, message));
                }
            }
        }
        let error = Error::new(name.span, format!("unknown import: {}", name.text));
        let known = self.snippets.keys().map(String::as_str);
        Err(match crate::suggest::nearest(&name.text, known) {
            Some(near) => error.help(format!("there is a snippet named `{near}`")),
            None => error.help(format!(
                "no such snippet, and no file {path} or {path}.conf"
            )),
        })
    }

    /// Last pass: puts in variables of the environment; one that isn't set is empty.
    fn expand_env(&mut self, nodes: &mut [Node]) -> Result<(), Error> {
        for node in nodes {
            for word in node
                .args
                .iter_mut()
                .filter(|word| word.text.contains("{env:"))
            {
                word.text = substitute(&word.text, "{env:", '}', |name| {
                    let value = (self.env)(name).unwrap_or_default();
                    self.spent.bytes(value.len(), word.span)?;
                    Ok(value)
                })?;
            }
            self.expand_env(node.block.as_deref_mut().unwrap_or_default())?;
        }
        Ok(())
    }
}

fn multiple(name: &str, span: Span) -> Error {
    let message = "can't expand macro with multiple arguments inside a string";
    Error::new(span, message).help(format!(
        "$({name}) has several values; use it as a whole word"
    ))
}

/// Replaces each `open NAME close` in `text`. What is never closed stays, and what was put in is
/// not looked at again.
fn substitute(
    text: &str,
    open: &str,
    close: char,
    mut value: impl FnMut(&str) -> Result<String, Error>,
) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((name, after)) = after.split_once(close) else {
            break;
        };
        out.push_str(before);
        out.push_str(&value(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// `name` as seen from the directory of `path`.
fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, _)) if !name.starts_with('/') => format!("{directory}/{name}"),
        _ => name.to_owned(),
    }
}

/// How much of the limits is used up. Everything that makes a tree grow asks here first.
#[derive(Default)]
struct Spent {
    words: usize,
    bytes: usize,
    imports: usize,
}

impl Spent {
    fn bytes(&mut self, bytes: usize, at: Span) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes);
        within(self.bytes, limit::BYTES, "bytes", at)
    }

    fn word(&mut self, text: &str, at: Span) -> Result<(), Error> {
        self.words += 1;
        within(self.words, limit::WORDS, "words", at)?;
        self.bytes(text.len(), at)
    }

    fn import(&mut self, at: Span) -> Result<(), Error> {
        self.imports += 1;
        within(self.imports, limit::IMPORTS, "imports", at)
    }

    fn nodes(&mut self, nodes: &[Node], at: Span) -> Result<(), Error> {
        for node in nodes {
            self.word(&node.name.text, at)?;
            node.args
                .iter()
                .try_for_each(|word| self.word(&word.text, at))?;
            self.nodes(node.children(), at)?;
        }
        Ok(())
    }
}

fn within(spent: usize, limit: usize, what: &str, at: Span) -> Result<(), Error> {
    if spent <= limit {
        return Ok(());
    }
    let error = Error::new(at, format!("the configuration grows beyond {limit} {what}"));
    Err(error.help("look for imports or macros that multiply each other"))
}

//! The tree that a configuration becomes, and where each word of it was written.

use std::sync::Arc;

/// A whole configuration: imports followed, macros, snippets and environment put in.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The directives at top level, in order.
    pub nodes: Vec<Node>,
    /// The files that were read, to show errors with.
    pub files: Files,
}

impl Tree {
    /// The beginning of the first file, for errors about the whole of it.
    pub fn beginning(&self) -> Span {
        Span::beginning(FileId(0))
    }
}

/// One directive: a name, its arguments, and a block if there is one.
#[derive(Clone, Debug)]
pub struct Node {
    /// The directive's name.
    pub name: Word,
    /// What follows the name, up to the end of the line or the block.
    pub args: Vec<Word>,
    /// What stands between braces. `{ }` is an empty block, which hardly anything tells from none.
    pub block: Option<Vec<Self>>,
}

impl Node {
    /// From the name to the last argument; the block is not in it.
    pub fn span(&self) -> Span {
        self.args
            .last()
            .map_or(self.name.span, |last| self.name.span.to(last.span))
    }

    /// The directives in the block; none if there is no block.
    pub fn children(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }

    /// The text of the arguments.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.args.iter().map(|word| word.text.as_str())
    }
}

/// A name or an argument, without its quotes.
#[derive(Clone, Debug)]
pub struct Word {
    /// What was written, expanded.
    pub text: String,
    /// Where. A word that came out of a macro is where the macro was used.
    pub span: Span,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte, counted from the file's beginning (a byte order mark is not counted).
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte, from 1, in characters.
    pub column: u32,
}

impl Span {
    /// The place of what no file says, such as a default. It is shown as `<built-in>:1:1`.
    pub const BUILT_IN: Self = Self {
        file: FileId(u32::MAX),
        start: 0,
        end: 0,
        line: 1,
        column: 1,
    };

    /// From the beginning of this one to the end of `last`, or this one if that makes no sense
    /// (another file, or further up).
    pub fn to(self, last: Self) -> Self {
        let follows = self.file == last.file && self.start <= last.end;
        Self {
            end: if follows {
                last.end.max(self.end)
            } else {
                self.end
            },
            ..self
        }
    }

    /// The beginning of a file, for errors about the whole of it.
    pub(crate) fn beginning(file: FileId) -> Self {
        Self {
            file,
            ..Self::BUILT_IN
        }
    }
}

/// One of the [`Files`] of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId(u32);

/// The files that a configuration was read from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<Arc<File>>);

#[derive(Debug)]
struct File {
    path: String,
    text: String,
}

impl Files {
    /// Keeps a file that was read. A byte order mark goes (RFC 3629 §6 lets a protocol drop it).
    pub(crate) fn add(&mut self, path: &str, mut text: String) -> FileId {
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let id = FileId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Arc::new(File {
            path: path.to_owned(),
            text,
        }));
        id
    }

    /// The path as it was asked for. `<built-in>` if the file is not one of these.
    pub fn path(&self, id: FileId) -> &str {
        self.file(id).map_or("<built-in>", |file| &file.path)
    }

    /// The text as it was read. Empty if the file is not one of these.
    pub fn text(&self, id: FileId) -> &str {
        self.file(id).map_or("", |file| &file.text)
    }

    /// The paths of all files that were read, in order: what a reload would read again.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|file| file.path.as_str())
    }

    /// `FILE:LINE:COLUMN`, as every error begins and as editors understand it.
    pub fn locate(&self, span: Span) -> String {
        format!("{}:{}:{}", self.path(span.file), span.line, span.column)
    }

    fn file(&self, id: FileId) -> Option<&File> {
        self.0.get(usize::try_from(id.0).ok()?).map(|file| &**file)
    }
}

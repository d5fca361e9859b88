//! What a configuration may grow to. Nobody meets these by writing; a runaway import does.

/// Blocks within blocks, imports counted as blocks: maddy's number for both.
///
/// It also bounds the recursion of everything that walks a tree.
pub const NESTING: usize = 256;

/// Words (names and arguments) in a tree, as read and as expanded.
///
/// A table of 300,000 users written out in the file fits; macros that double each other don't.
pub const WORDS: usize = 1_000_000;

/// Bytes of text read and expanded, over all files, each time an import reads it.
pub const BYTES: usize = 64 << 20;

/// Times that `import` is followed, in all: 256 deep and twice wide would else never end.
pub const IMPORTS: usize = 10_000;

/// Errors reported at once; who has more than these has one reason for them.
pub const ERRORS: usize = 20;

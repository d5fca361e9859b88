//! Tables of directives: one row says all that parser and documentation have to know.

use std::time::Duration;

use crate::unit::{write_duration, write_size};

/// One row: a directive that a block knows.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// The name.
    pub name: &'static str,
    /// Other names that mean the same. They are understood, and mentioned in the documentation.
    pub aliases: &'static [&'static str],
    /// What the value is.
    pub kind: Kind,
    /// The value if the directive is not there, as written in a file. "" is none.
    pub default: &'static str,
    /// The directive must be there (or, with `inherit`, in the enclosing scope).
    pub required: bool,
    /// The directive may be there more than once, and each one counts.
    pub repeat: bool,
    /// If the directive is not there, the value of the enclosing scope counts.
    pub inherit: bool,
    /// The text of the reference, in Markdown. Its first sentence is the summary.
    pub doc: &'static str,
}

impl Directive {
    /// A directive that is optional, comes once and is not inherited.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        let aliases = &[];
        Self {
            name,
            aliases,
            kind,
            default,
            required: false,
            repeat: false,
            inherit: false,
            doc,
        }
    }

    /// Makes it required.
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// Lets it come more than once.
    pub const fn repeat(self) -> Self {
        Self {
            repeat: true,
            ..self
        }
    }

    /// Takes the value of the enclosing scope where it is absent.
    pub const fn inherit(self) -> Self {
        Self {
            inherit: true,
            ..self
        }
    }

    /// Gives it other names.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Whether this is a name of the directive.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// The first sentence of the text.
    pub fn summary(&self) -> &'static str {
        let end = self.doc.match_indices(['.', '\n']).find(|(at, found)| {
            let after = self.doc.get(at + 1..).unwrap_or_default();
            *found == "\n" && after.starts_with('\n')
                || *found == "." && (after.is_empty() || after.starts_with(char::is_whitespace))
        });
        end.map_or(self.doc, |(at, _)| {
            self.doc.get(..at + 1).unwrap_or(self.doc)
        })
        .trim()
    }
}

/// What the value of a directive is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Yes or no; the directive alone means yes.
    Bool,
    /// A duration in Go's syntax, within bounds.
    Duration {
        /// The least that is accepted.
        min: Duration,
        /// The most.
        max: Duration,
    },
    /// A number of bytes, within bounds.
    Size {
        /// The least that is accepted.
        min: u64,
        /// The most.
        max: u64,
    },
    /// An integer, within bounds.
    Integer {
        /// The least that is accepted.
        min: i64,
        /// The most.
        max: i64,
    },
    /// Exactly one argument.
    Text,
    /// One argument or more.
    TextList,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// One endpoint address or more.
    Addresses,
    /// A reference to a module, looked up in this namespace.
    Module(&'static str),
    /// Anything: the module reads the node itself.
    Custom,
}

impl Kind {
    /// A duration without bounds (but 292 years).
    pub const DURATION: Self = Self::Duration {
        min: Duration::ZERO,
        max: Duration::MAX,
    };
    /// A size without bounds.
    pub const SIZE: Self = Self::Size {
        min: 0,
        max: u64::MAX,
    };
    /// An integer without bounds.
    pub const INTEGER: Self = Self::Integer {
        min: i64::MIN,
        max: i64::MAX,
    };

    /// What is written after the name, for the documentation.
    pub fn syntax(&self) -> String {
        match self {
            Self::Bool => "[yes | no]".to_owned(),
            Self::Duration { .. } => "DURATION".to_owned(),
            Self::Size { .. } => "SIZE".to_owned(),
            Self::Integer { .. } => "NUMBER".to_owned(),
            Self::Text => "TEXT".to_owned(),
            Self::TextList => "TEXT...".to_owned(),
            Self::Enum(values) => values.join(" | "),
            Self::Addresses => "ADDRESS...".to_owned(),
            Self::Module(_) => "&NAME | MODULE [ARGUMENT...] [{ ... }]".to_owned(),
            Self::Custom => "...".to_owned(),
        }
    }

    /// The bounds in words, if there are any: "from 1s to 1h".
    pub fn range(&self) -> Option<String> {
        let (min, max) = match *self {
            Self::Duration { min, max } => (
                (min > Duration::ZERO).then(|| write_duration(min)),
                (max < Duration::MAX).then(|| write_duration(max)),
            ),
            Self::Size { min, max } => (
                (min > 0).then(|| write_size(min)),
                (max < u64::MAX).then(|| write_size(max)),
            ),
            Self::Integer { min, max } => (
                (min > i64::MIN).then(|| min.to_string()),
                (max < i64::MAX).then(|| max.to_string()),
            ),
            _ => (None, None),
        };
        match (min, max) {
            (Some(min), Some(max)) => Some(format!("from {min} to {max}")),
            (Some(min), None) => Some(format!("at least {min}")),
            (None, Some(max)) => Some(format!("at most {max}")),
            (None, None) => None,
        }
    }
}

/// Finds what is wrong with a table itself: a name given twice, a default that its own kind
/// refuses, no text. For the tests of those who write tables.
///
/// # Errors
///
/// The first row that is wrong, in words.
pub fn check_table(table: &[Directive]) -> Result<(), String> {
    for (at, row) in table.iter().enumerate() {
        let names = std::iter::once(row.name).chain(row.aliases.iter().copied());
        let (above, _) = table.split_at(at);
        for name in names {
            if above.iter().any(|other| other.is_named(name)) {
                return Err(format!("{name}: more than one row has this name"));
            }
        }
        if row.summary().is_empty() {
            return Err(format!("{}: no text", row.name));
        }
        if row.required && !row.default.is_empty() {
            return Err(format!("{}: required, and yet with a default", row.name));
        }
        crate::bind::default_value(row).map_err(|fault| format!("{}: {fault}", row.name))?;
    }
    Ok(())
}

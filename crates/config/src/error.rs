//! What is wrong with a configuration, where, and what would be right.

use std::error::Error as StdError;
use std::fmt;

use crate::tree::{Files, Span};

/// One thing that is wrong in a configuration.
#[derive(Clone, Debug)]
pub struct Error {
    /// What is wrong, as a clause without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What would be right, if that can be said.
    pub help: Option<String>,
    /// Other places that matter, each with what it is: "first given here".
    pub labels: Vec<(Span, String)>,
    /// What is written there may be right: what it names, a database say, can't be used as things are now.
    /// Another try may succeed.
    pub may_pass: bool,
}

impl Error {
    /// An error at a place.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            help: None,
            labels: Vec::new(),
            may_pass: false,
        }
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says that it is not the configuration's fault.
    #[must_use]
    pub fn may_pass(mut self) -> Self {
        self.may_pass = true;
        self
    }

    /// Points at another place that has to do with it.
    #[must_use]
    pub fn label(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }
}

/// What is wrong with a value, before anybody knows where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Fault {
    /// A fault without help.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error that this is at `span`.
    pub fn at(self, span: Span) -> Error {
        Error {
            message: self.message,
            span,
            help: self.help,
            labels: Vec::new(),
            may_pass: false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Fault {}

/// Why a configuration can't be used: one error or several, with the files to show them in.
#[derive(Clone, Debug)]
pub struct Errors {
    /// The errors, at least one.
    pub errors: Vec<Error>,
    /// The files they are in.
    pub files: Files,
}

impl Errors {
    /// Brings errors together with the files of the tree that they are about.
    pub fn new(files: Files, errors: impl Into<Vec<Error>>) -> Self {
        Self {
            errors: errors.into(),
            files,
        }
    }

    /// Whether another try with the same configuration may succeed.
    pub fn may_pass(&self) -> bool {
        self.errors.iter().all(|error| error.may_pass)
    }

    /// All errors with the lines they are about, each beginning `FILE:LINE:COLUMN: message`; at
    /// most [`limit::ERRORS`](crate::limit::ERRORS) of them. Ends with a line end.
    pub fn render(&self, colour: bool) -> String {
        crate::render::render(&self.files, &self.errors, colour)
    }
}

/// The errors without source lines, one a line: `FILE:LINE:COLUMN: message`.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(
                f,
                "{separator}{}",
                crate::render::headline(&self.files, error)
            )?;
        }
        Ok(())
    }
}

impl StdError for Errors {}

//! Text to tokens.
//!
//! A token ends at white space. One that begins with `"` ends at the next `"` instead, may hold
//! line ends, and knows one escape, `\"`; a backslash before anything else is a backslash. A `#`
//! where a token could begin starts a comment. Nothing is an error here.

use crate::tree::{FileId, Span};

/// A word, brace or backslash, with what the grammar has to know about it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// It stood in quotes, so that it is never a brace or a continuation.
    pub(crate) quoted: bool,
    /// A line ended between the token before and this one.
    pub(crate) first: bool,
    pub(crate) span: Span,
}

impl Token {
    pub(crate) fn opens(&self) -> bool {
        !self.quoted && self.text == "{"
    }

    pub(crate) fn closes(&self) -> bool {
        !self.quoted && self.text == "}"
    }

    /// A backslash of its own, which goes on with the directive on the next line if it is last.
    pub(crate) fn continues(&self) -> bool {
        !self.quoted && self.text == "\\"
    }
}

/// The tokens of a text.
pub(crate) struct Lexer<'s> {
    text: &'s str,
    /// Where the next character is.
    next: Span,
    /// The quote that nothing closes, once it was met.
    unclosed: Option<Span>,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(file: FileId, text: &'s str) -> Self {
        Self {
            text,
            next: Span::beginning(file),
            unclosed: None,
        }
    }

    /// Where the text ends, once everything is read.
    pub(crate) fn position(&self) -> Span {
        self.next
    }

    /// Where the quote stands that runs to the end of the file, if one was met.
    pub(crate) fn unclosed(&self) -> Option<Span> {
        self.unclosed
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.next.start as usize..)?.chars().next()
    }

    /// Takes the next character, and keeps count of lines and columns.
    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.next.start += c.len_utf8() as u32;
        self.next.end = self.next.start;
        if c == '\n' {
            self.next.line += 1;
            self.next.column = 1;
        } else {
            self.next.column += 1;
        }
        Some(c)
    }

    /// Skips white space and comments; says whether a line ended.
    fn skip_blank(&mut self) -> bool {
        let mut newline = self.next.start == 0;
        let mut comment = false;
        while let Some(c) = self.peek() {
            if !comment && c != '#' && !c.is_whitespace() {
                break;
            }
            comment = (comment || c == '#') && c != '\n';
            newline |= c == '\n';
            self.bump();
        }
        newline
    }

    /// The rest of a token after its opening quote.
    fn quoted(&mut self, quote: Span) -> String {
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '"' => return text,
                '\\' => match self.bump() {
                    Some('"') => text.push('"'),
                    Some(other) => text.extend(['\\', other]),
                    None => {}
                },
                other => text.push(other),
            }
        }
        self.unclosed = Some(quote);
        text
    }

    /// A token up to white space, carriage returns dropped, and where it ends.
    fn bare(&mut self) -> (String, u32) {
        let mut text = String::new();
        let mut end = self.next.start;
        while let Some(c) = self.peek() {
            if c.is_whitespace() && c != '\r' {
                break;
            }
            self.bump();
            if c != '\r' {
                text.push(c);
                end = self.next.start;
            }
        }
        (text, end)
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let first = self.skip_blank();
        let start = self.next;
        let quoted = self.peek()? == '"';
        let (text, end) = if quoted {
            self.bump();
            (self.quoted(start), self.next.start)
        } else {
            self.bare()
        };
        if text.is_empty() && self.unclosed.is_some() {
            return None; // A lone quote at the very end is nothing.
        }
        Some(Token {
            text,
            quoted,
            first,
            span: Span { end, ..start },
        })
    }
}

//! Errors as people read them: place and message, the line, and what would be right.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::error::Error;
use crate::limit;
use crate::tree::{Files, Span};

/// Renders errors one after the other, an empty line between.
pub(crate) fn render(files: &Files, errors: &[Error], colour: bool) -> String {
    let shown = errors.iter().take(limit::ERRORS);
    let mut out = shown
        .map(|error| render_one(files, error, colour))
        .collect::<Vec<_>>()
        .join("\n");
    if let Some(more) = errors
        .len()
        .checked_sub(limit::ERRORS)
        .filter(|more| *more > 0)
    {
        out.push_str(&format!("\nand {more} more errors\n"));
    }
    out
}

/// `FILE:LINE:COLUMN: message`, on one line whatever the file's author wrote in a name.
pub(crate) fn headline(files: &Files, error: &Error) -> String {
    printable(&format!("{}: {}", files.locate(error.span), error.message))
}

fn render_one(files: &Files, error: &Error, colour: bool) -> String {
    let help = error.help.as_deref().map(printable);
    let lines = snippets(files, error);
    let mut group = Group::with_level(Level::ERROR).elements(lines);
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    let headline = headline(files, error);
    let (renderer, headline) = if colour {
        (Renderer::styled(), format!("\x1b[1m{headline}\x1b[0m"))
    } else {
        (Renderer::plain(), headline)
    };
    if group.is_empty() {
        return format!("{headline}\n");
    }
    format!(
        "{headline}\n{}\n",
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    )
}

/// The error's line, with the labels that are on it, then the lines of the other labels.
fn snippets<'a>(files: &'a Files, error: &'a Error) -> Vec<Snippet<'a, Annotation<'a>>> {
    let primary = (error.span, AnnotationKind::Primary, "");
    let labels = error.labels.iter();
    let labels = labels.map(|(span, text)| (*span, AnnotationKind::Context, text.as_str()));
    let mut lines: Vec<(Line<'a>, Snippet<'a, Annotation<'a>>)> = Vec::new();
    for (span, kind, label) in std::iter::once(primary).chain(labels) {
        let Some(line) = Line::of(files, span) else {
            continue;
        };
        let mut annotation = kind.span(line.within(span));
        if !label.is_empty() {
            annotation = annotation.label(printable(label));
        }
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, snippet)) => *snippet = snippet.clone().annotation(annotation),
            None => {
                let mut snippet = Snippet::source(line.text).line_start(line.number);
                if kind != AnnotationKind::Primary {
                    snippet = snippet.path(printable(files.path(span.file)));
                }
                lines.push((line, snippet.annotation(annotation)));
            }
        }
    }
    lines.into_iter().map(|(_, snippet)| snippet).collect()
}

/// The one line that a span begins on. Only it is shown, so a file's length costs nothing.
#[derive(PartialEq)]
struct Line<'a> {
    text: &'a str,
    /// Where it begins in its file.
    start: usize,
    number: usize,
}

impl<'a> Line<'a> {
    fn of(files: &'a Files, span: Span) -> Option<Self> {
        let text = files.text(span.file);
        let at = text.floor_char_boundary(usize::try_from(span.start).ok()?);
        let (before, after) = text.split_at_checked(at)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(text.len(), |newline| at + newline);
        let text = text.get(start..end)?;
        let number = usize::try_from(span.line).ok()?;
        (!text.is_empty()).then_some(Self {
            text,
            start,
            number,
        })
    }

    /// The part of `span` on this line, in bytes of the line.
    fn within(&self, span: Span) -> Range<usize> {
        let bound = |at: u32| {
            let at = (at as usize).saturating_sub(self.start);
            self.text.floor_char_boundary(at)
        };
        let (start, end) = (bound(span.start), bound(span.end));
        start..end.max(start)
    }
}

/// Text of a file without what would move a terminal's cursor or end the line.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_debug())
        } else {
            out.push(c)
        }
    }
    out
}

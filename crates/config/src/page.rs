//! Documentation out of the tables: a page of the reference, and a commented sample.

use std::fmt::Write;

use crate::directive::{Directive, Kind};

/// Columns of text in a sample.
const WIDTH: usize = 78;

/// A page of the reference in Markdown: the intro, then each directive with its syntax, default,
/// bounds and text.
pub fn reference_page(title: &str, intro: &str, table: &[Directive]) -> String {
    let mut page = format!("# {title}\n");
    if !intro.trim().is_empty() {
        page.push_str(&format!("\n{}\n", intro.trim()));
    }
    for row in table {
        let facts = facts(row).join("  \n");
        let text = row.doc.trim();
        page.push_str(&format!("\n## {}\n\n{facts}\n\n{text}\n", row.name));
    }
    page
}

/// A block's inside as one would begin to write it: each directive commented out at its default,
/// below its summary. What is required is not commented out and has to be filled in.
pub fn sample(table: &[Directive]) -> String {
    let blocks: Vec<String> = table.iter().map(sample_row).collect();
    blocks.join("\n")
}

/// The lines below a directive's heading.
fn facts(row: &Directive) -> Vec<String> {
    let mut facts = vec![format!("Syntax: `{}`", usage(row))];
    match (row.required, row.default) {
        (true, _) => facts.push("**Required.**".to_owned()),
        (false, "") => facts.push("Default: none".to_owned()),
        (false, default) => facts.push(format!("Default: `{default}`")),
    }
    if let Some(range) = row.kind.range() {
        facts.push(format!("Range: {range}"));
    }
    if row.inherit {
        facts.push("Inherited: where absent, the value of the enclosing scope counts.".to_owned());
    }
    if row.repeat {
        facts.push("Repeatable: each occurrence counts.".to_owned());
    }
    if let Kind::Module(namespace) = row.kind {
        facts.push(format!("Modules: those of `{namespace}`"));
    }
    if !row.aliases.is_empty() {
        facts.push(format!("Also written: `{}`", row.aliases.join("`, `")));
    }
    facts
}

/// The directive with what follows it.
fn usage(row: &Directive) -> String {
    format!("{} {}", row.name, row.kind.syntax())
}

fn sample_row(row: &Directive) -> String {
    let mut out = String::new();
    for line in wrap(row.summary()) {
        let _ = writeln!(out, "# {line}");
    }
    let _ = match (row.required, row.default) {
        (true, _) => writeln!(out, "{}", usage(row)),
        (false, "") => writeln!(out, "#{}", usage(row)),
        (false, default) => writeln!(out, "#{} {default}", row.name),
    };
    out
}

/// Breaks a text into lines of at most [`WIDTH`] columns; a longer word has a line of its own.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

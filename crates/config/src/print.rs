//! A tree as text again.

use crate::error::Error;
use crate::tree::{Node, Word};

/// Writes directives so that reading them gives the same ones.
///
/// # Errors
///
/// The language can't write every text: one that needs quotes can't have a single backslash before
/// a `"` or at its end. Nothing that was read from a file is like that, but a value from the
/// environment may be.
pub fn print(nodes: &[Node]) -> Result<String, Error> {
    let mut out = String::new();
    block(nodes, 0, &mut out)?;
    Ok(out)
}

fn block(nodes: &[Node], depth: usize, out: &mut String) -> Result<(), Error> {
    for node in nodes {
        indent(depth, out);
        word(&node.name, false, out)?;
        for (at, arg) in node.args.iter().enumerate() {
            out.push(' ');
            word(arg, at + 1 == node.args.len(), out)?;
        }
        match node.block.as_deref() {
            None => out.push('\n'),
            Some([]) => out.push_str(" { }\n"),
            Some(children) => {
                out.push_str(" {\n");
                block(children, depth + 1, out)?;
                indent(depth, out);
                out.push_str("}\n");
            }
        }
    }
    Ok(())
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("    ");
    }
}

fn word(word: &Word, last: bool, out: &mut String) -> Result<(), Error> {
    let text = word.text.as_str();
    if stands_bare(text) && !(last && text == "\\") {
        out.push_str(text);
    } else if stands_quoted(text) {
        out.push('"');
        out.push_str(&text.replace('"', "\\\""));
        out.push('"');
    } else {
        let message = "this text can't be written in a configuration file";
        return Err(Error::new(word.span, message).help("a backslash before a quote or at the end"));
    }
    Ok(())
}

/// It is a token without quotes.
fn stands_bare(text: &str) -> bool {
    let plain = !text.contains(char::is_whitespace) && !text.starts_with(['"', '#']);
    plain && !matches!(text, "" | "{" | "}")
}

/// It is a token in quotes: backslashes go in pairs before a quote and at the end.
fn stands_quoted(text: &str) -> bool {
    let mut pieces = text.split('"');
    pieces.all(|piece| piece.chars().rev().take_while(|&c| c == '\\').count() % 2 == 0)
}

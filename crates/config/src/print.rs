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

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::print;
    use crate::parse::parse;
    use crate::tree::{FileId, Node, Span, Word};

    const FILE: FileId = Span::BUILT_IN.file;

    /// A tree without places.
    #[derive(Debug, PartialEq)]
    struct Shape(String, Vec<String>, Option<Vec<Self>>);

    fn shape(nodes: &[Node]) -> Vec<Shape> {
        let one = |node: &Node| {
            let args = node.texts().map(str::to_owned).collect();
            Shape(
                node.name.text.clone(),
                args,
                node.block.as_deref().map(shape),
            )
        };
        nodes.iter().map(one).collect()
    }

    fn word(text: String) -> Word {
        Word {
            text,
            span: Span::BUILT_IN,
        }
    }

    prop_compose! {
        fn leaf()(
            name in "[\\pL._-][\\pL0-9._-]{0,8}",
            args in vec("([\\PC]|[ \"\\\\{}#$()=\\n\\r\\t]){0,6}", 0..4),
        ) -> Node {
            Node { name: word(name), args: args.into_iter().map(word).collect(), block: None }
        }
    }

    fn nodes() -> impl Strategy<Value = Vec<Node>> {
        let tree = leaf().prop_recursive(4, 24, 4, |inner| {
            let block = prop::option::of(vec(inner, 0..4));
            (leaf(), block).prop_map(|(node, block)| Node { block, ..node })
        });
        vec(tree, 0..4)
    }

    /// Pieces that mean something to lexer and parser.
    fn soup() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "a", "b.c", "{", "}", "{\n", "}\n", "\"", "\\\"", "\\", "\\\n", "\n", " ", "\r", "#",
            "$(a)", "$(b)", "$(", "=", "(s)", "import", " s ", "{env:A}", "{env:", "\u{a0}", "é",
            "0", "\u{feff}",
        ];
        let piece = prop_oneof![4 => prop::sample::select(PIECES), 1 => Just(" ")];
        vec(
            prop_oneof![9 => piece.prop_map(str::to_owned), 1 => ".{0,3}"],
            0..40,
        )
        .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn reading_what_was_printed_gives_the_same(nodes in nodes()) {
            let Ok(printed) = print(&nodes) else {
                return Err(TestCaseError::reject("not printable"));
            };
            let read = parse(FILE, &printed).map_err(|error| {
                TestCaseError::fail(format!("{}\n{printed}", error.message))
            })?;
            prop_assert_eq!(shape(&read), shape(&nodes), "{}", printed);
        }

        #[test]
        fn whatever_can_be_read_can_be_printed_and_read_again(text in soup()) {
            if let Ok(nodes) = parse(FILE, &text) {
                let printed = print(&nodes);
                // A backslash that is an argument can be said only before a continuation into
                // nothing, at the end of a file.
                if printed.is_err() && text.split_whitespace().any(|token| token == "\\") {
                    return Err(TestCaseError::reject("not printable"));
                }
                let printed = printed.expect("it was read, so it can be written");
                let read = parse(FILE, &printed).expect("it was printed, so it can be read");
                prop_assert_eq!(shape(&read), shape(&nodes), "{}", printed);
                prop_assert_eq!(print(&read).expect("as above"), printed);
            }
        }

        /// Bytes of any kind are read or refused, also where they import themselves.
        #[test]
        fn soup_never_panics(text in soup(), bytes in vec(any::<u8>(), 0..200)) {
            for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
                let missing = || io::Error::from(io::ErrorKind::NotFound);
                let mut left = 20;
                let mut read = |_: &str| {
                    left -= 1;
                    if left > 0 { Ok(text.clone()) } else { Err(missing()) }
                };
                let env = |name: &str| Some(format!("{{env:{name}}}$(a)"));
                if let Err(errors) = crate::load("F", &mut read, &env) {
                    prop_assert!(errors.render(false).starts_with(&errors.to_string()));
                    prop_assert!(errors.errors[0].span != Span::BUILT_IN);
                }
            }
        }
    }

    #[test]
    fn what_the_language_cannot_say_is_refused() {
        for text in ["a \\", " \\\"", "\\"] {
            let args = vec![word(text.to_owned())];
            let node = Node {
                name: word("a".to_owned()),
                args,
                block: None,
            };
            assert!(print(&[node]).is_err(), "{text}");
        }
    }
}

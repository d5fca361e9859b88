//! Tokens and directives.

use crate::{check, load_files, tree};

#[test]
fn tokens_end_at_white_space_and_at_quotes() {
    for (text, expected) in [
        ("a b", "a b\n"),
        ("a\u{a0}b\u{2003}c\td", "a b c d\n"),
        ("a b\rc\r\nd", "a bc\nd\n"),
        ("\u{feff}a b", "a b\n"),
        ("a \"x\"y", "a x y\n"),
        ("a \"x\"\"y\"", "a x y\n"),
        ("a x\"y\"", "a x\"y\"\n"),
        ("a 'x y'", "a 'x y'\n"),
        ("a \"\"", "a \"\"\n"),
        ("\"a\" b", "a b\n"),
        ("a b{ {} }c {c}", "a b{ {} }c {c}\n"),
        ("a \"{\" \"}\"", "a \"{\" \"}\"\n"),
    ] {
        check(text, expected);
    }
}

#[test]
fn a_quote_keeps_lines_and_all_backslashes_but_one() {
    for (text, expected) in [
        ("a \"b c\"", &["b c"][..]),
        ("a \"b\nc\" d", &["b\nc", "d"]),
        ("a \"b\r\nc\"", &["b\r\nc"]),
        (r#"a "b\"c""#, &["b\"c"]),
        (r#"a "b\\" c"#, &[r"b\\", "c"]),
        (r#"a "b\nc""#, &[r"b\nc"]),
        (r#"a b\"c"#, &[r#"b\"c"#]),
        ("a \"b # c\"", &["b # c"]),
    ] {
        let tree = tree(text);
        assert_eq!(
            tree.nodes[0].texts().collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    }
}

/// maddy's lexer has no errors, so a forgotten quote takes the rest of the file.
#[test]
fn an_open_quote_runs_to_the_end_of_the_file() {
    check("a \"b c\nd", "a \"b c\nd\"\n");
    check("a b \"", "a b\n");
    check("a \"b\\", "a b\n");
}

#[test]
fn a_comment_begins_where_a_token_could() {
    for (text, expected) in [
        ("# a { \" }\nb", "b\n"),
        ("a b # c {\nd", "a b\nd\n"),
        ("a b #c", "a b\n"),
        ("a \"b\"#c\nd", "a b\nd\n"),
        ("a b#c d", "a b#c d\n"),
        ("#", ""),
        ("", ""),
        (" \n\t\r\n ", ""),
    ] {
        check(text, expected);
    }
}

#[test]
fn a_lone_backslash_continues_the_line() {
    for (text, expected) in [
        ("a b \\\n c", "a b c\n"),
        ("a b \\\n\n# no\n\n c\nd", "a b c\nd\n"),
        ("a b \\\n c \\\n d", "a b c d\n"),
        ("a b \\\n {\n c\n}", "a b {\n    c\n}\n"),
        ("a {\n b c \\\n}", "a {\n    b c\n}\n"),
        ("a b \\", "a b\n"),
        ("a b\\\nc", "a b\\\nc\n"),
        ("a \\ b", "a \\ b\n"),
    ] {
        check(text, expected);
    }
}

#[test]
fn blocks_open_at_the_end_of_a_line_and_close_after_a_child() {
    for (text, expected) in [
        ("a {\n b\n}", "a {\n    b\n}\n"),
        (
            "a x {\n b y {\n c\n }\n d\n}\ne",
            "a x {\n    b y {\n        c\n    }\n    d\n}\ne\n",
        ),
        ("a { b\nc\n}", "a {\n    b\n    c\n}\n"),
        ("a b { c d }", "a b {\n    c d\n}\n"),
        ("a b { c d }\ne", "a b {\n    c d\n}\ne\n"),
        ("a { }", "a { }\n"),
        ("a {\n}\nb", "a { }\nb\n"),
        ("a { b { c\n}\n}", "a {\n    b {\n        c\n    }\n}\n"),
    ] {
        check(text, expected);
    }
    assert!(tree("a").nodes[0].block.is_none());
    assert!(
        tree("a { }").nodes[0]
            .block
            .as_ref()
            .is_some_and(Vec::is_empty)
    );
}

#[test]
fn names_are_letters_digits_and_three_signs() {
    for name in [
        "a",
        "Imap",
        "storage.imapsql",
        "a-b_c.d1",
        "-a",
        "_",
        ".",
        "имя",
        "naïve",
    ] {
        check(name, &format!("{name}\n"));
    }
    for (text, expected) in [
        ("\"\" a", "F:1:1: empty directive name\n"),
        ("1a", "F:1:1: directive name cannot start with a digit\n"),
        (
            "a {\n  ٣a\n}",
            "F:2:3: directive name cannot start with a digit\n",
        ),
        (
            "\n a/b c",
            "F:2:2: character not allowed in directive name: /\n",
        ),
        (
            "a{ b",
            "F:1:1: character not allowed in directive name: {\n",
        ),
        (
            "{env:WORLD}",
            "F:1:1: character not allowed in directive name: {\n",
        ),
        (
            "\"a b\"",
            "F:1:1: character not allowed in directive name:  \n",
        ),
        (
            "\"a\nb\"",
            "F:1:1: character not allowed in directive name: \\n\n",
        ),
        (
            "() {\n}",
            "F:1:1: character not allowed in directive name: (\n",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn braces_out_of_place_are_refused() {
    let header = "Syntax error: Unexpected token '{', expecting 'block header'";
    for (text, expected) in [
        ("{ a }", format!("F:1:1: {header}\n")),
        ("a\n  {\n}", format!("F:2:3: {header}\n")),
        ("a { {\n} }", format!("F:1:5: {header}\n")),
        ("a\n}", "F:2:1: unexpected }\n".to_owned()),
        ("a }", "F:1:3: unexpected }\n".to_owned()),
        ("a {\n}\n}", "F:3:1: unexpected }\n".to_owned()),
        (
            "a {\n b",
            "F:2:3: unexpected EOF when looking for }\n".to_owned(),
        ),
        (
            "a {",
            "F:1:4: unexpected EOF when looking for }\n".to_owned(),
        ),
        (
            "a { } b",
            "F:1:7: newline is required after closing brace\n".to_owned(),
        ),
        (
            "a {\n} b",
            "F:2:3: newline is required after closing brace\n".to_owned(),
        ),
        (
            "a {\n b\n} }",
            "F:3:3: newline is required after closing brace\n".to_owned(),
        ),
        (
            "a { b { c } }",
            "F:1:13: newline is required after closing brace\n".to_owned(),
        ),
        (
            "a { b } c",
            "F:1:9: newline is required after closing brace\n".to_owned(),
        ),
    ] {
        check(text, &expected);
    }
}

/// A quote left open eats the brace that should close the block; the error says which quote.
#[test]
fn the_end_of_the_file_in_a_block_points_at_block_and_quote() {
    let errors = load_files(&[("F", "a {\n b \"c\n}\n")]).expect_err("never closed");
    let labels: Vec<_> = errors.errors[0]
        .labels
        .iter()
        .map(|(at, text)| (at.line, text))
        .collect();
    let texts = [
        "this block is not closed",
        "this quote runs to the end of the file",
    ];
    assert_eq!(
        labels,
        [(1, &texts[0].to_owned()), (2, &texts[1].to_owned())]
    );
}

/// Lines from 1, columns from 1 in characters, bytes in the file without its byte order mark.
#[test]
fn every_word_knows_its_place() {
    let tree = tree("\u{feff}é b\n\n  c \"d\ne\" f\\ {\n}\n  ж \\\n  x {\n g\n}\n");
    let places = |at: usize| {
        let node = &tree.nodes[at];
        let words = std::iter::once(&node.name).chain(&node.args);
        let spans = words.map(|word| word.span);
        spans
            .map(|at| (at.line, at.column, at.start..at.end))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(0), [(1, 1, 0..2), (1, 3, 3..4)]);
    assert_eq!(places(1), [(3, 3, 8..9), (3, 5, 10..15), (4, 4, 16..18)]);
    assert_eq!(places(2).len(), 2);
    let span = tree.nodes[1].span();
    assert_eq!(
        (span.line, span.column, span.start, span.end),
        (3, 3, 8, 18)
    );
    assert_eq!(tree.files.locate(span), "F:3:3");
}

//! A file can't make the tree, the stack or the time grow without bound.

use pillarbox_config::limit;

use crate::{check, outcome};

fn nested(depth: usize) -> String {
    format!("{}{}", "a {\n".repeat(depth), "}\n".repeat(depth))
}

#[test]
fn blocks_nest_to_the_limit_and_no_deeper() {
    assert!(outcome(&[("F", &nested(limit::NESTING))]).starts_with("a {"));
    let line = limit::NESTING + 1;
    check(
        &nested(limit::NESTING + 1),
        &format!("F:{line}:3: nesting limit reached\n"),
    );
    check(
        &nested(100_000),
        &format!("F:{line}:3: nesting limit reached\n"),
    );
}

/// Each of the two is within the limit, but the tree would not be.
#[test]
fn imports_count_as_nesting() {
    let half = limit::NESTING / 2 + 1;
    let text = format!(
        "(s) {{\n{}}}\n{}import s\n{}",
        nested(half),
        "a {\n".repeat(half),
        "}\n".repeat(half)
    );
    assert!(outcome(&[("F", &text)]).ends_with("nesting limit reached\n"));
}

/// Every snippet imports the next one twice: 2^100 directives if nobody stopped it.
#[test]
fn imports_that_double_end() {
    let mut text: String = (0..100)
        .map(|n| format!("(s{n}) {{\nimport s{0}\nimport s{0}\n}}\n", n + 1))
        .collect();
    text.push_str("(s100) { }\nimport s0\n");
    let expected = format!(
        "the configuration grows beyond {} imports\n",
        limit::IMPORTS
    );
    assert!(outcome(&[("F", &text)]).ends_with(&expected));
}

#[test]
fn a_file_that_imports_itself_twice_ends() {
    assert_eq!(
        outcome(&[("F", "import F\nimport F\n")]),
        "F:1:1: hit import expansion limit\n"
    );
}

#[test]
fn macros_that_double_end() {
    let mut words = "$(m0) = x\n".to_owned();
    let mut bytes = "$(m0) = xxxxxxxxxxxxxxxx\n".to_owned();
    for n in 1..64 {
        words.push_str(&format!("$(m{n}) = $(m{0}) $(m{0})\n", n - 1));
        bytes.push_str(&format!("$(m{n}) = $(m{0})$(m{0})\n", n - 1));
    }
    let end = format!("the configuration grows beyond {} words\n", limit::WORDS);
    assert!(outcome(&[("F", &words)]).ends_with(&end));
    let end = format!("the configuration grows beyond {} bytes\n", limit::BYTES);
    assert!(outcome(&[("F", &bytes)]).ends_with(&end));
}

#[test]
fn a_file_of_too_many_words_is_refused() {
    let text = "a\n".repeat(limit::WORDS + 1);
    let end = format!(
        "F:{}:1: more than {} words in a file\n",
        limit::WORDS + 1,
        limit::WORDS
    );
    check(&text, &end);
}

/// One large file is fine once; what counts is how often it is read.
#[test]
fn bytes_are_counted_at_each_import() {
    let comment = format!("#{}\n", "x".repeat(limit::BYTES / 2));
    assert_eq!(outcome(&[("F", "import i"), ("i", &comment)]), "");
    let twice = outcome(&[("F", "import i\nimport i"), ("i", &comment)]);
    assert_eq!(
        twice,
        format!(
            "i:1:1: the configuration grows beyond {} bytes\n",
            limit::BYTES
        )
    );
}

#[test]
fn a_file_of_too_many_bytes_is_refused() {
    let text = " ".repeat(limit::BYTES + 1);
    let message = format!(
        "cannot read F: the file is longer than {} bytes",
        limit::BYTES
    );
    check(&text, &format!("F:1:1: {message}\n"));
}

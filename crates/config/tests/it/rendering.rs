//! Errors as people see them.

use pillarbox_config::{Directive, Error, Errors, Kind, Span, bind, limit};
use proptest::prelude::*;

use crate::{load_files, tree};

static TABLE: &[Directive] = &[
    Directive::new("storage", Kind::Custom, "", "The mail.").required(),
    Directive::new("debug", Kind::Bool, "no", "Says more."),
];

const TEXT: &str = "\
debug no

imap tcp://0.0.0.0:143 {
    storag &local
\tdebug yes # ж
    debug maybe
}
";

fn errors() -> Errors {
    let tree = tree(TEXT);
    let node = &tree.nodes[1];
    let errors = bind(node, node.children(), TABLE, None).expect_err("three mistakes");
    Errors::new(tree.files, errors)
}

#[test]
fn plain_errors_show_place_line_and_what_would_be_right() {
    let expected = "\
F:4:5: unexpected directive: storag
  |
4 |     storag &local
  |     ^^^^^^
  |
  = help: did you mean `storage`?

F:6:5: duplicate directive: debug
  |
6 |     debug maybe
  |     ^^^^^
  |
 ::: F:5:2
  |
5 |     debug yes # ж
  |     ----- first given here
  |
  = help: remove one of the two

F:3:1: missing required directive: storage
  |
3 | imap tcp://0.0.0.0:143 {
  | ^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: add `storage ...`
";
    assert_eq!(errors().render(false), expected);
}

#[test]
fn colour_is_only_given_if_asked_for() {
    let plain = errors().render(false);
    let coloured = errors().render(true);
    assert!(!plain.contains('\x1b') && coloured.contains('\x1b'));
    let mut stripped = String::new();
    for (at, piece) in coloured.split('\x1b').enumerate() {
        let text = if at == 0 {
            piece
        } else {
            piece.split_once('m').expect("a colour").1
        };
        stripped.push_str(text);
    }
    assert_eq!(stripped, plain);
}

/// A name may hold line ends and escapes, but the error stays one line and no terminal obeys it.
#[test]
fn what_the_file_says_does_not_move_the_cursor() {
    let errors = load_files(&[("F", "\"a\x1b[2J\" b\n")]).expect_err("a bad name");
    let rendered = errors.render(false);
    assert!(rendered.starts_with("F:1:1: character not allowed in directive name: \\u{1b}\n"));
    assert!(!rendered.contains('\x1b'), "{rendered}");
    let error = Error::new(Span::BUILT_IN, "two\nlines").help("also\nhere");
    let rendered = Errors::new(tree("").files, [error]).render(false);
    assert!(
        rendered.starts_with("<built-in>:1:1: two\\nlines\n"),
        "{rendered}"
    );
}

#[test]
fn labels_in_other_files_name_them() {
    let files = [
        ("F", "import i\nimap {\n import j\n debug\n}"),
        ("i", ""),
        ("j", "\ndebug\n"),
    ];
    let tree = load_files(&files).expect("a good file");
    let node = &tree.nodes[0];
    let errors = bind(node, node.children(), TABLE, None).expect_err("two mistakes");
    let rendered = Errors::new(tree.files.clone(), errors).render(false);
    assert!(
        rendered.starts_with("F:4:2: duplicate directive: debug\n"),
        "{rendered}"
    );
    assert!(rendered.contains("::: j:2:1\n"), "{rendered}");
}

#[test]
fn a_flood_of_errors_is_cut_short() {
    let error = Error::new(Span::BUILT_IN, "wrong");
    let errors = Errors::new(tree("").files, vec![error; limit::ERRORS + 7]);
    let rendered = errors.render(false);
    assert_eq!(rendered.matches(": wrong\n").count(), limit::ERRORS);
    assert!(rendered.ends_with("\nand 7 more errors\n"));
}

proptest! {
    /// Whatever is in the file and wherever the error is, it can be shown, place first.
    #[test]
    fn every_error_can_be_shown(
        text in "(\\PC|[ \\n\\r\\t\"{}\\\\\u{0}\u{1b}\u{200d}\u{300}\u{ff21}]){0,40}",
        start in 0u32..60,
        length in 0u32..60,
        colour: bool,
    ) {
        let comments = format!("# {}\na\n", text.replace('\n', "\n#"));
        let tree = load_files(&[("F", &comments)]).expect("comments and one directive");
        let span = Span { start, end: start + length, ..tree.nodes[0].name.span };
        let label = Span { start: length, end: start, ..span };
        let error = Error::new(span, text.as_str()).label(label, text.as_str()).help(text.as_str());
        let rendered = Errors::new(tree.files.clone(), [error]).render(colour);
        prop_assert!(rendered.trim_start_matches("\x1b[1m").starts_with("F:"), "{}", rendered);
    }
}

//! Macros, snippets, imports, environment.

use std::io;

use pillarbox_config::load;

use crate::{check, outcome, tree};

#[test]
fn a_macro_stands_for_its_values() {
    for (text, expected) in [
        ("$(m) = x\na $(m)", "a x\n"),
        ("$(m) = x y\na $(m) z", "a x y z\n"),
        ("$(m) = x\na b$(m)c$(m)", "a bxcx\n"),
        ("$(m) = x\n$(n) = y\na $(m)$(n)", "a xy\n"),
        ("$(m) = \"x y\"\na $(m)", "a \"x y\"\n"),
        ("$(m) = x\na \"b $(m)\"", "a \"b x\"\n"),
        ("$(m) = x y\n$(n) = z $(m)\na $(n)", "a z x y\n"),
        ("$(m) = x\n$(m) = $(m)y\na $(m)", "a xy\n"),
        (
            "$(m) = x\na {\n b $(m) {\n c $(m)\n }\n}",
            "a {\n    b x {\n        c x\n    }\n}\n",
        ),
        ("a $(m) b", "a b\n"),
        ("a x$(m)", "a x\n"),
        ("a $(m", "a $(m\n"),
        ("$(m) = x\na $(m) $(m $(m)", "a x $(m x\n"),
        ("\"$(two words)\" = x\na \"$(two words)\"", "a x\n"),
    ] {
        check(text, expected);
    }
}

/// Expansion goes from top to bottom, so a macro is nothing above its declaration, and a later
/// declaration replaces an earlier one from there on.
#[test]
fn a_macro_is_known_from_its_line_on() {
    check(
        "a $(m) x\n$(m) = y\nb $(m)\n$(m) = z\nc $(m)",
        "a x\nb y\nc z\n",
    );
}

#[test]
fn macro_mistakes() {
    for (text, message) in [
        ("$(m)", "F:1:1: at least 2 arguments are required"),
        ("$(m) =", "F:1:1: at least 2 arguments are required"),
        ("$(m) x", "F:1:1: at least 2 arguments are required"),
        ("$(m) x y", "F:1:1: missing = in macro declaration"),
        ("$(m = x", "F:1:1: macro name must end with )"),
        (
            "$(m) = x {\n}",
            "F:1:1: macro declarations can't have a block",
        ),
        (
            "a {\n $(m) = x\n}",
            "F:2:2: macro declarations are only allowed at top-level",
        ),
        (
            "a {\n $(m) x\n}",
            "F:2:2: can't use macro argument as directive name",
        ),
        (
            "$(m) = x\na$(m) y",
            "F:2:1: can't use macro argument as directive name",
        ),
        (
            "$(m) = x y\na b$(m)",
            "F:2:3: can't expand macro with multiple arguments inside a string",
        ),
    ] {
        check(text, &format!("{message}\n"));
    }
}

/// `$(m) = $(nothing)` declares a macro without values, which is nothing where it is used.
#[test]
fn a_macro_may_turn_out_empty() {
    check("$(m) = $(n)\na $(m) b", "a b\n");
}

#[test]
fn a_word_out_of_a_macro_is_where_the_macro_was_used() {
    let tree = tree("$(m) = x y\n\na $(m)\n");
    let places: Vec<_> = tree.nodes[0]
        .args
        .iter()
        .map(|word| tree.files.locate(word.span))
        .collect();
    assert_eq!(places, ["F:3:3", "F:3:3"]);
}

#[test]
fn a_snippet_comes_where_it_is_imported() {
    for (text, expected) in [
        (
            "(s) {\n b c\n d\n}\na {\n import s\n e\n}",
            "a {\n    b c\n    d\n    e\n}\n",
        ),
        ("a {\n import s\n}\n(s) {\n b\n}", "a {\n    b\n}\n"),
        ("(s) { b }\nimport s\nimport s", "b\nb\n"),
        ("(s)\nimport s\na", "a\n"),
        ("(s) { }\nimport s\na", "a\n"),
        ("(s) { b }\n(s) { c }\nimport s", "c\n"),
        (
            "(s) { import t }\n(t) { b }\na { import s }",
            "a {\n    b\n}\n",
        ),
        ("$(m) = x\n(s) { b $(m) }\n$(m) = y\nimport s", "b x\n"),
        ("$(m) = s\n(s) { b }\nimport $(m)", "b\n"),
    ] {
        check(text, expected);
    }
}

#[test]
fn snippet_and_import_mistakes() {
    for (text, message) in [
        (
            "a {\n (s) {\n }\n}",
            "F:2:2: snippet declarations are only allowed at top-level",
        ),
        (
            "(s) x {\n}",
            "F:1:1: snippet declarations can't have arguments",
        ),
        (
            "import",
            "F:1:1: import directive requires exactly 1 argument",
        ),
        (
            "a {\n import b c\n}",
            "F:2:2: import directive requires exactly 1 argument",
        ),
        ("import s {\n b\n}", "F:1:1: can't declare block here"),
        ("a\nimport s", "F:2:8: unknown import: s"),
        ("import {env:WORLD}", "F:1:8: unknown import: {env:WORLD}"),
        (
            "(s) {\n import s\n}\na {\n import s\n}",
            "F:2:2: hit import expansion limit",
        ),
        (
            "(s) { import t }\n(t) { import s }\nimport s",
            "F:2:7: hit import expansion limit",
        ),
        ("import F", "F:1:1: hit import expansion limit"),
    ] {
        check(text, &format!("{message}\n"));
    }
}

/// An import looks for a snippet, then for a file beside the importing one, then with `.conf`.
#[test]
fn files_are_found_beside_the_file_that_imports() {
    for (name, other, expected) in [
        ("x", "etc/x", "b\n"),
        ("x", "etc/x.conf", "b\n"),
        ("x.conf", "etc/x.conf", "b\n"),
        ("sub/x", "etc/sub/x", "b\n"),
        ("/else/x", "/else/x.conf", "b\n"),
        ("x", "x", "etc/F:1:8: unknown import: x\n"),
    ] {
        let text = format!("import {name}");
        assert_eq!(
            outcome(&[("etc/F", &text), (other, "b")]),
            expected,
            "{name} {other}"
        );
    }
    let both = [("F", "import x"), ("x", "b"), ("x.conf", "c")];
    assert_eq!(outcome(&both), "b\n");
    let snippet = [("F", "(x) { c }\nimport x"), ("x", "b")];
    assert_eq!(outcome(&snippet), "c\n");
    let nested = [
        ("etc/F", "import sub/x"),
        ("etc/sub/x", "import y"),
        ("etc/sub/y", "b"),
    ];
    assert_eq!(outcome(&nested), "b\n");
}

/// Macros end with their file, in both directions; snippets go on to all that is read after.
#[test]
fn macros_stay_in_their_file_and_snippets_do_not() {
    let inwards = [("F", "$(m) = x\nimport i"), ("i", "a $(m) b")];
    assert_eq!(outcome(&inwards), "a b\n");
    let outwards = [("F", "import i\na $(m) b"), ("i", "$(m) = x")];
    assert_eq!(outcome(&outwards), "a b\n");
    let snippets = [
        ("F", "import i\nimport j\na { import s }"),
        ("i", "(s) { b }"),
        ("j", "import s"),
    ];
    assert_eq!(outcome(&snippets), "b\na {\n    b\n}\n");
}

#[test]
fn an_imported_directive_is_where_it_was_written() {
    let files = [("F", "import i\n"), ("i", "\n\n  a b\n c {\n x \"\n")];
    assert_eq!(
        outcome(&files),
        "i:6:1: unexpected EOF when looking for }\n"
    );
    let files = [("F", "(s) {\n\n  b\n}\na { import s }")];
    let tree = crate::load_files(&files).expect("a good file");
    assert_eq!(
        tree.files.locate(tree.nodes[0].children()[0].name.span),
        "F:3:3"
    );
}

#[test]
fn each_file_is_read_once() {
    let mut asked = Vec::new();
    let mut read = |path: &str| {
        asked.push(path.to_owned());
        match path {
            "F" => Ok("import i\nimport i\n".to_owned()),
            "i" => Ok("a".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    };
    let tree = load("F", &mut read, &|_| None).expect("a good file");
    assert_eq!(
        (tree.nodes.len(), tree.files.paths().collect::<Vec<_>>()),
        (2, vec!["F", "i"])
    );
    assert_eq!(asked, ["F", "i"]);
}

#[test]
fn what_cannot_be_read_is_told_where_it_was_asked_for() {
    let denied = |_: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, "denied"));
    let errors = load("dir/F", &mut { denied }, &|_| None).expect_err("unreadable");
    assert_eq!(errors.to_string(), "dir/F:1:1: cannot read dir/F: denied");

    let mut read = |path: &str| {
        if path == "F" {
            Ok("a\nimport i".to_owned())
        } else {
            denied(path)
        }
    };
    let errors = load("F", &mut read, &|_| None).expect_err("unreadable");
    assert_eq!(errors.to_string(), "F:2:8: cannot read i: denied");
}

#[test]
fn the_environment_is_put_in_last() {
    for (text, expected) in [
        ("a {env:WORLD}", "a mundi\n"),
        ("a x{env:WORLD}y{env:WORLD}", "a xmundiymundi\n"),
        ("a \"{env:WORLD}\"", "a mundi\n"),
        ("a {env:UNSET} b", "a \"\" b\n"),
        ("a {env:SPACED}", "a \"a b\"\n"),
        ("a {env:WORLD", "a {env:WORLD\n"),
        (
            "a {env:UNSET}{env:WORLD {env:WORLD}",
            "a {env:WORLD mundi\n",
        ),
        ("$(m) = {env:WORLD}\na $(m)", "a mundi\n"),
        ("$(m) = x\na {env:MACRO}", "a $(m)\n"),
        (
            "(s) { b {env:WORLD} }\na { import s }",
            "a {\n    b mundi\n}\n",
        ),
    ] {
        check(text, expected);
    }
}

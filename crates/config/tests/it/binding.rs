//! Blocks read by a table.

use std::time::Duration;

use pillarbox_config::{
    Bound, Directive, Errors, Kind, Reference, bind, bind_top, check_table, limit, reference,
};

use crate::tree;

static TABLE: &[Directive] = &[
    Directive::new("debug", Kind::Bool, "no", "Says more. Much more.").inherit(),
    Directive::new("read_timeout", MINUTES, "10m", "How long to wait."),
    Directive::new(
        "appendlimit",
        Kind::Size {
            min: 1,
            max: 1 << 30,
        },
        "32M",
        "The limit.",
    ),
    Directive::new(
        "backlog",
        Kind::Integer { min: 1, max: 9 },
        "5",
        "The backlog.",
    ),
    Directive::new("hostname", Kind::Text, "", "The name.")
        .inherit()
        .aliases(&["host_name"]),
    Directive::new("init", Kind::TextList, "", "Queries.").repeat(),
    Directive::new(
        "normalize",
        Kind::Enum(&["auto", "noop"]),
        "auto",
        "The function.",
    ),
    Directive::new("listen", Kind::Addresses, "tcp://:1", "Where."),
    Directive::new("auth", Kind::Module("auth"), "", "Who.").repeat(),
    Directive::new("storage", Kind::Module("storage"), "", "Where to.").required(),
    Directive::new("entry", Kind::Custom, "", "Anything.").repeat(),
];

const MINUTES: Kind = Kind::Duration {
    min: Duration::from_secs(1),
    max: Duration::from_secs(3600),
};

#[track_caller]
fn with_bound(block: &str, check: impl FnOnce(&Bound<'_>)) {
    let tree = tree(&format!("imap {{\n{block}\nstorage &s\n}}"));
    let node = &tree.nodes[0];
    match bind(node, node.children(), TABLE, None) {
        Ok(bound) => check(&bound),
        Err(errors) => panic!("{}", Errors::new(tree.files, errors)),
    }
}

/// `block` with a good `storage` at the end is refused with just these lines.
#[track_caller]
fn refused(block: &str, expected: &str) {
    let tree = tree(&format!("imap {{\n{block}\nstorage &s\n}}"));
    let node = &tree.nodes[0];
    let errors = bind(node, node.children(), TABLE, None).expect_err(block);
    assert_eq!(
        Errors::new(tree.files.clone(), errors).to_string(),
        expected,
        "{block}"
    );
}

#[test]
fn the_table_is_sound() {
    assert_eq!(check_table(TABLE), Ok(()));
}

#[test]
fn defaults_count_where_nothing_is_written() {
    with_bound("", |bound| {
        assert!(!bound.flag("debug"));
        assert_eq!(bound.duration("read_timeout"), Duration::from_secs(600));
        assert_eq!(bound.size("appendlimit"), 32 << 20);
        assert_eq!(bound.integer("backlog"), 5);
        assert_eq!(bound.text("hostname"), None);
        assert_eq!(bound.list("init"), Vec::<&str>::new());
        assert_eq!(bound.choice("normalize"), "auto");
        assert_eq!(bound.addresses("listen")[0].to_string(), "tcp://:1");
        assert!(bound.nodes("auth").is_empty() && bound.node("entry").is_none());
        assert!(bound.is_set("storage") && !bound.is_set("debug"));
    });
}

#[test]
fn what_is_written_counts() {
    let block = "debug\nread_timeout 1m 30s\nappendlimit 1M 1K\nbacklog 7\nhostname \"a b\"\n\
        init x y\ninit z\nnormalize noop\nlisten tcp://h:1 unix:x\nauth pam { }\nauth &b\n\
        entry a { b }\n";
    with_bound(block, |bound| {
        assert!(bound.flag("debug") && bound.is_set("debug"));
        assert_eq!(bound.duration("read_timeout"), Duration::from_secs(90));
        assert_eq!(bound.size("appendlimit"), (1 << 20) + (1 << 10));
        assert_eq!(bound.integer("backlog"), 7);
        assert_eq!(bound.text("hostname"), Some("a b"));
        assert_eq!(bound.list("init"), ["x", "y", "z"]);
        assert_eq!(bound.choice("normalize"), "noop");
        assert_eq!(bound.addresses("listen").len(), 2);
        assert_eq!(bound.nodes("auth").len(), 2);
        assert_eq!(
            bound.node("entry").map(|node| node.children().len()),
            Some(1)
        );
    });
}

/// An empty block is as good as none, also where none is allowed.
#[test]
fn an_empty_block_is_no_block() {
    with_bound("debug yes { }\nauth &a { }", |bound| {
        assert!(bound.flag("debug"))
    });
}

#[test]
fn aliases_are_the_same_directive() {
    with_bound("host_name x", |bound| {
        assert_eq!(bound.text("hostname"), Some("x"))
    });
    refused(
        "hostname x\nhost_name y",
        "F:3:1: duplicate directive: host_name",
    );
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    for (line, message) in [
        ("debug maybe", "7: bool argument should be 'yes' or 'no'"),
        ("debug yes no", "1: expected exactly 1 argument"),
        ("debug { x }", "1: can't declare block here"),
        ("read_timeout", "1: at least one argument is required"),
        ("read_timeout 5", "14: time: missing unit in duration \"5\""),
        (
            "read_timeout 5d",
            "14: time: unknown unit \"d\" in duration \"5d\"",
        ),
        ("read_timeout -5s", "14: duration must not be negative"),
        (
            "read_timeout 2h",
            "14: value out of range: must be from 1s to 1h",
        ),
        ("appendlimit", "1: at least one argument is required"),
        ("appendlimit 32MB", "13: unknown unit suffix: MB"),
        ("appendlimit 32M5K", "13: unexpected digit after a suffix"),
        ("appendlimit \"\"", "13: missing a number"),
        (
            "appendlimit 0",
            "13: value out of range: must be from 1B to 1G",
        ),
        ("backlog", "1: expected 1 argument"),
        ("backlog x", "9: invalid integer: x"),
        ("backlog 10", "9: value out of range: must be from 1 to 9"),
        ("hostname", "1: expected 1 argument"),
        ("hostname a b", "1: expected 1 argument"),
        ("init", "1: expected at least one argument"),
        ("normalize", "1: expected exactly 1 argument"),
        (
            "normalize x",
            "11: invalid argument, valid values are: [auto noop]",
        ),
        ("listen", "1: expected at least one argument"),
        (
            "listen x:1",
            "8: listen: invalid address: x:1: unsupported scheme: x",
        ),
        ("auth", "1: at least one argument is required"),
        ("auth &", "6: empty name of a configuration block"),
        (
            "auth &a b",
            "1: exactly one argument is required to use existing config block",
        ),
        (
            "auth &a { b }",
            "1: exactly one argument is required to use existing config block",
        ),
    ] {
        refused(line, &format!("F:2:{message}"));
    }
}

#[test]
fn unknown_and_repeated_directives_are_refused() {
    refused("debug\nio_debug x", "F:3:1: unexpected directive: io_debug");
    refused("debug\ndebug no", "F:3:1: duplicate directive: debug");
    let text = "imap {\n storag &s\n}";
    let tree = tree(text);
    let errors = bind(&tree.nodes[0], tree.nodes[0].children(), TABLE, None).expect_err(text);
    assert_eq!(errors[0].help.as_deref(), Some("did you mean `storage`?"));
}

#[test]
fn what_is_required_is_missed_at_the_block_that_lacks_it() {
    let tree = tree("\n  imap tcp://h:1 {\n}");
    let errors = bind(&tree.nodes[0], &[], TABLE, None).expect_err("no storage");
    let errors = Errors::new(tree.files.clone(), errors);
    assert_eq!(
        errors.to_string(),
        "F:2:3: missing required directive: storage"
    );
}

/// All errors of a block come at once, but not more than a screen of them.
#[test]
fn a_block_tells_all_its_errors() {
    let lines = "F:2:1: unexpected directive: a\nF:3:7: bool argument should be 'yes' or 'no'\n\
        F:4:1: duplicate directive: debug";
    refused("a\ndebug x\ndebug", lines);

    let tree = tree(&format!("imap {{\n{}}}", "x\n".repeat(1000)));
    let errors = bind(&tree.nodes[0], tree.nodes[0].children(), TABLE, None).expect_err("all");
    assert_eq!(errors.len(), limit::ERRORS);
}

static GLOBAL: &[Directive] = &[
    Directive::new("debug", Kind::Bool, "no", "Says more."),
    Directive::new("hostname", Kind::Text, "", "The name."),
    Directive::new(
        "storage",
        Kind::Module("storage"),
        "",
        "Not inherited by the table above.",
    ),
];

#[test]
fn rows_that_inherit_take_the_value_of_the_scope_around() {
    let tree = tree("debug\nimap {\n storage &s\n}\nimap {\n storage &s\n debug no\n}\nhostname x");
    let (global, modules) = bind_top(&tree, GLOBAL).expect("good globals");
    assert_eq!(modules.len(), 2);
    let inner = |at: usize| {
        let node: &_ = modules[at];
        bind(node, node.children(), TABLE, Some(&global)).expect("a good block")
    };
    assert!(inner(0).flag("debug") && inner(0).is_set("debug"));
    assert!(!inner(1).flag("debug"));
    assert_eq!(inner(0).text("hostname"), Some("x"));
    assert_eq!(
        inner(0).node("hostname").map(|node| node.name.span.line),
        Some(9)
    );
}

#[test]
fn a_default_of_the_scope_around_is_not_inherited() {
    static OUTER: &[Directive] = &[Directive::new("debug", Kind::Bool, "yes", "Says more.")];
    let tree = tree("imap {\n storage &s\n}");
    let (outer, modules) = bind_top(&tree, OUTER).expect("nothing to refuse");
    let bound = bind(modules[0], modules[0].children(), TABLE, Some(&outer)).expect("good");
    assert!(outer.flag("debug") && !bound.flag("debug"));
}

#[test]
fn what_does_not_inherit_is_missed_all_the_same() {
    let tree = tree("storage &s\nimap {\n}");
    let (global, modules) = bind_top(&tree, GLOBAL).expect("good globals");
    let errors = bind(modules[0], &[], TABLE, Some(&global)).expect_err("no storage");
    assert_eq!(errors[0].message, "missing required directive: storage");
}

#[test]
fn a_required_row_may_be_inherited() {
    static INNER: &[Directive] = &[Directive::new("hostname", Kind::Text, "", "The name.")
        .required()
        .inherit()];
    let tree = tree("hostname x\nlmtp {\n}");
    let (global, modules) = bind_top(&tree, GLOBAL).expect("good globals");
    let bound = bind(modules[0], &[], INNER, Some(&global)).expect("inherited");
    assert_eq!(bound.text("hostname"), Some("x"));
    assert!(bind(modules[0], &[], INNER, None).is_err());
}

#[test]
fn references_are_names_or_modules_in_place() {
    let tree = tree("a &s\nb pam\nc pass_table file x { y }\nd k file x");
    let name = |at: usize, skip| reference(&tree.nodes[at], skip).map(|module| module.name());
    assert_eq!(name(0, 0).ok(), Some("s"));
    assert_eq!(name(1, 0).ok(), Some("pam"));
    assert_eq!(name(3, 1).ok(), Some("file"));
    assert!(name(3, 3).is_err());
    match reference(&tree.nodes[2], 0) {
        Ok(Reference::Inline {
            module,
            args,
            block,
            node,
        }) => {
            assert_eq!(
                (module.text.as_str(), args.len(), block.len()),
                ("pass_table", 2, 1)
            );
            assert_eq!(node.name.text, "c");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "asserts in debug builds only")]
#[should_panic(expected = "no directive nonsense in the table")]
fn asking_for_what_is_not_in_the_table_is_a_bug() {
    with_bound("", |bound| assert!(!bound.flag("nonsense")));
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "asserts in debug builds only")]
#[should_panic(expected = "backlog is not of this type")]
fn asking_for_another_type_is_a_bug() {
    with_bound("", |bound| assert!(!bound.flag("backlog")));
}

#[test]
fn unsound_tables_are_found() {
    for (table, fault) in [
        (
            vec![
                Directive::new("a", Kind::Bool, "", "A."),
                Directive::new("b", Kind::Bool, "", "B.").aliases(&["a"]),
            ],
            "a: more than one row has this name",
        ),
        (vec![Directive::new("a", Kind::Bool, "", "")], "a: no text"),
        (
            vec![Directive::new("a", Kind::Bool, "no", "A.").required()],
            "a: required, and yet with a default",
        ),
        (
            vec![Directive::new("a", Kind::Bool, "x", "A.")],
            "a: bool argument should be 'yes' or 'no'",
        ),
        (
            vec![Directive::new("a", MINUTES, "2h", "A.")],
            "a: value out of range: must be from 1s to 1h",
        ),
    ] {
        assert_eq!(check_table(&table), Err(fault.to_owned()));
    }
}

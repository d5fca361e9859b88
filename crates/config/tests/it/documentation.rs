//! The documentation that comes out of a table.

use std::time::Duration;

use pillarbox_config::{Directive, Kind, bind_top, reference_page, sample};

use crate::{check, tree};

static TABLE: &[Directive] = &[
    Directive::new(
        "storage",
        Kind::Module("storage"),
        "",
        "The storage with the mail.\n\nSee [storage](storage.md).",
    )
    .required(),
    Directive::new("debug", Kind::Bool, "no", "Says more, e.g.this. And more.").inherit(),
    Directive::new("timeout", TIMEOUT, "30m", "How long.").aliases(&["idle_timeout"]),
    Directive::new("trust", Kind::TextList, "", "Whom to believe.").repeat(),
];

const TIMEOUT: Kind = Kind::Duration {
    min: Duration::from_secs(60),
    max: Duration::MAX,
};

#[test]
fn a_page_says_all_that_the_table_does() {
    let page = "\
# imap

An endpoint.

## storage

Syntax: `storage &NAME | MODULE [ARGUMENT...] [{ ... }]`  
**Required.**  
Modules: those of `storage`

The storage with the mail.

See [storage](storage.md).

## debug

Syntax: `debug [yes | no]`  
Default: `no`  
Inherited: where absent, the value of the enclosing scope counts.

Says more, e.g.this. And more.

## timeout

Syntax: `timeout DURATION`  
Default: `30m`  
Range: at least 1m  
Also written: `idle_timeout`

How long.

## trust

Syntax: `trust TEXT...`  
Default: none  
Repeatable: each occurrence counts.

Whom to believe.
";
    assert_eq!(reference_page("imap", "An endpoint.", TABLE), page);
}

#[test]
fn a_sample_is_commented_out_but_for_what_is_required() {
    let text = "\
# The storage with the mail.
storage &NAME | MODULE [ARGUMENT...] [{ ... }]

# Says more, e.g.this.
#debug no

# How long.
#timeout 30m

# Whom to believe.
#trust TEXT...
";
    assert_eq!(sample(TABLE), text);
    check(&sample(&TABLE[1..]), "");
}

/// Without the signs of comment, a sample sets everything to what it is anyway.
#[test]
fn a_sample_uncommented_is_the_defaults() {
    let text = sample(&TABLE[1..3]);
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(directive) if !directive.starts_with(' ') => directive,
        _ => line,
    });
    let tree = tree(&lines.collect::<Vec<_>>().join("\n"));
    let (_, unknown) = bind_top(&tree, &TABLE[1..3]).expect("the table's own defaults");
    assert!(unknown.is_empty());
    let written = tree.nodes.iter().map(|node| node.name.text.as_str());
    assert_eq!(written.collect::<Vec<_>>(), ["debug", "timeout"]);
}

#[test]
fn long_summaries_are_broken_into_lines() {
    static LONG: &[Directive] = &[Directive::new(
        "a",
        Kind::Bool,
        "no",
        "This is a sentence that is a good deal longer than what goes on one line of a terminal, \
         so that it is broken. This one is not shown.",
    )];
    let text = sample(LONG);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.lines().all(|line| line.len() <= 80)
            && text.contains("# terminal, so that it is broken.\n")
    );
}

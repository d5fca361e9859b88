//! A configuration that can be read can be written, and then reads the same; one that can't be
//! read says where.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use pillarbox_config::{Errors, Node, Tree, load, print};

fuzz_target!(|text: &str| {
    match read(text) {
        Ok(tree) => check_printed(&tree.nodes),
        Err(errors) => check_errors(&errors),
    }
});

/// The files `main`, `1`, `2` and so on stand one after another, with a form feed between.
fn read(text: &str) -> Result<Tree, Errors> {
    let mut file = |path: &str| {
        let nth = if path == "main" { Ok(0) } else { path.parse() };
        let found = nth.ok().and_then(|nth| text.split('\x0c').nth(nth));
        found
            .map(str::to_owned)
            .ok_or(io::ErrorKind::NotFound.into())
    };
    load("main", &mut file, &|name| {
        (name == "A").then(|| "a b".to_owned())
    })
}

fn check_printed(nodes: &[Node]) {
    // A value of the environment may complete a backslash or a reference, which can't be written.
    let Ok(printed) = print(nodes) else {
        return;
    };
    if printed.contains("$(") || printed.contains("{env:") {
        return;
    }
    let again = load("main", &mut |_| Ok(printed.clone()), &|_| None);
    let again = again.unwrap_or_else(|errors| panic!("{}\n{printed}", errors.render(false)));
    assert!(same(nodes, &again.nodes), "{printed}");
}

fn same(a: &[Node], b: &[Node]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_node(a, b))
}

fn same_node(a: &Node, b: &Node) -> bool {
    a.name.text == b.name.text
        && a.texts().eq(b.texts())
        && a.block.is_some() == b.block.is_some()
        && same(a.children(), b.children())
}

fn check_errors(errors: &Errors) {
    assert!(!errors.errors.is_empty());
    let rendered = errors.render(false);
    assert!(rendered.ends_with('\n'));
    assert!(rendered.split(':').count() >= 4, "{rendered}");
    errors.render(true);
}

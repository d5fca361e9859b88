//! `table.sql_query`: any database, by its own queries.

use pillarbox_config::{Bound, Directive, Kind};

use super::sql::{DRIVER, DSN, Queries, Sql};
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.sql_query",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Looks keys up in a database by queries of your own. The key is `:key`, the value \
          `:value`, or `$1` and `$2`. The first column of the rows found are the values.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::table(build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    DRIVER,
    DSN,
    Directive::new(
        "lookup",
        Kind::TextList,
        "",
        "The query for the values of a key.",
    )
    .required(),
    Directive::new(
        "init",
        Kind::TextList,
        "",
        "Statements to be run when the server starts, such as those that create a table. Each \
         argument is one.",
    ),
    Directive::new("list", Kind::TextList, "", "The query for all keys."),
    Directive::new(
        "add",
        Kind::TextList,
        "",
        "The statement that adds a key with its value.",
    ),
    Directive::new(
        "set",
        Kind::TextList,
        "",
        "The statement that changes the value of a key that is there.",
    ),
    Directive::new(
        "del",
        Kind::TextList,
        "",
        "The statement that removes a key.",
    ),
    Directive::new(
        "named_args",
        Kind::Bool,
        "yes",
        "Queries have `:key` and `:value`. Here it changes nothing: both forms are understood.",
    ),
];

fn build(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Sql> {
    let bound = declaration.bind(DIRECTIVES)?;
    if bound.choice("driver") == "postgres"
        && let Some(node) = bound.node("named_args")
        && bound.flag("named_args")
    {
        let message = "PostgreSQL driver does not support named_args";
        return Err(vec![pillarbox_config::Error::new(node.span(), message)]);
    }
    let queries = Queries {
        init: bound.list("init").into_iter().map(str::to_owned).collect(),
        lookup: query(&bound, "lookup").unwrap_or_default(),
        list: query(&bound, "list"),
        add: query(&bound, "add"),
        set: query(&bound, "set"),
        del: query(&bound, "del"),
    };
    Sql::build("sql_query", assembly, declaration, &bound, queries)
}

/// A query need not be quoted: its words are joined by spaces.
fn query(bound: &Bound<'_>, name: &str) -> Option<String> {
    bound.is_set(name).then(|| bound.list(name).join(" "))
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, look, look_error, now, refused_table, table};

    fn queries(more: &str) -> String {
        format!(
            "sql_query {{
                driver sqlite3
                dsn :memory:
                init \"CREATE TABLE t (k TEXT, v TEXT)\" \"
                    INSERT INTO t VALUES ('a', '1'), ('a', '2'), ('n', NULL)
                \"
                {more}
            }}"
        )
    }

    #[test]
    fn parameters_may_be_named_numbered_or_in_order() {
        for parameter in [":key", "$1", "?1", "?", "@key"] {
            let lookup = format!("lookup \"SELECT v FROM t WHERE k = {parameter} ORDER BY v\"");
            let table = table(&queries(&lookup));
            assert_eq!(look(&*table, "a"), ["1", "2"], "{parameter}");
            assert_eq!(first(&*table, "a").as_deref(), Some("1"));
            assert!(look(&*table, "b").is_empty());
            assert!(!look_error(&*table, "n").is_empty(), "NULL is no value");
        }
    }

    #[test]
    fn a_table_can_do_what_it_has_queries_for() {
        let table = table(&queries(
            "lookup \"SELECT v FROM t WHERE k = :key\"
             add INSERT INTO t VALUES (:key, :value)
             set UPDATE t SET v = :value WHERE k = :key",
        ));
        let writable = table.writable().unwrap();
        now(writable.set("x", "1")).unwrap();
        assert_eq!(look(&*table, "x"), ["1"]);
        let error = now(writable.remove("x")).unwrap_err().to_string();
        assert_eq!(error, "sql_query table is not mutable (no 'del' query)");
        assert!(now(writable.keys()).is_err());
    }

    #[test]
    fn errors_in_queries_show_at_once() {
        let refused = refused_table(&queries("lookup \"SELECT v FROM nowhere\""));
        assert!(
            refused.contains("sql_query: ") && refused.contains("lookup: no such table: nowhere")
        );
        let refused = refused_table(&queries("lookup \"SELECT v FROM t WHERE k = :kee\""));
        assert!(refused.contains("kee"), "{refused}");
        assert!(refused_table(&queries("")).contains("missing required directive: lookup"));
    }

    #[test]
    fn postgres_is_not_there_yet() {
        let block = "sql_query {\n driver postgres\n dsn x\n lookup x\n}";
        let refused = refused_table(block);
        assert!(refused.contains("test.conf:2:") && refused.contains("PostgreSQL support"));
        let named = block.replace("lookup x", "lookup x\n named_args yes");
        assert!(refused_table(&named).contains("does not support named_args"));
    }
}

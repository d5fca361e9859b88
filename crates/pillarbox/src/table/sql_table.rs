//! `table.sql_table`: a database table with a column of keys and a column of values.

use pillarbox_config::{Directive, Kind};

use super::sql::{DRIVER, DSN, Queries, Sql};
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.sql_table",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Looks keys up in one table of a database, which is created if it isn't there.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::table(build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    DRIVER,
    DSN,
    Directive::new("table_name", Kind::Text, "", "The name of the table.").required(),
    Directive::new("key_column", Kind::Text, "key", "The column of the keys."),
    Directive::new(
        "value_column",
        Kind::Text,
        "value",
        "The column of the values.",
    ),
];

fn build(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Sql> {
    let bound = declaration.bind(DIRECTIVES)?;
    let name = |directive| quote(bound.text(directive).unwrap_or_default());
    let queries = queries(
        &name("table_name"),
        &name("key_column"),
        &name("value_column"),
    );
    Sql::build("sql_table", assembly, declaration, &bound, queries)
}

/// An SQL identifier.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn queries(table: &str, key: &str, value: &str) -> Queries {
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {table} ({key} TEXT PRIMARY KEY NOT NULL, {value} TEXT NOT \
         NULL)"
    );
    Queries {
        init: vec![create],
        lookup: format!("SELECT {value} FROM {table} WHERE {key} = :key"),
        list: Some(format!("SELECT {key} FROM {table} ORDER BY {key}")),
        add: Some(format!(
            "INSERT INTO {table} ({key}, {value}) VALUES (:key, :value)"
        )),
        set: Some(format!(
            "UPDATE {table} SET {value} = :value WHERE {key} = :key"
        )),
        del: Some(format!("DELETE FROM {table} WHERE {key} = :key")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, now, refused_table, table, verify};

    #[test]
    fn entries_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names.db");
        let block = format!(
            "sql_table {{
                driver sqlite3
                dsn {}
                table_name \"odd \"\" name\"
            }}",
            path.display()
        )
        .replace("\"odd \"\" name\"", "\"odd name\"");
        let kept = table(&block);
        let writable = kept.writable().unwrap();
        now(writable.set("b", "1")).unwrap();
        now(writable.set("a", "2")).unwrap();
        now(writable.set("b", "3")).unwrap();
        assert_eq!(now(writable.keys()).unwrap(), ["a", "b"]);
        assert!(now(writable.remove("a")).unwrap());
        assert!(!now(writable.remove("a")).unwrap());

        let again = table(&block);
        assert_eq!(first(&*again, "b").as_deref(), Some("3"));
        assert_eq!(first(&*again, "a"), None);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(super::quote("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn verifying_creates_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names.db");
        let auth = format!(
            "auth.pass_table x {{
                table sql_table {{
                    driver sqlite3
                    dsn {}
                    table_name t
                }}
            }}",
            path.display()
        );
        verify(&auth, "x").unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_has_to_be_said() {
        let refused = refused_table("sql_table");
        for missing in ["driver", "dsn", "table_name"] {
            assert!(refused.contains(&format!("missing required directive: {missing}")));
        }
        let nowhere = "sql_table {\n driver sqlite3\n dsn /nonexistent/x.db\n table_name t\n}";
        assert!(refused_table(nowhere).contains("sql_table: /nonexistent/x.db: "));
    }
}

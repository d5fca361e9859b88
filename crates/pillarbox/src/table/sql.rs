//! What `table.sql_query` and `table.sql_table` have in common: a database and its queries.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use pillarbox_config::{Bound, Directive, Error, Kind};
use rusqlite::{Connection, OpenFlags, Statement};

use super::{Table, TableError, WritableTable};
use crate::Answer;
use crate::assemble::{Assembly, Mode};
use crate::module::{Built, Declaration};

/// The database; the same rows in both modules.
pub(super) const DRIVER: Directive = Directive::new(
    "driver",
    Kind::Enum(&["sqlite3", "postgres"]),
    "",
    "The kind of database.",
)
.required();
pub(super) const DSN: Directive = Directive::new(
    "dsn",
    Kind::TextList,
    "",
    "The database: for `sqlite3` the path of its file. Arguments are joined by spaces.",
)
.required();

/// How long a query waits for somebody else's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The texts of the queries. Without one of the last four, the table can't do that.
#[derive(Clone, Default)]
pub(super) struct Queries {
    pub(super) init: Vec<String>,
    pub(super) lookup: String,
    pub(super) list: Option<String>,
    pub(super) add: Option<String>,
    pub(super) set: Option<String>,
    pub(super) del: Option<String>,
}

impl Queries {
    /// All that are asked later, with the directives they come from.
    fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let optional = [
            ("list", &self.list),
            ("add", &self.add),
            ("set", &self.set),
            ("del", &self.del),
        ];
        std::iter::once(("lookup", self.lookup.as_str())).chain(
            optional
                .into_iter()
                .filter_map(|(name, query)| Some((name, query.as_deref()?))),
        )
    }
}

/// A table in a database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sql {
    /// Whose directives they are, for the texts of errors.
    module: &'static str,
    connection: Arc<Mutex<Connection>>,
    queries: Arc<Queries>,
}

impl Sql {
    /// Opens the database that the block names, makes it ready and prepares all queries once, so
    /// that errors in them show now. When verifying, nothing is created: a database that isn't
    /// there yet, or would be changed by `init`, is left alone.
    pub(super) fn build(
        module: &'static str,
        assembly: &Assembly<'_>,
        declaration: &Declaration<'_>,
        bound: &Bound<'_>,
        queries: Queries,
    ) -> Built<Self> {
        let path = database(module, assembly, declaration, bound)?;
        let verifying = assembly.mode() == Mode::Verify;
        let fault = |error: TableError| {
            vec![declaration.error(format!("{module}: {}: {error:#}", path.display()))]
        };
        let unusable = |error| {
            fault(error)
                .into_iter()
                .map(Error::may_pass)
                .collect::<Vec<_>>()
        };
        let connection = open(&path, verifying).map_err(unusable)?;
        let untouched = verifying && (!path.exists() || !queries.init.is_empty());
        if !untouched {
            prepare(&connection, &queries).map_err(fault)?;
        }
        Ok(Self {
            module,
            connection: Arc::new(Mutex::new(connection)),
            queries: Arc::new(queries),
        })
    }

    /// Runs `work` with the connection, on a thread where waiting is allowed.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Queries) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, TableError> {
        let this = self.clone();
        let job = move || {
            let connection = this.connection.lock();
            // A panic in a query leaves the connection as sound as an error in it would.
            let connection = connection.unwrap_or_else(PoisonError::into_inner);
            work(&connection, &this.queries)
        };
        let outcome = tokio::task::spawn_blocking(job).await?;
        outcome.with_context(|| self.module)
    }

    fn missing(&self, query: &str) -> TableError {
        anyhow!("{} table is not mutable (no '{query}' query)", self.module)
    }
}

/// The path of the database file.
fn database(
    module: &str,
    assembly: &Assembly<'_>,
    declaration: &Declaration<'_>,
    bound: &Bound<'_>,
) -> Built<PathBuf> {
    declaration.no_args()?;
    if bound.choice("driver") == "postgres" {
        let span = bound
            .node("driver")
            .map_or(declaration.span(), |node| node.span());
        let error = Error::new(span, format!("{module}: no PostgreSQL in this build"));
        let help = "it comes with PostgreSQL support; until then use `driver sqlite3`";
        return Err(vec![error.help(help)]);
    }
    Ok(assembly.path(&bound.list("dsn").join(" ")))
}

fn open(path: &Path, verifying: bool) -> Result<Connection, TableError> {
    let connection = if !verifying {
        Connection::open(path)?
    } else if path.exists() {
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?
    } else {
        Connection::open_in_memory()?
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn prepare(connection: &Connection, queries: &Queries) -> Result<(), TableError> {
    for query in &queries.init {
        connection.execute_batch(query).context("init")?;
    }
    for (name, query) in queries.named() {
        let mut statement = connection.prepare(query).context(name)?;
        bind(&mut statement, "", "").context(name)?;
    }
    Ok(())
}

/// Gives the parameters their values, whether they are named (`:key`, `:value`), numbered (`$1`,
/// `?1`) or only in order (`?`).
fn bind(statement: &mut Statement<'_>, key: &str, value: &str) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).map(|name| &name[1..]);
        let text = match name {
            Some("key" | "1") => key,
            Some("value" | "2") => value,
            None if index == 1 => key,
            None if index == 2 => value,
            _ => {
                let name = name.map_or_else(|| index.to_string(), str::to_owned);
                return Err(rusqlite::Error::InvalidParameterName(name));
            }
        };
        statement.raw_bind_parameter(index, text)?;
    }
    Ok(())
}

/// The first column of all rows, or of the first `most`.
fn texts(
    connection: &Connection,
    query: &str,
    key: &str,
    most: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(query)?;
    bind(&mut statement, key, "")?;
    let mut rows = statement.raw_query();
    let mut texts = Vec::new();
    while texts.len() < most
        && let Some(row) = rows.next()?
    {
        texts.push(row.get(0)?);
    }
    Ok(texts)
}

/// The number of rows changed.
fn execute(
    connection: &Connection,
    query: &str,
    key: &str,
    value: &str,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(query)?;
    bind(&mut statement, key, value)?;
    statement.raw_execute()
}

/// Values of one key; more are a mistake in the query.
const VALUES: usize = 10_000;

impl Table for Sql {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        let key = key.to_owned();
        Box::pin(async move {
            let found =
                self.run(move |connection, queries| texts(connection, &queries.lookup, &key, 1));
            Ok(found.await?.into_iter().next())
        })
    }

    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        let key = key.to_owned();
        Box::pin(
            self.run(move |connection, queries| texts(connection, &queries.lookup, &key, VALUES)),
        )
    }

    fn writable(&self) -> Option<&dyn WritableTable> {
        Some(self)
    }
}

impl WritableTable for Sql {
    fn keys(&self) -> Answer<'_, Result<Vec<String>, TableError>> {
        Box::pin(async {
            let list = self
                .queries
                .list
                .clone()
                .ok_or_else(|| self.missing("list"))?;
            self.run(move |connection, _| texts(connection, &list, "", usize::MAX))
                .await
        })
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a str) -> Answer<'a, Result<(), TableError>> {
        let (key, value) = (key.to_owned(), value.to_owned());
        Box::pin(async move {
            let add = self
                .queries
                .add
                .clone()
                .ok_or_else(|| self.missing("add"))?;
            let set = self
                .queries
                .set
                .clone()
                .ok_or_else(|| self.missing("set"))?;
            self.run(move |connection, _| {
                // Adding fails if the key is there; a real failure shows again when setting.
                execute(connection, &add, &key, &value)
                    .or_else(|_| execute(connection, &set, &key, &value))
            })
            .await
            .map(drop)
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, Result<bool, TableError>> {
        let key = key.to_owned();
        Box::pin(async move {
            let del = self
                .queries
                .del
                .clone()
                .ok_or_else(|| self.missing("del"))?;
            let changed = self.run(move |connection, _| execute(connection, &del, &key, ""));
            Ok(changed.await? > 0)
        })
    }
}

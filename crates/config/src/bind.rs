//! Reads a block by a table of directives.

use std::time::Duration;

use crate::address::{Address, addresses};
use crate::directive::{Directive, Kind};
use crate::error::{Error, Fault};
use crate::limit;
use crate::reference::reference;
use crate::suggest::nearest;
use crate::tree::{Node, Span, Tree};
use crate::unit;

/// What a block said, by a table: every row has a value, be it the default or nothing.
///
/// Asking for a directive that the table does not have, or for another type than its row says, is
/// a mistake of the program: it fails an assertion in debug builds, and gives a harmless value in
/// others.
#[derive(Clone, Debug)]
pub struct Bound<'t> {
    table: &'static [Directive],
    /// One for each row of the table.
    entries: Vec<Entry<'t>>,
}

#[derive(Clone, Debug, Default)]
struct Entry<'t> {
    /// The directives as written, here or, if none is here and the row inherits, further out.
    nodes: Vec<&'t Node>,
    value: Value<'t>,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Value<'t> {
    #[default]
    Nothing,
    Bool(bool),
    Duration(Duration),
    Size(u64),
    Integer(i64),
    Texts(Vec<&'t str>),
    Addresses(Vec<Address>),
}

/// Reads `children`, the block of `block_owner`, by a table. `outer` is what the enclosing scope
/// said, for rows that inherit.
///
/// # Errors
///
/// All that is wrong in the block, in the order of the file, then what is missing; at most
/// [`limit::ERRORS`].
pub fn bind<'t>(
    block_owner: &'t Node,
    children: &'t [Node],
    table: &'static [Directive],
    outer: Option<&Bound<'t>>,
) -> Result<Bound<'t>, Vec<Error>> {
    let mut binder = Binder::new(table);
    for node in children {
        if binder.errors.len() >= limit::ERRORS {
            break;
        }
        match binder.row(&node.name.text) {
            Some(row) => binder.take(row, node),
            None => binder.errors.push(unexpected(node, table)),
        }
    }
    binder.finish(block_owner.span(), outer)
}

/// Reads the top level by a table, and gives back the directives that the table does not know, for
/// these are modules.
///
/// # Errors
///
/// As [`bind`]; what is missing is missing at the beginning of the file.
pub fn bind_top<'t>(
    tree: &'t Tree,
    table: &'static [Directive],
) -> Result<(Bound<'t>, Vec<&'t Node>), Vec<Error>> {
    let mut binder = Binder::new(table);
    let mut rest = Vec::new();
    for node in &tree.nodes {
        if binder.errors.len() >= limit::ERRORS {
            break;
        }
        match binder.row(&node.name.text) {
            Some(row) => binder.take(row, node),
            None => rest.push(node),
        }
    }
    let bound = binder.finish(tree.beginning(), None)?;
    Ok((bound, rest))
}

impl<'t> Bound<'t> {
    /// The value of a [`Kind::Bool`]; without a default it is no.
    pub fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(value) => *value,
            other => wrong(name, other),
        }
    }

    /// The value of a [`Kind::Duration`]; without a default it is zero.
    pub fn duration(&self, name: &str) -> Duration {
        match self.value(name) {
            Value::Duration(value) => *value,
            other => wrong(name, other),
        }
    }

    /// The value of a [`Kind::Size`] in bytes; without a default it is zero.
    pub fn size(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Size(value) => *value,
            other => wrong(name, other),
        }
    }

    /// The value of a [`Kind::Integer`]; without a default it is zero.
    pub fn integer(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Integer(value) => *value,
            other => wrong(name, other),
        }
    }

    /// The value of a [`Kind::Text`] or [`Kind::Enum`]. If it repeats, the last one.
    pub fn text(&self, name: &str) -> Option<&'t str> {
        match self.value(name) {
            Value::Texts(texts) => texts.last().copied(),
            other => wrong(name, other),
        }
    }

    /// All arguments of a [`Kind::Text`], [`Kind::TextList`] or [`Kind::Enum`]; those of all
    /// occurrences if it repeats.
    pub fn list(&self, name: &str) -> Vec<&'t str> {
        match self.value(name) {
            Value::Texts(texts) => texts.clone(),
            other => wrong(name, other),
        }
    }

    /// The value of a [`Kind::Enum`]; without a default it is "".
    pub fn choice(&self, name: &str) -> &'t str {
        self.text(name).unwrap_or_default()
    }

    /// The value of a [`Kind::Addresses`].
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        match self.value(name) {
            Value::Addresses(addresses) => addresses.clone(),
            other => wrong(name, other),
        }
    }

    /// The directive as written, here or in the scope it is inherited from; the last one if it
    /// repeats.
    pub fn node(&self, name: &str) -> Option<&'t Node> {
        self.entry(name)?.nodes.last().copied()
    }

    /// All occurrences of the directive as written, in order.
    pub fn nodes(&self, name: &str) -> Vec<&'t Node> {
        self.entry(name)
            .map(|entry| entry.nodes.clone())
            .unwrap_or_default()
    }

    /// Somebody wrote the directive, here or in the scope it is inherited from.
    pub fn is_set(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    fn entry(&self, name: &str) -> Option<&Entry<'t>> {
        let row = self.table.iter().position(|row| row.name == name);
        debug_assert!(row.is_some(), "no directive {name} in the table");
        self.entries.get(row?)
    }

    fn value(&self, name: &str) -> &Value<'t> {
        self.entry(name)
            .map_or(&Value::Nothing, |entry| &entry.value)
    }
}

/// Stands in for a value that isn't there, which is fine, or has another type, which is a bug.
fn wrong<T: Default>(name: &str, value: &Value<'_>) -> T {
    debug_assert!(
        matches!(value, Value::Nothing),
        "{name} is not of this type: {value:?}"
    );
    T::default()
}

struct Binder<'t> {
    table: &'static [Directive],
    entries: Vec<Entry<'t>>,
    errors: Vec<Error>,
}

impl<'t> Binder<'t> {
    fn new(table: &'static [Directive]) -> Self {
        Self {
            table,
            entries: vec![Entry::default(); table.len()],
            errors: Vec::new(),
        }
    }

    fn row(&self, name: &str) -> Option<usize> {
        self.table.iter().position(|row| row.is_named(name))
    }

    /// Takes a directive for the row it belongs to.
    fn take(&mut self, row: usize, node: &'t Node) {
        let (Some(directive), Some(entry)) = (self.table.get(row), self.entries.get_mut(row))
        else {
            return;
        };
        match entry.nodes.first() {
            Some(first) if !directive.repeat => self.errors.push(duplicate(node, first)),
            _ => {
                entry.nodes.push(node);
                match value(directive, node) {
                    Ok(value) => entry.value.add(value),
                    Err(errors) => self.errors.extend(errors),
                }
            }
        }
    }

    /// Fills in what was not written.
    fn finish(mut self, owner: Span, outer: Option<&Bound<'t>>) -> Result<Bound<'t>, Vec<Error>> {
        for (directive, entry) in self.table.iter().zip(&mut self.entries) {
            if entry.nodes.is_empty() && directive.inherit {
                *entry = outer
                    .map(|outer| outer.inherited(directive.name))
                    .unwrap_or_default();
            }
            if !entry.nodes.is_empty() {
                continue;
            }
            if directive.required {
                self.errors.push(missing(directive, owner));
            }
            entry.value = default_value(directive).unwrap_or_else(|fault| {
                debug_assert!(false, "the default of {} is wrong: {fault}", directive.name);
                Value::Nothing
            });
        }
        if self.errors.is_empty() {
            return Ok(Bound {
                table: self.table,
                entries: self.entries,
            });
        }
        self.errors.truncate(limit::ERRORS);
        Err(self.errors)
    }
}

impl<'t> Bound<'t> {
    /// What an inner scope takes over: nothing if this one doesn't know the name.
    fn inherited(&self, name: &str) -> Entry<'t> {
        let row = self.table.iter().position(|row| row.name == name);
        row.and_then(|row| self.entries.get(row))
            .cloned()
            .unwrap_or_default()
    }
}

impl<'t> Value<'t> {
    /// Adds a further occurrence: lists grow, of other values the last one counts.
    fn add(&mut self, further: Self) {
        match (self, further) {
            (Self::Texts(texts), Self::Texts(further)) => texts.extend(further),
            (Self::Addresses(known), Self::Addresses(further)) => known.extend(further),
            (value, further) => *value = further,
        }
    }
}

fn unexpected(node: &Node, table: &'static [Directive]) -> Error {
    let name = &node.name.text;
    let error = Error::new(node.name.span, format!("unexpected directive: {name}"));
    match nearest(name, table.iter().map(|row| row.name)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

fn duplicate(node: &Node, first: &Node) -> Error {
    let message = format!("duplicate directive: {}", node.name.text);
    let error = Error::new(node.name.span, message).label(first.name.span, "first given here");
    error.help("remove one of the two")
}

fn missing(directive: &Directive, owner: Span) -> Error {
    let message = format!("missing required directive: {}", directive.name);
    let help = format!("add `{} {}`", directive.name, directive.kind.syntax());
    Error::new(owner, message).help(help)
}

/// Reads the value of a directive as its row says.
fn value<'t>(directive: &Directive, node: &'t Node) -> Result<Value<'t>, Vec<Error>> {
    match directive.kind {
        Kind::Custom => return Ok(Value::Nothing),
        Kind::Module(_) => {
            return reference(node, 0)
                .map(|_| Value::Nothing)
                .map_err(|error| vec![error]);
        }
        _ => {}
    }
    if !node.children().is_empty() {
        return Err(vec![Error::new(node.name.span, "can't declare block here")]);
    }
    if matches!(directive.kind, Kind::Addresses) {
        return addresses(node).map(Value::Addresses);
    }
    let texts: Vec<&str> = node.texts().collect();
    plain_value(&directive.kind, &texts).map_err(|fault| vec![fault.at(place(node))])
}

/// The argument if there is only one, else the whole directive.
fn place(node: &Node) -> Span {
    match node.args.as_slice() {
        [only] => only.span,
        _ => node.span(),
    }
}

/// The value that a row's default stands for.
pub(crate) fn default_value(directive: &Directive) -> Result<Value<'static>, Fault> {
    let texts: Vec<&'static str> = directive.default.split_whitespace().collect();
    match directive.kind {
        _ if texts.is_empty() => Ok(Value::Nothing),
        Kind::Module(_) | Kind::Custom => Ok(Value::Nothing),
        Kind::Addresses => {
            let addresses = texts
                .into_iter()
                .map(Address::parse)
                .collect::<Result<_, _>>();
            addresses.map(Value::Addresses)
        }
        kind => plain_value(&kind, &texts),
    }
}

/// A value that is nothing but its arguments.
fn plain_value<'t>(kind: &Kind, texts: &[&'t str]) -> Result<Value<'t>, Fault> {
    Ok(match *kind {
        Kind::Bool if texts.is_empty() => Value::Bool(true),
        Kind::Bool => Value::Bool(unit::boolean(one(texts, "expected exactly 1 argument")?)?),
        Kind::Duration { min, max } => {
            some(texts, "at least one argument is required")?;
            let value = unit::duration(&texts.concat())?;
            within(kind, (min..=max).contains(&value))?;
            Value::Duration(value)
        }
        Kind::Size { min, max } => {
            some(texts, "at least one argument is required")?;
            let value = unit::size(&texts.join(" "))?;
            within(kind, (min..=max).contains(&value))?;
            Value::Size(value)
        }
        Kind::Integer { min, max } => {
            let value = unit::integer(one(texts, "expected 1 argument")?)?;
            within(kind, (min..=max).contains(&value))?;
            Value::Integer(value)
        }
        Kind::Enum(values) => Value::Texts(vec![unit::choice(
            one(texts, "expected exactly 1 argument")?,
            values,
        )?]),
        Kind::Text => Value::Texts(vec![one(texts, "expected 1 argument")?]),
        Kind::TextList => {
            some(texts, "expected at least one argument")?;
            Value::Texts(texts.to_vec())
        }
        Kind::Addresses | Kind::Module(_) | Kind::Custom => Value::Nothing,
    })
}

fn one<'t>(texts: &[&'t str], message: &str) -> Result<&'t str, Fault> {
    match texts {
        [only] => Ok(only),
        _ => Err(Fault::new(message)),
    }
}

fn some(texts: &[&str], message: &str) -> Result<(), Fault> {
    if texts.is_empty() {
        Err(Fault::new(message))
    } else {
        Ok(())
    }
}

fn within(kind: &Kind, fits: bool) -> Result<(), Fault> {
    match kind.range() {
        Some(range) if !fits => Err(Fault::new(format!("value out of range: must be {range}"))),
        _ => Ok(()),
    }
}

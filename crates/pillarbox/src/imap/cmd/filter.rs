//! FILTER among search keys (RFC 5466): searches that are kept under a name, as annotations of the server.

use std::collections::BTreeMap;

use pillarbox_model::{Depth, EntryName, NumberSet, limit};
use pillarbox_proto::imap::command::{Command, SearchKey};
use pillarbox_proto::imap::frame::Frame;
use pillarbox_store::Wanted;

use super::{Refusal, Session};

/// Where a user's own are, which count more, and those for all (RFC 5466 §3.2).
const ROOTS: [&str; 2] = ["/private/filters/values", "/shared/filters/values"];
/// Filters within filters: one more than RFC 5466 §3.1 asks for. It ends circles.
const PASSES: usize = 4;

/// Filters that a command names, and those that these name, by their names in lower case.
pub(super) type Filters = BTreeMap<String, Frame>;

/// Reads the filters of a command. Those that are not there are missing; [`insert`] says so.
pub(super) async fn load(session: &mut Session, command: &Command<'_>) -> Result<Filters, Refusal> {
    let mut filters = Filters::new();
    let named = command.search().map(|search| search.key.filters());
    let mut wanted = lower(&named.unwrap_or_default());
    for _ in 0..PASSES {
        wanted.retain(|name| !filters.contains_key(name));
        if wanted.is_empty() {
            break;
        }
        let found = read(session, &wanted).await?;
        wanted = found.values().flat_map(named_in).collect();
        filters.extend(found);
    }
    Ok(filters)
}

fn lower(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn named_in(frame: &Frame) -> Vec<String> {
    let key = frame.criteria().ok();
    key.map(|key| lower(&key.filters())).unwrap_or_default()
}

/// The filters of these names, with one look at the store.
async fn read(session: &Session, names: &[String]) -> Result<Filters, Refusal> {
    let entry = |root: &str, name: &str| EntryName::new(format!("{root}/{name}").as_bytes()).ok();
    let entries = |name: &String| ROOTS.map(|root| entry(root, name)).into_iter().flatten();
    let wanted = Wanted {
        entries: names
            .iter()
            .flat_map(|name| entries(name).collect::<Vec<_>>())
            .collect(),
        ..Wanted::default()
    };
    let user = session.user()?.account.id;
    let store = &session.endpoint.storage.store;
    let found = store.annotations(user, &[None], &wanted).await?;
    let mut filters = Filters::new();
    // Private ones come first, by name.
    for one in found.into_iter().flatten() {
        let name = one.entry.as_str().rsplit('/').next().unwrap_or_default();
        let frame = one.value.and_then(|value| Frame::of_criteria(&value));
        if let Some(frame) = frame.filter(|_| !filters.contains_key(name)) {
            filters.insert(name.to_owned(), frame);
        }
    }
    Ok(filters)
}

/// Puts the keys of filters in the place of their names (RFC 5466 §3.1).
pub(super) fn insert<'a>(
    session: &mut Session,
    mut command: Command<'a>,
    filters: &'a Filters,
) -> Result<Command<'a>, Refusal> {
    let Some(search) = command.search_mut() else {
        return Ok(command);
    };
    if search.key.filters().is_empty() {
        return Ok(command);
    }
    let save = search.returns.is_some_and(|returns| returns.save);
    let key = std::mem::replace(&mut search.key, SearchKey::All);
    let mut inserting = Inserting {
        filters,
        left: limit::SEARCH_KEYS,
    };
    let known = ["UTF-8", "US-ASCII"];
    let charset = search.charset.replace(known[0].as_bytes().into());
    let is = |known: &&str| {
        let charset = charset.as_deref();
        charset.is_none_or(|charset| charset.eq_ignore_ascii_case(known.as_bytes()))
    };
    let inserted = match known.iter().any(is) {
        true => inserting.insert(key, 0),
        false => Err(Refusal::FilterCharset),
    };
    match inserted {
        Ok(key) => search.key = key,
        Err(refusal) => {
            // A refused search that was to be saved leaves nothing saved (RFC 5182 §2.1).
            if save && let Some(selected) = &mut session.selected {
                selected.saved = NumberSet::new();
            }
            return Err(refusal);
        }
    }
    Ok(command)
}

struct Inserting<'a> {
    filters: &'a Filters,
    /// Keys that there may still be.
    left: usize,
}

impl<'a> Inserting<'a> {
    fn insert(&mut self, key: SearchKey<'a>, passes: usize) -> Result<SearchKey<'a>, Refusal> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(Refusal::Limit("The filters have too many search keys"))?;
        Ok(match key {
            SearchKey::And(keys) => {
                let keys = keys.into_iter().map(|key| self.insert(key, passes));
                SearchKey::And(keys.collect::<Result<_, _>>()?)
            }
            SearchKey::Or(one, other) => SearchKey::Or(
                Box::new(self.insert(*one, passes)?),
                Box::new(self.insert(*other, passes)?),
            ),
            SearchKey::Not(key) => SearchKey::Not(Box::new(self.insert(*key, passes)?)),
            SearchKey::Filter(name) => {
                let undefined = || Refusal::UndefinedFilter(name.into());
                let filter = self.filters.get(&name.to_ascii_lowercase());
                let filter = filter.filter(|_| passes < PASSES).ok_or_else(undefined)?;
                let key = filter.criteria().map_err(|_| undefined())?;
                self.insert(key, passes + 1)?
            }
            key => key,
        })
    }
}

/// Whether an annotation of the server may have this value: filters have to be complete search keys in
/// UTF-8, under a name that SEARCH can say (RFC 5466 §3.2).
pub(super) fn check(entry: &EntryName, value: &[u8]) -> Result<(), Refusal> {
    let root = ROOTS
        .into_iter()
        .map(EntryName::from_stored)
        .find(|root| entry.is_within(root, Depth::Infinity));
    let Some(root) = root else {
        return Ok(());
    };
    let name = entry
        .as_str()
        .strip_prefix(root.as_str())
        .unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or_default();
    let called = Frame::of_criteria(format!("FILTER {name}").as_bytes());
    let called = called.as_ref().and_then(|frame| frame.criteria().ok());
    if called != Some(SearchKey::Filter(name)) {
        return Err(Refusal::Cannot("That can't be the name of a filter"));
    }
    let frame = Frame::of_criteria(value);
    match frame.as_ref().map(Frame::criteria) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Refusal::Cannot(
            "A filter has to be complete search keys in UTF-8",
        )),
    }
}

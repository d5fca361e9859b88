//! SORT and THREAD (RFC 5256, RFC 5267, RFC 5957).

use super::search::{Returns, keys, returns};
use crate::imap::command::{Command, Search, SortCriterion, SortKey, ThreadAlgorithm};
use crate::imap::lex::{Cursor, Parsed};

/// Searches that one CANCELUPDATE ends: more than a session follows.
const CANCELLED: usize = 100;

/// ```abnf
/// sort = "SORT" [SP "RETURN" SP "(" ... ")"] SP sort-criteria SP search-criteria
/// sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
/// ```
pub(super) fn sort<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
    let returns = returns(cursor)?;
    let mut criteria: Vec<SortCriterion> = Vec::new();
    cursor.nonempty_list("Expected a list of sort keys", |cursor| {
        let next = criterion(cursor)?;
        // A second time it can decide nothing any more.
        if criteria.iter().all(|known| known.key != next.key) {
            criteria.push(next);
        }
        Ok(())
    })?;
    cursor.space()?;
    Ok(Command::Sort {
        uid,
        criteria,
        search: search_criteria(cursor, returns)?,
    })
}

/// `sort-criterion = ["REVERSE" SP] sort-key`
fn criterion(cursor: &mut Cursor<'_>) -> Parsed<SortCriterion> {
    let reverse = cursor.word("REVERSE");
    if reverse {
        cursor.space()?;
    }
    let key = match () {
        () if cursor.word("ARRIVAL") => SortKey::Arrival,
        () if cursor.word("CC") => SortKey::Cc,
        () if cursor.word("DATE") => SortKey::Date,
        () if cursor.word("DISPLAYFROM") => SortKey::DisplayFrom,
        () if cursor.word("DISPLAYTO") => SortKey::DisplayTo,
        () if cursor.word("FROM") => SortKey::From,
        () if cursor.word("SIZE") => SortKey::Size,
        () if cursor.word("SUBJECT") => SortKey::Subject,
        () if cursor.word("TO") => SortKey::To,
        () => return cursor.fail("Unknown sort key"),
    };
    Ok(SortCriterion { key, reverse })
}

/// `search-criteria = charset 1*(SP search-key)`
fn search_criteria<'a>(
    cursor: &mut Cursor<'a>,
    (returns, fetch): Returns<'a>,
) -> Parsed<Search<'a>> {
    let charset = Some(cursor.astring("Expected a charset")?);
    cursor.space()?;
    Ok(Search {
        returns,
        fetch,
        charset,
        key: keys(cursor)?,
    })
}

/// `thread = "THREAD" SP thread-alg SP search-criteria`
pub(super) fn thread<'a>(cursor: &mut Cursor<'a>, uid: bool) -> Parsed<Command<'a>> {
    let algorithm = match () {
        () if cursor.word("ORDEREDSUBJECT") => ThreadAlgorithm::OrderedSubject,
        () if cursor.word("REFERENCES") => ThreadAlgorithm::References,
        () if cursor.word("REFS") => ThreadAlgorithm::Refs,
        () => return cursor.fail("Unknown threading algorithm"),
    };
    cursor.space()?;
    Ok(Command::Thread {
        uid,
        algorithm,
        search: search_criteria(cursor, (None, Vec::new()))?,
    })
}

/// `"CANCELUPDATE" 1*(SP quoted)` (RFC 5267 §5)
pub(super) fn cancel_update<'a>(cursor: &mut Cursor<'a>) -> Parsed<Command<'a>> {
    let mut tags = Vec::new();
    loop {
        if tags.len() == CANCELLED {
            return cursor.fail("Too many tags");
        }
        tags.push(cursor.astring("Expected a tag in quotes")?);
        if !cursor.more()? {
            return Ok(Command::CancelUpdate(tags));
        }
    }
}

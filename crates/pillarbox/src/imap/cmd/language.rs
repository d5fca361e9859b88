//! LANGUAGE and COMPARATOR (RFC 5255).

use pillarbox_message::Comparator;
use pillarbox_proto::imap::command::Bytes;
use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Refusal, Session, namespace};
use crate::imap::language::Language;

/// LANGUAGE: lists the languages, or speaks the first of those asked for that there is (RFC 5255 §3.2).
pub(super) async fn language(session: &mut Session, ranges: &[Bytes<'_>]) -> Outcome {
    if ranges.is_empty() {
        let tags = Language::ALL.map(Language::tag);
        encode::language(&mut session.wire.out, &tags);
        return Ok(Completed::default());
    }
    let wanted = ranges.iter().find_map(|range| Language::of_range(range));
    session.language = wanted.ok_or(Refusal::Language)?;
    // From here on, also in what this command still says.
    encode::language(&mut session.wire.out, &[session.language.tag()]);
    if session.user.is_some() {
        namespace::namespace(session)?;
    }
    Ok(Completed {
        text: "Now speaking this language",
        ..Completed::default()
    })
}

/// COMPARATOR: says how texts are compared, or changes it to the first of those asked for that there is
/// (RFC 5255 §4.7).
pub(super) fn comparator(session: &mut Session, wanted: &[Bytes<'_>]) -> Outcome {
    if wanted.is_empty() {
        encode::comparator(&mut session.wire.out, session.comparator.name(), &[]);
        return Ok(Completed::default());
    }
    let matching =
        |comparator: &Comparator| wanted.iter().any(|asked| is_asked(asked, *comparator));
    let first = wanted.iter().find_map(|asked| {
        let mut all = Comparator::ALL.into_iter();
        all.find(|comparator| is_asked(asked, *comparator))
    });
    session.comparator = first.ok_or(Refusal::Comparator)?;
    let names: Vec<_> = Comparator::ALL
        .iter()
        .filter(|comparator| matching(comparator))
        .map(|comparator| comparator.name())
        .collect();
    encode::comparator(&mut session.wire.out, session.comparator.name(), &names);
    Ok(Completed::default())
}

/// Whether a `collation-order` (RFC 4790 §3.3) asks for a comparator. That order is to be turned round
/// is nothing that ours do.
fn is_asked(asked: &[u8], comparator: Comparator) -> bool {
    let asked = asked.strip_prefix(b"+").unwrap_or(asked);
    let Ok(asked) = std::str::from_utf8(asked) else {
        return false;
    };
    match asked.eq_ignore_ascii_case("default") {
        true => comparator == Comparator::default(),
        false => crate::imap::withhold::matches(&asked.to_lowercase(), comparator.name()),
    }
}

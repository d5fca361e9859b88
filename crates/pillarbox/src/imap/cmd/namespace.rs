//! NAMESPACE (RFC 2342).

use pillarbox_model::MailboxName;
use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Session};

/// NAMESPACE: one's own, without a prefix, and those of other users and of shared mailboxes if there are any.
pub(super) fn namespace(session: &mut Session) -> Outcome {
    let storage = &session.endpoint.storage;
    let delimiter = storage.delimiter;
    let prefix = |name: &MailboxName| format!("{name}{}", delimiter.0);
    let others = storage.sharing.others.as_ref().map(prefix);
    let shared = storage
        .sharing
        .shared
        .as_ref()
        .map(|shared| prefix(&shared.prefix));
    let told = |prefix| (prefix, Some(delimiter));
    let others: Vec<_> = others.as_deref().map(told).into_iter().collect();
    let shared: Vec<_> = shared.as_deref().map(told).into_iter().collect();
    let (out, language) = (&mut session.wire.out, session.language);
    // Administrators name these as they like; what they are called by default has translations.
    let translated = |prefix: &str| {
        let name = prefix.strip_suffix(delimiter.0)?;
        let translation = language.phrase(name);
        (translation != name).then(|| format!("{translation}{}", delimiter.0))
    };
    encode::namespace(
        out,
        &[told("")],
        &others,
        &shared,
        session.dialect,
        translated,
    );
    Ok(Completed::default())
}

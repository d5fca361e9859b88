//! Catching up with a client that was here before (RFC 7162 §3.2): what vanished while it was away.

use std::io;

use pillarbox_model::{ModSeq, NumberSet, SequenceSet};
use pillarbox_proto::imap::command::SelectParameter;
use pillarbox_proto::imap::encode;

use super::outcome::Halt;
use super::wire::Wire;
use super::{Selected, Session, fetch};

/// Ranges of UIDs in one VANISHED response: some ten kilobytes a line.
const RANGES_AT_ONCE: usize = 1_024;

/// VANISHED, in lines of bounded length.
pub(super) async fn tell_vanished(
    wire: &mut Wire,
    earlier: bool,
    uids: &NumberSet,
) -> io::Result<()> {
    for some in uids.ranges().chunks(RANGES_AT_ONCE) {
        let some = NumberSet::from_ranges(some.iter().copied());
        encode::vanished(&mut wire.out, earlier, &some);
        wire.flush_if_full().await?;
    }
    Ok(())
}

impl Session {
    /// QRESYNC of SELECT, in a mailbox that is just selected: what vanished, then what changed (RFC 7162
    /// §3.2.5). With another UIDVALIDITY the client knows nothing of this mailbox, and is told nothing more.
    pub(super) async fn catch_up(&mut self, known: &SelectParameter) -> Result<(), Halt> {
        let SelectParameter::QResync {
            uid_validity,
            modseq,
            known_uids,
            seq_match,
        } = known
        else {
            return Ok(());
        };
        let selected = self.selected()?;
        if selected.member.mailbox().uid_validity().0 != *uid_validity {
            return Ok(());
        }
        let since = ModSeq(*modseq);
        // Without a set, all UIDs there ever were (§3.2.5.1).
        let uids = known_uids.as_ref().and_then(|set| set.resolve(0));
        let uids = uids.unwrap_or_else(|| NumberSet::range(1..=u32::MAX));
        let uids = uids.up_to(selected.told_uids);
        let first = 1 + seq_match
            .as_ref()
            .map_or(0, |sets| selected.last_match(sets));
        let unsure = uids.intersection(&NumberSet::range(first..=u32::MAX));
        self.tell_earlier(&unsure, since).await?;
        let selected = self.selected()?;
        let changed = selected.changed_among(&selected.view.known_among(&uids), since);
        fetch::tell_items(self, &changed, fetch::told_flags(self.dialect)).await
    }

    /// VANISHED (EARLIER): which of the UIDs were expunged after `since`, or, if that is too long ago, which are
    /// not there (RFC 7162 §3.2.6). What is in this session's view is none of them, also if it is gone by now:
    /// of that it hears in its turn (§3.2.10).
    pub(super) async fn tell_earlier(
        &mut self,
        uids: &NumberSet,
        since: ModSeq,
    ) -> Result<(), Halt> {
        let store = self.endpoint.storage.store.clone();
        let selected = self.selected()?;
        let mailbox = selected.member.mailbox().clone();
        let uids = uids.up_to(selected.told_uids);
        if uids.is_empty() || mailbox.read().expunged_modseq() <= since {
            return Ok(());
        }
        let remembered = store.expunged_since(mailbox.id(), since, &uids).await?;
        let gone = match remembered.complete {
            true => remembered.uids,
            false => uids,
        };
        let gone = self.selected()?.outside_view(&gone);
        Ok(tell_vanished(&mut self.wire, true, &gone).await?)
    }
}

impl Selected {
    /// Those of `uids` that the client does not take for messages of its view.
    fn outside_view(&self, uids: &NumberSet) -> NumberSet {
        if self.view.has_numbers() {
            return uids.difference(&NumberSet::from_ranges(self.view.ranges()));
        }
        let rows = self.member.mailbox().read();
        let untold = rows.departed_since(self.told_expunges).unwrap_or_default();
        let missing = rows.missing_among(uids.ranges().iter().copied());
        missing.difference(&untold)
    }

    /// The UIDs that a set names, whether there still are such messages or not: `*` is the last that there ever
    /// was.
    pub(super) fn ever_named(&self, set: &SequenceSet) -> NumberSet {
        let named = set.resolve(self.told_uids);
        named.unwrap_or_else(|| self.saved.clone())
    }

    /// The last UID of which the client has the number right, and so knows all expunges up to it (RFC 7162
    /// §3.2.5.2); 0 if there is none.
    fn last_match(&self, (numbers, uids): &(SequenceSet, SequenceSet)) -> u32 {
        let (numbers, uids) = (numbers.resolve(0), uids.resolve(0));
        let (numbers, uids) = (numbers.unwrap_or_default(), uids.unwrap_or_default());
        let mut pairs = numbers.iter().zip(uids.iter());
        let mut last = 0;
        // Ascending, both of them: where one is right, so are those before. The view bounds the work.
        while let Some((number, uid)) = pairs.next()
            && self.view.uid(number) == Some(uid)
        {
            last = uid;
        }
        last
    }
}

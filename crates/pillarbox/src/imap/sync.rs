//! Telling a client what changed. Sequence numbers change here and nowhere else.

use std::io;

use pillarbox_model::{Flags, KeywordTable, ModSeq};
use pillarbox_proto::imap::encode::{self, Fetch};
use pillarbox_store::Rows;

use super::{Selected, Session};
use crate::log::Text;

/// Responses written at one go, while the mailbox is locked: what is held for a client that does not read.
const AT_ONCE: usize = 1_024;

impl Session {
    /// Tells what changed in the selected mailbox since the client was last told.
    ///
    /// Expunges are told only where sequence numbers may change (RFC 3501 §7.4.1); until then the
    /// messages stay readable in this session. Changes of the transaction `silent` are not told.
    pub(super) async fn sync(
        &mut self,
        expunge_allowed: bool,
        silent: Option<ModSeq>,
    ) -> io::Result<()> {
        let Some(selected) = self.selected.as_mut().filter(|_| !self.leaving) else {
            return Ok(());
        };
        let mailbox = selected.member.mailbox().clone();
        if mailbox.is_deleted() {
            // Nothing of it can be trusted any more; RFC 2180 §3.3 lets the server hang up.
            self.say_bye(None, "The selected mailbox was deleted");
            return Ok(());
        }
        if let Err(error) = self.endpoint.storage.store.refresh(&mailbox).await {
            self.endpoint
                .log
                .error("refresh failed", &[("reason", &Text(error))]);
        }
        if expunge_allowed {
            let gone = selected.forget_expunged(&mailbox.read());
            for some in gone.chunks(AT_ONCE) {
                some.iter()
                    .for_each(|&seq| encode::expunge(&mut self.wire.out, seq));
                self.wire.flush_if_full().await?;
            }
        }
        let mut news = selected.tell_new(&mailbox.read(), &mut self.wire.out, silent);
        while let Some(untold) = news {
            news = selected.tell_some(&mailbox.read(), &mut self.wire.out, &untold);
            self.wire.flush_if_full().await?;
        }
        // Not under the lock: what all sessions know to be gone is forgotten here.
        selected.member.synced(selected.told_expunges);
        self.wire.flush_if_full().await
    }
}

/// Changes of flags that are still to be told.
pub(super) struct Untold {
    /// The client was told of all up to here.
    since: ModSeq,
    /// Not told, if the client asked for silence.
    silent: Option<ModSeq>,
    /// Of the messages above this UID, up to `to`.
    above: u32,
    to: u32,
}

// Each step takes the rows' lock for itself, and says a bounded piece, in an order in which none names what
// the client does not know (RFC 3501 §7.4.1).
impl Selected {
    /// Takes messages that are gone out of the view, and gives the numbers that EXPUNGE responses name.
    fn forget_expunged(&mut self, rows: &Rows<'_>) -> Vec<u32> {
        let gone = if rows.expunged_modseq() > self.told_expunges {
            self.view.remove(&rows.missing_among(self.view.ranges()))
        } else {
            Vec::new()
        };
        // A saved result loses what was expunged (RFC 5182 §2.1).
        if !gone.is_empty() && !self.saved.is_empty() {
            self.saved = self.view.known_among(&self.saved);
        }
        self.told_expunges = rows.highest_modseq();
        gone
    }

    /// Announces new messages. What has changed of the others is left to [`Self::tell_some`]; changes that
    /// come from here on are for the next time.
    fn tell_new(
        &mut self,
        rows: &Rows<'_>,
        out: &mut Vec<u8>,
        silent: Option<ModSeq>,
    ) -> Option<Untold> {
        // What is only now announced carries its flags to whoever fetches it: no news.
        let known_to = self.view.last_uid();
        self.announce(rows, out);
        let since = std::mem::replace(&mut self.told, rows.highest_modseq());
        (self.told > since).then_some(Untold {
            since,
            silent,
            above: 0,
            to: known_to,
        })
    }

    /// Tells some changes of flags, and says what is left.
    fn tell_some(&mut self, rows: &Rows<'_>, out: &mut Vec<u8>, untold: &Untold) -> Option<Untold> {
        self.tell_keywords(rows.keywords(), out);
        let changed = rows
            .changed_above(untold.above, untold.since)
            .take_while(|row| row.uid.0 <= untold.to);
        let mut last = None;
        for row in changed.take(AT_ONCE) {
            last = Some(row.uid.0);
            if Some(row.modseq) == untold.silent {
                continue;
            }
            if let Some(seq) = self.view.seq(row.uid.0) {
                let mut fetch = Fetch::begin(out, seq);
                fetch.flags(rows.keywords().names_of(row.flags));
                fetch.end();
            }
        }
        last.map(|above| Untold { above, ..*untold })
    }

    fn announce(&mut self, rows: &Rows<'_>, out: &mut Vec<u8>) {
        let new = rows.uid_ranges_above(self.view.last_uid());
        if new.is_empty() {
            return;
        }
        self.view.extend(new);
        encode::exists(out, self.view.len());
        encode::recent(out, 0);
    }

    /// A new keyword is named before a message carries it (RFC 3501 §7.2.6).
    pub(super) fn tell_keywords(&mut self, keywords: &KeywordTable, out: &mut Vec<u8>) {
        if keywords.names().len() == self.told_keywords {
            return;
        }
        self.told_keywords = keywords.names().len();
        self.write_flags(keywords, out);
    }

    /// FLAGS and PERMANENTFLAGS.
    pub(super) fn write_flags(&self, keywords: &KeywordTable, out: &mut Vec<u8>) {
        let all = || {
            let system = Flags::SYSTEM.iter().map(|(_, name)| *name);
            system.chain(keywords.names().iter().map(|name| &**name))
        };
        encode::flags(out, all());
        if self.read_only {
            encode::permanent_flags(out, std::iter::empty(), false);
        } else {
            let room = keywords.names().len() < pillarbox_model::limit::KEYWORDS_PER_MAILBOX;
            encode::permanent_flags(out, all(), room);
        }
    }
}

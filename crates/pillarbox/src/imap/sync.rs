//! Telling a client what changed. Sequence numbers change here and nowhere else.

use std::io;

use pillarbox_model::{Flags, KeywordTable, ModSeq};
use pillarbox_proto::imap::encode::{self, Fetch};
use pillarbox_store::Rows;

use super::{Selected, Session};
use crate::log::Text;

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
        selected.tell(&mailbox.read(), &mut self.wire.out, expunge_allowed, silent);
        // Not under the lock: what all sessions know to be gone is forgotten here.
        selected.member.synced(selected.told_expunges);
        self.wire.flush_if_full().await
    }
}

impl Selected {
    /// Writes EXPUNGE, EXISTS, FLAGS and FETCH responses, in an order in which none names what the client does
    /// not know (RFC 3501 §7.4.1).
    pub(super) fn tell(
        &mut self,
        rows: &Rows<'_>,
        out: &mut Vec<u8>,
        expunge_allowed: bool,
        silent: Option<ModSeq>,
    ) {
        let now = rows.highest_modseq();
        if expunge_allowed && rows.expunged_modseq() > self.told_expunges {
            self.tell_expunges(rows, out);
        }
        // What is only now announced carries its flags to whoever fetches it: no news.
        let known_to = self.view.last_uid();
        self.tell_new(rows, out);
        if now > self.told {
            self.tell_keywords(rows.keywords(), out);
            self.tell_flags(rows, out, known_to, silent);
        }
        self.told = now;
        if expunge_allowed {
            self.told_expunges = now;
        }
    }

    fn tell_expunges(&mut self, rows: &Rows<'_>, out: &mut Vec<u8>) {
        let gone = rows.missing_among(self.view.ranges());
        for seq in self.view.remove(&gone) {
            encode::expunge(out, seq);
        }
        // A saved result loses what was expunged (RFC 5182 §2.1).
        if !self.saved.is_empty() {
            self.saved = self.view.known_among(&self.saved);
        }
    }

    fn tell_new(&mut self, rows: &Rows<'_>, out: &mut Vec<u8>) {
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

    fn tell_flags(
        &self,
        rows: &Rows<'_>,
        out: &mut Vec<u8>,
        known_to: u32,
        silent: Option<ModSeq>,
    ) {
        let changed = rows
            .changed_since(self.told)
            .filter(|row| row.uid.0 <= known_to);
        for row in changed.filter(|row| Some(row.modseq) != silent) {
            if let Some(seq) = self.view.seq(row.uid.0) {
                let mut fetch = Fetch::begin(out, seq);
                fetch.flags(rows.keywords().names_of(row.flags));
                fetch.end();
            }
        }
    }
}

//! Telling a client what changed. Sequence numbers change here and nowhere else.

use std::io;

use pillarbox_model::{Flags, KeywordTable, ModSeq, NumberSet, Rights, View};
use pillarbox_proto::imap::encode::{self, Dialect, Fetch};
use pillarbox_store::Rows;

use super::{Selected, Session, resync};
use crate::log::Text;

/// Responses written at one go, while the mailbox is locked: what is held for a client that does not read.
const AT_ONCE: usize = 1_024;

impl Session {
    /// Tells what changed in the selected mailbox since the client was last told.
    ///
    /// Expunges are told only where sequence numbers may change (RFC 3501 §7.4.1); until then the
    /// messages stay readable in this session. Changes of the transaction `silent` are not told. Nor is
    /// what the client does not want to hear, after NOTIFY (RFC 5465 §3.1).
    pub(super) async fn sync(
        &mut self,
        expunge_allowed: bool,
        silent: Option<ModSeq>,
    ) -> io::Result<()> {
        self.heed_rights();
        match self.wants_quiet() {
            true => Ok(()),
            false => self.tell_changes(expunge_allowed, silent).await,
        }
    }

    /// As [`Self::sync`], also to a client that wants to hear nothing: of what it did itself.
    pub(super) async fn tell_changes(
        &mut self,
        expunge_allowed: bool,
        silent: Option<ModSeq>,
    ) -> io::Result<()> {
        let notify = self.notify.is_some();
        let wants_flags = self.of_selected().is_none_or(|wanted| wanted.flags);
        self.heed_rights();
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
        let dialect = self.dialect;
        if dialect.uid_only && !expunge_allowed {
            // All that would be steady is refused, and the news can wait: so that it is told as of one moment,
            // from which the next goes on.
            return Ok(());
        }
        // In IMAP4rev2 (RFC 9051 §7.5.2) and after NOTIFY (RFC 5465 §5.1), flags are told with the UID.
        let uid = (notify || dialect.condstore || dialect.rev2) && !dialect.uid_only;
        let known_to = selected.told_uids;
        let since = selected.told;
        let (leaving, news) = {
            let rows = mailbox.read();
            let leaving = selected.leaving(&rows, dialect);
            (leaving, selected.take_in(&rows, expunge_allowed))
        };
        let Some(news) = news else {
            self.say_bye(None, "Too much was expunged meanwhile, connect again");
            return Ok(());
        };
        if let Some(leaving) = leaving {
            selected.tell_leaving(&leaving, &mut self.wire.out);
        }
        if dialect.qresync || dialect.uid_only {
            resync::tell_vanished(&mut self.wire, false, &news.gone).await?;
        } else {
            for some in news.expunged.chunks(AT_ONCE) {
                some.iter()
                    .for_each(|&seq| encode::expunge(&mut self.wire.out, seq));
                self.wire.flush_if_full().await?;
            }
        }
        if news.came {
            encode::exists(&mut self.wire.out, selected.view.len());
            if !dialect.rev2 {
                encode::recent(&mut self.wire.out, 0);
            }
        }
        if let Some(untold) = news.untold.as_ref().filter(|_| !wants_flags) {
            selected.unheard.get_or_insert(untold.since);
        }
        let untold = news.untold.filter(|_| wants_flags);
        let mut untold = untold.map(|untold| Untold {
            silent,
            uid,
            ..untold
        });
        while let Some(rest) = untold {
            untold = selected.tell_some(&mailbox.read(), &mut self.wire.out, &rest, dialect);
            self.wire.flush_if_full().await?;
        }
        if news.held_back && dialect.condstore {
            // Without it the client would take the highest mod-sequence that it has seen for where it is, and never
            // ask for the expunges that came before (RFC 7162 §3.2, §6).
            selected.tell_modseq(&mut self.wire.out, "Expunges are still to be told");
        }
        // Not under the lock: what all sessions know to be gone is forgotten here.
        selected.member.synced(selected.told_expunges);
        if notify {
            Box::pin(self.tell_messages(known_to)).await?;
        }
        self.wire.flush_if_full().await?;
        Box::pin(self.tell_results(since, known_to)).await
    }
}

impl Session {
    /// No sequence numbers from now on, either way (RFC 9586 §3). What happened so far is told by them.
    pub(super) async fn give_up_numbers(&mut self) -> io::Result<()> {
        self.sync(true, None).await?;
        self.dialect.uid_only = true;
        if let Some(selected) = &mut self.selected {
            let view = &selected.view;
            selected.view = View::without_numbers(view.len(), view.last_uid());
        }
        Ok(())
    }
}

/// What happened in a mailbox, as it was at one moment.
struct News {
    /// Messages that are gone.
    gone: NumberSet,
    /// The numbers that EXPUNGE responses name for them.
    expunged: Vec<u32>,
    /// Whether there are new ones.
    came: bool,
    /// Changes of the others.
    untold: Option<Untold>,
    /// Messages are gone, and must not be told of now.
    held_back: bool,
}

/// Changes of flags that are still to be told.
struct Untold {
    /// The client was told of all up to here.
    since: ModSeq,
    /// Not told, if the client asked for silence.
    silent: Option<ModSeq>,
    /// With their UIDs.
    uid: bool,
    /// Of the messages above this UID, up to `to`.
    above: u32,
    to: u32,
}

// Each step takes the rows' lock for itself, and says a bounded piece, in an order in which none names what
// the client does not know (RFC 3501 §7.4.1).
impl Selected {
    /// Brings the view up to date, and gives what is to be told. All of it is as of one moment: else a change
    /// could be told, and an expunge before it not, which the client would then never hear of.
    ///
    /// `None` if it can't be known any more which messages of the view are gone.
    fn take_in(&mut self, rows: &Rows<'_>, expunge_allowed: bool) -> Option<News> {
        if !self.view.has_numbers() {
            return self.take_in_by_uid(rows);
        }
        let pending = rows.expunged_modseq() > self.told_expunges;
        let (mut gone, mut expunged) = (NumberSet::new(), Vec::new());
        if pending && expunge_allowed {
            gone = rows.missing_among(self.view.ranges());
            expunged = self.view.remove(&gone);
            // A saved result loses what was expunged (RFC 5182 §2.1).
            self.saved = self.saved.difference(&gone);
        }
        let now = rows.highest_modseq();
        if expunge_allowed || !pending {
            self.told_expunges = now;
        }
        // What is only now announced carries its flags to whoever fetches it: no news.
        let to = self.view.last_uid();
        let new = rows.uid_ranges_above(to);
        let came = !new.is_empty();
        self.view.extend(new);
        self.told_uids = rows.uid_next() - 1;
        Some(News {
            gone,
            expunged,
            came,
            untold: self.catch_up_with(now, to),
            held_back: pending && !expunge_allowed,
        })
    }

    /// As [`Self::take_in`] for a client without numbers. What its view was is known from what is left of it and
    /// from what went since: rows that somebody was not told of are kept.
    fn take_in_by_uid(&mut self, rows: &Rows<'_>) -> Option<News> {
        let to = std::mem::replace(&mut self.told_uids, rows.uid_next() - 1);
        let mut gone = NumberSet::new();
        if rows.expunged_modseq() > self.told_expunges {
            gone = rows.departed_since(self.told_expunges)?.up_to(to);
            self.saved = self.saved.difference(&gone);
        }
        let now = rows.highest_modseq();
        self.told_expunges = now;
        self.view = View::without_numbers(rows.len() as u32, rows.last_uid());
        Some(News {
            gone,
            expunged: Vec::new(),
            came: rows.last_uid() > to,
            untold: self.catch_up_with(now, to),
            held_back: false,
        })
    }

    /// Counts all changes up to `now` as told, and gives what has yet to be said of the messages up to `to`.
    fn catch_up_with(&mut self, now: ModSeq, to: u32) -> Option<Untold> {
        let since = std::mem::replace(&mut self.told, now);
        (now > since).then_some(Untold {
            since,
            silent: None,
            uid: false,
            above: 0,
            to,
        })
    }

    /// Tells some changes of flags, and says what is left. What changed again since the moment of which all is
    /// told is for the next time: a later mod-sequence must not be told while changes up to it are not.
    fn tell_some(
        &mut self,
        rows: &Rows<'_>,
        out: &mut Vec<u8>,
        untold: &Untold,
        dialect: Dialect,
    ) -> Option<Untold> {
        self.tell_keywords(rows.keywords(), out);
        let changed = rows
            .changed_above(untold.above, untold.since)
            .take_while(|row| row.uid.0 <= untold.to);
        let mut last = None;
        for row in changed.take(AT_ONCE) {
            last = Some(row.uid.0);
            if Some(row.modseq) == untold.silent || row.modseq > self.told {
                continue;
            }
            if let Some(seq) = self.view.seq(row.uid.0) {
                let mut fetch = Fetch::begin(out, seq, dialect);
                if untold.uid {
                    fetch.uid(row.uid.0);
                }
                fetch.flags(rows.keywords().names_of(row.flags));
                if dialect.condstore {
                    fetch.modseq(row.modseq.0);
                }
                fetch.end();
            }
        }
        last.map(|above| Untold { above, ..*untold })
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
        let names = |rights: Rights| {
            let changed = move |(flag, _): &&(Flags, _)| rights.flags().contains(*flag);
            let system = Flags::SYSTEM.iter().filter(changed).map(|(_, name)| *name);
            let keywords = keywords.names().iter().map(|name| &**name);
            system.chain(keywords.filter(move |_| rights.any(Rights::WRITE)))
        };
        encode::flags(out, names(Rights::ALL));
        // What the user may not change is not permanent (RFC 4314 §5.1.1).
        let rights = match self.read_only {
            true => Rights::NONE,
            false => self.rights,
        };
        let room = keywords.names().len() < pillarbox_model::limit::KEYWORDS_PER_MAILBOX;
        let wildcard = room && rights.any(Rights::WRITE);
        encode::permanent_flags(out, names(rights), wildcard);
    }
}

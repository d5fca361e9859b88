//! What changes anywhere in an account, for those who watch all of it.
//!
//! There are no queues: a board has, of each mailbox that changed while somebody watched, what its
//! counters are now. Whoever watches asks for what is new since they asked last; a hint that gets
//! lost, or comes twice, delays and never corrupts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pillarbox_model::{AccountId, MailboxId};
use tokio::sync::watch;

use crate::mailbox::{Counters, Delta};

/// The accounts that are watched. Others cost nothing.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<HashMap<AccountId, Weak<Board>>>);

/// What became of an account since somebody began to watch it.
#[derive(Default)]
struct Board {
    state: Mutex<State>,
    hint: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// Of the last change.
    number: u64,
    /// Of the last change that was of names, subscriptions or rights.
    names: u64,
    /// As many as the account has mailboxes, at most.
    mailboxes: HashMap<MailboxId, (u64, Counters)>,
}

/// Somebody's watch over an account. Dropped, it ends.
pub struct Feed {
    account: AccountId,
    board: Arc<Board>,
    hint: watch::Receiver<()>,
    seen: u64,
}

/// What changed in an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// Which mailboxes there are, what they are called, what is subscribed or who may see it.
    pub names: bool,
    /// The mailboxes in which something changed, with their counters now.
    pub mailboxes: Vec<(MailboxId, Counters)>,
}

/// Those who are to be woken when changes can be seen.
#[must_use]
pub(crate) struct Wakeup(Vec<Arc<Board>>);

impl Feeds {
    /// Watches an account from now on.
    pub(crate) fn watch(&self, account: AccountId) -> Feed {
        let mut boards = self.boards();
        // Also where boards that nobody holds any more are forgotten.
        boards.retain(|_, board| board.strong_count() > 0);
        let board = boards.get(&account).and_then(Weak::upgrade);
        let board = board.unwrap_or_default();
        boards.insert(account, Arc::downgrade(&board));
        drop(boards);
        let seen = board.state().number;
        Feed {
            account,
            hint: board.hint.subscribe(),
            board,
            seen,
        }
    }

    /// Notes durable changes, and changes of names in these accounts. With `regrouped` all accounts may see
    /// other mailboxes than before; whoever watches finds them when there is something else to look for, so
    /// that one who shares a mailbox with all does not wake all.
    pub(crate) fn note(&self, deltas: &[Delta], names: &[AccountId], regrouped: bool) -> Wakeup {
        let mut woken: Vec<(AccountId, Arc<Board>)> = Vec::new();
        let boards = self.boards();
        if boards.is_empty() {
            return Wakeup(Vec::new());
        }
        let mut note = |account: AccountId, change: &dyn Fn(&mut State)| {
            if let Some(board) = boards.get(&account).and_then(Weak::upgrade) {
                change(&mut board.state());
                if woken.iter().all(|(known, _)| *known != account) {
                    woken.push((account, board));
                }
            }
        };
        for delta in deltas {
            note(delta.account, &|state| state.note(delta));
        }
        for account in names {
            note(*account, &State::note_names);
        }
        if regrouped {
            let boards = boards.values().filter_map(Weak::upgrade);
            boards.for_each(|board| board.state().note_names());
        }
        Wakeup(woken.into_iter().map(|(_, board)| board).collect())
    }

    fn boards(&self) -> MutexGuard<'_, HashMap<AccountId, Weak<Board>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wakeup {
    /// The changes can be seen now.
    pub(crate) fn wake(self) {
        for board in self.0 {
            board.hint.send_replace(());
        }
    }
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, delta: &Delta) {
        self.number += 1;
        if delta.deleted {
            self.mailboxes.remove(&delta.mailbox);
        } else {
            self.mailboxes
                .insert(delta.mailbox, (self.number, delta.counters));
        }
    }

    fn note_names(&mut self) {
        self.number += 1;
        self.names = self.number;
    }
}

impl Feed {
    /// Whose account it is.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Waits until something changed since this was last waited for. Cancel safe.
    pub async fn changed(&mut self) {
        // The sender lives as long as the board, which this holds.
        let _ = self.hint.changed().await;
    }

    /// What changed since this was last asked, or since the watch began. The changes can be read
    /// from the store; a mailbox in memory may get them a moment later, and whoever waits is woken
    /// then. Linear in the mailboxes that changed since anybody watched.
    pub fn news(&mut self) -> News {
        let state = self.board.state();
        let changed = state.mailboxes.iter();
        let news = News {
            names: state.names > self.seen,
            mailboxes: changed
                .filter(|(_, (number, _))| *number > self.seen)
                .map(|(id, (_, counters))| (*id, *counters))
                .collect(),
        };
        self.seen = state.number;
        news
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feed({})", self.account)
    }
}

#[cfg(test)]
mod tests {
    use pillarbox_model::ModSeq;

    use super::*;

    const ANN: AccountId = AccountId(1);

    fn delta(account: AccountId, mailbox: u64, modseq: u64) -> Delta {
        Delta {
            account,
            mailbox: MailboxId(mailbox),
            counters: Counters {
                highest_modseq: ModSeq(modseq),
                ..Counters::default()
            },
            ..Delta::default()
        }
    }

    fn ids(news: &News) -> Vec<(u64, u64)> {
        let pairs = news.mailboxes.iter();
        let mut pairs: Vec<_> = pairs
            .map(|(id, counters)| (id.0, counters.highest_modseq.0))
            .collect();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn each_watch_is_told_what_is_new_to_it_and_the_newest_of_it() {
        let feeds = Feeds::default();
        let mut early = feeds.watch(ANN);
        feeds
            .note(&[delta(ANN, 1, 5), delta(ANN, 2, 9)], &[], false)
            .wake();
        let mut late = feeds.watch(ANN);
        feeds.note(&[delta(ANN, 2, 10)], &[ANN], false).wake();
        let (of_early, of_late) = (early.news(), late.news());
        assert_eq!(ids(&of_early), [(1, 5), (2, 10)]);
        assert_eq!(ids(&of_late), [(2, 10)]);
        assert!(of_early.names && of_late.names);
        assert_eq!(early.news(), News::default());
        feeds
            .note(&[Delta::deletion(ANN, MailboxId(2))], &[ANN], false)
            .wake();
        let gone = early.news();
        assert!(gone.names && gone.mailboxes.is_empty());
    }

    #[tokio::test]
    async fn only_who_watches_the_account_is_woken() {
        let feeds = Feeds::default();
        let (mut ann, mut bob) = (feeds.watch(ANN), feeds.watch(AccountId(2)));
        feeds.note(&[delta(ANN, 1, 1)], &[], false).wake();
        ann.changed().await;
        assert!(!bob.hint.has_changed().unwrap());
        // What may concern everybody is there for who looks.
        feeds.note(&[], &[], true).wake();
        assert!(!bob.hint.has_changed().unwrap() && bob.news().names);
        drop((ann, bob));
        drop(feeds.watch(ANN));
        assert_eq!(feeds.boards().len(), 1, "boards that nobody holds go");
    }
}

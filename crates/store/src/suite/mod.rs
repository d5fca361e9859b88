//! What every engine has to do over every keeper of blobs, as tests that know neither.
//!
//! An engine passes by running each of [`stories`], and [`model::random_operations`], on a
//! [`Stage`].

mod expected;
pub mod memory;
pub mod model;
mod sharing;
pub mod stories;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use pillarbox_model::{Delimiter, Flag, InternalDate, MailboxId, MailboxName};

use crate::{Appended, Digested, Links, MailboxInfo, NewBlob, NewMessage, Store};

/// A store that can be closed and opened again.
pub struct Stage {
    store: Option<Arc<dyn Store>>,
    /// Last: it may own the directory.
    open: Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

impl Stage {
    /// A store, empty at first, that `open` opens. Delimiter `.`, a grace period of 0.
    pub fn new(open: impl Fn() -> Arc<dyn Store> + Send + Sync + 'static) -> Self {
        Self {
            store: Some(open()),
            open: Box::new(open),
        }
    }

    /// The store.
    ///
    /// # Panics
    /// Never: there is one between two calls.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.store.as_ref().expect("a store is open")
    }

    /// Closes and opens it. Nothing of it may be held by then.
    pub fn reopen(&mut self) {
        self.store = None;
        self.store = Some((self.open)());
    }

    /// INBOX of the account "user", which is made if need be.
    pub async fn inbox(&self) -> MailboxInfo {
        let store = self.store();
        let account = match store.account("user").await.unwrap() {
            Some(account) => account,
            None => store.create_account("user", &[]).await.unwrap(),
        };
        let inbox = MailboxName::inbox();
        store.mailbox(account.id, &inbox).await.unwrap().unwrap()
    }

    /// Makes a mailbox of that account.
    pub async fn create(&self, text: &str) -> MailboxInfo {
        let account = self.inbox().await.account;
        let name = name(text);
        let made = self.store().create_mailbox(account, &name, None).await;
        made.unwrap()
    }

    /// Adds one message.
    pub async fn append(&self, mailbox: MailboxId, text: &str, flags: &[&str]) -> Appended {
        let messages = vec![message(text, flags)];
        self.store().append(mailbox, messages).await.unwrap()
    }

    /// The messages as `uid flags: text`, one a line.
    pub async fn listing(&self, mailbox: MailboxId) -> String {
        let open = self.store().open(mailbox).await.unwrap();
        let (rows, heads) = {
            let rows = open.read();
            let head = |row: crate::Row| {
                let mut names: Vec<_> = rows.keywords().names_of(row.flags).collect();
                names.sort_unstable();
                format!("{} {}", row.uid, names.join(" "))
            };
            let all: Vec<_> = rows.range(0, u32::MAX).collect();
            let heads: Vec<_> = all.iter().copied().map(head).collect();
            (all, heads)
        };
        let contents = self.store().contents(&rows, true).await.unwrap();
        let mut listing = String::new();
        for (head, content) in heads.iter().zip(contents) {
            assert_eq!(content.digest, "digest");
            let bytes = self.store().read(&content.location).await.unwrap();
            listing += &format!("{head}: {}\n", String::from_utf8_lossy(&bytes));
        }
        listing
    }
}

/// A mailbox name.
pub fn name(text: &str) -> MailboxName {
    MailboxName::new(text, Delimiter('.')).unwrap()
}

/// Flags by their names.
pub fn flags(names: &[&str]) -> Vec<Flag> {
    names.iter().filter_map(|name| Flag::parse(name)).collect()
}

/// What all messages here have for a digest.
pub fn digester(_: &[u8]) -> Digested {
    Digested {
        digest: Bytes::from_static(b"digest"),
        links: Links::default(),
    }
}

/// A message that is all body.
pub fn message(text: &str, names: &[&str]) -> NewMessage {
    NewMessage {
        flags: flags(names),
        date: InternalDate::utc(1_700_000_000),
        digest: Bytes::from_static(b"digest"),
        links: Links::default(),
        blob: NewBlob::Memory(Bytes::copy_from_slice(text.as_bytes())),
    }
}

/// Makes a test of each story, and of the model, of what `$new` makes: a [`Stage`].
#[macro_export]
macro_rules! contract {
    ($new:expr) => {
        $crate::contract!(@ $new;
            what_was_acknowledged_is_there_after_reopening,
            flags_copies_and_expunges_are_seen_in_open_mailboxes,
            a_client_that_is_behind_changes_only_what_it_knows,
            whoever_watches_an_account_learns_of_all_its_changes,
            writers_that_meet_get_one_uid_each,
            changes_are_seen_in_order_and_whole,
            a_mailbox_opened_while_others_write_misses_nothing,
            a_message_may_come_in_pieces,
            a_refusal_hurts_nobody_else,
            a_delivery_is_for_all_or_none,
            renames_take_children_along_and_inbox_gives_its_messages,
            a_deleted_mailbox_is_gone_for_all,
            a_special_use_has_one_mailbox,
            subscriptions_outlive_mailboxes,
            accounts_know_nothing_of_each_other,
            what_nothing_names_is_given_up,
            what_vanished_is_remembered,
            annotations_are_shared_or_private,
            annotations_go_along_with_their_mailbox,
            annotations_are_bounded_and_set_all_or_none,
            changes_of_annotations_are_noted_once_they_are_durable,
            an_account_gets_no_more_than_its_quota,
            of_those_who_fill_an_account_at_once_some_win,
            copies_count_and_moves_do_not,
            a_delivery_that_one_has_no_room_for_is_for_none,
            mailboxes_are_counted_with_those_above_them,
            a_quota_of_its_own_counts_more_than_the_default,
            messages_that_refer_to_each_other_are_a_thread,
            copies_are_the_same_message_and_were_saved_when_they_came,
            rights_are_kept_and_sessions_hear_of_them,
            an_owner_stands_in_the_list_only_with_less_than_all,
            new_mailboxes_have_the_rights_of_the_one_above,
            what_is_shared_is_found_by_identifier,
            a_name_that_goes_takes_its_rights_along,
            a_list_of_rights_ends_somewhere,
            messages_go_from_account_to_account,
            a_message_is_replaced_or_stays,
        );

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn random_operations_do_what_a_model_does() {
            $crate::suite::model::random_operations(6, $new).await;
        }
    };
    (@ $new:expr; $($story:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                $crate::suite::stories::$story(&mut ($new)()).await;
            }
        )*
    };
}

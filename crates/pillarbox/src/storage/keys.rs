//! What SORT and THREAD compare of a mailbox's messages, in memory.
//!
//! A webmail asks for the same order again and again, and messages never change: what was read of them once is
//! kept, within a bound, for all who ask.

mod texts;

use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

use pillarbox_message::{Comparator, SortKeys};
use pillarbox_model::{AccountId, MailboxId, NumberSet};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use texts::Texts;

/// Bytes of all that is kept: the keys of about half a million messages.
const CACHE_BYTES: u64 = 128 << 20;
/// For how many mailboxes there is room at first. The cache divides its bytes when there are many entries; with so
/// few, one mailbox may take nearly all.
const MAILBOXES: usize = 32;
/// Bytes of the keys of one mailbox while it is being sorted. Real mail takes about 250 a message; only subjects
/// and names made to be long come so far with less than a million.
pub(crate) const KEYS_BYTES: usize = 256 << 20;

/// Whose mailbox, and how its texts are compared.
pub(crate) type Place = (AccountId, MailboxId, Comparator);

/// The keys of mailboxes that were sorted a short while ago.
pub struct KeyCache {
    recent: Cache<Place, Arc<Keys>, Weight>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Place, Arc<Keys>> for Weight {
    fn weight(&self, _: &Place, keys: &Arc<Keys>) -> u64 {
        keys.size_bytes() as u64
    }
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            recent: Cache::with_weighter(MAILBOXES, CACHE_BYTES, Weight),
        }
    }
}

impl KeyCache {
    /// What is known of a mailbox.
    pub(crate) fn get(&self, place: Place) -> Arc<Keys> {
        self.recent.get(&place).unwrap_or_default()
    }

    /// More is known now.
    pub(crate) fn keep(&self, place: Place, keys: Arc<Keys>) {
        self.recent.insert(place, keys);
    }
}

/// Keys of messages of one mailbox.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    /// By UID, once [`Self::settle`] was called.
    messages: Vec<MessageKeys>,
    texts: Texts,
    references: Vec<u64>,
}

/// The keys of one message. Texts are numbers of [`Keys::rank`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageKeys {
    pub(crate) uid: u32,
    /// The Date field in seconds, UTC; `None` if there is none that can be read.
    pub(crate) sent: Option<i64>,
    pub(crate) subject: u32,
    pub(crate) is_reply: bool,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) cc: u32,
    pub(crate) display_from: u32,
    pub(crate) display_to: u32,
    /// Stands for the Message-ID.
    pub(crate) id: Option<u64>,
    references: (usize, u32),
}

impl Keys {
    /// The messages, by UID.
    pub(crate) fn messages(&self) -> &[MessageKeys] {
        &self.messages
    }

    /// Which of these messages are not known yet. Linear in both.
    pub(crate) fn missing_among(&self, uids: &NumberSet) -> NumberSet {
        let mut known = self.messages.iter().map(|keys| keys.uid).peekable();
        uids.iter()
            .filter(|uid| {
                while known.next_if(|known| known < uid).is_some() {}
                known.peek() != Some(uid)
            })
            .collect()
    }

    /// Adds a message that is not known.
    pub(crate) fn add(&mut self, uid: u32, keys: &SortKeys) {
        let start = self.references.len();
        let ids = keys.references.split(|byte| *byte == b'\n');
        let ids = ids.filter(|id| !id.is_empty());
        self.references.extend(ids.map(stand_in));
        let id = Some(&keys.message_id).filter(|id| !id.is_empty());
        let mut number = |text: &str| self.texts.number(text);
        self.messages.push(MessageKeys {
            uid,
            sent: keys.sent_date.map(|(seconds, _)| seconds),
            subject: number(&keys.base_subject),
            is_reply: keys.is_reply,
            from: number(&keys.from),
            to: number(&keys.to),
            cc: number(&keys.cc),
            display_from: number(&keys.display_from),
            display_to: number(&keys.display_to),
            id: id.map(|id| stand_in(id)),
            references: (start, (self.references.len() - start) as u32),
        });
    }

    /// Puts in order what was added.
    pub(crate) fn settle(&mut self) {
        // Stable: two runs in order are merged.
        self.messages.sort_by_key(|keys| keys.uid);
        self.texts.settle();
    }

    /// Where a text stands among all, by i;unicode-casemap; 0 is the empty one. Equal texts have one number.
    pub(crate) fn rank(&self, text: u32) -> u32 {
        self.texts.rank(text)
    }

    /// What stands for the identifiers that a message refers to, the nearest ancestor last.
    pub(crate) fn references(&self, keys: &MessageKeys) -> &[u64] {
        let (start, len) = keys.references;
        self.references
            .get(start..start + len as usize)
            .unwrap_or_default()
    }

    /// Bytes in memory, about.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.messages.capacity() * size_of::<MessageKeys>()
            + self.references.capacity() * size_of::<u64>()
            + self.texts.size_bytes()
    }
}

/// A number for an identifier: a hash with a secret key. Two of a million identifiers have the same one with a
/// probability of 1 in 30 million, and nobody can make it more likely.
fn stand_in(id: &[u8]) -> u64 {
    static KEY: LazyLock<std::hash::RandomState> = LazyLock::new(Default::default);
    KEY.hash_one(id)
}

//! Telling clients that annotations have changed (RFC 5464 §4.4), which they ask for with ENABLE.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use pillarbox_model::{Depth, EntryName, MailboxId, MailboxName};
use pillarbox_proto::imap::encode;
use pillarbox_store::{AnnotationChange, Wanted};

use super::cmd::metadata;
use super::{Refusal, Session};
use crate::log::Text;

/// Names of entries in one response.
const AT_ONCE: usize = 100;

/// Up to where a session was told.
#[derive(Debug)]
pub(crate) struct News {
    /// What changes of this session carry, so that it is not told of them.
    pub(super) origin: u64,
    told: u64,
    /// All of them, as ENABLE asked; otherwise those that NOTIFY asked for.
    all: bool,
}

/// Entries by what they belong to.
type Changed = BTreeMap<Option<MailboxId>, Vec<EntryName>>;

impl Session {
    /// From now on changes that others make to annotations are told: `all`, or what NOTIFY asks for.
    pub(super) fn hear_news(&mut self, all: bool) {
        static ORIGINS: AtomicU64 = AtomicU64::new(1);
        let told = self.endpoint.storage.store.annotation_changes().last();
        let news = self.news.get_or_insert_with(|| {
            Box::new(News {
                origin: ORIGINS.fetch_add(1, Ordering::Relaxed),
                told,
                all,
            })
        });
        news.all |= all;
    }

    /// Tells which annotations have changed, if the client wants to hear it. Only names: values it asks
    /// for (RFC 5464 §4.4).
    pub(super) async fn tell_news(&mut self) -> io::Result<()> {
        let Some(news) = self.news.as_ref().filter(|_| !self.leaving) else {
            return Ok(());
        };
        let (changes, whole) = self
            .endpoint
            .storage
            .store
            .annotation_changes()
            .since(news.told);
        let Some(last) = changes.last().map(|change| change.number) else {
            return Ok(());
        };
        match self.changed(&changes, whole).await {
            Ok(told) => {
                for (name, entries) in told {
                    self.tell_changed(name.as_ref(), &entries).await?;
                }
                if let Some(news) = &mut self.news {
                    news.told = last;
                }
            }
            // They are told the next time.
            Err(error) => {
                let fields: crate::log::Fields<'_> = &[("reason", &Text(&error))];
                self.endpoint
                    .log
                    .error("changed annotations can't be told", fields);
            }
        }
        Ok(())
    }

    async fn tell_changed(
        &mut self,
        name: Option<&MailboxName>,
        entries: &[EntryName],
    ) -> io::Result<()> {
        for some in entries.chunks(AT_ONCE) {
            let names = some.iter().map(EntryName::as_str);
            let dialect = self.dialect;
            encode::metadata_changed(&mut self.wire.out, name, names, dialect);
            self.wire.flush_if_full().await?;
        }
        Ok(())
    }

    /// What others changed, by the names that this user has for mailboxes. After more changes than are
    /// remembered, all that there is.
    async fn changed(
        &self,
        changes: &[AnnotationChange],
        whole: bool,
    ) -> Result<Vec<(Option<MailboxName>, Vec<EntryName>)>, Refusal> {
        let mut names = BTreeMap::new();
        let all = self.news.as_ref().is_some_and(|news| news.all);
        if all || self.wants_annotations(None) {
            names.insert(None, None);
        }
        for found in self.visible_mailboxes().await? {
            let wanted = all || self.wants_annotations(Some(&found));
            if wanted && metadata::may_see(found.rights) {
                names.insert(Some(found.info.id), Some(found.info.name));
            }
        }
        let changed = match whole {
            true => self.by_others(changes)?,
            false => self.everything(names.keys().copied().collect()).await?,
        };
        let named = changed.into_iter();
        let named = named.filter_map(|(of, entries)| Some((names.get(&of)?.clone(), entries)));
        Ok(named.collect())
    }

    fn by_others(&self, changes: &[AnnotationChange]) -> Result<Changed, Refusal> {
        let (user, news) = (self.user()?.account.id, self.news.as_ref());
        let mut changed = Changed::new();
        for change in changes {
            let theirs = change.user.is_some_and(|owner| owner != user);
            let own = news.is_some_and(|news| news.origin == change.origin);
            if theirs || own {
                continue;
            }
            let entries = changed.entry(change.mailbox).or_default();
            if !entries.contains(&change.entry) {
                entries.push(change.entry.clone());
            }
        }
        Ok(changed)
    }

    async fn everything(&self, of: Vec<Option<MailboxId>>) -> Result<Changed, Refusal> {
        let roots = ["/private", "/shared"].map(EntryName::from_stored);
        let wanted = Wanted {
            entries: roots.to_vec(),
            depth: Depth::Infinity,
            // Their values are not needed.
            max_size: Some(0),
        };
        let user = self.user()?.account.id;
        let store = &self.endpoint.storage.store;
        let found = store.annotations(user, &of, &wanted).await?;
        let entries = found
            .into_iter()
            .map(|all| all.into_iter().map(|one| one.entry).collect());
        let changed = of.into_iter().zip(entries);
        Ok(changed
            .filter(|(_, entries): &(_, Vec<_>)| !entries.is_empty())
            .collect())
    }
}

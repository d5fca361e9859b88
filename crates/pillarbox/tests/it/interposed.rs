//! A store behind a gate, which fails calls or lets something happen before them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pillarbox::storage::Storage;
use pillarbox_model::EntryName;
use pillarbox_model::{
    AccountId, Acl, BlobId, Flag, MailboxId, MailboxName, ModSeq, NumberSet, PerResource, Rights,
    RightsChange, SpecialUse, Uid,
};
use pillarbox_store::Feed;
use pillarbox_store::{
    About, Account, Appended, BlobWriter, Content, Copied, Digester, Error, Expunged, Facts,
    Finding, FlagAction, FlagsSet, Limit, Location, Mailbox, MailboxInfo, NewMessage, Quota, Reply,
    Row, Shared, Store, Vanished,
};
use pillarbox_store::{Annotation, AnnotationChanges, Wanted};

/// What happens before a call, which is named as its method is; an error is what the call gives.
type Gate = Box<dyn Fn(&'static str) -> Reply<'static, ()> + Send + Sync>;

/// Calls of `inner` after the gate let them through.
pub(crate) struct Interposed {
    inner: Arc<dyn Store>,
    gate: Gate,
}

/// Puts a gate before a storage's store. It is given the store behind.
pub(crate) fn interpose<G>(storage: &mut Arc<Storage>, gate: impl FnOnce(Arc<dyn Store>) -> G)
where
    G: Fn(&'static str) -> Reply<'static, ()> + Send + Sync + 'static,
{
    let storage = Arc::get_mut(storage).expect("nobody else has it yet");
    let inner = storage.store.clone();
    let gate = Box::new(gate(inner.clone()));
    storage.store = Arc::new(Interposed { inner, gate });
}

/// A gate that gives `error` to the calls of these methods while `failing` is set.
pub(crate) fn failing(
    methods: &'static [&'static str],
    failing: Arc<std::sync::atomic::AtomicBool>,
    error: fn() -> Error,
) -> impl Fn(&'static str) -> Reply<'static, ()> {
    move |method| {
        let fails = failing.load(std::sync::atomic::Ordering::SeqCst) && methods.contains(&method);
        Box::pin(async move { if fails { Err(error()) } else { Ok(()) } })
    }
}

macro_rules! pass {
    ($($name:ident($($argument:ident: $type:ty),*) -> $reply:ty;)*) => {
        impl Store for Interposed {
            $(fn $name<'a>(&'a self, $($argument: $type),*) -> Reply<'a, $reply> {
                Box::pin(async move {
                    (self.gate)(stringify!($name)).await?;
                    self.inner.$name($($argument),*).await
                })
            })*

            fn annotation_changes(&self) -> &AnnotationChanges {
                self.inner.annotation_changes()
            }

            fn set_default_quota(&self, limits: PerResource<Option<u64>>) {
                self.inner.set_default_quota(limits);
            }

            fn watch(&self, account: AccountId) -> Feed {
                self.inner.watch(account)
            }
        }
    };
}

pass! {
    account(name: &'a str) -> Option<Account>;
    create_account(name: &'a str, mailboxes: &'a [(MailboxName, Option<SpecialUse>)]) -> Account;
    accounts() -> Vec<Account>;
    remove_account(account: AccountId) -> ();
    set_append_limit(account: AccountId, bytes: Option<u64>) -> ();
    quota(account: AccountId) -> Quota;
    set_quota(account: AccountId, limits: PerResource<Limit>) -> ();
    mailboxes(account: AccountId) -> Vec<MailboxInfo>;
    mailbox(account: AccountId, name: &'a MailboxName) -> Option<MailboxInfo>;
    mailbox_of(owner: &'a str, name: &'a MailboxName) -> Option<MailboxInfo>;
    shared_with(account: AccountId, identifiers: &'a [&'a str]) -> Vec<Shared>;
    set_rights(mailbox: MailboxId, identifier: &'a str, change: RightsChange) -> Acl;
    subscriptions(account: AccountId) -> Vec<MailboxName>;
    subscribe(account: AccountId, name: &'a MailboxName, subscribed: bool) -> ();
    create_mailbox(account: AccountId, name: &'a MailboxName, special_use: Option<SpecialUse>) -> MailboxInfo;
    delete_mailbox(mailbox: MailboxId) -> ();
    rename_mailbox(account: AccountId, from: &'a MailboxName, to: &'a MailboxName) -> ();
    annotations(user: AccountId, of: &'a [Option<MailboxId>], wanted: &'a Wanted) -> Vec<Vec<Annotation>>;
    annotate(
        mailbox: Option<MailboxId>,
        user: AccountId,
        values: Vec<(EntryName, Option<Bytes>)>,
        origin: u64
    ) -> ();
    open(mailbox: MailboxId) -> Arc<Mailbox>;
    refresh(mailbox: &'a Mailbox) -> ();
    append(mailbox: MailboxId, messages: Vec<NewMessage>) -> Appended;
    deliver(deliveries: Vec<(MailboxId, Vec<NewMessage>)>) -> Vec<Appended>;
    begin_blob(about: About, size_bytes: u64) -> Box<dyn BlobWriter>;
    set_flags(
        mailbox: MailboxId,
        uids: &'a NumberSet,
        action: FlagAction,
        flags: &'a [Flag],
        unchanged_since: Option<ModSeq>
    ) -> FlagsSet;
    expunge(mailbox: MailboxId, among: Option<&'a NumberSet>) -> Expunged;
    remove(mailbox: MailboxId, uids: &'a NumberSet) -> Expunged;
    expunged_since(mailbox: MailboxId, modseq: ModSeq, among: &'a NumberSet) -> Vanished;
    copy(from: MailboxId, uids: &'a NumberSet, to: MailboxId, remove: bool, keep: Rights) -> Copied;
    replace(from: MailboxId, uid: Uid, to: MailboxId, message: NewMessage) -> Appended;
    facts(mailbox: MailboxId, uids: &'a NumberSet) -> Vec<(Uid, Facts)>;
    contents(rows: &'a [Row], digests: bool) -> Vec<Content>;
    read(location: &'a Location) -> Bytes;
    redigest(digests: Vec<(BlobId, Bytes)>) -> ();
    backup(directory: &'a Path) -> ();
    check(repair: Option<Digester>) -> Vec<Finding>;
    reap() -> u64;
}

//! Annotations (RFC 5464).

use bytes::Bytes;
use pillarbox_model::{AccountId, Depth, EntryName, MailboxId, limit};

use super::super::{Stage, name};
use crate::{Error, Wanted};

fn entry(text: &str) -> EntryName {
    EntryName::new(text.as_bytes()).unwrap()
}

async fn set(
    stage: &Stage,
    mailbox: Option<MailboxId>,
    user: AccountId,
    values: &[(&str, Option<&str>)],
) -> Result<(), Error> {
    let bytes = |value: &str| Bytes::copy_from_slice(value.as_bytes());
    let values = values.iter();
    let values = values.map(|(name, value)| (entry(name), value.map(bytes)));
    let store = stage.store();
    store.annotate(mailbox, user, values.collect(), 7).await
}

/// All annotations that a user sees, as `entry=value`.
async fn seen(stage: &Stage, mailbox: Option<MailboxId>, user: AccountId) -> Vec<String> {
    let wanted = Wanted {
        entries: vec![entry("/private"), entry("/shared")],
        depth: Depth::Infinity,
        max_size: None,
    };
    let of = [mailbox];
    let found = stage.store().annotations(user, &of, &wanted).await.unwrap();
    let told = found[0].iter().map(|one| {
        let value = one.value.as_ref().unwrap();
        format!("{}={}", one.entry, String::from_utf8_lossy(value))
    });
    told.collect()
}

pub async fn annotations_are_shared_or_private(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let first = inbox.account;
    let second = stage
        .store()
        .create_account("second", &[])
        .await
        .unwrap()
        .id;
    for mailbox in [Some(inbox.id), None] {
        let both = [
            ("/shared/comment", Some("ours")),
            ("/private/comment", Some("mine")),
        ];
        set(stage, mailbox, first, &both).await.unwrap();
        set(
            stage,
            mailbox,
            second,
            &[("/private/comment", Some("yours"))],
        )
        .await
        .unwrap();
        stage.reopen();
        assert_eq!(
            seen(stage, mailbox, first).await,
            ["/private/comment=mine", "/shared/comment=ours"]
        );
        assert_eq!(
            seen(stage, mailbox, second).await,
            ["/private/comment=yours", "/shared/comment=ours"]
        );
        set(
            stage,
            mailbox,
            first,
            &[("/private/comment", None), ("/private/x", None)],
        )
        .await
        .unwrap();
        assert_eq!(seen(stage, mailbox, first).await, ["/shared/comment=ours"]);
    }
    stage.store().remove_account(second).await.unwrap();
    assert_eq!(seen(stage, None, second).await, ["/shared/comment=ours"]);
    let gone = set(
        stage,
        Some(MailboxId(999)),
        first,
        &[("/shared/x", Some(""))],
    )
    .await;
    assert!(matches!(gone, Err(Error::NoMailbox)));
}

pub async fn annotations_go_along_with_their_mailbox(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let (user, box_) = (inbox.account, stage.create("a.b").await.id);
    let store = stage.store().clone();
    for mailbox in [inbox.id, box_] {
        let comment = [("/shared/comment", Some("here"))];
        set(stage, Some(mailbox), user, &comment).await.unwrap();
    }
    store
        .rename_mailbox(user, &name("a"), &name("c"))
        .await
        .unwrap();
    assert_eq!(
        seen(stage, Some(box_), user).await,
        ["/shared/comment=here"]
    );
    // INBOX keeps them, and what its messages went to has them too (RFC 5464 §4.1).
    store
        .rename_mailbox(user, &inbox.name, &name("old"))
        .await
        .unwrap();
    let old = store.mailbox(user, &name("old")).await.unwrap().unwrap();
    for mailbox in [inbox.id, old.id] {
        assert_eq!(
            seen(stage, Some(mailbox), user).await,
            ["/shared/comment=here"]
        );
    }
    store.delete_mailbox(box_).await.unwrap();
    assert_eq!(seen(stage, Some(box_), user).await, [""; 0]);
    let again = store
        .create_mailbox(user, &name("c.b"), None)
        .await
        .unwrap();
    assert_eq!(seen(stage, Some(again.id), user).await, [""; 0]);
}

pub async fn annotations_are_bounded_and_set_all_or_none(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let (user, here) = (inbox.account, Some(inbox.id));
    let large = "x".repeat(limit::ANNOTATION_BYTES);
    set(stage, here, user, &[("/private/large", Some(&large))])
        .await
        .unwrap();
    let larger = format!("{large}x");
    let both = [
        ("/private/a", Some("x")),
        ("/private/b", Some(larger.as_str())),
    ];
    let refused = set(stage, here, user, &both).await;
    assert!(matches!(refused, Err(Error::AnnotationTooLarge)));
    for at in 1..limit::ANNOTATIONS_PER_MAILBOX {
        let name = format!("/private/{at}");
        set(stage, here, user, &[(&name, Some(""))]).await.unwrap();
    }
    let full = set(
        stage,
        here,
        user,
        &[("/private/1", Some("new")), ("/private/more", Some(""))],
    );
    assert!(matches!(full.await, Err(Error::TooManyAnnotations)));
    assert!(
        seen(stage, here, user)
            .await
            .contains(&"/private/1=".to_owned())
    );
    // Others have their own, and one that is there can change.
    set(stage, here, user, &[("/shared/more", Some(""))])
        .await
        .unwrap();
    set(stage, here, user, &[("/private/1", Some("new"))])
        .await
        .unwrap();
    set(stage, None, user, &[("/private/more", Some(""))])
        .await
        .unwrap();
    set(
        stage,
        here,
        user,
        &[("/private/2", None), ("/private/more", Some(""))],
    )
    .await
    .unwrap();
}

pub async fn changes_of_annotations_are_noted_once_they_are_durable(stage: &mut Stage) {
    let inbox = stage.inbox().await;
    let user = inbox.account;
    let mut woken = stage.store().annotation_changes().watch();
    let comment = [("/shared/comment", Some("a")), ("/private/x", None)];
    set(stage, Some(inbox.id), user, &comment).await.unwrap();
    assert!(woken.has_changed().unwrap());
    woken.mark_unchanged();
    // What was so before is no change, and what was refused neither.
    set(stage, Some(inbox.id), user, &comment).await.unwrap();
    let large = "x".repeat(limit::ANNOTATION_BYTES + 1);
    let refused = [
        ("/private/y", Some("y")),
        ("/private/z", Some(large.as_str())),
    ];
    set(stage, Some(inbox.id), user, &refused)
        .await
        .unwrap_err();
    assert!(!woken.has_changed().unwrap());
    set(stage, None, user, &[("/private/y", Some("y"))])
        .await
        .unwrap();
    let (changes, whole) = stage.store().annotation_changes().since(0);
    assert!(whole && changes.iter().all(|change| change.origin == 7));
    let told = changes
        .iter()
        .map(|change| (change.mailbox, change.user, change.entry.as_str()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (Some(inbox.id), None, "/shared/comment"),
            (None, Some(user), "/private/y")
        ]
    );
}

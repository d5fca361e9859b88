//! What is stored, as clients see it.

use bytes::Bytes;
use pillarbox_message::DigestRef;
use pillarbox_model::MailboxName;
use pillarbox_store::Row;

use crate::harness::Server;

fn mail(n: usize) -> String {
    format!("Subject: mail {n}\r\nFrom: ann@example.org\r\n\r\nHow are you?\r\n")
}

/// The digests of ann's INBOX, and its rows.
async fn digests(server: &Server) -> (Vec<Row>, Vec<Bytes>) {
    let store = server.store();
    let account = store.account("ann").await.unwrap().unwrap().id;
    let inbox = store.mailbox(account, &MailboxName::inbox()).await;
    let open = store.open(inbox.unwrap().unwrap().id).await.unwrap();
    let rows: Vec<Row> = open.read().range(0, u32::MAX).collect();
    let contents = store.contents(&rows, true).await.unwrap();
    (
        rows,
        contents.into_iter().map(|content| content.digest).collect(),
    )
}

/// A digest that is missing, or was made by another version, is made by whoever asks first, and
/// then is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_is_made_once() {
    for command in ["FETCH 1:3 ENVELOPE", "SEARCH SENTSINCE 1-Jan-2020"] {
        let server = Server::start();
        let mut client = server.inbox("ann").await;
        for n in 0..3 {
            client.append("INBOX", "", &mail(n)).await;
        }
        let answer = client.ok(command).await;
        let (rows, before) = digests(&server).await;
        let spoilt = [Bytes::new(), Bytes::from_static(b"of another version")];
        let spoilt = rows.iter().map(|row| row.blob).zip(spoilt);
        server.store().redigest(spoilt.collect()).await.unwrap();
        let (_, spoilt) = digests(&server).await;
        assert!(DigestRef::new(&spoilt[0]).is_none() && DigestRef::new(&spoilt[1]).is_none());
        let untagged = |answer: &[String]| answer[..answer.len() - 1].to_vec();
        assert_eq!(untagged(&client.ok(command).await), untagged(&answer));
        assert_eq!(digests(&server).await.1, before, "{command}");
    }
}

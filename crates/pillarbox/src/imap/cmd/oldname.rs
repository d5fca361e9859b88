//! What IMAP4rev2 tells of names: the mailbox that was selected, and names that are kept otherwise than the
//! client gave them (RFC 9051 §6.3.2, §6.3.9.7).

use pillarbox_model::MailboxName;
use pillarbox_proto::imap::{encode, utf7};
use pillarbox_store::MailboxInfo;

use super::{Refusal, Session};

impl Session {
    /// LIST of the mailbox that is being selected, with OLDNAME if its name is not quite what the client gave.
    /// The attributes are those that cost nothing: others may be left out, and are then not said to be absent.
    pub(super) fn tell_selected(&mut self, raw: &[u8], mailbox: &MailboxInfo) {
        let attributes: Vec<_> = mailbox.special_use.iter().map(|u| u.attribute()).collect();
        if self.dialect.rev2 && !self.tell_other_name(raw, &mailbox.name, &attributes) {
            let delimiter = Some(self.endpoint.storage.delimiter);
            encode::list(
                &mut self.wire.out,
                "LIST",
                &attributes,
                delimiter,
                &mailbox.name,
                false,
                self.dialect,
            );
        }
    }

    /// LIST with OLDNAME, where a mailbox that there is now goes by another name than the client gave. To a
    /// client that has not enabled IMAP4rev2 it would mean nothing.
    pub(super) async fn tell_kept_name(
        &mut self,
        raw: &[u8],
        name: &MailboxName,
    ) -> Result<(), Refusal> {
        if !self.dialect.rev2 || is_as_given(raw, name) {
            return Ok(());
        }
        let account = self.user()?.account.id;
        let subscriptions = self.endpoint.storage.store.subscriptions(account).await?;
        let attributes: &[&str] = match subscriptions.contains(name) {
            true => &["\\Subscribed"],
            false => &[],
        };
        self.tell_other_name(raw, name, attributes);
        Ok(())
    }

    /// LIST with OLDNAME if that is called for.
    pub(super) fn tell_other_name(
        &mut self,
        raw: &[u8],
        name: &MailboxName,
        attributes: &[&str],
    ) -> bool {
        let differs = self.dialect.rev2 && !is_as_given(raw, name);
        if differs && let Ok(given) = utf7::pattern_argument(raw, true) {
            let delimiter = Some(self.endpoint.storage.delimiter);
            let out = &mut self.wire.out;
            let given = MailboxName::from_stored(&given);
            encode::list_news(out, attributes, delimiter, name, Some(&given), self.dialect);
        }
        differs
    }
}

fn is_as_given(raw: &[u8], name: &MailboxName) -> bool {
    raw == name.as_str().as_bytes()
}

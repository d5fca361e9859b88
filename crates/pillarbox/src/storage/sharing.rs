//! Namespaces (RFC 2342): under which names users see the mailboxes of others, and shared ones.

use std::sync::Arc;

use pillarbox_model::acl::{GROUP, NEGATIVE};
use pillarbox_model::{Delimiter, Identity, MailboxName, limit};

use super::{AccountError, Storage};
use crate::normalize::Normalize;
use crate::table::Table;

/// Stands for the delimiter in the level that names a user. So names with this character can't be in one.
const STAND_IN: char = '^';

/// How mailboxes are shared.
#[derive(Default)]
pub struct Sharing {
    /// Above the mailboxes of other users. Without it nobody can reach them.
    pub others: Option<MailboxName>,
    /// Above shared mailboxes.
    pub shared: Option<Shared>,
    /// From the name of an account to the groups it is in.
    pub groups: Option<Arc<dyn Table>>,
}

/// The namespace of mailboxes that are nobody's.
pub struct Shared {
    /// Above them.
    pub prefix: MailboxName,
    /// The account whose they are. Nobody logs in as it.
    pub account: String,
}

/// Where a user's name of a mailbox leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Location {
    /// To a mailbox of their own.
    Own,
    /// To one of this account, under this name.
    Of(String, MailboxName),
    /// Into a namespace, and to no mailbox.
    Nowhere,
}

impl Sharing {
    /// Where a name leads.
    pub(crate) fn locate(&self, name: &MailboxName, delimiter: Delimiter) -> Location {
        if let Some(rest) = below(self.others.as_ref(), name, delimiter) {
            let Some((user, rest)) = rest.split_once(delimiter.0) else {
                return Location::Nowhere;
            };
            let user = user.replace(STAND_IN, delimiter.0.encode_utf8(&mut [0; 4]));
            return match self.is_shared_account(&user) {
                true => Location::Nowhere,
                false => of(user, rest, delimiter),
            };
        }
        let Some(shared) = &self.shared else {
            return Location::Own;
        };
        match below(Some(&shared.prefix), name, delimiter) {
            Some("") => Location::Nowhere,
            Some(rest) => of(shared.account.clone(), rest, delimiter),
            None => Location::Own,
        }
    }

    /// The name by which other users know a mailbox; none if they can't reach it.
    pub(crate) fn shown(
        &self,
        owner: &str,
        name: &MailboxName,
        delimiter: Delimiter,
    ) -> Option<MailboxName> {
        let text = match &self.shared {
            Some(shared) if shared.account == owner => {
                format!("{}{}{name}", shared.prefix, delimiter.0)
            }
            _ => {
                let user = owner.replace(delimiter.0, STAND_IN.encode_utf8(&mut [0; 4]));
                let others = self.others.as_ref().filter(|_| !owner.contains(STAND_IN))?;
                format!("{others}{0}{user}{0}{name}", delimiter.0)
            }
        };
        // Account names may have what a mailbox's can't.
        MailboxName::new(&text, delimiter).ok()
    }

    /// Whether an account is the one of shared mailboxes.
    pub(crate) fn is_shared_account(&self, name: &str) -> bool {
        self.shared
            .as_ref()
            .is_some_and(|shared| shared.account == name)
    }
}

fn of(owner: String, rest: &str, delimiter: Delimiter) -> Location {
    match MailboxName::new(rest, delimiter) {
        Ok(name) => Location::Of(owner, name),
        Err(_) => Location::Nowhere,
    }
}

/// What comes after a prefix: nothing, if a name is the prefix itself.
fn below<'n>(
    prefix: Option<&MailboxName>,
    name: &'n MailboxName,
    delimiter: Delimiter,
) -> Option<&'n str> {
    let rest = name.as_str().strip_prefix(prefix?.as_str())?;
    match rest.strip_prefix(delimiter.0) {
        Some(rest) => Some(rest),
        None => rest.is_empty().then_some(""),
    }
}

/// Sign and rest of an identifier in a list of rights; none if it can't be one.
pub(crate) fn signed(identifier: &str) -> Option<(&str, &str)> {
    let (sign, rest) = match identifier.strip_prefix(NEGATIVE) {
        Some(rest) => ("-", rest),
        None => ("", identifier),
    };
    let empty = rest.trim_start_matches(GROUP).is_empty() || rest.starts_with(NEGATIVE);
    let fits = identifier.len() <= limit::ACL_IDENTIFIER_BYTES;
    (fits && !empty).then_some((sign, rest))
}

impl Storage {
    /// Whose a mailbox is that a namespace has under this name.
    pub(crate) fn owner(&self, name: &MailboxName) -> Option<String> {
        match self.sharing.locate(name, self.delimiter) {
            Location::Of(owner, _) => Some(owner),
            Location::Own | Location::Nowhere => None,
        }
    }

    /// Under which identifiers an account's user goes (RFC 4314 §2).
    ///
    /// # Errors
    /// [`AccountError::Table`] if the table of groups can't tell.
    pub async fn identity(&self, account: &str) -> Result<Identity, AccountError> {
        let Some(table) = &self.sharing.groups else {
            return Ok(Identity::new(account, []));
        };
        let groups = table.lookup_all(account).await;
        let groups = groups.map_err(AccountError::Table)?;
        let folded = groups
            .iter()
            .flat_map(|value| value.split([',', ' ']))
            .filter_map(|group| Normalize::Casefold.apply(group).ok());
        Ok(Identity::new(account, folded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOT: Delimiter = Delimiter('.');

    fn name(text: &str) -> MailboxName {
        MailboxName::new(text, DOT).unwrap()
    }

    fn sharing() -> Sharing {
        Sharing {
            others: Some(name("Other Users")),
            shared: Some(Shared {
                prefix: name("Shared"),
                account: "commons".into(),
            }),
            groups: None,
        }
    }

    #[test]
    fn names_lead_back_to_where_they_came_from() {
        let sharing = sharing();
        for (owner, mailbox, expected) in [
            ("bob", "INBOX", "Other Users.bob.INBOX"),
            ("bob@example.org", "a.b", "Other Users.bob@example^org.a.b"),
            ("commons", "Team.INBOX", "Shared.Team.INBOX"),
        ] {
            let shown = sharing.shown(owner, &name(mailbox), DOT).unwrap();
            assert_eq!(shown.as_str(), expected);
            let back = sharing.locate(&shown, DOT);
            assert_eq!(back, Location::Of(owner.into(), name(mailbox)));
        }
        let inbox = sharing.locate(&name("Other Users.bob.inbox"), DOT);
        assert_eq!(inbox, Location::Of("bob".into(), name("INBOX")));
    }

    #[test]
    fn what_only_stands_above_is_no_mailbox() {
        for text in ["Other Users", "Other Users.bob", "Shared"] {
            let located = sharing().locate(&name(text), DOT);
            assert_eq!(located, Location::Nowhere, "{text}");
        }
        for text in ["Other", "Other Users2.bob.x", "SharedToo", "a.Shared.b"] {
            assert_eq!(sharing().locate(&name(text), DOT), Location::Own, "{text}");
        }
        // Under one name only.
        let twice = sharing().locate(&name("Other Users.commons.Team"), DOT);
        assert_eq!(twice, Location::Nowhere);
    }

    #[test]
    fn without_namespaces_all_names_are_ones_own() {
        let none = Sharing::default();
        assert_eq!(none.locate(&name("Other Users.bob.x"), DOT), Location::Own);
        assert_eq!(none.shown("bob", &name("x"), DOT), None);
    }

    #[test]
    fn a_user_whose_name_can_not_be_a_level_is_not_shown() {
        for owner in ["a^b", "a*", "a%b", "a\u{7}b"] {
            assert_eq!(sharing().shown(owner, &name("x"), DOT), None, "{owner}");
        }
    }
}

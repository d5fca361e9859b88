//! Access control lists (RFC 4314 §2): who may do what with a mailbox.

use crate::Rights;

/// The identifier of everybody.
pub const ANYONE: &str = "anyone";
/// What the identifiers of groups begin with.
pub const GROUP: char = '$';
/// What the identifiers begin with whose rights are taken away.
pub const NEGATIVE: char = '-';

/// The list of one mailbox. The owner has all rights without being in it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Acl(Box<[(Box<str>, Rights)]>);

/// Under which identifiers somebody goes: their name, [`ANYONE`], and their groups.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Identity {
    name: Box<str>,
    groups: Box<[Box<str>]>,
}

/// A change of an identifier's rights (RFC 4314 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RightsChange {
    /// These and no others.
    Set(Rights),
    /// These too.
    Add(Rights),
    /// These no more.
    Remove(Rights),
}

impl RightsChange {
    /// What becomes of rights.
    #[must_use]
    pub fn apply(self, rights: Rights) -> Rights {
        match self {
            Self::Set(new) => new,
            Self::Add(more) => rights | more,
            Self::Remove(fewer) => rights & !fewer,
        }
    }
}

/// Whether an identifier can be a user's. What means something else of itself is nobody's name.
#[must_use]
pub fn is_user(identifier: &str) -> bool {
    identifier != ANYONE && !identifier.starts_with([GROUP, NEGATIVE])
}

impl Identity {
    /// Of an account's name, and of the names of groups, without the sign.
    #[must_use]
    pub fn new(name: &str, groups: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: name.into(),
            groups: groups
                .into_iter()
                .map(|group| format!("{GROUP}{group}").into())
                .collect(),
        }
    }

    /// All identifiers that mean this user.
    pub fn identifiers(&self) -> impl Iterator<Item = &str> {
        let name = Some(&*self.name).filter(|name| is_user(name));
        let groups = self.groups.iter().map(|group| &**group);
        name.into_iter().chain(groups).chain([ANYONE])
    }

    fn is(&self, identifier: &str) -> bool {
        self.identifiers().any(|own| own == identifier)
    }
}

impl Acl {
    /// The list with these entries, which are in order of identifiers.
    #[must_use]
    pub fn new(entries: Vec<(Box<str>, Rights)>) -> Self {
        Self(entries.into())
    }

    /// Identifiers and rights, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Rights)> {
        self.0
            .iter()
            .map(|(identifier, rights)| (&**identifier, *rights))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands beside an identifier.
    #[must_use]
    pub fn get(&self, identifier: &str) -> Option<Rights> {
        let mut entries = self.entries();
        entries
            .find(|(other, _)| *other == identifier)
            .map(|(_, rights)| rights)
    }

    /// What somebody may do: what all identifiers that mean them have together, without what their
    /// negative ones have.
    ///
    /// The owner has all rights as long as nothing else stands beside their name, and always the one to
    /// change rights: nobody can lock themselves out (RFC 4314 §2 lets a server always grant rights).
    #[must_use]
    pub fn rights_of(&self, who: &Identity, owner: bool) -> Rights {
        let (mut given, mut taken) = (Rights::NONE, Rights::NONE);
        for (identifier, rights) in self.entries() {
            match identifier.strip_prefix(NEGATIVE) {
                Some(negative) if who.is(negative) => taken = taken | rights,
                None if who.is(identifier) => given = given | rights,
                _ => {}
            }
        }
        if !owner {
            return given & !taken;
        }
        let listed = is_user(&who.name) && self.get(&who.name).is_some();
        let given = if listed { given } else { Rights::ALL };
        (given & !taken) | Rights::ADMINISTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(letters: &str) -> Rights {
        Rights::parse(letters).unwrap()
    }

    fn acl(entries: &[(&str, &str)]) -> Acl {
        let entry = |(who, letters): &(&str, &str)| ((*who).into(), rights(letters));
        Acl::new(entries.iter().map(entry).collect())
    }

    fn of(acl: &Acl, name: &str, groups: &[&str]) -> Rights {
        let groups = groups.iter().map(|group| (*group).to_owned());
        acl.rights_of(&Identity::new(name, groups), false)
    }

    #[test]
    fn rights_of_all_identifiers_add_up() {
        let list = acl(&[("$staff", "w"), ("anyone", "l"), ("ann", "rs")]);
        assert_eq!(of(&list, "ann", &["staff"]), rights("lrsw"));
        assert_eq!(of(&list, "ann", &[]), rights("lrs"));
        assert_eq!(of(&list, "bob", &[]), rights("l"));
        assert_eq!(of(&Acl::default(), "bob", &["staff"]), Rights::NONE);
    }

    #[test]
    fn negative_rights_win() {
        let list = acl(&[("-$staff", "w"), ("-ann", "r"), ("anyone", "lrw")]);
        assert_eq!(of(&list, "ann", &[]), rights("lw"));
        assert_eq!(of(&list, "bob", &["staff"]), rights("lr"));
        let list = acl(&[("-anyone", "r"), ("ann", "lr")]);
        assert_eq!(of(&list, "ann", &[]), rights("l"));
    }

    #[test]
    fn the_owner_has_all_rights_and_never_loses_that_to_change_them() {
        let owner = |list: &Acl| list.rights_of(&Identity::new("ann", []), true);
        assert_eq!(owner(&Acl::default()), Rights::ALL);
        assert_eq!(owner(&acl(&[("anyone", "l")])), Rights::ALL);
        assert_eq!(owner(&acl(&[("ann", "lr")])), rights("lra"));
        assert_eq!(owner(&acl(&[("ann", "")])), rights("a"));
        assert_eq!(owner(&acl(&[("-ann", "xa")])), Rights::ALL & !rights("x"));
    }

    #[test]
    fn a_user_whose_name_means_something_else_gets_only_what_that_means() {
        let list = acl(&[("$staff", "r"), ("-bob", "l"), ("anyone", "l")]);
        assert_eq!(of(&list, "$staff", &[]), rights("l"));
        assert_eq!(of(&list, "anyone", &[]), rights("l"));
        assert_eq!(of(&list, "-bob", &[]), rights("l"));
    }
}

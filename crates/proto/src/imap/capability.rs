//! The capabilities (RFC 3501 §7.2.1): one table of them, and the list that a client is given.

use std::fmt::Write as _;

/// An extension that is announced by its name alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extension {
    /// As registered.
    pub name: &'static str,
    /// The document that says what it means; of several, the newest.
    pub rfc: u32,
    /// Whether it is announced before login, too. Some clients never ask again.
    pub early: bool,
}

const fn early(name: &'static str, rfc: u32) -> Extension {
    Extension {
        name,
        rfc,
        early: true,
    }
}

/// One of no use before login.
const fn late(name: &'static str, rfc: u32) -> Extension {
    Extension {
        name,
        rfc,
        early: false,
    }
}

/// All of them, in the order in which they are announced. What is not wholly there is not in here.
///
/// Not in here either: what depends on more than the state (LITERAL+, APPENDLIMIT, AUTH=, STARTTLS,
/// LOGINDISABLED).
pub static EXTENSIONS: &[Extension] = &[
    early("IMAP4rev2", 9051),
    early("SASL-IR", 4959),
    early("ID", 2971),
    early("ENABLE", 5161),
    early("IDLE", 2177),
    early("NOTIFY", 5465),
    early("NAMESPACE", 2342),
    early("METADATA", 5464),
    early("FILTERS", 5466),
    early("LIST-METADATA", 9590),
    early("QUOTA", 9208),
    early("QUOTA=RES-STORAGE", 9208),
    early("QUOTA=RES-MESSAGE", 9208),
    early("QUOTA=RES-MAILBOX", 9208),
    early("QUOTASET", 9208),
    early("CHILDREN", 3348),
    early("UNSELECT", 3691),
    early("UIDPLUS", 4315),
    early("MOVE", 6851),
    early("SPECIAL-USE", 6154),
    early("CREATE-SPECIAL-USE", 6154),
    early("LIST-EXTENDED", 5258),
    early("LIST-STATUS", 5819),
    early("ESEARCH", 4731),
    early("MULTISEARCH", 7377),
    early("SEARCHRES", 5182),
    early("WITHIN", 5032),
    early("SORT", 5256),
    early("SORT=DISPLAY", 5957),
    early("ESORT", 5267),
    early("CONTEXT=SEARCH", 5267),
    early("CONTEXT=SORT", 5267),
    early("PARTIAL", 9394),
    early("INPROGRESS", 9585),
    early("THREAD=ORDEREDSUBJECT", 5256),
    early("THREAD=REFERENCES", 5256),
    // Of draft-ietf-morg-inthread, by what RFC 5256 says of REFERENCES.
    early("THREAD=REFS", 5256),
    early("STATUS=SIZE", 8438),
    early("MULTIAPPEND", 3502),
    early("CATENATE", 4469),
    early("URL-PARTIAL", 5550),
    early("UTF8=ACCEPT", 9755),
    early("LANGUAGE", 5255),
    early("I18NLEVEL=1", 5255),
    early("I18NLEVEL=2", 5255),
    early("XLIST", 6154),
    early("CONDSTORE", 7162),
    early("QRESYNC", 7162),
    early("UIDONLY", 9586),
    early("UIDBATCHES", 10022),
    early("BINARY", 3516),
    early("REPLACE", 8508),
    late("COMPRESS=DEFLATE", 4978),
    late("UNAUTHENTICATE", 8437),
    early("OBJECTID", 8474),
    early("SAVEDATE", 8514),
    early("PREVIEW", 8970),
    early("ACL", 4314),
    early("RIGHTS=kxte", 4314),
    early("LIST-MYRIGHTS", 8440),
];

/// What can't be told without something else, and goes where that is withheld.
const NEEDS: &[(&str, &str)] = &[
    ("CREATE-SPECIAL-USE", "SPECIAL-USE"),
    ("QRESYNC", "CONDSTORE"),
    ("SORT=DISPLAY", "SORT"),
    ("ESORT", "SORT"),
    ("CONTEXT=SORT", "SORT"),
    ("LIST-METADATA", "METADATA"),
    ("QUOTASET", "QUOTA"),
    ("QUOTA=RES-STORAGE", "QUOTA"),
    ("QUOTA=RES-MESSAGE", "QUOTA"),
    ("QUOTA=RES-MAILBOX", "QUOTA"),
    ("URL-PARTIAL", "CATENATE"),
];

/// What is announced by state or setting, and can be withheld all the same: without LITERAL+ there
/// is LITERAL-.
const SETTINGS: [&str; 2] = ["LITERAL+", "APPENDLIMIT"];

/// The names of all that can be withheld.
pub fn withholdable() -> impl Iterator<Item = &'static str> {
    let names = EXTENSIONS.iter().map(|extension| extension.name);
    names.chain(SETTINGS)
}

/// What the list depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts<'a> {
    /// STARTTLS can be given now: there is a certificate, and the connection is in the clear.
    pub starttls: bool,
    /// Passwords are refused on this connection as it is.
    pub login_disabled: bool,
    /// A user is logged in.
    pub authenticated: bool,
    /// SASL mechanisms, in order of preference.
    pub mechanisms: &'a [&'a str],
    /// The largest message that can be appended, in bytes, if it is the same for all mailboxes
    /// (RFC 7889 §3); otherwise STATUS tells.
    pub append_limit: Option<u64>,
    /// Messages that one command may touch (RFC 9738 §3).
    pub message_limit: Option<u32>,
    /// Messages that one COPY or APPEND may add, which is announced where `message_limit` is not.
    pub save_limit: Option<u32>,
    /// Names of [`withholdable`] that this client is not to be told of.
    pub withheld: &'a [&'a str],
}

impl Facts<'_> {
    /// Whether an extension is announced. Letters compare without case.
    #[must_use]
    pub fn announces(&self, name: &str) -> bool {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let shown = |extension: &&Extension| self.authenticated || extension.early;
        let known = EXTENSIONS.iter().filter(shown).any(|e| is(e.name));
        known && !self.withholds(name)
    }

    /// Whether a name is withheld, or one that it can't do without.
    fn withholds(&self, name: &str) -> bool {
        let listed = |name: &str| {
            let mut withheld = self.withheld.iter();
            withheld.any(|withheld| withheld.eq_ignore_ascii_case(name))
        };
        let mut needed = NEEDS
            .iter()
            .filter(|(needy, _)| needy.eq_ignore_ascii_case(name))
            .map(|(_, needed)| *needed);
        listed(name) || needed.any(listed)
    }
}

/// The list, as CAPABILITY and its response code give it, without the word CAPABILITY.
///
/// Before login `LITERAL-`, after it `LITERAL+`; never both (RFC 7888 §5). With LOGINDISABLED no
/// mechanism is announced: all of ours send the password.
#[must_use]
pub fn capabilities(facts: &Facts<'_>) -> String {
    let mut list = String::from("IMAP4rev1");
    let any_size = facts.authenticated && !facts.withholds("LITERAL+");
    let literal = if any_size { '+' } else { '-' };
    let _ = write!(list, " LITERAL{literal}");
    let names = EXTENSIONS.iter().map(|extension| extension.name);
    for name in names.filter(|name| facts.announces(name)) {
        let _ = write!(list, " {name}");
    }
    if !facts.withholds("APPENDLIMIT") {
        list.push_str(" APPENDLIMIT");
        if let Some(bytes) = facts.append_limit {
            let _ = write!(list, "={bytes}");
        }
    }
    match (facts.message_limit, facts.save_limit) {
        (Some(limit), _) => drop(write!(list, " MESSAGELIMIT={limit}")),
        (None, Some(limit)) => drop(write!(list, " SAVELIMIT={limit}")),
        (None, None) => {}
    }
    if !facts.authenticated {
        push_ways_in(&mut list, facts);
    }
    list
}

/// How to log in.
fn push_ways_in(list: &mut String, facts: &Facts<'_>) {
    if facts.starttls {
        list.push_str(" STARTTLS");
    }
    if facts.login_disabled {
        list.push_str(" LOGINDISABLED");
        return;
    }
    for name in facts.mechanisms {
        let _ = write!(list, " AUTH={name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(facts: &Facts<'_>, before: &str, after: &str) {
        let list = capabilities(facts);
        let shown: Vec<_> = EXTENSIONS
            .iter()
            .filter(|extension| facts.authenticated || extension.early)
            .map(|extension| extension.name)
            .collect();
        assert_eq!(list, format!("{before} {} {after}", shown.join(" ")));
    }

    #[test]
    fn in_the_clear_with_a_certificate() {
        let facts = Facts {
            starttls: true,
            login_disabled: true,
            mechanisms: &["PLAIN", "LOGIN"],
            append_limit: Some(67_108_864),
            ..Facts::default()
        };
        check(
            &facts,
            "IMAP4rev1 LITERAL-",
            "APPENDLIMIT=67108864 STARTTLS LOGINDISABLED",
        );
    }

    #[test]
    fn under_tls() {
        let facts = Facts {
            mechanisms: &["PLAIN", "LOGIN"],
            ..Facts::default()
        };
        check(
            &facts,
            "IMAP4rev1 LITERAL-",
            "APPENDLIMIT AUTH=PLAIN AUTH=LOGIN",
        );
    }

    #[test]
    fn logged_in() {
        let facts = Facts {
            starttls: true,
            login_disabled: true,
            authenticated: true,
            mechanisms: &["PLAIN"],
            append_limit: Some(1),
            ..Facts::default()
        };
        check(&facts, "IMAP4rev1 LITERAL+", "APPENDLIMIT=1");
    }

    #[test]
    fn what_is_withheld_is_not_announced() {
        let facts = Facts {
            authenticated: true,
            withheld: &["move"],
            ..Facts::default()
        };
        assert!(facts.announces("UIDPLUS") && !facts.announces("MOVE"));
        assert!(!capabilities(&facts).contains(" MOVE"));
    }

    #[test]
    fn what_needs_what_is_withheld_goes_with_it_and_literals_are_small_again() {
        let facts = Facts {
            authenticated: true,
            withheld: &["LITERAL+", "special-use", "APPENDLIMIT"],
            ..Facts::default()
        };
        let list = capabilities(&facts);
        assert!(list.starts_with("IMAP4rev1 LITERAL- "), "{list}");
        assert!(!list.contains("SPECIAL-USE") && !list.contains("APPENDLIMIT"));
        assert!(withholdable().any(|name| name == "LITERAL+"));
    }

    #[test]
    fn no_extension_stands_twice() {
        let mut names: Vec<_> = EXTENSIONS.iter().map(|extension| extension.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXTENSIONS.len());
    }
}

//! The list of capabilities (RFC 3501 §7.2.1), by state.

use std::fmt::Write as _;

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
    /// What modules add, after login.
    pub extra: &'a [&'a str],
}

/// What does not depend on anything. Announced before login as well, since some clients never ask
/// again.
const ALWAYS: &str = "SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE SPECIAL-USE \
     CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH SEARCHRES WITHIN STATUS=SIZE MULTIAPPEND";

/// The list, as CAPABILITY and its response code give it, without the word CAPABILITY.
///
/// Before login `LITERAL-`, after it `LITERAL+`; never both (RFC 7888 §5). With LOGINDISABLED no
/// mechanism is announced: all of ours send the password.
#[must_use]
pub fn capabilities(facts: &Facts<'_>) -> String {
    let mut list = String::from("IMAP4rev1 ");
    list.push_str(if facts.authenticated {
        "LITERAL+ "
    } else {
        "LITERAL- "
    });
    list.push_str(ALWAYS);
    list.push_str(" APPENDLIMIT");
    if let Some(bytes) = facts.append_limit {
        let _ = write!(list, "={bytes}");
    }
    if facts.authenticated {
        add(&mut list, "", facts.extra);
        return list;
    }
    if facts.starttls {
        list.push_str(" STARTTLS");
    }
    if facts.login_disabled {
        list.push_str(" LOGINDISABLED");
    } else {
        add(&mut list, "AUTH=", facts.mechanisms);
    }
    list
}

fn add(list: &mut String, prefix: &str, names: &[&str]) {
    for name in names {
        list.push(' ');
        list.push_str(prefix);
        list.push_str(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: &str = "SASL-IR ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE \
        SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH SEARCHRES WITHIN \
        STATUS=SIZE MULTIAPPEND";

    fn check(facts: &Facts<'_>, before: &str, after: &str) {
        assert_eq!(capabilities(facts), format!("{before} {MIDDLE} {after}"));
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
            extra: &["I18NLEVEL=1"],
        };
        check(&facts, "IMAP4rev1 LITERAL+", "APPENDLIMIT=1 I18NLEVEL=1");
    }
}

//! `table.email_localpart`: an address's part before the `@`.

use super::{Table, TableError, ready};
use crate::Answer;
use crate::module::{Module, Offer, Parts};
use crate::normalize::split;

pub(crate) const MODULE: Module = Module {
    name: "table.email_localpart",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Returns the part of an address before its last `@`, without quotes. What is no address \
          is not found, except `postmaster`.",
    directives: &[],
    build: |_, declaration| {
        declaration.no_args()?;
        declaration.bind(&[])?;
        Ok(Parts::table(LocalPart))
    },
};

/// The table.
struct LocalPart;

impl Table for LocalPart {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        ready(Ok(local_part(key)))
    }
}

/// The local part of an address, unquoted (RFC 5321 §4.1.2 gives the quoted and the plain form of
/// a name the same meaning).
pub(super) fn local_part(address: &str) -> Option<String> {
    if address.eq_ignore_ascii_case("postmaster") {
        return Some(address.to_owned());
    }
    let (local, _) = split(address).ok()?;
    unquote(local)
}

/// Nothing if a quoted string is broken.
fn unquote(local: &str) -> Option<String> {
    let Some(rest) = local.strip_prefix('"') else {
        return Some(local.to_owned());
    };
    let mut inside = rest.strip_suffix('"')?.chars();
    let mut text = String::new();
    while let Some(c) = inside.next() {
        match c {
            '"' => return None,
            '\\' => text.push(inside.next()?),
            _ => text.push(c),
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, table};

    #[test]
    fn the_part_before_the_last_at_sign() {
        let table = table("email_localpart");
        let part = |key: &str| first(&*table, key);
        assert_eq!(part("user@example.org").as_deref(), Some("user"));
        assert_eq!(part("a@b@example.org").as_deref(), Some("a@b"));
        assert_eq!(part("\"a b\"@example.org").as_deref(), Some("a b"));
        assert_eq!(part("\"a\\\"b\"@example.org").as_deref(), Some("a\"b"));
        assert_eq!(part("postmaster").as_deref(), Some("postmaster"));
        for none in [
            "user",
            "@example.org",
            "user@",
            "\"\"@x",
            "\"a@x",
            "\"a\"b\"@x",
            "\"a\\\"@x",
        ] {
            assert_eq!(part(none), None, "{none}");
        }
    }
}

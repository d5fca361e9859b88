//! `table.email_with_domain`: makes addresses of bare names.

use pillarbox_config::Error;

use super::{Table, TableError, ready};
use crate::Answer;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::normalize::is_domain;

pub(crate) const MODULE: Module = Module {
    name: "table.email_with_domain",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "DOMAIN...",
    doc: "Appends `@` and the domain to the key, which is quoted if it has to be. With several \
          domains, as many addresses; where one is wanted, that of the first domain.",
    directives: &[],
    build: |_, declaration| Ok(Parts::table(WithDomain::build(declaration)?)),
};

/// The table. It has at least one domain.
struct WithDomain(Vec<String>);

impl WithDomain {
    fn build(declaration: &Declaration<'_>) -> Built<Self> {
        declaration.bind(&[])?;
        if declaration.args.is_empty() {
            let error = declaration.error("email_with_domain: at least one domain is required");
            return Err(vec![error.help("as in `email_with_domain example.org`")]);
        }
        let wrong: Vec<Error> = declaration
            .args
            .iter()
            .filter(|word| word.text.is_empty() || !is_domain(&word.text))
            .map(|word| {
                let message = format!("email_with_domain: invalid domain: {}", word.text);
                Error::new(word.span, message)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self(
            declaration.texts().into_iter().map(str::to_owned).collect(),
        ))
    }

    fn addresses(&self, key: &str) -> impl Iterator<Item = String> {
        let local = quote(key);
        self.0.iter().map(move |domain| format!("{local}@{domain}"))
    }
}

impl Table for WithDomain {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        ready(Ok(self.addresses(key).next()))
    }

    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        ready(Ok(self.addresses(key).collect()))
    }
}

/// A local part as it stands in an address: plain if it is a Dot-string, else quoted (RFC 5321
/// §4.1.2).
fn quote(name: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || c > '\u{7F}' || "!#$%&'*+-/=?^_`{|}~".contains(c);
    if name
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(plain))
    {
        return name.to_owned();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, look, refused_table, table};

    #[test]
    fn a_domain_is_appended() {
        let table = table("email_with_domain example.org example.com");
        assert_eq!(first(&*table, "user").as_deref(), Some("user@example.org"));
        assert_eq!(look(&*table, "a.b"), ["a.b@example.org", "a.b@example.com"]);
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        let table = table("email_with_domain x.org");
        let address = |key: &str| first(&*table, key).unwrap();
        assert_eq!(address("a b"), "\"a b\"@x.org");
        assert_eq!(address("a@b"), "\"a@b\"@x.org");
        assert_eq!(address("a\"\\"), "\"a\\\"\\\\\"@x.org");
        assert_eq!(address(".a"), "\".a\"@x.org");
        assert_eq!(address("ü"), "ü@x.org");
    }

    #[test]
    fn domains_are_checked() {
        assert!(refused_table("email_with_domain").contains("at least one domain is required"));
        assert!(refused_table("email_with_domain a..b").contains("invalid domain: a..b"));
        assert!(refused_table("email_with_domain \"\"").contains("invalid domain"));
    }
}

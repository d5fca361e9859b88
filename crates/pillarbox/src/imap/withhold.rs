//! `withhold`: extensions that some clients are not to be told of, since they get them wrong.
//!
//! What is withheld is neither announced nor enabled. Its commands are done all the same: whoever sends
//! them without having been told of them knows what they do.

use std::sync::Arc;

use pillarbox_config::{Bound, Error, Node, nearest};
use pillarbox_proto::imap::capability::withholdable;

use crate::module::Built;
use crate::table::Table;

/// What an endpoint withholds, and from whom.
#[derive(Default)]
pub struct Withheld {
    /// From everybody.
    always: Vec<&'static str>,
    /// From clients that say that they are of some kind.
    by_client: Vec<ByClient>,
    /// From accounts: a table from their names to names of extensions.
    by_account: Option<Arc<dyn Table>>,
}

/// What is withheld from a kind of client.
struct ByClient {
    names: Vec<&'static str>,
    /// Fields of ID, each with the pattern that its value has to match. All have to.
    fields: Vec<(String, String)>,
}

/// What a client has told of itself with ID (RFC 2971), as text.
pub(crate) type ClientId = [(String, String)];

impl Withheld {
    /// Reads the `withhold` directives of a block.
    ///
    /// # Errors
    /// Names that are none of extensions, and fields without a pattern.
    pub fn build(bound: &Bound<'_>) -> Built<Self> {
        let (mut withheld, mut errors) = (Self::default(), Vec::new());
        for node in bound.nodes("withhold") {
            match (names(node), fields(node)) {
                (Ok(names), Ok(fields)) if fields.is_empty() => withheld.always.extend(names),
                (Ok(names), Ok(fields)) => withheld.by_client.push(ByClient { names, fields }),
                (names, fields) => {
                    errors.extend(names.err().into_iter().chain(fields.err()).flatten());
                }
            }
        }
        match errors.is_empty() {
            true => Ok(withheld),
            false => Err(errors),
        }
    }

    /// With a table from names of accounts to names of extensions.
    #[must_use]
    pub fn by_account(self, by_account: Option<Arc<dyn Table>>) -> Self {
        Self { by_account, ..self }
    }

    /// What is withheld from a client that says this of itself, `account` aside. Empty for nearly all.
    pub(crate) fn for_client(&self, id: &ClientId) -> Vec<&'static str> {
        let of_kind = self.by_client.iter().filter(|kind| kind.is(id));
        let more = of_kind.flat_map(|kind| &kind.names);
        self.always.iter().chain(more).copied().collect()
    }

    /// What is withheld from an account. A table that can't be asked withholds nothing: `log` says so, and
    /// nobody is kept from their mail.
    pub(crate) async fn for_account(
        &self,
        account: &str,
        log: &crate::log::Logger,
    ) -> Vec<&'static str> {
        let Some(table) = &self.by_account else {
            return Vec::new();
        };
        match table.lookup(account).await {
            Ok(None) => Vec::new(),
            Ok(Some(value)) => known_among(&value, account, log),
            Err(error) => {
                let fields: crate::log::Fields<'_> = &[("reason", &crate::log::Text(error))];
                log.error("withhold_map can't be asked", fields);
                Vec::new()
            }
        }
    }
}

/// The names in a table's value, with spaces or commas between. What is unknown is logged and passed over.
fn known_among(value: &str, account: &str, log: &crate::log::Logger) -> Vec<&'static str> {
    let words = value.split(|c: char| c == ',' || c.is_ascii_whitespace());
    let mut names = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        match known(word) {
            Some(name) => names.push(name),
            None => log.warn(
                "withhold_map names no extension",
                &[("account", &account), ("name", &word)],
            ),
        }
    }
    names
}

/// An extension, in our spelling.
fn known(name: &str) -> Option<&'static str> {
    withholdable().find(|known| known.eq_ignore_ascii_case(name))
}

fn names(node: &Node) -> Built<Vec<&'static str>> {
    if node.args.is_empty() {
        let error = Error::new(node.name.span, "withhold needs the name of an extension");
        return Err(vec![error.help("as in `withhold UIDONLY`")]);
    }
    let (mut names, mut errors) = (Vec::new(), Vec::new());
    for word in &node.args {
        match known(&word.text) {
            Some(name) => names.push(name),
            None => errors.push(unknown(word)),
        }
    }
    match errors.is_empty() {
        true => Ok(names),
        false => Err(errors),
    }
}

fn unknown(word: &pillarbox_config::Word) -> Error {
    let error = Error::new(word.span, format!("unknown extension: {}", word.text));
    match nearest(&word.text, withholdable()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => {
            let all: Vec<_> = withholdable().collect();
            error.help(format!("one of: {}", all.join(", ")))
        }
    }
}

/// `client FIELD PATTERN` lines.
fn fields(node: &Node) -> Built<Vec<(String, String)>> {
    let (mut fields, mut errors) = (Vec::new(), Vec::new());
    for line in node.children() {
        let args: Vec<_> = line.texts().collect();
        match (line.name.text.as_str(), &args[..]) {
            ("client", [field, pattern]) if line.children().is_empty() => {
                fields.push((field.to_ascii_lowercase(), pattern.to_lowercase()));
            }
            _ => errors.push(
                Error::new(line.name.span, "expected `client FIELD PATTERN`")
                    .help("as in `client name \"*Outlook*\"`, of what clients send with ID"),
            ),
        }
    }
    if fields.len() > CLIENT_FIELDS {
        errors.push(Error::new(node.name.span, "too many fields of one client"));
    }
    match errors.is_empty() {
        true => Ok(fields),
        false => Err(errors),
    }
}

/// Fields in one `withhold`: RFC 2971 §3.3 names ten.
const CLIENT_FIELDS: usize = 30;

impl ByClient {
    fn is(&self, id: &ClientId) -> bool {
        self.fields.iter().all(|(field, pattern)| {
            id.iter().any(|(said, value)| {
                said.eq_ignore_ascii_case(field) && matches(pattern, &value.to_lowercase())
            })
        })
    }
}

/// Whether a text is like a pattern in which `*` stands for anything.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    // There is always a first piece.
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("outlook", "outlook", true),
            ("outlook", "outlook 16", false),
            ("outlook*", "outlook 16", true),
            ("*outlook", "microsoft outlook", true),
            ("*look*", "microsoft outlook 16", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn all_fields_of_a_client_have_to_match() {
        let kind = ByClient {
            names: vec!["MOVE"],
            fields: vec![
                ("name".into(), "mail*".into()),
                ("version".into(), "1.*".into()),
            ],
        };
        let id = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(field, value)| (field.to_string(), value.to_string()))
                .collect()
        };
        assert!(kind.is(&id(&[("NAME", "Mailer"), ("version", "1.2")])));
        assert!(!kind.is(&id(&[("name", "Mailer")])));
        assert!(!kind.is(&id(&[("name", "Mailer"), ("version", "2.1")])));
        assert!(!kind.is(&[]));
    }
}

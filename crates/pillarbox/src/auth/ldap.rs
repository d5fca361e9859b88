//! `auth.ldap`: the users of a directory (RFC 4511).

mod pool;
mod url;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use ldap3::{LdapResult, dn_escape, ldap_escape, parse_filter};
use pillarbox_config::{Bound, Directive, Error, Kind, Node};

use self::pool::{Identity, Operation, Pool, Reply, Target};
use self::url::Url;
use super::{Denied, Provider};
use crate::Answer;
use crate::assemble::Assembly;
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::net::tls::client;
use crate::secret::Secret;
use crate::table::{Table, TableError};

pub(crate) const MODULE: Module = Module {
    name: "auth.ldap",
    aliases: &["table.ldap"],
    offers: &[Offer::Provider, Offer::Table],
    arguments: "[URL...]",
    doc: "Asks an LDAP directory. A user is an entry, either at `dn_template` or the only one that \
          `filter` finds below `base_dn`; the password is right if the directory lets the user bind \
          with it. An empty password is always wrong.\n\n\
          As a table it gives the DN of a user, for which `base_dn` and `filter` are needed.\n\n\
          Nothing is connected until somebody logs in: a directory that is down keeps neither the \
          server from starting nor its configuration from being verified. Logins are refused as \
          temporarily unavailable then.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        let ldap = Arc::new(Ldap::build(assembly, declaration)?);
        Ok(Parts {
            provider: Some(Arc::clone(&ldap) as Arc<dyn Provider>),
            table: Some(ldap),
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "urls",
        Kind::TextList,
        "",
        "The directory's servers, of which the first that can be reached is asked: \
         `ldap://HOST[:PORT]`, `ldaps://HOST[:PORT]`, `ldapi:///PATH`. They may also stand as \
         arguments.",
    ),
    Directive::new(
        "bind",
        Kind::Custom,
        "off",
        "As whom the directory is searched: `off` is nobody, without a bind; `unauth` the same with \
         an empty bind; `external` whom TLS or the socket says we are (SASL EXTERNAL); `plain DN \
         PASSWORD` that entry.",
    ),
    Directive::new(
        "dn_template",
        Kind::Text,
        "",
        "The DN of a user, with `{username}` where the name has to be. Then nothing is searched.",
    ),
    Directive::new(
        "base_dn",
        Kind::Text,
        "",
        "The entry below which users are searched.",
    ),
    Directive::new(
        "filter",
        Kind::Text,
        "",
        "The filter that finds a user (RFC 4515), with `{username}` where the name has to be, as in \
         `(&(objectClass=posixAccount)(uid={username}))`.",
    ),
    Directive::new(
        "starttls",
        Kind::Bool,
        "no",
        "Connections to `ldap://` get TLS at once.",
    ),
    client::DIRECTIVE,
    Directive::new(
        "connect_timeout",
        TIMEOUT,
        "1m",
        "How long a server may take until it is ready for questions.",
    ),
    Directive::new(
        "request_timeout",
        TIMEOUT,
        "1m",
        "How long an answer may take.",
    ),
    Directive::new(
        "connections",
        Kind::Integer { min: 1, max: 1024 },
        "16",
        "How many connections there may be for searches, and as many for users' binds. Further \
         logins wait, no longer than `request_timeout`.",
    ),
    Directive::new(
        "debug",
        Kind::Bool,
        "no",
        "Logs what the directory answers.",
    )
    .inherit(),
];

const TIMEOUT: Kind = Kind::Duration {
    min: Duration::from_millis(100),
    max: Duration::from_secs(3600),
};

/// What stands for the user in templates.
const USERNAME: &str = "{username}";

/// The provider and table.
struct Ldap(Arc<Directory>);

/// What it knows, apart for tasks of their own.
struct Directory {
    names: Names,
    /// For searches, always as the same identity.
    searches: Pool,
    /// For users' binds. What is bound as somebody never searches.
    binds: Pool,
    log: Logger,
}

/// From a name to an entry.
enum Names {
    Template(String),
    Search { base: String, filter: String },
}

impl Ldap {
    fn build<'t>(assembly: &mut Assembly<'t>, declaration: &Declaration<'t>) -> Built<Self> {
        let bound = assembly.bind_inheriting(declaration, DIRECTIVES)?;
        let names = names(declaration, &bound)?;
        let identity = identity(bound.node("bind"))?;
        let target = Arc::new(target(assembly, declaration, &bound)?);
        let connections = usize::try_from(bound.integer("connections")).unwrap_or(1);
        Ok(Self(Arc::new(Directory {
            names,
            searches: Pool::new(Arc::clone(&target), identity, connections),
            binds: Pool::new(target, Identity::Nobody, connections),
            log: Logger::new("ldap").with_debug(bound.flag("debug")),
        })))
    }

    async fn login(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        let (user, password) = (user.to_owned(), password.clone());
        let directory = Arc::clone(&self.0);
        apart(async move { directory.login(&user, &password).await }).await
    }

    async fn find(&self, user: &str) -> Result<Option<String>, TableError> {
        let (user, directory) = (user.to_owned(), Arc::clone(&self.0));
        match apart(async move { directory.find(&user).await }).await {
            Ok(found) => Ok(found),
            Err(Denied::Credentials(why)) => Err(anyhow!(why)),
            Err(Denied::Unavailable(error)) => Err(error),
        }
    }
}

/// Works in a task of its own: what a damaged answer does to the library stays there.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Denied>> + Send + 'static,
) -> Result<T, Denied> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Denied::Unavailable(anyhow!("ldap: {error}"))),
    }
}

impl Provider for Ldap {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        Box::pin(self.login(user, password))
    }

    /// There is no user without a name, and it takes as many questions to find that out.
    fn decoy<'a>(&'a self, password: &'a Secret) -> Answer<'a, ()> {
        Box::pin(async move {
            let _ = self.login("", password).await;
        })
    }
}

/// As a table it gives users' DNs.
impl Table for Ldap {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(self.find(key))
    }
}

impl Directory {
    async fn login(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        // A bind without a password succeeds, and proves nothing (RFC 4513 §5.1.2).
        let password = match std::str::from_utf8(password.reveal()) {
            Ok("") => return Err(wrong("the password is empty")),
            Ok(password) => password,
            // RFC 4513 §5.1.3: passwords are UTF-8.
            Err(_) => return Err(wrong("the password is not UTF-8")),
        };
        let found = match &self.names {
            Names::Template(template) => Some(dn_of(template, user)),
            Names::Search { .. } => self.find(user).await?,
        };
        match found {
            Some(dn) => self.bind(user, &dn, password).await,
            None => {
                // As much work as for somebody who is there.
                let _ = self.bind(user, &self.decoy_dn(), password).await;
                Err(wrong("unknown user"))
            }
        }
    }

    /// The DN of the only entry for this name. More than one is nobody's.
    async fn find(&self, user: &str) -> Result<Option<String>, Denied> {
        let Names::Search { base, filter } = &self.names else {
            let error = anyhow!("ldap: with dn_template nobody can be looked up");
            return Err(Denied::Unavailable(error));
        };
        let filter = filter_of(filter, user);
        let reply = self.searches.ask(&Operation::Search { base, filter }).await;
        let Reply { result, mut dns } = reply.map_err(unavailable)?;
        self.heard("search", user, &result);
        match (result.rc, dns.len()) {
            (SUCCESS, 0) => Ok(None),
            (SUCCESS, 1) => Ok(dns.pop().filter(|dn| !dn.is_empty())),
            (SUCCESS | SIZE_LIMIT_EXCEEDED, _) => Err(wrong("more than one entry is found")),
            _ => Err(unavailable(anyhow!("search: {}", shown(&result)))),
        }
    }

    async fn bind(&self, user: &str, dn: &str, password: &str) -> Result<(), Denied> {
        let reply = self.binds.ask(&Operation::Bind { dn, password }).await;
        let result = reply.map_err(unavailable)?.result;
        self.heard("bind", user, &result);
        match result.rc {
            SUCCESS => Ok(()),
            code if REFUSALS.contains(&code) => Err(wrong(&shown(&result))),
            _ => Err(unavailable(anyhow!("bind: {}", shown(&result)))),
        }
    }

    /// An entry that has no password.
    fn decoy_dn(&self) -> String {
        match &self.names {
            Names::Template(template) => template.replace(USERNAME, ""),
            Names::Search { base, .. } => base.clone(),
        }
    }

    fn heard(&self, what: &str, user: &str, result: &LdapResult) {
        if self.log.debugs() {
            let result = shown(result);
            self.log.debug(
                "the directory has answered",
                &[("request", &what), ("result", &result), ("username", &user)],
            );
        }
    }
}

/// Result codes of RFC 4511, Appendix A.
const SUCCESS: u32 = 0;
/// There is more than was asked for.
const SIZE_LIMIT_EXCEEDED: u32 = 4;
/// What a directory says to a bind that is wrong, and not to one that it can't judge now:
/// constraintViolation (too many tries), noSuchObject, invalidDNSyntax, inappropriateAuthentication
/// (no password), invalidCredentials, insufficientAccessRights, unwillingToPerform (an account that
/// is locked).
const REFUSALS: [u32; 7] = [19, 32, 34, 48, 49, 50, 53];

/// The DN that a template makes of a name (RFC 4514 §2.4).
fn dn_of(template: &str, user: &str) -> String {
    template.replace(USERNAME, &dn_escape(user))
}

/// The filter that a template makes of a name (RFC 4515 §3).
fn filter_of(template: &str, user: &str) -> String {
    template.replace(USERNAME, &ldap_escape(user))
}

/// A result for the log.
fn shown(result: &LdapResult) -> String {
    format!("result {} {}", result.rc, result.text.trim())
}

fn wrong(why: &str) -> Denied {
    Denied::Credentials(format!("ldap: {why}"))
}

fn unavailable(error: anyhow::Error) -> Denied {
    Denied::Unavailable(error.context("ldap"))
}

/// How names are found: exactly one of the two ways.
fn names(declaration: &Declaration<'_>, bound: &Bound<'_>) -> Built<Names> {
    let templated = |name: &str| {
        let text = bound.text(name)?;
        let span = bound
            .node(name)
            .map_or(declaration.span(), |node| node.span());
        Some(match text.contains(USERNAME) {
            true => Ok(text.to_owned()),
            false => {
                let error = Error::new(span, format!("{name} has no {USERNAME} in it"));
                Err(vec![error.help("all users would be the same one")])
            }
        })
    };
    let Some(template) = templated("dn_template") else {
        let base = bound.text("base_dn").ok_or("base_dn not set");
        let filter = templated("filter").ok_or("filter not set");
        let missing = |message: &str| {
            let error = declaration.error(message);
            vec![error.help("either `dn_template`, or `base_dn` and `filter`")]
        };
        let filter = filter.map_err(missing)??;
        check_filter(bound, declaration, &filter)?;
        return Ok(Names::Search {
            base: base.map_err(missing)?.to_owned(),
            filter,
        });
    };
    match bound.node("base_dn").or_else(|| bound.node("filter")) {
        Some(node) => {
            let message = "search directives set when dn_template is used";
            Err(vec![Error::new(node.span(), message)])
        }
        None => Ok(Names::Template(template?)),
    }
}

fn check_filter(bound: &Bound<'_>, declaration: &Declaration<'_>, filter: &str) -> Built<()> {
    if parse_filter(filter.replace(USERNAME, "x")).is_ok() {
        return Ok(());
    }
    let span = bound
        .node("filter")
        .map_or(declaration.span(), |node| node.span());
    let error = Error::new(span, "this is no LDAP filter");
    Err(vec![error.help(format!("as in `(uid={USERNAME})`"))])
}

/// What `bind` says.
fn identity(node: Option<&Node>) -> Built<Identity> {
    let Some(node) = node else {
        return Ok(Identity::Nobody);
    };
    match node.texts().collect::<Vec<_>>().as_slice() {
        ["off"] => Ok(Identity::Nobody),
        ["unauth"] => Ok(Identity::Anonymous),
        ["external"] => Ok(Identity::External),
        // RFC 4513 §5.1.2: that would be nobody in disguise.
        ["plain", _, ""] => Err(vec![Error::new(node.span(), "bind: the password is empty")]),
        ["plain", dn, password] => Ok(Identity::Entry {
            dn: (*dn).to_owned(),
            password: Secret::new(password.as_bytes().to_vec()),
        }),
        _ => {
            let error = Error::new(node.span(), "bind: an unknown way to bind");
            Err(vec![
                error.help("`off`, `unauth`, `external` or `plain DN PASSWORD`"),
            ])
        }
    }
}

/// The servers, and how they are connected.
fn target<'t>(
    assembly: &mut Assembly<'t>,
    declaration: &Declaration<'t>,
    bound: &Bound<'t>,
) -> Built<Target> {
    let listed = bound.node("urls").map_or(&[][..], |node| &node.args);
    let words: Vec<_> = declaration.args.iter().chain(listed).collect();
    if words.is_empty() {
        let error = declaration.error("missing required directive: urls");
        return Err(vec![error.help("as in `urls ldaps://ldap.example.org`")]);
    }
    let starttls = bound.flag("starttls");
    let mut urls = Vec::new();
    for word in words {
        let url = Url::parse(&word.text).map_err(|why| {
            let message = format!("{}: {why}", word.text);
            vec![Error::new(word.span, message)]
        })?;
        if url.is_clear() && !starttls {
            let text = format!(
                "passwords go to {} in clear: use `starttls`, or ldaps://",
                word.text
            );
            assembly.warn(word.span, text);
        }
        urls.push(url);
    }
    let tls = starttls || urls.iter().any(Url::is_tls);
    Ok(Target::new(
        urls,
        tls.then(|| assembly.tls_client(bound, declaration.node))
            .transpose()?,
        starttls,
        bound.duration("connect_timeout"),
        bound.duration("request_timeout"),
    ))
}

#[cfg(test)]
#[path = "ldap/tests.rs"]
mod tests;

//! The directives of `tls.loader.acme`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pillarbox_config::{Address, Bound, Directive, Error, Kind, Node};
use rustls::ClientConfig;

use super::super::{client, settings};
use super::challenge::Hook;
use crate::secret::Secret;

/// Let's Encrypt, and where it lets people rehearse.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// Names in one certificate. Let's Encrypt takes no more, either.
const NAMES: usize = 100;
/// The longest wait for a zone's servers.
const LONGEST_DNS_WAIT: Duration = Duration::from_secs(3_600);

/// What may stand in the block.
pub const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "hostname",
        Kind::Text,
        "",
        "The name that the certificate is for. The default is the global value.",
    )
    .inherit()
    .required(),
    Directive::new(
        "extra_names",
        Kind::TextList,
        "",
        "Further names for the same certificate. With `challenge dns-01` also wildcards, as in \
         `*.example.org`.",
    ),
    Directive::new(
        "challenge",
        Kind::Enum(&["tls-alpn-01", "http-01", "dns-01"]),
        "",
        "How the authority sees that the names are ours. `tls-alpn-01`: it connects to port 443 and \
         finds an answer in the TLS handshake, which all endpoints under TLS give, and `listen`. \
         `http-01`: it connects to port 80 and asks over HTTP, see `http_listen`. `dns-01`: it looks \
         for a record in the zone, which `dns_hook` makes; nobody has to be able to connect.",
    )
    .required(),
    Directive::new(
        "agreed",
        Kind::Bool,
        "no",
        "Says that you agree to the authority's terms of service. No certificate is ordered without \
         `agreed yes`.",
    ),
    Directive::new(
        "email",
        Kind::Text,
        "",
        "Where the authority may write to, when something is wrong with the certificates.",
    ),
    Directive::new(
        "listen",
        Kind::Addresses,
        "",
        "Addresses at which nothing but tls-alpn-01 is answered, as in `tls://0.0.0.0:443`. For \
         servers that have no endpoint at port 443; that port has to be free.",
    ),
    Directive::new(
        "http_listen",
        Kind::Addresses,
        "",
        "Addresses at which nothing but http-01 is answered, as in `tcp://0.0.0.0:80`. All other \
         requests get status 404. Needed for `challenge http-01`.",
    ),
    Directive::new(
        "dns_hook",
        Kind::TextList,
        "",
        "A program, and its first arguments, that changes the zone. It is run with the further \
         arguments `present DOMAIN RECORD VALUE` before the authority looks and `cleanup DOMAIN \
         RECORD VALUE` after it: the TXT record of that name has to get that value beside those that \
         it has, or lose it. Exit status 0 means that it did; otherwise what it wrote to its \
         standard error is logged. It may take two minutes. Needed for `challenge dns-01`.",
    ),
    Directive::new(
        "dns_wait",
        Kind::Duration { min: Duration::ZERO, max: LONGEST_DNS_WAIT },
        "30s",
        "How long to wait after `dns_hook` until all servers of the zone know the record.",
    ),
    Directive::new(
        "override_domain",
        Kind::Text,
        "",
        "The name of the record to change instead of `_acme-challenge.DOMAIN`: where that name has \
         a CNAME to it.",
    ),
    Directive::new(
        "store_path",
        Kind::Text,
        "acme",
        "The directory for accounts, certificates and their keys. Several processes may share one: \
         only one of them orders.",
    ),
    Directive::new(
        "ca",
        Kind::Text,
        LETS_ENCRYPT,
        "The URL of the authority's directory.",
    ),
    Directive::new(
        "test_ca",
        Kind::Text,
        "",
        "The URL of an authority to rehearse with: after `ca` refused, the next orders go there, and \
         to `ca` again when one works. Certificates from there are thrown away. The default is Let's \
         Encrypt's staging environment where `ca` is Let's Encrypt, and none elsewhere.",
    ),
    Directive::new(
        "ca_root",
        Kind::TextList,
        "",
        "Files in PEM form with the certificates that the authority's own web server has to have \
         one from. For private authorities. The default is what `tls_client` says.",
    ),
    client::DIRECTIVE,
    Directive::new(
        "eab",
        Kind::TextList,
        "",
        "The key's identifier and the key, in base64url, for authorities whose accounts need an \
         external one (RFC 8555 §7.3.4).",
    ),
    Directive::new(
        "key_type",
        Kind::Enum(&["p256", "p384", "rsa2048"]),
        "p256",
        "The kind of key of certificates. `rsa2048` is for very old clients.",
    ),
    Directive::new(
        "profile",
        Kind::Text,
        "",
        "The authority's profile to order by, such as Let's Encrypt's `shortlived`.",
    ),
    Directive::new(
        "dns",
        Kind::Custom,
        "",
        "Not available: there are no built-in DNS providers. See `dns_hook`.",
    ),
    Directive::new(
        "debug",
        Kind::Bool,
        "no",
        "Logs more. The default is the global value.",
    )
    .inherit(),
    settings::PROTOCOLS,
    settings::CIPHERS,
    settings::CURVES,
    settings::CLIENT_CA,
    settings::CLIENT_AUTH,
    settings::CLIENT_NAME,
];

/// What the block says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// The names, at least one, in their ASCII form; the first names the file.
    pub(super) names: Vec<String>,
    pub(super) challenge: Challenge,
    pub(super) email: Option<String>,
    pub(super) store: PathBuf,
    pub(super) ca: String,
    pub(super) test_ca: Option<String>,
    pub(super) eab: Option<Eab>,
    pub(super) key_type: KeyType,
    pub(super) profile: Option<String>,
    pub(super) listen: Vec<Address>,
    pub(super) http_listen: Vec<Address>,
    pub(super) debug: bool,
}

/// How the authority sees that the names are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    TlsAlpn,
    Http,
    Dns(Hook),
}

/// The kind of a certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    P256,
    P384,
    Rsa2048,
}

/// An external account.
#[derive(Clone)]
pub(super) struct Eab {
    pub(super) id: String,
    pub(super) key: Secret,
}

impl PartialEq for Eab {
    /// Of two configurations of the same administrator, so time tells nothing.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.key.reveal() == other.key.reveal()
    }
}

impl Eq for Eab {}

/// Reads what a block says, and whom to trust when talking to the authority. Relative paths are in
/// `state_dir`.
///
/// # Errors
///
/// All that is wrong.
pub(super) fn read(
    bound: &Bound<'_>,
    owner: &Node,
    state_dir: &Path,
) -> Result<(Settings, Arc<ClientConfig>), Vec<Error>> {
    let mut errors = Vec::new();
    let reader = Reader { bound, owner };
    errors.extend(reader.agreed());
    let client = client::build_trusting(
        bound.node("tls_client"),
        bound.node("ca_root"),
        owner,
        state_dir,
    );
    let client = client.map_err(|more| errors.extend(more)).ok();
    let mut keep = |error| errors.push(error);
    let names = reader
        .names()
        .map_err(|more| more.into_iter().for_each(&mut keep))
        .ok();
    let challenge = reader
        .challenge(names.as_deref(), state_dir)
        .map_err(&mut keep)
        .ok();
    let ca = reader.url("ca").map_err(&mut keep).ok().flatten();
    let test_ca = reader.url("test_ca").map_err(&mut keep).ok();
    let email = reader.email().map_err(&mut keep).ok();
    let eab = reader.eab().map_err(&mut keep).ok();
    reader.listens().for_each(&mut keep);
    let (Some(client), Some(names), Some(challenge), Some(ca)) = (client, names, challenge, ca)
    else {
        return Err(errors);
    };
    let (Some(test_ca), Some(email), Some(eab), true) = (test_ca, email, eab, errors.is_empty())
    else {
        return Err(errors);
    };
    let staging = (ca == LETS_ENCRYPT).then(|| LETS_ENCRYPT_STAGING.to_owned());
    let settings = Settings {
        names,
        challenge,
        email,
        store: state_dir.join(bound.text("store_path").unwrap_or_default()),
        test_ca: test_ca.or(staging),
        ca,
        eab,
        key_type: match bound.choice("key_type") {
            "p384" => KeyType::P384,
            "rsa2048" => KeyType::Rsa2048,
            _ => KeyType::P256,
        },
        profile: bound.text("profile").map(str::to_owned),
        listen: bound.addresses("listen"),
        http_listen: bound.addresses("http_listen"),
        debug: bound.flag("debug"),
    };
    Ok((settings, client))
}

struct Reader<'a, 't> {
    bound: &'a Bound<'t>,
    owner: &'a Node,
}

impl Reader<'_, '_> {
    /// An error at a directive or, if it isn't there, at the block.
    fn error(&self, name: &str, message: impl Into<String>) -> Error {
        Error::new(self.bound.node(name).unwrap_or(self.owner).span(), message)
    }

    fn agreed(&self) -> Option<Error> {
        if self.bound.flag("agreed") {
            return None;
        }
        let message = "nobody has agreed to the authority's terms of service";
        let help = "read them (Let's Encrypt's are at https://letsencrypt.org/repository/), and \
                    write `agreed yes` if you agree";
        Some(self.error("agreed", message).help(help))
    }

    fn names(&self) -> Result<Vec<String>, Vec<Error>> {
        let mut names: Vec<String> = Vec::new();
        let mut errors = Vec::new();
        let nodes = [self.bound.node("hostname"), self.bound.node("extra_names")];
        for word in nodes.into_iter().flatten().flat_map(|node| &node.args) {
            match name(&word.text) {
                Ok(name) if names.contains(&name) => {}
                Ok(name) => names.push(name),
                Err(reason) => errors.push(Error::new(word.span, reason)),
            }
        }
        if names.len() > NAMES {
            let message = format!("a certificate has at most {NAMES} names");
            errors.push(
                self.error("extra_names", message)
                    .help("use several blocks"),
            );
        }
        match errors.is_empty() {
            true => Ok(names),
            false => Err(errors),
        }
    }

    fn challenge(&self, names: Option<&[String]>, state_dir: &Path) -> Result<Challenge, Error> {
        if self.bound.is_set("dns") {
            let error = self.error("dns", "there are no built-in DNS providers");
            return Err(error.help(
                "write `dns_hook PROGRAM`: it is run as `PROGRAM present|cleanup DOMAIN RECORD VALUE`",
            ));
        }
        let wildcard = names
            .unwrap_or_default()
            .iter()
            .any(|name| name.starts_with('*'));
        match self.bound.choice("challenge") {
            "dns-01" => self.hook(state_dir).map(Challenge::Dns),
            other if wildcard => {
                let message = format!("{other} can't be used for wildcards");
                Err(self
                    .error("challenge", message)
                    .help("write `challenge dns-01`"))
            }
            "http-01" if !self.bound.is_set("http_listen") => {
                let error = self.error("challenge", "http-01 needs http_listen");
                Err(error.help("add `http_listen tcp://0.0.0.0:80`"))
            }
            "http-01" => Ok(Challenge::Http),
            _ => Ok(Challenge::TlsAlpn),
        }
    }

    fn hook(&self, state_dir: &Path) -> Result<Hook, Error> {
        let words = self.bound.list("dns_hook");
        let Some((program, args)) = words.split_first() else {
            let error = self.error("challenge", "dns-01 needs dns_hook");
            return Err(error.help("add `dns_hook PROGRAM`, which changes the zone"));
        };
        let program = state_dir.join::<&str>(program);
        if !program.exists() {
            let message = format!("dns_hook: {} doesn't exist", program.display());
            return Err(self.error("dns_hook", message));
        }
        let program = program.to_string_lossy().into_owned();
        let args = args.iter().map(|&arg: &&str| arg.to_owned());
        Ok(Hook {
            command: std::iter::once(program).chain(args).collect(),
            record: self.bound.text("override_domain").map(str::to_owned),
            wait: self.bound.duration("dns_wait"),
        })
    }

    /// RFC 8555 §6.1: HTTPS only.
    fn url(&self, name: &str) -> Result<Option<String>, Error> {
        match self.bound.text(name) {
            Some(url) if !url.starts_with("https://") => {
                let error = self.error(name, format!("{name}: {url} is no https URL"));
                Err(error.help(format!("as in `{name} {LETS_ENCRYPT}`")))
            }
            url => Ok(url.map(str::to_owned)),
        }
    }

    fn email(&self) -> Result<Option<String>, Error> {
        match self.bound.text("email") {
            Some(email) if !email.contains('@') || email.contains(char::is_whitespace) => {
                Err(self.error("email", format!("{email} is no mail address")))
            }
            email => Ok(email.map(str::to_owned)),
        }
    }

    fn eab(&self) -> Result<Option<Eab>, Error> {
        let (id, key) = match self.bound.list("eab")[..] {
            [] => return Ok(None),
            [id, key] => (id, key),
            _ => return Err(self.error("eab", "eab takes an identifier and a key")),
        };
        let key = URL_SAFE_NO_PAD.decode(key.trim_end_matches('='));
        let key = key.map_err(|_| self.error("eab", "the key of eab is not base64url"))?;
        Ok(Some(Eab {
            id: id.to_owned(),
            key: Secret::new(key),
        }))
    }

    /// Addresses that have TLS where they must not, or none where they must.
    fn listens(&self) -> impl Iterator<Item = Error> {
        let wrong = |name: &str, tls: bool, right: &str| {
            let other = |address: &Address| address.tls != tls;
            let wrong = self.bound.addresses(name).into_iter().find(other)?;
            let message = format!("{name}: {wrong} is of the wrong kind");
            Some(
                self.error(name, message)
                    .help(format!("as in `{name} {right}`")),
            )
        };
        let listen = wrong("listen", true, "tls://0.0.0.0:443");
        let http = wrong("http_listen", false, "tcp://0.0.0.0:80");
        listen.into_iter().chain(http)
    }
}

/// A name as certificates have it, or why it can't be one.
fn name(text: &str) -> Result<String, String> {
    let (star, host) = match text.strip_prefix("*.") {
        Some(host) => ("*.", host),
        None => ("", text),
    };
    if host.parse::<IpAddr>().is_ok() {
        return Err(format!(
            "{text}: certificates are ordered for names, not for addresses"
        ));
    }
    match idna::domain_to_ascii_strict(host.trim_end_matches('.')) {
        Ok(host) if !host.is_empty() => Ok(format!("{star}{host}")),
        _ => Err(format!("{text} is no name of a host")),
    }
}

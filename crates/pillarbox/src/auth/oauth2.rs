//! `auth.oauth2`: bearer tokens of an authorization server.
//!
//! Either the server is asked about each token (RFC 7662), or tokens are JWTs (RFC 7519, RFC 9068)
//! that are checked here with the server's keys (RFC 7517).

mod http;
mod introspection;
mod jwt;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use pillarbox_config::{Bound, Directive, Error, Kind};
use serde_json::{Map, Value};

use super::{Denied, Offers, Provider, TokenHint};
use crate::Answer;
use crate::assemble::Assembly;
use crate::endpoint::timeout;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::net::tls::client;
use crate::secret::Secret;
use http::Client;
use introspection::Introspection;
use jwt::Jwt;

pub(crate) const MODULE: Module = Module {
    name: "auth.oauth2",
    aliases: &[],
    offers: &[Offer::Provider],
    arguments: "",
    doc: "Takes bearer tokens (OAUTHBEARER, XOAUTH2), and no passwords. With `introspection_url` the \
          authorization server is asked about each token (RFC 7662). With `jwks` (or `secret`) \
          tokens are JWTs that are checked here: their signature, `exp`, `nbf`, `issuer`, \
          `audience`, and `scope`. URLs are `https://`; `http://` goes to this machine only.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::provider(OAuth2::build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "introspection_url",
        Kind::Text,
        "",
        "Where the authorization server tells about tokens.",
    ),
    Directive::new("client_id", Kind::Text, "", "Our name there."),
    Directive::new("client_secret", Kind::Text, "", "Our password there."),
    Directive::new(
        "jwks",
        Kind::Text,
        "",
        "The keys that tokens are signed with: a URL, or a file. Keys from a URL are asked for again \
         every hour, and when a token names an unknown one, once a minute at most.",
    ),
    Directive::new(
        "secret",
        Kind::Text,
        "",
        "The secret that tokens are signed with (HS256, HS384, HS512), instead of `jwks`. Whoever \
         has it can make tokens.",
    ),
    Directive::new(
        "issuer",
        Kind::Text,
        "",
        "Who must have issued a token (`iss`). Required for JWTs.",
    ),
    Directive::new(
        "audience",
        Kind::TextList,
        "",
        "For whom a token must be (`aud`): for one of these. Required for JWTs.",
    ),
    Directive::new("scope", Kind::Text, "", "A scope that a token must have."),
    Directive::new(
        "user_claim",
        Kind::Text,
        "",
        "What says who the user is. By default `username` where the server is asked, and `email` in \
         JWTs. An `email` that the server says is not verified is nobody's.",
    ),
    Directive::new("leeway", timeout(0), "30s", "How far clocks may differ."),
    Directive::new(
        "cache",
        timeout(0),
        "1m",
        "How long a token that was good is taken as good without looking again, and never longer \
         than it is valid. 0 is not at all.",
    ),
    Directive::new(
        "openid_configuration",
        Kind::Text,
        "",
        "The URL that clients are told whose token is no good: where the authorization server \
         describes itself.",
    ),
    client::DIRECTIVE,
];

/// Tokens that are remembered; about 2 MB.
const REMEMBERED: usize = 16_384;

/// The provider.
struct OAuth2 {
    method: Method,
    rules: Rules,
    hint: TokenHint,
    cache: Duration,
    /// By the hashes of tokens.
    known: Mutex<HashMap<[u8; 32], Known>>,
}

struct Known {
    user: String,
    until: Instant,
}

enum Method {
    Introspection(Box<Introspection>),
    Jwt(Jwt),
}

/// What a token has to say to be good.
struct Rules {
    issuer: Option<String>,
    audience: Vec<String>,
    scope: Option<String>,
    user_claim: String,
    leeway: Duration,
}

impl OAuth2 {
    fn build<'t>(assembly: &mut Assembly<'t>, declaration: &Declaration<'t>) -> Built<Self> {
        declaration.no_args()?;
        let owned = declaration;
        let bound = assembly.bind_inheriting(owned, DIRECTIVES)?;
        let text = |name| bound.text(name).map(str::to_owned);
        let method = method(assembly, declaration, &bound)?;
        let usual = match method {
            Method::Introspection(_) => "username",
            Method::Jwt(_) => "email",
        };
        let rules = Rules {
            issuer: text("issuer"),
            audience: bound
                .list("audience")
                .iter()
                .map(|&to| to.to_owned())
                .collect(),
            scope: text("scope"),
            user_claim: text("user_claim").unwrap_or_else(|| usual.to_owned()),
            leeway: bound.duration("leeway"),
        };
        let strict = matches!(method, Method::Jwt(_));
        if strict && (rules.issuer.is_none() || rules.audience.is_empty()) {
            let error = declaration.error("oauth2: JWTs need `issuer` and `audience`");
            let help = "without them, tokens for any other service would open mailboxes";
            return Err(vec![error.help(help)]);
        }
        Ok(Self {
            hint: TokenHint {
                scope: rules.scope.clone(),
                openid_configuration: text("openid_configuration"),
            },
            method,
            rules,
            cache: bound.duration("cache"),
            known: Mutex::default(),
        })
    }

    async fn owner(&self, token: &Secret) -> Result<String, Denied> {
        let key = hash(token);
        if let Some(user) = self.remembered(&key, Instant::now()) {
            return Ok(user);
        }
        let claims = match &self.method {
            Method::Introspection(introspection) => introspection.claims(token).await?,
            Method::Jwt(jwt) => jwt.claims(token, &self.rules).await?,
        };
        let now = u64::try_from(crate::clock::now().unix_seconds).unwrap_or_default();
        let user = self.rules.user(&claims, now).map_err(Denied::Credentials)?;
        self.remember(key, &user, &claims, now);
        Ok(user)
    }

    fn remembered(&self, key: &[u8; 32], now: Instant) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(key).filter(|known| now < known.until);
        known.map(|known| known.user.clone())
    }

    fn remember(&self, key: [u8; 32], user: &str, claims: &Map<String, Value>, now: u64) {
        let valid = claims.get("exp").and_then(Value::as_u64);
        let valid = valid.map_or(Duration::MAX, |end| {
            Duration::from_secs(end.saturating_sub(now))
        });
        let lifetime = self.cache.min(valid);
        if lifetime.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, known| now < known.until);
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let (user, until) = (user.to_owned(), now + lifetime);
        known.insert(key, Known { user, until });
    }
}

fn hash(token: &Secret) -> [u8; 32] {
    let mut hash = [0; 32];
    let digest = digest::digest(&digest::SHA256, token.reveal());
    hash.copy_from_slice(digest.as_ref());
    hash
}

fn method<'t>(
    assembly: &Assembly<'t>,
    declaration: &Declaration<'t>,
    bound: &Bound<'t>,
) -> Built<Method> {
    let ways = ["introspection_url", "jwks", "secret"];
    let said: Vec<_> = ways.iter().filter_map(|way| bound.node(way)).collect();
    let [way] = said[..] else {
        let message = "oauth2: exactly one of `introspection_url`, `jwks` and `secret` is needed";
        return Err(vec![declaration.error(message)]);
    };
    let text = |name| bound.text(name).unwrap_or_default();
    let at = |message: String| vec![Error::new(way.span(), format!("oauth2: {message}"))];
    let client =
        || Ok::<_, Vec<Error>>(Client::new(&*assembly.tls_client(bound, declaration.node)?));
    match way.name.text.as_str() {
        "introspection_url" => {
            let url = http::url(text("introspection_url")).map_err(at)?;
            let secret = Secret::new(text("client_secret").into());
            let id = text("client_id").to_owned();
            let asked = Introspection::new(client()?, url, id, secret);
            Ok(Method::Introspection(Box::new(asked)))
        }
        "jwks" if text("jwks").contains("://") => {
            let url = http::url(text("jwks")).map_err(at)?;
            Ok(Method::Jwt(Jwt::from_url(client()?, url)))
        }
        "jwks" => {
            let path = assembly.path(text("jwks"));
            let jwt = Jwt::from_file(path.clone());
            let jwt = jwt.map_err(|error| at(format!("{}: {error:#}", path.display())))?;
            Ok(Method::Jwt(jwt))
        }
        _ => Ok(Method::Jwt(Jwt::from_secret(text("secret").as_bytes()))),
    }
}

impl Rules {
    /// Whose token it is, by what it or the authorization server says.
    fn user(&self, claims: &Map<String, Value>, now: u64) -> Result<String, String> {
        let number = |name| claims.get(name).and_then(Value::as_u64);
        let leeway = self.leeway.as_secs();
        if number("exp").is_some_and(|end| end.saturating_add(leeway) <= now) {
            return Err("the token has expired".to_owned());
        }
        if number("nbf").is_some_and(|begin| begin > now.saturating_add(leeway)) {
            return Err("the token is not valid yet".to_owned());
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if self.issuer.is_some() && text("iss") != self.issuer.as_deref() {
            return Err("the token is of another issuer".to_owned());
        }
        let ours = |audience: &Value| {
            let audience = audience.as_str();
            audience.is_some_and(|audience| self.audience.iter().any(|own| own == audience))
        };
        let for_us = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        };
        if !self.audience.is_empty() && !for_us {
            return Err("the token is for another audience".to_owned());
        }
        if let Some(scope) = &self.scope
            && !scopes(claims).any(|had| had == scope)
        {
            return Err(format!("the token has not the scope {scope}"));
        }
        let unverified = claims.get("email_verified") == Some(&Value::Bool(false));
        match text(&self.user_claim) {
            Some(_) if unverified && self.user_claim == "email" => {
                Err("the e-mail address is not verified".to_owned())
            }
            Some(user) if !user.is_empty() => Ok(user.to_owned()),
            _ => Err(format!("the token does not say {}", self.user_claim)),
        }
    }
}

/// `scope` is a list in one text (RFC 8693 §4.2); some servers have `scp`, or an array.
fn scopes(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let values = ["scope", "scp"]
        .into_iter()
        .filter_map(|name| claims.get(name));
    let texts = values.flat_map(|value| match value {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    });
    texts
        .filter_map(Value::as_str)
        .flat_map(str::split_ascii_whitespace)
}

impl Provider for OAuth2 {
    fn authenticate<'a>(
        &'a self,
        _user: &'a str,
        _password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        let refused = Denied::Credentials("passwords are not taken".to_owned());
        crate::table::ready(Err(refused))
    }

    fn offers(&self) -> Offers {
        Offers {
            tokens: true,
            ..Offers::default()
        }
    }

    fn token<'a>(&'a self, token: &'a Secret) -> Answer<'a, Result<String, Denied>> {
        Box::pin(self.owner(token))
    }

    fn token_hint(&self) -> TokenHint {
        self.hint.clone()
    }
}

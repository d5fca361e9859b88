//! Tokens that are JWTs, checked here (RFC 7519, RFC 8725).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hyper::Uri;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::Mutex;

use super::super::Denied;
use super::Rules;
use super::http::{Client, Object};
use crate::secret::Secret;

/// What keys of a set may sign with. Nothing that is checked with a secret: a public key must never
/// be taken for one (RFC 8725 §2.1).
const ASYMMETRIC: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const SYMMETRIC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
/// Keys of a set that are looked at.
const KEYS: usize = 64;
/// How old keys from a URL may get before they are asked for again.
const OLD: Duration = Duration::from_secs(60 * 60);
/// How often unknown keys are looked for: whoever can send a token can name one.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// A way to check tokens.
pub(super) enum Jwt {
    /// With keys that may change.
    Keys(Box<Keys>),
    /// With a secret.
    Secret(DecodingKey),
}

/// Keys, and where they come from.
pub(super) struct Keys {
    source: Source,
    /// Held while they are asked for, so that all wait for one answer.
    known: Mutex<Known>,
}

enum Source {
    Url(Box<Client>, Uri),
    File(PathBuf),
}

#[derive(Default)]
struct Known {
    keys: Arc<Vec<Jwk>>,
    /// When they came, and when they were last asked for.
    came: Option<Instant>,
    asked: Option<Instant>,
}

impl Jwt {
    pub(super) fn from_secret(secret: &[u8]) -> Self {
        Self::Secret(DecodingKey::from_secret(secret))
    }

    pub(super) fn from_url(client: Client, url: Uri) -> Self {
        Self::Keys(Box::new(Keys {
            source: Source::Url(Box::new(client), url),
            known: Mutex::default(),
        }))
    }

    /// # Errors
    /// The file is no set of keys.
    pub(super) fn from_file(path: PathBuf) -> Result<Self, anyhow::Error> {
        let keys = Arc::new(read(&path)?);
        let now = Some(Instant::now());
        let (came, asked) = (now, now);
        Ok(Self::Keys(Box::new(Keys {
            source: Source::File(path),
            known: Mutex::new(Known { keys, came, asked }),
        })))
    }

    /// What a token says, if it is signed by whom it should be.
    pub(super) async fn claims(&self, token: &Secret, rules: &Rules) -> Result<Object, Denied> {
        let refused = |why: &str| Denied::Credentials(format!("the token {why}"));
        let text = std::str::from_utf8(token.reveal()).map_err(|_| refused("is no JWT"))?;
        let header = decode_header(text).map_err(|_| refused("is no JWT"))?;
        let allowed: &[Algorithm] = match self {
            Self::Keys(_) => &ASYMMETRIC,
            Self::Secret(_) => &SYMMETRIC,
        };
        if !allowed.contains(&header.alg) {
            return Err(refused("is signed in a way that is not taken"));
        }
        let keys = match self {
            Self::Secret(key) => vec![key.clone()],
            Self::Keys(keys) => {
                let keys = keys.find(header.kid.as_deref()).await;
                let keys = keys.map_err(Denied::Unavailable)?;
                let keys = keys
                    .iter()
                    .filter_map(|key| DecodingKey::from_jwk(key).ok());
                keys.collect()
            }
        };
        let validation = validation(header.alg, rules);
        let mut why = "is signed with an unknown key".to_owned();
        for key in keys {
            match decode::<Object>(text, &key, &validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => why = format!("is no good: {error}"),
            }
        }
        Err(refused(&why))
    }
}

fn validation(algorithm: Algorithm, rules: &Rules) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = rules.leeway.as_secs();
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(rules.issuer.as_slice());
    validation.set_audience(&rules.audience);
    validation
}

impl Keys {
    /// The key of that id; all keys if the token names none.
    async fn find(&self, id: Option<&str>) -> Result<Vec<Jwk>, anyhow::Error> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        let old = known
            .came
            .is_none_or(|came| now.duration_since(came) >= OLD);
        let of_url = matches!(self.source, Source::Url(..));
        if old && of_url && known.may_ask(now) {
            self.ask(&mut known, now).await?;
        }
        let mut found = known.of(id);
        if found.is_empty() && known.may_ask(now) {
            self.ask(&mut known, now).await?;
            found = known.of(id);
        }
        // Never had any: that says nothing about the token.
        ensure!(known.came.is_some(), "the keys of tokens can't be had");
        Ok(found)
    }

    /// Asks for the keys. Those there are stay if that fails.
    async fn ask(&self, known: &mut Known, now: Instant) -> Result<(), anyhow::Error> {
        known.asked = Some(now);
        let keys = match &self.source {
            Source::Url(client, url) => {
                let set = client
                    .get(url)
                    .await
                    .and_then(|set| parse(Value::Object(set)));
                set.context("the keys of tokens")
            }
            Source::File(path) => read(path),
        };
        match keys {
            Ok(keys) => (known.keys, known.came) = (Arc::new(keys), Some(now)),
            Err(error) if known.came.is_none() => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }
}

impl Known {
    fn may_ask(&self, now: Instant) -> bool {
        let asked = self.asked;
        asked.is_none_or(|asked| now.duration_since(asked) >= LOOK_INTERVAL)
    }

    fn of(&self, id: Option<&str>) -> Vec<Jwk> {
        let is_meant = |key: &&Jwk| id.is_none() || key.common.key_id.as_deref() == id;
        self.keys.iter().filter(is_meant).cloned().collect()
    }
}

fn read(path: &PathBuf) -> Result<Vec<Jwk>, anyhow::Error> {
    parse(serde_json::from_slice(&std::fs::read(path)?).context("no JSON")?)
}

/// A set of keys, without those that are of a kind that is not known or for something else (RFC
/// 7517 §5).
fn parse(set: Value) -> Result<Vec<Jwk>, anyhow::Error> {
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.context("no `keys`: it is no set of keys (RFC 7517)")?;
    ensure!(keys.len() <= KEYS, "more than {KEYS} keys");
    let keys = keys
        .iter()
        .map(|key| serde_json::from_value::<Jwk>(key.clone()));
    let for_signing = |key: &Jwk| {
        let purpose = key.common.public_key_use.as_ref();
        purpose.is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
    };
    Ok(keys.flatten().filter(for_signing).collect())
}

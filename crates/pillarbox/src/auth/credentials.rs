//! What opens one account, as a credentials table keeps it: one value, with a password or several.
//!
//! ```text
//! value      = credential *( " | " credential )
//! credential = [ HASH ] *( SP SCRAM-KEYS ) [ SP "label=" LABEL ] [ SP "created=" SECONDS ]
//! ```
//!
//! The simplest value is a hash alone, as in `bcrypt:$2b$10$...`.

use std::fmt;

use anyhow::{anyhow, bail, ensure};
use aws_lc_rs::rand;
use pillarbox_proto::sasl::{SALT_BYTES, Salt, ScramHash, ScramKeys};

use super::hash::{Hash, Stored};
use crate::secret::Secret;

/// Passwords of one account: a phone, a tablet, and everything else there is.
pub const PASSWORDS: usize = 16;
/// Those of them whose check is slow. A wrong password costs a check against each.
pub const SLOW_PASSWORDS: usize = 4;
/// Bytes of a label.
const LABEL_BYTES: usize = 64;
/// Between credentials.
const BETWEEN: &str = " | ";

/// How something is made of a new password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Making {
    /// The hash that passwords are checked against.
    pub hash: Hash,
    /// The SCRAM mechanisms it is to be good for, too.
    pub scram: Vec<ScramHash>,
}

impl Making {
    /// For passwords alone.
    #[must_use]
    pub const fn hash_only(hash: Hash) -> Self {
        let scram = Vec::new();
        Self { hash, scram }
    }
}

impl Default for Making {
    fn default() -> Self {
        Self {
            hash: Hash::default(),
            scram: vec![ScramHash::Sha256],
        }
    }
}

/// One password of an account, as far as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// What it is for; the main password has no label.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    hash: Option<Kept>,
    scram: Vec<ScramKeys>,
}

/// A hash with its text.
#[derive(Clone, PartialEq, Eq)]
struct Kept {
    text: String,
    stored: Stored,
}

/// Without the hash.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Credential {
    /// Makes what is kept of a password. Slow.
    ///
    /// # Errors
    /// The label, or the password, won't do.
    pub fn make(
        label: &str,
        password: &Secret,
        making: &Making,
        others: &Credentials,
        created: u64,
    ) -> Result<Self, anyhow::Error> {
        check_label(label)?;
        let text = making.hash.create(password)?;
        let stored = Stored::parse(&text)?;
        let keys = |hash: &ScramHash| Ok(others.salt(*hash)?.keys(password.reveal())?);
        Ok(Self {
            label: label.to_owned(),
            created: Some(created),
            hash: Some(Kept { text, stored }),
            scram: making
                .scram
                .iter()
                .map(keys)
                .collect::<Result<_, anyhow::Error>>()?,
        })
    }

    /// Its SCRAM keys for a hash.
    #[must_use]
    pub fn scram(&self, hash: ScramHash) -> Option<&ScramKeys> {
        self.scram.iter().find(|keys| keys.salt.hash == hash)
    }

    /// Whether checking a password against it is meant to be slow.
    fn is_slow(&self) -> bool {
        let hash = self.hash.as_ref();
        hash.is_none_or(|kept| !matches!(kept.stored, Stored::Sha256 { .. }))
    }

    /// Whether this is the password.
    fn verify(&self, password: &Secret) -> Result<bool, anyhow::Error> {
        match (&self.hash, self.scram.first()) {
            (Some(kept), _) => kept.stored.verify(password),
            (None, Some(keys)) => Ok(keys.verify(password.reveal())),
            (None, None) => Ok(false),
        }
    }

    fn parse(text: &str) -> Result<Self, anyhow::Error> {
        let mut credential = Self {
            label: String::new(),
            created: None,
            hash: None,
            scram: Vec::new(),
        };
        for word in text.split_ascii_whitespace() {
            if let Some(label) = word.strip_prefix("label=") {
                check_label(label)?;
                credential.label = label.to_owned();
            } else if let Some(created) = word.strip_prefix("created=") {
                credential.created = Some(created.parse()?);
            } else if word.starts_with("scram-") {
                credential.scram.push(ScramKeys::parse(word)?);
            } else {
                ensure!(credential.hash.is_none(), "two hashes of one password");
                let (text, stored) = (word.to_owned(), Stored::parse(word)?);
                credential.hash = Some(Kept { text, stored });
            }
        }
        if credential.hash.is_none() && credential.scram.is_empty() {
            bail!("no hash tag");
        }
        Ok(credential)
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.hash.iter().map(|kept| kept.text.clone());
        let mut words: Vec<String> = hash
            .chain(self.scram.iter().map(ToString::to_string))
            .collect();
        if !self.label.is_empty() {
            words.push(format!("label={}", self.label));
        }
        words.extend(self.created.map(|seconds| format!("created={seconds}")));
        f.write_str(&words.join(" "))
    }
}

/// # Errors
/// It can't be written into a table, or is too long.
fn check_label(label: &str) -> Result<(), anyhow::Error> {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '|' && c != '=';
    ensure!(
        label.len() <= LABEL_BYTES && label.chars().all(fits),
        "a label has at most {LABEL_BYTES} bytes, and no spaces, `=`, `|` or control characters"
    );
    Ok(())
}

/// All passwords of an account.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Credentials(Vec<Credential>);

impl Credentials {
    /// Reads the values of an account.
    ///
    /// # Errors
    /// One is damaged, or there are too many. The error does not show them.
    pub fn parse(values: &[String]) -> Result<Self, anyhow::Error> {
        let texts = values.iter().flat_map(|value| value.split(BETWEEN));
        let all: Vec<_> = texts.map(Credential::parse).collect::<Result<_, _>>()?;
        let all = Self(all);
        all.check_number()?;
        Ok(all)
    }

    fn check_number(&self) -> Result<(), anyhow::Error> {
        ensure!(
            self.0.len() <= PASSWORDS,
            "more than {PASSWORDS} passwords of one account"
        );
        ensure!(
            self.slow() <= SLOW_PASSWORDS,
            "more than {SLOW_PASSWORDS} passwords of one account that were not generated"
        );
        Ok(())
    }

    /// How many of them are slow to check.
    pub(super) fn slow(&self) -> usize {
        self.0.iter().filter(|one| one.is_slow()).count()
    }

    /// A hash of the kind that is in use here, to be checked in vain.
    pub(super) fn sample(&self) -> Option<&Stored> {
        let mut slow = self.0.iter().filter(|one| one.is_slow());
        slow.find_map(|one| Some(&one.hash.as_ref()?.stored))
    }

    /// The label of the password that this is, or none. Slow.
    ///
    /// # Errors
    /// What is kept is damaged, and nothing else matches.
    pub(super) fn verify(&self, password: &Secret) -> Result<Option<&str>, anyhow::Error> {
        let mut damaged = None;
        let (slow, fast): (Vec<_>, Vec<_>) = self.0.iter().partition(|one| one.is_slow());
        for one in fast.into_iter().chain(slow) {
            match one.verify(password) {
                Ok(true) => return Ok(Some(&one.label)),
                Ok(false) => {}
                Err(error) => damaged = Some(error),
            }
        }
        damaged.map_or(Ok(None), Err)
    }

    /// All of them, in the order in which they were made.
    #[must_use]
    pub fn all(&self) -> &[Credential] {
        &self.0
    }

    /// The SCRAM keys of all, with their labels. All have the same salt.
    pub(super) fn scram(&self, hash: ScramHash) -> Vec<super::LabelledKeys> {
        let keys = |one: &Credential| Some((one.label.clone(), one.scram(hash)?.clone()));
        let mut keys: Vec<_> = self.0.iter().filter_map(keys).collect();
        if let Some(salt) = keys.first().map(|(_, first)| first.salt.clone()) {
            keys.retain(|(_, keys)| keys.salt == salt);
        }
        keys
    }

    /// The salt of further keys: that of the others, since a client is told one salt for all.
    fn salt(&self, hash: ScramHash) -> Result<Salt, anyhow::Error> {
        if let Some((_, keys)) = self.scram(hash).first() {
            return Ok(keys.salt.clone());
        }
        let mut random = [0; SALT_BYTES];
        rand::fill(&mut random).map_err(|_| anyhow!("no random numbers"))?;
        Ok(Salt::new(hash, random))
    }

    /// Puts one in place of that with the same label, or beside the others.
    ///
    /// # Errors
    /// There are too many. Nothing has changed.
    pub(super) fn set(&mut self, new: Credential) -> Result<(), anyhow::Error> {
        let mut changed = self.clone();
        match changed.0.iter_mut().find(|one| one.label == new.label) {
            Some(old) => *old = new,
            None => changed.0.push(new),
        }
        changed.check_number()?;
        *self = changed;
        Ok(())
    }

    /// Whether there is one of that label.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.0.iter().any(|one| one.label == label)
    }

    /// Takes one away; says whether it was there.
    pub(super) fn revoke(&mut self, label: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|one| one.label != label);
        self.0.len() < before
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(BETWEEN))
    }
}

/// Characters of generated passwords: none that look alike, and none that need quoting.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Groups of five characters, each of five bits: 125 bits, which nobody guesses however fast the
/// hash is.
const GROUPS: usize = 5;

/// A new random password.
///
/// # Errors
/// There are no random numbers.
pub fn generate() -> Result<Secret, anyhow::Error> {
    let mut random = [0; GROUPS * 5];
    rand::fill(&mut random).map_err(|_| anyhow!("no random numbers"))?;
    let letter = |byte: &u8| ALPHABET[usize::from(*byte) % ALPHABET.len()];
    let groups: Vec<Vec<u8>> = random
        .chunks(5)
        .map(|group| group.iter().map(letter).collect())
        .collect();
    Ok(Secret::new(groups.join(&b'-')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::secret;

    /// Cheap to make.
    fn making() -> Making {
        Making {
            hash: Hash::Bcrypt { cost: 4 },
            ..Making::default()
        }
    }

    fn made(label: &str, password: &str, others: &Credentials) -> Credential {
        Credential::make(label, &secret(password), &making(), others, 1_700_000_000).unwrap()
    }

    fn several() -> Credentials {
        let mut all = Credentials::default();
        for (label, password) in [("", "main"), ("phone", "p"), ("tablet", "t")] {
            all.set(made(label, password, &all)).unwrap();
        }
        all
    }

    fn parse(text: &str) -> Result<Credentials, anyhow::Error> {
        Credentials::parse(&[text.to_owned()])
    }

    #[test]
    fn credentials_read_as_they_were_written() {
        let all = several();
        assert_eq!(parse(&all.to_string()).unwrap(), all);
        assert_eq!(all.all()[1].created, Some(1_700_000_000));
    }

    /// Each of an account's passwords opens, by either way, and it is known which it was.
    #[test]
    fn each_password_opens() {
        let all = several();
        let which = |password: &str| all.verify(&secret(password)).unwrap();
        assert_eq!(which("main"), Some(""));
        assert_eq!(which("p"), Some("phone"));
        assert_eq!(which("t"), Some("tablet"));
        assert_eq!(which("x"), None);
        let keys = all.scram(ScramHash::Sha256);
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|(_, one)| one.salt == keys[0].1.salt));
        assert!(keys[1].0 == "phone" && keys[1].1.verify(b"p"));
        assert!(all.scram(ScramHash::Sha1).is_empty());
    }

    /// Values that other programs made.
    #[test]
    fn a_hash_alone_is_a_password() {
        let hash = Hash::Bcrypt { cost: 4 }.create(&secret("x")).unwrap();
        let one = parse(&hash).unwrap();
        assert_eq!(one.verify(&secret("x")).unwrap(), Some(""));
        assert_eq!(one.to_string(), hash);
        let both = Credentials::parse(&[hash.clone(), format!("{hash} label=old")]).unwrap();
        assert_eq!(
            both.all().len(),
            2,
            "several values, as files can have them"
        );
    }

    #[test]
    fn keys_alone_take_passwords_too() {
        let keys = several().scram(ScramHash::Sha256).remove(0).1;
        let one = parse(&keys.to_string()).unwrap();
        assert_eq!(one.verify(&secret("main")).unwrap(), Some(""));
        assert_eq!(one.verify(&secret("x")).unwrap(), None);
    }

    #[test]
    fn passwords_are_replaced_and_revoked() {
        let mut all = several();
        let salt = all.scram(ScramHash::Sha256)[0].1.salt.clone();
        all.set(made("phone", "new", &all)).unwrap();
        assert_eq!(all.verify(&secret("p")).unwrap(), None);
        assert_eq!(all.verify(&secret("new")).unwrap(), Some("phone"));
        assert_eq!(all.scram(ScramHash::Sha256)[1].1.salt, salt);
        assert!(all.revoke("phone") && !all.revoke("phone"));
        assert_eq!(all.verify(&secret("new")).unwrap(), None);
        assert_eq!(all.verify(&secret("main")).unwrap(), Some(""));
    }

    /// A wrong password costs no more than so many checks.
    #[test]
    fn the_number_of_passwords_is_bounded() {
        let mut all = several();
        let making = Making::hash_only(Hash::Bcrypt { cost: 4 });
        let slow = |label: &str| {
            let none = Credentials::default();
            Credential::make(label, &secret("x"), &making, &none, 0).unwrap()
        };
        all.set(slow("4")).unwrap();
        assert!(all.set(slow("5")).is_err() && !all.has("5"));
        all.set(slow("4")).unwrap();
        let fast = Making::hash_only(Hash::Generated);
        for label in 5..=PASSWORDS {
            let (label, none) = (label.to_string(), Credentials::default());
            let made = Credential::make(&label, &secret("y"), &fast, &none, 0).unwrap();
            all.set(made).unwrap();
        }
        let none = Credentials::default();
        let made = Credential::make("last", &secret("y"), &fast, &none, 0).unwrap();
        assert!(all.set(made).is_err());
        let value = all.to_string();
        assert!(parse(&value).is_ok());
        assert!(parse(&format!("{value} | {value}")).is_err());
    }

    #[test]
    fn damaged_values_are_refused() {
        let hash = Hash::Bcrypt { cost: 4 }.create(&secret("x")).unwrap();
        for (damaged, why) in [
            (String::new(), "no hash tag"),
            ("123".to_owned(), "no hash tag"),
            ("md5:123".to_owned(), "unknown hash: md5"),
            (format!("{hash} {hash}"), "two hashes"),
            (format!("{hash} | "), "no hash tag"),
            (format!("{hash} scram-sha-256:x"), "scram"),
            (format!("{hash} created=yesterday"), "invalid digit"),
            (format!("{hash} label=a=b"), "a label has"),
            ("label=phone".to_owned(), "no hash tag"),
        ] {
            let error = parse(&damaged).unwrap_err().to_string();
            assert!(error.contains(why), "{damaged}: {error}");
        }
        for label in ["a b", "a|b", "a=b", "a\n", &"x".repeat(65)] {
            let none = Credentials::default();
            assert!(Credential::make(label, &secret("x"), &making(), &none, 0).is_err());
        }
    }

    #[test]
    fn generated_passwords_differ() {
        let text = |secret: Secret| String::from_utf8(secret.reveal().to_vec()).unwrap();
        let (a, b) = (text(generate().unwrap()), text(generate().unwrap()));
        assert_ne!(a, b);
        assert_eq!(a.len(), GROUPS * 6 - 1);
    }
}

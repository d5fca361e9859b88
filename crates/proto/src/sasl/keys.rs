//! What a server keeps of a password for SCRAM (RFC 5802 §3): enough to check a proof, and not
//! enough to make one.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The iterations of new keys. RFC 7677 §4 asks for 15,000 at least where they can be afforded;
/// widespread clients refuse more than 65,536.
pub const ITERATIONS: u32 = 50_000;
/// Fewer were never allowed (RFC 7677 §4), and clients refuse them.
const ITERATIONS_MIN: u32 = 4_096;
/// More would only hold up clients, and us where a password is compared with keys.
const ITERATIONS_MAX: u32 = 1_000_000;
/// The salt of new keys, in bytes.
pub const SALT_BYTES: usize = 16;
/// The longest salt that is read, in bytes. The longest in use have 64.
const SALT_BYTES_MAX: usize = 256;

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ScramHash {
    /// SHA-256 (RFC 7677).
    Sha256,
    /// SHA-1 (RFC 5802): broken for signatures, not for this; for old clients.
    Sha1,
}

impl ScramHash {
    /// The word before stored keys.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "scram-sha-256",
            Self::Sha1 => "scram-sha-1",
        }
    }

    const fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        }
    }

    const fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }

    const fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        }
    }

    /// Bytes of its hashes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.digest().output_len()
    }

    /// H of RFC 5802 §2.2.
    pub(super) fn hash(self, data: &[u8]) -> Vec<u8> {
        digest::digest(self.digest(), data).as_ref().to_vec()
    }

    /// HMAC of RFC 5802 §2.2.
    pub(super) fn sign(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(self.hmac(), key);
        hmac::sign(&key, data).as_ref().to_vec()
    }
}

/// Why there are no keys for a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadKeys {
    /// The password has characters that SASLprep does not allow, or is empty after it.
    Password,
    /// The text is no stored keys: what is wrong with it.
    Text(&'static str),
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password => f.write_str(
                "the password has characters that SCRAM can't take (RFC 4013), such as control \
                 characters",
            ),
            Self::Text(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for BadKeys {}

/// Salt and iterations. All passwords of one user have the same, since a client is told them before
/// it is known which of the passwords it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Salt {
    /// The hash function.
    pub hash: ScramHash,
    /// Rounds of PBKDF2.
    pub iterations: NonZeroU32,
    /// The salt.
    pub salt: Vec<u8>,
}

impl Salt {
    /// A salt for new keys, from as many random bytes.
    #[must_use]
    pub fn new(hash: ScramHash, random: [u8; SALT_BYTES]) -> Self {
        const NEW: NonZeroU32 = NonZeroU32::new(ITERATIONS).unwrap();
        Self {
            hash,
            iterations: NEW,
            salt: random.to_vec(),
        }
    }

    /// What somebody who has no keys is told: always the same for a name, which nobody can tell from
    /// the salt of somebody who has some. `secret` is the server's and must outlive its restarts.
    #[must_use]
    pub fn invented(hash: ScramHash, secret: &[u8], user: &str) -> Self {
        let named = [hash.word().as_bytes(), b"\0", user.as_bytes()].concat();
        let random = ScramHash::Sha256.sign(secret, &named);
        let mut salt = [0; SALT_BYTES];
        salt.iter_mut()
            .zip(random)
            .for_each(|(to, from)| *to = from);
        Self::new(hash, salt)
    }

    /// The keys of a password.
    ///
    /// # Errors
    /// [`BadKeys::Password`].
    pub fn keys(&self, password: &[u8]) -> Result<ScramKeys, BadKeys> {
        let text = std::str::from_utf8(password).map_err(|_| BadKeys::Password)?;
        let prepared = stringprep::saslprep(text).map_err(|_| BadKeys::Password)?;
        if prepared.is_empty() {
            return Err(BadKeys::Password);
        }
        let hash = self.hash;
        let mut salted = vec![0; hash.bytes()];
        let password = prepared.as_bytes();
        pbkdf2::derive(
            hash.pbkdf2(),
            self.iterations,
            &self.salt,
            password,
            &mut salted,
        );
        let client = hash.sign(&salted, b"Client Key");
        Ok(ScramKeys {
            salt: self.clone(),
            stored: hash.hash(&client),
            server: hash.sign(&salted, b"Server Key"),
        })
    }
}

/// The keys of one password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// How they were made.
    pub salt: Salt,
    /// StoredKey: checks the client's proof.
    pub(super) stored: Vec<u8>,
    /// ServerKey: proves that the server knows the password, too.
    pub(super) server: Vec<u8>,
}

/// Without the keys.
impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScramKeys").field(&self.salt.hash).finish()
    }
}

impl ScramKeys {
    /// Keys that no password has, so that a proof is checked in vain.
    #[must_use]
    pub fn of_nobody(salt: Salt, random: [u8; 32]) -> Self {
        let key = |purpose: &[u8]| salt.hash.sign(&random, purpose);
        let (stored, server) = (key(b"stored"), key(b"server"));
        Self {
            salt,
            stored,
            server,
        }
    }

    /// Whether these are the keys of a password. Costs the client's side of the work.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let keys = self.salt.keys(password);
        keys.is_ok_and(|keys| verify_slices_are_equal(&keys.stored, &self.stored).is_ok())
    }

    /// Reads what `Display` writes: `scram-sha-256:ITERATIONS:SALT:STORED:SERVER`.
    ///
    /// # Errors
    /// [`BadKeys::Text`].
    pub fn parse(text: &str) -> Result<Self, BadKeys> {
        let bad = |what| BadKeys::Text(what);
        let (word, data) = text.split_once(':').ok_or(bad("scram: no fields"))?;
        let hashes = [ScramHash::Sha256, ScramHash::Sha1];
        let hash = hashes.into_iter().find(|hash| hash.word() == word);
        let hash = hash.ok_or(bad("scram: unknown hash"))?;
        let fields: Vec<&str> = data.split(':').collect();
        let [iterations, salt, stored, server] = fields[..] else {
            return Err(bad("scram: not four fields"));
        };
        let iterations = iterations.parse().ok();
        let iterations = iterations
            .filter(|count: &NonZeroU32| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&count.get()))
            .ok_or(bad("scram: iterations out of range"))?;
        let salt = STANDARD.decode(salt).ok();
        let salt = salt.filter(|salt| (1..=SALT_BYTES_MAX).contains(&salt.len()));
        let key = |text: &str| {
            STANDARD
                .decode(text)
                .ok()
                .filter(|key| key.len() == hash.bytes())
        };
        Ok(Self {
            salt: Salt {
                hash,
                iterations,
                salt: salt.ok_or(bad("scram: no salt"))?,
            },
            stored: key(stored).ok_or(bad("scram: no stored key"))?,
            server: key(server).ok_or(bad("scram: no server key"))?,
        })
    }
}

/// For storage alone.
impl fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Salt {
            hash,
            iterations,
            salt,
        } = &self.salt;
        let (salt, stored) = (STANDARD.encode(salt), STANDARD.encode(&self.stored));
        let server = STANDARD.encode(&self.server);
        write!(f, "{}:{iterations}:{salt}:{stored}:{server}", hash.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt() -> Salt {
        Salt {
            iterations: NonZeroU32::new(ITERATIONS_MIN).unwrap(),
            ..Salt::new(ScramHash::Sha256, [7; SALT_BYTES])
        }
    }

    #[test]
    fn stored_keys_read_as_they_were_written() {
        for hash in [ScramHash::Sha256, ScramHash::Sha1] {
            let keys = Salt { hash, ..salt() }.keys(b"pencil").unwrap();
            assert_eq!(ScramKeys::parse(&keys.to_string()).unwrap(), keys);
            assert!(keys.verify(b"pencil") && !keys.verify(b"pencils"));
            assert!(!format!("{keys:?}").contains(&STANDARD.encode(&keys.server)));
        }
    }

    /// RFC 4013 §3.
    #[test]
    fn passwords_are_prepared() {
        let keys = salt().keys("I\u{AD}X".as_bytes()).unwrap();
        assert!(keys.verify(b"IX"));
        assert!(salt().keys("\u{AA}".as_bytes()).unwrap().verify(b"a"));
        for refused in [
            &b"\x07"[..],
            b"",
            "\u{AD}".as_bytes(),
            b"\xff",
            "\u{627}1".as_bytes(),
        ] {
            assert_eq!(salt().keys(refused), Err(BadKeys::Password), "{refused:?}");
        }
    }

    #[test]
    fn an_invented_salt_is_the_same_for_a_name() {
        let invented = |secret, user| Salt::invented(ScramHash::Sha256, secret, user);
        assert_eq!(invented(b"s", "ann"), invented(b"s", "ann"));
        assert_ne!(invented(b"s", "ann"), invented(b"s", "bob"));
        assert_ne!(invented(b"s", "ann"), invented(b"t", "ann"));
        let real = Salt::new(ScramHash::Sha256, [1; SALT_BYTES]);
        let invented = invented(b"s", "ann");
        assert_eq!(invented.iterations, real.iterations);
        assert_eq!(invented.salt.len(), real.salt.len());
    }

    #[test]
    fn damaged_keys_are_refused() {
        let good = salt().keys(b"x").unwrap().to_string();
        let fields: Vec<&str> = good.split(':').collect();
        let with = |at: usize, field: &str| {
            let mut fields = fields.clone();
            fields[at] = field;
            fields.join(":")
        };
        for (text, why) in [
            ("scram-sha-256".to_owned(), "no fields"),
            (with(0, "scram-md5"), "unknown hash"),
            (with(0, "scram-sha-1"), "no stored key"),
            (format!("{good}:"), "not four fields"),
            (with(1, "1"), "iterations"),
            (with(1, "0"), "iterations"),
            (with(1, "-5000"), "iterations"),
            (with(1, "4294967295"), "iterations"),
            (with(1, "99999999999"), "iterations"),
            (with(2, ""), "no salt"),
            (with(2, "?"), "no salt"),
            (with(3, "AAAA"), "no stored key"),
            (with(4, ""), "no server key"),
        ] {
            let error = ScramKeys::parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

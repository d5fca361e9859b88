//! Password hashes as credentials tables keep them: `ALGORITHM:DATA`.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use anyhow::{Context, anyhow, bail, ensure};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::sync::Semaphore;

use crate::secret::Secret;

/// How a new hash is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    /// bcrypt with this cost: 2 to the power of it rounds.
    Bcrypt {
        /// From 4 to 31.
        cost: u32,
    },
    /// Argon2id, version 19 (RFC 9106).
    Argon2 {
        /// Passes.
        time: u32,
        /// Memory in KiB.
        memory_kib: u32,
        /// Lanes.
        threads: u32,
    },
    /// SHA-256 of salt and password: for passwords that were generated, which nobody guesses
    /// however fast a guess is.
    Generated,
}

impl Default for Hash {
    /// bcrypt with its usual cost, which every maddy reads.
    fn default() -> Self {
        Self::Bcrypt { cost: 10 }
    }
}

impl Hash {
    /// Argon2id with the parameters that maddy uses.
    pub const ARGON2: Self = Self::Argon2 {
        time: 3,
        memory_kib: 1024,
        threads: 2,
    };

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// Parameters out of range, a password that the algorithm would cut off, or no random numbers.
    pub fn create(self, password: &Secret) -> Result<String, anyhow::Error> {
        match self {
            Self::Bcrypt { cost } => create_bcrypt(password, cost),
            Self::Argon2 {
                time,
                memory_kib,
                threads,
            } => create_argon2(password, time, memory_kib, threads),
            Self::Generated => create_sha256(password),
        }
    }
}

/// bcrypt looks at no more bytes of a password.
const BCRYPT_BYTES: usize = 72;

fn create_bcrypt(password: &Secret, cost: u32) -> Result<String, anyhow::Error> {
    ensure!(
        password.reveal().len() <= BCRYPT_BYTES,
        "bcrypt takes no password of more than {BCRYPT_BYTES} bytes; use argon2"
    );
    Ok(format!("bcrypt:{}", bcrypt::hash(password.reveal(), cost)?))
}

fn create_argon2(
    password: &Secret,
    time: u32,
    memory_kib: u32,
    threads: u32,
) -> Result<String, anyhow::Error> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| anyhow!("no random numbers"))?;
    let digest = argon2(time, memory_kib, threads)?.digest(password, &salt)?;
    let (salt, digest) = (BASE64.encode(salt), BASE64.encode(digest));
    Ok(format!(
        "argon2:{time}:{memory_kib}:{threads}:{salt}:{digest}"
    ))
}

fn create_sha256(password: &Secret) -> Result<String, anyhow::Error> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| anyhow!("no random numbers"))?;
    let digest = digest::digest(&digest::SHA256, &[&salt, password.reveal()].concat());
    let (salt, digest) = (BASE64.encode(salt), BASE64.encode(digest));
    Ok(format!("sha256:{salt}:{digest}"))
}

/// A hash that was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stored {
    /// A modular-crypt string: `$2a$`, `$2b$`, `$2x$` or `$2y$`.
    Bcrypt(String),
    /// Argon2id, version 19.
    Argon2 {
        /// Passes.
        time: u32,
        /// Memory in KiB.
        memory_kib: u32,
        /// Lanes.
        threads: u32,
        /// The salt.
        salt: Vec<u8>,
        /// What is compared.
        digest: Vec<u8>,
    },
    /// SHA-256 of salt and password. Too fast to be safe for passwords that people choose: made for
    /// generated ones alone.
    Sha256 {
        /// The salt.
        salt: Vec<u8>,
        /// What is compared.
        digest: Vec<u8>,
    },
}

/// Memory that one Argon2 hash may use, so that a wrong entry can't take the machine down.
const ARGON2_MEMORY_KIB: u32 = 1024 * 1024;
/// Bytes that Argon2 hashes of maddy have.
const ARGON2_DIGEST_BYTES: usize = 64;

impl Stored {
    /// Reads a stored hash.
    ///
    /// # Errors
    /// The text is no hash, or one of an unknown kind. The error does not show it.
    pub fn parse(text: &str) -> Result<Self, anyhow::Error> {
        let (algorithm, data) = text.split_once(':').context("no hash tag")?;
        match algorithm {
            "bcrypt" => Ok(Self::Bcrypt(data.to_owned())),
            "argon2" => parse_argon2(data),
            "sha256" => parse_sha256(data),
            _ => bail!("unknown hash: {algorithm}"),
        }
    }

    /// Whether this is the password's hash. Takes the time that the hash is meant to take.
    ///
    /// # Errors
    /// The stored hash is damaged.
    pub fn verify(&self, password: &Secret) -> Result<bool, anyhow::Error> {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password.reveal(), hash).context("bcrypt"),
            Self::Argon2 {
                time,
                memory_kib,
                threads,
                salt,
                digest,
            } => {
                let computed = argon2(*time, *memory_kib, *threads)?.digest(password, salt)?;
                Ok(verify_slices_are_equal(&computed, digest).is_ok())
            }
            Self::Sha256 { salt, digest } => {
                let salted = [salt, password.reveal()].concat();
                let computed = digest::digest(&digest::SHA256, &salted);
                Ok(verify_slices_are_equal(computed.as_ref(), digest).is_ok())
            }
        }
    }
}

impl Default for Stored {
    /// A hash of no password, as costly as a new one of the default kind.
    fn default() -> Self {
        let hash = "$2b$10$abcdefghijklmnopqrstuu...............................";
        Self::Bcrypt(hash.to_owned())
    }
}

fn parse_argon2(data: &str) -> Result<Stored, anyhow::Error> {
    let fields: Vec<&str> = data.split(':').collect();
    let [time, memory, threads, salt, digest] = fields.as_slice() else {
        bail!("argon2: not five fields");
    };
    let memory_kib = memory.parse().context("argon2: memory")?;
    ensure!(
        memory_kib <= ARGON2_MEMORY_KIB,
        "argon2: more than {ARGON2_MEMORY_KIB} KiB of memory"
    );
    let digest = BASE64.decode(digest).context("argon2: hash")?;
    ensure!(
        digest.len() == ARGON2_DIGEST_BYTES,
        "argon2: hash is not of 64 bytes"
    );
    Ok(Stored::Argon2 {
        time: time.parse().context("argon2: time")?,
        memory_kib,
        threads: threads.parse().context("argon2: threads")?,
        salt: BASE64.decode(salt).context("argon2: salt")?,
        digest,
    })
}

fn parse_sha256(data: &str) -> Result<Stored, anyhow::Error> {
    let (salt, digest) = data.split_once(':').context("sha256: not two fields")?;
    Ok(Stored::Sha256 {
        salt: BASE64.decode(salt).context("sha256: salt")?,
        digest: BASE64.decode(digest).context("sha256: hash")?,
    })
}

/// Argon2id with checked parameters.
struct Hasher(Argon2<'static>);

fn argon2(time: u32, memory_kib: u32, threads: u32) -> Result<Hasher, anyhow::Error> {
    let params = Params::new(memory_kib, time, threads, Some(ARGON2_DIGEST_BYTES))
        .map_err(|error| anyhow!("argon2: {error}"))?;
    Ok(Hasher(Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        params,
    )))
}

impl Hasher {
    fn digest(
        &self,
        password: &Secret,
        salt: &[u8],
    ) -> Result<[u8; ARGON2_DIGEST_BYTES], anyhow::Error> {
        let mut digest = [0; ARGON2_DIGEST_BYTES];
        self.0
            .hash_password_into(password.reveal(), salt, &mut digest)
            .map_err(|error| anyhow!("argon2: {error}"))?;
        Ok(digest)
    }
}

/// Hashes computed at the same time: one for each processor, since they wait for nothing. Others
/// queue up and the rest of the server goes on.
static HASHING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Runs something slow that only computes, on a thread of its own, when its turn has come.
///
/// # Errors
/// The work panicked, or the server stops.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, anyhow::Error> {
    let _turn = HASHING.acquire().await?;
    Ok(tokio::task::spawn_blocking(work).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn verify(stored: &str, password: &str) -> Result<bool, anyhow::Error> {
        Stored::parse(stored)?.verify(&secret(password))
    }

    #[test]
    fn what_is_made_can_be_checked() {
        for kind in [Hash::Bcrypt { cost: 4 }, Hash::ARGON2, Hash::Generated] {
            let stored = kind.create(&secret("123")).unwrap();
            assert!(verify(&stored, "123").unwrap(), "{stored}");
            assert!(!verify(&stored, "124").unwrap());
            assert_ne!(kind.create(&secret("123")).unwrap(), stored, "salted");
        }
    }

    /// Known values, made by other implementations.
    #[test]
    fn hashes_of_other_programs_are_read() {
        // From the bcrypt test vectors of OpenBSD.
        let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        for minor in ["$2a$", "$2b$", "$2y$"] {
            let hash = bcrypt.replace("$2a$", minor);
            assert!(verify(&format!("bcrypt:{hash}"), "U*U").unwrap());
        }
        // By sha256sum(1) of "saltpw".
        let sha256 = "sha256:c2FsdA==:IbrtlJtxbEnL99j+eUEvHcEEdFZQoyCBrgvguWeut/M=";
        assert!(verify(sha256, "pw").unwrap() && !verify(sha256, "px").unwrap());
    }

    #[test]
    fn damaged_hashes_fail_without_a_panic() {
        let digest = BASE64.encode([0; 64]);
        for damaged in [
            String::new(),
            "123".to_owned(),
            "md5:x".to_owned(),
            "bcrypt:".to_owned(),
            "bcrypt:$2b$99$aaaa".to_owned(),
            "argon2:".to_owned(),
            "argon2:1:2:3".to_owned(),
            format!("argon2:x:1024:2:c2FsdHNhbHQ=:{digest}"),
            format!("argon2:0:1024:2:c2FsdHNhbHQ=:{digest}"),
            format!("argon2:1:0:1:c2FsdHNhbHQ=:{digest}"),
            format!("argon2:1:1024:0:c2FsdHNhbHQ=:{digest}"),
            format!("argon2:1:4294967295:1:c2FsdHNhbHQ=:{digest}"),
            format!("argon2:1:1024:1:?:{digest}"),
            "argon2:1:1024:1:c2FsdHNhbHQ=:AAAA".to_owned(),
            "argon2:1:1024:1:c2FsdHNhbHQ=:".to_owned(),
            "sha256:x".to_owned(),
            "sha256:?:?".to_owned(),
        ] {
            assert!(verify(&damaged, "x").is_err(), "{damaged}");
        }
        assert_eq!(Stored::parse("123").unwrap_err().to_string(), "no hash tag");
        assert_eq!(
            Stored::parse("md5:x").unwrap_err().to_string(),
            "unknown hash: md5"
        );
    }

    #[test]
    fn the_stand_in_is_a_hash_of_nothing() {
        assert!(!Stored::default().verify(&secret("")).unwrap());
    }

    #[test]
    fn bcrypt_cuts_nothing_off() {
        let long = secret(&"x".repeat(BCRYPT_BYTES + 1));
        assert!(Hash::default().create(&long).is_err());
        assert!(Hash::ARGON2.create(&long).is_ok());
    }
}

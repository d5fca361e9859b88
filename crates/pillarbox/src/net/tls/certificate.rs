//! Certificates: read from files or made up, chosen by name, swapped when they change.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};

use super::validity::not_after;
use crate::log::{Logger, Text};

/// How long a self-signed certificate is valid, and how old it gets.
const SELF_SIGNED_VALIDITY: Duration = Duration::from_secs(7 * 86_400);
const SELF_SIGNED_RENEWAL: Duration = Duration::from_secs(6 * 86_400);
/// Largest file that is read as PEM. A chain of ten RSA certificates has about 20 KB.
const PEM_BYTES: u64 = 1024 * 1024;

/// Where certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// PEM files.
    Files(Vec<Pair>),
    /// Made when needed, for these DNS names or IP addresses.
    SelfSigned(Vec<String>),
    /// A file with chain and key that the server itself keeps, and that may not be there yet.
    Kept(PathBuf),
}

/// A chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why certificates can't be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file can't be read.
    #[error("can't read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} {what}")]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong, as "has no certificate".
        what: String,
    },
    /// The two don't belong together.
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A self-signed certificate can't be made for these names.
    #[error("can't make a self-signed certificate: {0}")]
    SelfSigned(rcgen::Error),
}

/// The certificates of a server. The first one is for clients that ask for no name or for one that
/// none of them has.
pub struct Certificates {
    source: Source,
    current: ArcSwap<Vec<Arc<CertifiedKey>>>,
    /// What the files looked like, or when the certificate was made, at the last attempt.
    seen: Mutex<Seen>,
}

#[derive(PartialEq, Eq)]
enum Seen {
    /// Modification time in nanoseconds, inode and length of each file; `None` if it is not there.
    Files(Vec<Option<(i128, u64, u64)>>),
    Made(SystemTime),
}

impl Certificates {
    /// Reads or makes the certificates. Those that have expired, or will within a week, are used
    /// and warned of.
    ///
    /// # Errors
    ///
    /// The first one that can't be used.
    pub fn load(source: Source, log: &Logger) -> Result<Self, LoadError> {
        let seen = Seen::now(&source);
        let keys = load_all(&source)?;
        warn_of_expiry(&source, &keys, log);
        Ok(Self {
            source,
            current: ArcSwap::from_pointee(keys),
            seen: Mutex::new(seen),
        })
    }

    /// Reads a certificate that the server itself keeps. There is none before the first one was
    /// ordered; one that can't be used counts as missing, and is told of.
    pub(super) fn load_kept(path: PathBuf) -> (Self, Option<LoadError>) {
        let source = Source::Kept(path);
        let seen = Mutex::new(Seen::now(&source));
        let (keys, error) = match load_all(&source) {
            Ok(keys) => (keys, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let certificates = Self {
            source,
            current: ArcSwap::from_pointee(keys),
            seen,
        };
        (certificates, error)
    }

    /// Looks whether files have changed, and reads them if so. What can't be used is logged, once
    /// for each change, and the old certificates stay.
    pub fn refresh(&self, log: &Logger) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_fresh(&self.source) {
            return;
        }
        *seen = Seen::now(&self.source);
        drop(seen);
        match load_all(&self.source) {
            Ok(keys) => {
                warn_of_expiry(&self.source, &keys, log);
                self.current.store(Arc::new(keys));
                log.info("certificates were loaded again", &[]);
            }
            Err(error) => {
                let reason = Text(error);
                log.error(
                    "failed to load certificates, the old ones stay",
                    &[("reason", &reason)],
                );
            }
        }
    }

    /// The certificate for a server name.
    pub(super) fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        let named = name.filter(|_| current.len() > 1);
        let name = named.and_then(|name| ServerName::try_from(name).ok());
        let chosen = name.and_then(|name| current.iter().find(|key| is_for(key, &name)));
        chosen.or_else(|| current.first()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.source).finish()
    }
}

impl Seen {
    fn now(source: &Source) -> Self {
        match source {
            Source::Files(pairs) => {
                let files = pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
                Self::Files(files.map(|path| stamp_of(path)).collect())
            }
            Source::Kept(path) => Self::Files(vec![stamp_of(path)]),
            Source::SelfSigned(_) => Self::Made(SystemTime::now()),
        }
    }

    fn is_fresh(&self, source: &Source) -> bool {
        match self {
            Self::Files(_) => *self == Self::now(source),
            // A clock that went backwards makes a certificate that is not valid yet.
            Self::Made(made) => made.elapsed().is_ok_and(|age| age < SELF_SIGNED_RENEWAL),
        }
    }
}

fn stamp_of(path: &Path) -> Option<(i128, u64, u64)> {
    path.metadata().ok().map(|file| stamp(&file))
}

fn stamp(file: &Metadata) -> (i128, u64, u64) {
    let modified = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
    (modified, file.ino(), file.len())
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    key.end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

/// Whether a certificate is for this name.
pub(super) fn is_for_name(key: &CertifiedKey, name: &str) -> bool {
    ServerName::try_from(name).is_ok_and(|name| is_for(key, &name))
}

fn load_all(source: &Source) -> Result<Vec<Arc<CertifiedKey>>, LoadError> {
    match source {
        Source::Files(pairs) => pairs.iter().map(|pair| load(pair).map(Arc::new)).collect(),
        Source::SelfSigned(names) => Ok(vec![Arc::new(self_signed(names)?)]),
        Source::Kept(path) => load_kept(path),
    }
}

fn load_kept(path: &Path) -> Result<Vec<Arc<CertifiedKey>>, LoadError> {
    let both = Pair {
        certificate: path.to_owned(),
        key: path.to_owned(),
    };
    match load(&both) {
        Ok(key) => Ok(vec![Arc::new(key)]),
        Err(LoadError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

pub(super) fn load(pair: &Pair) -> Result<CertifiedKey, LoadError> {
    let chain = chain(&pair.certificate)?;
    let key = private_key(&pair.key)?;
    let unusable = |path: &Path, what: String| LoadError::Contents {
        path: path.to_owned(),
        what,
    };
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(key) => Ok(key),
        Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(LoadError::Mismatch {
                certificate: pair.certificate.clone(),
                key: pair.key.clone(),
            })
        }
        Err(TlsError::InvalidCertificate(error)) => {
            let what = format!("has a certificate that can't be used: {error:?}");
            Err(unusable(&pair.certificate, what))
        }
        Err(error) => Err(unusable(
            &pair.key,
            format!("has a key that can't be used: {error}"),
        )),
    }
}

pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let contents = |what: String| LoadError::Contents {
        path: path.to_owned(),
        what,
    };
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) if has(&pem, "PRIVATE KEY-----") => {
            let what = "has a private key but no certificate; are certificate and key swapped?";
            Err(contents(what.to_owned()))
        }
        Ok(_) => Err(contents("has no certificate in PEM form".to_owned())),
        Err(error) => Err(contents(format!("is not good PEM: {error}"))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, LoadError> {
    let pem = read(path)?;
    let error = match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => return Ok(key),
        Err(error) => error,
    };
    let what = if has(&pem, "BEGIN ENCRYPTED PRIVATE KEY") || has(&pem, "Proc-Type: 4,ENCRYPTED") {
        "has a key that is protected by a password; write it without one (`openssl pkey`)".into()
    } else if has(&pem, "BEGIN CERTIFICATE") {
        "has a certificate but no private key; are certificate and key swapped?".into()
    } else if matches!(error, rustls::pki_types::pem::Error::NoItemsFound) {
        "has no private key in PEM form".into()
    } else {
        format!("is not good PEM: {error}")
    };
    Err(LoadError::Contents {
        path: path.to_owned(),
        what,
    })
}

fn has(pem: &[u8], text: &str) -> bool {
    memchr::memmem::find(pem, text.as_bytes()).is_some()
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let length = path.metadata().map_err(unreadable)?.len();
    if length > PEM_BYTES {
        let what = "is too large to be a certificate or key".to_owned();
        let path = path.to_owned();
        return Err(LoadError::Contents { path, what });
    }
    std::fs::read(path).map_err(unreadable)
}

/// A certificate with a P-256 key that vouches for itself.
fn self_signed(names: &[String]) -> Result<CertifiedKey, LoadError> {
    let made = || {
        let mut params = rcgen::CertificateParams::new(names)?;
        let now = SystemTime::now();
        // Clients' clocks may be slow.
        params.not_before = (now - Duration::from_secs(3_600)).into();
        params.not_after = (now + SELF_SIGNED_VALIDITY).into();
        let key = rcgen::KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok((certificate, key))
    };
    let (certificate, key) = made().map_err(LoadError::SelfSigned)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let chain = vec![certificate.der().clone()];
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|_| LoadError::SelfSigned(rcgen::Error::CouldNotParseKeyPair))
}

fn warn_of_expiry(source: &Source, keys: &[Arc<CertifiedKey>], log: &Logger) {
    /// Renewal runs a month before the end; a week before it has failed several times.
    const SOON: Duration = Duration::from_secs(7 * 86_400);
    let Source::Files(pairs) = source else {
        return;
    };
    let now = SystemTime::now();
    for (pair, key) in pairs.iter().zip(keys) {
        let end = key
            .end_entity_cert()
            .ok()
            .and_then(|certificate| not_after(certificate));
        let Some(end) = end.filter(|end| *end < now + SOON) else {
            continue;
        };
        let message = match end.duration_since(now) {
            Ok(_) => "certificate expires soon",
            Err(_) => "certificate has expired",
        };
        let (path, end) = (Text(pair.certificate.display()), crate::log::timestamp(end));
        log.warn(message, &[("path", &path), ("not_after", &end)]);
    }
}

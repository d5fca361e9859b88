//! What outlives the process: accounts and certificates, in files that only the server reads.
//!
//! A certificate, its chain and its key are one file, so that they are replaced together. A comment
//! in it says which authority it is from.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Begins the comment that names the authority.
const CA_COMMENT: &str = "# ca: ";
/// Largest file that is read. A chain of ten RSA certificates and their key have about 20 KB.
const FILE_BYTES: u64 = 1024 * 1024;

/// A directory of accounts and certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store(PathBuf);

/// Keeps other processes from ordering the same certificate, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Store {
    /// A store in this directory, which need not be there yet.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Makes the directories.
    ///
    /// # Errors
    ///
    /// They can't be made; the text names the one.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for directory in [self.0.clone(), self.0.join("accounts")] {
            let made = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&directory);
            made.map_err(|error| named(&directory, &error))?;
        }
        Ok(())
    }

    /// Where the certificate of a name is.
    pub(super) fn certificate_path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{}.pem", name.replace('*', "_")))
    }

    /// Puts a certificate in its place, whole or not at all.
    ///
    /// # Errors
    ///
    /// It can't be written; the old one is still there.
    pub(super) fn keep_certificate(
        &self,
        name: &str,
        ca: &str,
        key: &str,
        chain: &str,
    ) -> io::Result<()> {
        let text = Zeroizing::new(format!("{CA_COMMENT}{ca}\n{key}{chain}"));
        replace(&self.certificate_path(name), text.as_bytes())
    }

    /// The authority that the stored certificate of a name is from.
    pub(super) fn issuer(&self, name: &str) -> Option<String> {
        let text = read(&self.certificate_path(name)).ok()??;
        let line = std::str::from_utf8(&text).ok()?.lines().next()?;
        line.strip_prefix(CA_COMMENT).map(str::to_owned)
    }

    /// The account at an authority, as it was kept; nothing if there is none.
    ///
    /// # Errors
    ///
    /// It is there and can't be read.
    pub(super) fn account(&self, ca: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        read(&self.account_path(ca))
    }

    /// Keeps an account.
    ///
    /// # Errors
    ///
    /// It can't be written; the old one is still there.
    pub(super) fn keep_account(&self, ca: &str, account: &[u8]) -> io::Result<()> {
        replace(&self.account_path(ca), account)
    }

    /// Puts an account aside that is of no use, for somebody to look at.
    ///
    /// # Errors
    ///
    /// It can't be renamed.
    pub(super) fn set_account_aside(&self, ca: &str) -> io::Result<()> {
        let path = self.account_path(ca);
        fs::rename(&path, path.with_extension("unusable")).map_err(|error| named(&path, &error))
    }

    /// Takes the right to order the certificate of a name; nothing if another process has it.
    ///
    /// # Errors
    ///
    /// The lock file can't be opened.
    pub(super) fn lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let path = self.certificate_path(name).with_extension("lock");
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path);
        let file = opened.map_err(|error| named(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(named(&path, &error)),
        }
    }

    /// The file of an authority's account, named after its URL.
    fn account_path(&self, ca: &str) -> PathBuf {
        let url = ca.strip_prefix("https://").unwrap_or(ca);
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        let name: String = url.chars().map(plain).collect();
        self.0.join("accounts").join(format!("{name}.json"))
    }
}

/// A file's bytes; nothing if it is not there.
fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path, &error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let mut bounded = file.take(FILE_BYTES);
    bounded
        .read_to_end(&mut bytes)
        .map_err(|error| named(path, &error))?;
    Ok(Some(bytes))
}

/// Writes a file beside its place, waits until it is on disk, and moves it into its place.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let written = || {
        // What an earlier process left behind may have other permissions.
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent()
            .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    written().map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().join("acme"));
        store.prepare().unwrap();
        (directory, store)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn secrets_are_for_the_server_alone() {
        let (_directory, store) = store();
        store
            .keep_certificate("mx.test", "https://ca.test/dir", "KEY\n", "CHAIN\n")
            .unwrap();
        store.keep_account("https://ca.test/dir", b"{}").unwrap();
        let certificate = store.certificate_path("mx.test");
        assert_eq!(mode(&certificate), 0o600);
        assert_eq!(mode(&store.0), 0o700);
        assert_eq!(mode(&store.0.join("accounts/ca.test-dir.json")), 0o600);
        assert_eq!(
            fs::read_to_string(certificate).unwrap(),
            "# ca: https://ca.test/dir\nKEY\nCHAIN\n"
        );
    }

    #[test]
    fn what_is_kept_is_found_again_and_replaced_whole() {
        let (_directory, store) = store();
        let ca = "https://ca.test/dir";
        assert!(store.account(ca).unwrap().is_none());
        assert_eq!(store.issuer("mx.test"), None);
        for text in [&b"first"[..], b"second"] {
            store.keep_account(ca, text).unwrap();
            assert_eq!(store.account(ca).unwrap().unwrap().as_slice(), text);
        }
        store.keep_certificate("mx.test", ca, "", "").unwrap();
        assert_eq!(store.issuer("mx.test").as_deref(), Some(ca));
        // A crash while the next one was written.
        fs::write(
            store.certificate_path("mx.test").with_extension("new"),
            "half",
        )
        .unwrap();
        store
            .keep_certificate("mx.test", "https://other.test", "", "")
            .unwrap();
        assert_eq!(
            store.issuer("mx.test").as_deref(),
            Some("https://other.test")
        );
    }

    #[test]
    fn an_account_of_no_use_is_put_aside() {
        let (_directory, store) = store();
        store.keep_account("https://ca.test", b"junk").unwrap();
        store.set_account_aside("https://ca.test").unwrap();
        assert!(store.account("https://ca.test").unwrap().is_none());
        assert!(store.0.join("accounts/ca.test.unusable").exists());
    }

    #[test]
    fn one_orders_at_a_time() {
        let (_directory, store) = store();
        let lock = store.lock("mx.test").unwrap();
        assert!(lock.is_some());
        assert!(store.lock("mx.test").unwrap().is_none());
        assert!(store.lock("other.test").unwrap().is_some());
        drop(lock);
        assert!(store.lock("mx.test").unwrap().is_some());
    }

    #[test]
    fn errors_name_the_file() {
        let (_directory, store) = store();
        fs::create_dir(store.certificate_path("mx.test")).unwrap();
        let error = store.keep_certificate("mx.test", "", "", "").unwrap_err();
        assert!(error.to_string().contains("acme/mx.test.pem: "), "{error}");
        fs::write(store.0.join("file"), "").unwrap();
        let error = Store::new(store.0.join("file")).prepare().unwrap_err();
        assert!(error.to_string().contains("acme/file"), "{error}");
    }
}

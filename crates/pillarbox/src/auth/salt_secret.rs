//! The secret of which the salts of users are made who have none: see
//! [`pillarbox_proto::sasl::Salt::invented`]. Kept in a file, since a salt that changes with a
//! restart would say that it is invented.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file, in the state directory.
const NAME: &str = "salt_secret";

/// Reads the secret, or makes it if there is none.
///
/// # Errors
/// The file can't be read or written, or is no secret.
pub fn load(state_dir: &Path) -> io::Result<[u8; 32]> {
    let path = state_dir.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "not of 32 bytes")),
        Err(error) if error.kind() == ErrorKind::NotFound => create(&path),
        Err(error) => Err(error),
    }
}

fn create(path: &Path) -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| io::Error::other("no random numbers"))?;
    let fresh = path.with_extension(format!("{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    // Whole or not at all.
    fs::rename(&fresh, path)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_stays() {
        let directory = tempfile::tempdir().unwrap();
        let secret = load(directory.path()).unwrap();
        assert_ne!(secret, [0; 32]);
        assert_eq!(load(directory.path()).unwrap(), secret);
        fs::write(directory.path().join(NAME), "short").unwrap();
        assert!(load(directory.path()).is_err());
    }
}

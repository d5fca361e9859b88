//! Secrets that can't be printed by accident.

use zeroize::Zeroizing;

/// A password or token. It has no `Debug` and no `Display`, and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for whoever has to compare or hash them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

//! Bounds that no directive sets.

/// Bytes of an address. RFC 5321 §4.5.3.1.3 has 256, and rewritten senders are longer (SRS, VERP).
pub(super) const ADDRESS_BYTES: usize = 1_024;
/// Bytes of a host's name (RFC 1035 §2.3.4).
pub(super) const HOST_BYTES: usize = 255;
/// Parameters of one command; there are no more than five known ones.
pub(super) const PARAMETERS: usize = 20;
/// Commands that make no sense, since the last message, before we hang up.
pub(super) const ERRORS: u32 = 20;
/// Bytes of a message beyond what is taken that are read and thrown away, so that its sender can be
/// told why. Who sends still more is cut off.
pub(super) const SWALLOW_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a command line that is too long before we hang up: nothing is a line of that length.
pub(super) const OVERLONG_BYTES: usize = 1024 * 1024;

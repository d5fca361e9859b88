//! Records of a segment: a header that says everything, and the bytes.

use pillarbox_model::{AccountId, InternalDate, MailboxId};

use crate::blob::About;

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 64;
/// Records start at multiples of this, so that a scan past damage finds the next one.
pub(super) const ALIGNMENT: u64 = 16;
/// "PBXR", and the version of this layout.
const MAGIC: [u8; 8] = *b"PBXR\0\0\0\x01";

/// What a record's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Bytes of the message.
    pub(super) len: u64,
    /// CRC-32C of the message.
    pub(super) crc: u32,
    /// Whether the record counts. It does not while it is being written, and when it was given up.
    pub(super) live: bool,
    pub(super) about: About,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &self.len.to_le_bytes());
        put(16, &self.crc.to_le_bytes());
        put(20, &u32::from(self.live).to_le_bytes());
        put(24, &self.about.account.0.to_le_bytes());
        put(32, &self.about.mailbox.0.to_le_bytes());
        put(40, &self.about.date.unix_seconds.to_le_bytes());
        put(48, &self.about.date.zone_minutes.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` if there is no header here, or a torn one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let u64_at =
            |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| bytes[at + i]));
        if bytes[..8] != MAGIC || u32_at(60) != crc32c::crc32c(&bytes[..60]) {
            return None;
        }
        Some(Self {
            len: u64_at(8),
            crc: u32_at(16),
            live: u32_at(20) == 1,
            about: About {
                account: AccountId(u64_at(24)),
                mailbox: MailboxId(u64_at(32)),
                date: InternalDate {
                    unix_seconds: u64_at(40).cast_signed(),
                    zone_minutes: i16::from_le_bytes([bytes[48], bytes[49]]),
                },
            },
        })
    }
}

/// Bytes that a record of `len` message bytes takes, up to the start of the next.
pub(super) const fn room(len: u64) -> u64 {
    (HEADER_BYTES as u64 + len).next_multiple_of(ALIGNMENT)
}

/// The records in a segment's bytes with their offsets, damage passed over.
pub(super) fn scan(segment: &[u8]) -> impl Iterator<Item = (u64, Header)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < segment.len() {
            let here = at;
            match Header::decode(&segment[here..]) {
                Some(header) if fits(segment, here, &header) => {
                    at = here.saturating_add(room(header.len) as usize);
                    return Some((here as u64, header));
                }
                _ => at = here + ALIGNMENT as usize,
            }
        }
        None
    })
}

fn fits(segment: &[u8], at: usize, header: &Header) -> bool {
    let rest = (segment.len() - at) as u64;
    header
        .len
        .checked_add(HEADER_BYTES as u64)
        .is_some_and(|needed| needed <= rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(len: u64, live: bool) -> Header {
        Header {
            len,
            crc: 7,
            live,
            about: About {
                account: AccountId(3),
                mailbox: MailboxId(4),
                date: InternalDate {
                    unix_seconds: -5,
                    zone_minutes: -60,
                },
            },
        }
    }

    #[test]
    fn a_header_reads_back_and_a_flipped_bit_shows() {
        let encoded = header(99, true).encode();
        assert_eq!(Header::decode(&encoded), Some(header(99, true)));
        for bit in 0..HEADER_BYTES * 8 {
            let mut torn = encoded;
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&torn), None);
        }
    }

    /// A hole, a torn header and a length past the end hide none of the others.
    #[test]
    fn a_scan_goes_on_behind_damage() {
        let mut segment = vec![0; 32];
        segment.extend(header(10, true).encode());
        segment.resize(32 + room(10) as usize, b'x');
        let torn = segment.len();
        segment.extend(header(0, true).encode());
        segment[torn + 9] ^= 1;
        let last = segment.len() as u64;
        segment.extend(header(5, false).encode());
        segment.resize(last as usize + room(5) as usize, b'y');
        segment.extend(header(1 << 60, true).encode());
        let found: Vec<_> = scan(&segment).collect();
        assert_eq!(found, [(32, header(10, true)), (last, header(5, false))]);
    }
}

//! What is in a segment: a header, and records that say everything about themselves.
//!
//! A record is a header of 64 bytes and the message's bytes, padded to a multiple of 64: so a header never
//! spans two sectors of a disk. Each header repeats a random number of its segment and its own offset; bytes
//! of a message that look like a header are none, since whoever sends it can't know the number.

use pillarbox_model::{AccountId, InternalDate, MailboxId};

use super::compress::Codec;
use crate::blob::About;

/// Bytes of a header; records start at multiples of it.
pub(super) const HEADER_BYTES: usize = 64;
/// The same, as an offset.
pub(super) const ALIGNMENT: u64 = HEADER_BYTES as u64;
/// Starts a record that counts.
pub(super) const LIVE: [u8; 4] = *b"PBXR";
/// Starts a record that was given up, or does not count yet. Not covered by the checksum, so that a record
/// changes its state by a write of four bytes. One that starts with neither counts: giving up was tried, and
/// whoever tried was told that it did not work.
pub(super) const VOID: [u8; 4] = *b"pbxv";
/// Of the layout of records.
const VERSION: u8 = 1;
/// Starts a segment; the last byte is the version.
const SEGMENT: [u8; 8] = *b"PBXSEG\0\x01";

/// Where a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The random number of its segment.
    pub(super) nonce: u64,
    /// Its offset in the segment, in bytes.
    pub(super) at: u64,
}

/// What a record's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Whether it counts.
    pub(super) live: bool,
    pub(super) about: About,
    /// How the bytes are stored.
    pub(super) codec: Codec,
    /// Bytes of the message.
    pub(super) len: u32,
    /// Bytes as stored.
    pub(super) stored: u32,
    /// CRC-32C of the bytes as stored.
    pub(super) crc: u32,
}

impl Header {
    pub(super) fn encode(&self, place: Place) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, if self.live { &LIVE } else { &VOID });
        put(4, &[VERSION, self.codec as u8]);
        put(6, &self.about.date.zone_minutes.to_le_bytes());
        put(8, &place.nonce.to_le_bytes());
        put(16, &place.at.to_le_bytes());
        put(24, &self.len.to_le_bytes());
        put(28, &self.stored.to_le_bytes());
        put(32, &self.about.account.0.to_le_bytes());
        put(40, &self.about.mailbox.0.to_le_bytes());
        put(48, &self.about.date.unix_seconds.to_le_bytes());
        put(56, &self.crc.to_le_bytes());
        seal(&mut out, 4);
        out
    }

    /// `None` if there is no header for that place here, or a torn one.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES], place: Place) -> Option<Self> {
        let here = u64_at(bytes, 8) == place.nonce && u64_at(bytes, 16) == place.at;
        if bytes[4] != VERSION || !here || !is_sealed(bytes, 4) {
            return None;
        }
        let (len, stored) = (u32_at(bytes, 24), u32_at(bytes, 28));
        let codec = Codec::from_byte(bytes[5])?;
        if codec == Codec::Raw && len != stored {
            return None;
        }
        Some(Self {
            live: bytes[..4] != VOID,
            about: About {
                account: AccountId(u64_at(bytes, 32)),
                mailbox: MailboxId(u64_at(bytes, 40)),
                date: InternalDate {
                    unix_seconds: u64_at(bytes, 48).cast_signed(),
                    zone_minutes: i16::from_le_bytes([bytes[6], bytes[7]]),
                },
            },
            codec,
            len,
            stored,
            crc: u32_at(bytes, 56),
        })
    }

    /// Bytes that the record takes, up to the start of the next.
    pub(super) fn room(&self) -> u64 {
        room(u64::from(self.stored))
    }
}

/// What a segment's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) number: u32,
    pub(super) nonce: u64,
    /// Bytes it was made with.
    pub(super) capacity: u64,
    /// Which kind of writer it is for.
    pub(super) lane: u8,
    /// What its records were compressed with, where it paid.
    pub(super) codec: Codec,
    /// Whether nothing is added to it any more. Only then do the following two count.
    pub(super) sealed: bool,
    /// Message bytes in it, including those given up.
    pub(super) total: u64,
    /// Message bytes given up.
    pub(super) dead: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &SEGMENT);
        put(8, &self.number.to_le_bytes());
        put(12, &[self.lane, self.codec as u8, u8::from(self.sealed)]);
        put(16, &self.nonce.to_le_bytes());
        put(24, &self.capacity.to_le_bytes());
        put(32, &self.total.to_le_bytes());
        put(40, &self.dead.to_le_bytes());
        seal(&mut out, 0);
        out
    }

    /// `None` if this is not the start of a segment of this version.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        if bytes[..8] != SEGMENT || !is_sealed(bytes, 0) {
            return None;
        }
        Some(Self {
            number: u32_at(bytes, 8),
            lane: bytes[12],
            codec: Codec::from_byte(bytes[13])?,
            sealed: bytes[14] == 1,
            nonce: u64_at(bytes, 16),
            capacity: u64_at(bytes, 24),
            total: u64_at(bytes, 32),
            dead: u64_at(bytes, 40),
        })
    }
}

/// Bytes that a record of `stored` bytes takes, up to the start of the next.
pub(super) const fn room(stored: u64) -> u64 {
    (ALIGNMENT + stored).next_multiple_of(ALIGNMENT)
}

fn seal(header: &mut [u8; HEADER_BYTES], from: usize) {
    let crc = crc32c::crc32c(&header[from..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
}

fn is_sealed(header: &[u8; HEADER_BYTES], from: usize) -> bool {
    u32_at(header, 60) == crc32c::crc32c(&header[from..60])
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| bytes[at + i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { nonce: 77, at: 640 };

    fn header(live: bool) -> Header {
        Header {
            live,
            about: About {
                account: AccountId(3),
                mailbox: MailboxId(4),
                date: InternalDate {
                    unix_seconds: -5,
                    zone_minutes: -60,
                },
            },
            codec: Codec::Zstd,
            len: 99,
            stored: 50,
            crc: 7,
        }
    }

    #[test]
    fn a_header_reads_back_and_a_flipped_bit_shows() {
        for live in [true, false] {
            let encoded = header(live).encode(PLACE);
            assert_eq!(Header::decode(&encoded, PLACE), Some(header(live)));
            for bit in 0..HEADER_BYTES * 8 {
                let mut torn = encoded;
                torn[bit / 8] ^= 1 << (bit % 8);
                // In doubt it counts.
                let expected = (bit < 32).then(|| header(true));
                assert_eq!(Header::decode(&torn, PLACE), expected);
            }
        }
    }

    /// So a copy of a header inside a message is no record.
    #[test]
    fn a_header_counts_in_its_place_only() {
        let encoded = header(true).encode(PLACE);
        assert_eq!(Header::decode(&encoded, Place { at: 704, ..PLACE }), None);
        let elsewhere = Place { nonce: 78, ..PLACE };
        assert_eq!(Header::decode(&encoded, elsewhere), None);
    }

    #[test]
    fn a_message_kept_as_it_is_has_its_length() {
        let raw = Header {
            codec: Codec::Raw,
            ..header(true)
        };
        assert_eq!(Header::decode(&raw.encode(PLACE), PLACE), None);
        let raw = Header { stored: 99, ..raw };
        assert_eq!(Header::decode(&raw.encode(PLACE), PLACE), Some(raw));
    }

    #[test]
    fn a_segment_header_reads_back_and_a_flipped_bit_shows() {
        let header = SegmentHeader {
            number: 1,
            nonce: 2,
            capacity: 3,
            lane: 2,
            codec: Codec::Lz4,
            sealed: true,
            total: 5,
            dead: 4,
        };
        let encoded = header.encode();
        assert_eq!(SegmentHeader::decode(&encoded), Some(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut torn = encoded;
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&torn), None);
        }
    }
}

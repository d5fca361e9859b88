//! Compression of stored messages.

use std::io::{self, Read, Write};

/// Bytes saved, in parts of 16, below which compressing a message does not pay: it would cost every read.
const WORTH_SIXTEENTHS: usize = 1;

/// Whether messages are compressed, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    /// They are not.
    #[default]
    Off,
    /// LZ4: fast, saves little.
    Lz4,
    /// Zstandard of this level, 1 to 22: about half the room; reading costs some microseconds a message.
    Zstd(i32),
}

/// How the bytes of one record or file are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Codec {
    /// As they are.
    Raw = 0,
    /// An LZ4 frame.
    Lz4 = 1,
    /// A Zstandard frame.
    Zstd = 2,
}

impl Codec {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Raw),
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What the magic number of a file says.
    pub(super) fn sniff(bytes: &[u8]) -> Self {
        match bytes {
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Raw,
        }
    }

    /// The message of at most `limit` bytes. `None` if the bytes are damaged or the message is longer.
    pub(super) fn decode(self, stored: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut reader: Box<dyn Read + '_> = match self {
            Self::Raw => Box::new(stored),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(stored)),
            Self::Zstd => Box::new(zstd::Decoder::new(stored).ok()?),
        };
        let mut message = Vec::with_capacity(limit.min(stored.len().saturating_mul(4)));
        let more = limit as u64 + 1;
        reader.by_ref().take(more).read_to_end(&mut message).ok()?;
        (message.len() <= limit).then_some(message)
    }
}

impl Compression {
    pub(super) const fn codec(self) -> Codec {
        match self {
            Self::Off => Codec::Raw,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd(_) => Codec::Zstd,
        }
    }

    /// The compressed message, if that pays.
    pub(super) fn encode(self, message: &[u8]) -> Option<Vec<u8>> {
        let mut encoded = Vec::new();
        self.encode_to(message, &mut encoded).ok()?;
        (self != Self::Off && pays(message.len(), encoded.len())).then_some(encoded)
    }

    /// Writes the compressed message.
    pub(super) fn encode_to(self, message: &[u8], to: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Off => to.write_all(message),
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(to);
                encoder.write_all(message)?;
                encoder.finish().map(drop).map_err(io::Error::other)
            }
            Self::Zstd(level) => zstd::stream::copy_encode(message, to, level.clamp(1, 22)),
        }
    }
}

/// Whether a message of `raw` bytes is better kept in `encoded` bytes.
pub(super) const fn pays(raw: usize, encoded: usize) -> bool {
    raw.saturating_sub(encoded) > raw / 16 * WORTH_SIXTEENTHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pays_comes_back_and_what_does_not_is_left_alone() {
        let text = b"Received: from somewhere\r\n".repeat(50);
        for compression in [Compression::Lz4, Compression::Zstd(3)] {
            let encoded = compression.encode(&text).unwrap();
            assert!(encoded.len() < text.len() / 2);
            assert_eq!(Codec::sniff(&encoded), compression.codec());
            let codec = compression.codec();
            assert_eq!(codec.decode(&encoded, text.len()).unwrap(), text);
            assert_eq!(codec.decode(&encoded, text.len() - 1), None, "a bomb");
            assert_eq!(codec.decode(&encoded[..encoded.len() / 2], 9_999), None);
            let noise: Vec<u8> = (0..4u8)
                .flat_map(|n| *blake3::hash(&[n]).as_bytes())
                .collect();
            assert_eq!(compression.encode(&noise), None);
        }
    }
}

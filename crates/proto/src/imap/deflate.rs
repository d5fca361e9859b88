//! COMPRESS=DEFLATE (RFC 4978): bytes to bytes, without the connection.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushDecompress, Status};
use memchr::memmem;

/// What is done about the end of what is packed, so that the other end gets all of it.
pub use flate2::FlushCompress as Flush;

/// Bytes that are packed or unpacked at one go: neither a large message nor a bomb, a few bytes that
/// become many, makes more than this at once.
const PIECE_BYTES: usize = 16 * 1024;
/// What a flush to a byte's border ends with (RFC 1951 §3.2.4: an empty stored block).
const FLUSHED: &[u8] = &[0, 0, 0xff, 0xff];
/// A moderate level: IMAP's responses repeat themselves, and the processor is everybody's.
const LEVEL: u32 = 3;

/// Both directions of a compressed connection.
#[derive(Debug)]
pub struct Deflate {
    /// Packs what goes out. Let go of when nothing was said for a while: the next one begins with an
    /// empty dictionary, which the other end need not know.
    packer: Option<Compress>,
    packed: Vec<u8>,
    unpacker: Decompress,
    /// What came in and is not unpacked yet.
    raw: Vec<u8>,
    used: usize,
    /// There was no room for all that could be unpacked.
    full: bool,
    /// The client's compressed data is over.
    ended: bool,
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

impl Deflate {
    /// With nothing said in either direction.
    #[must_use]
    pub fn new() -> Self {
        Self {
            packer: None,
            packed: Vec::new(),
            // Without zlib's header, a window of 15 bits (RFC 4978 §4).
            unpacker: Decompress::new(false),
            raw: Vec::new(),
            used: 0,
            full: false,
            ended: false,
        }
    }

    /// Packs some of `bytes`, which it takes away, and says whether that was all. What is to be sent is
    /// in [`Self::packed`] then.
    ///
    /// # Errors
    /// None that depend on what is packed.
    pub fn pack(&mut self, bytes: &mut &[u8], flush: Flush) -> io::Result<bool> {
        let packer = self
            .packer
            .get_or_insert_with(|| Compress::new(Compression::new(LEVEL), false));
        self.packed.clear();
        self.packed.reserve(PIECE_BYTES);
        let before = packer.total_in();
        packer
            .compress_vec(bytes, &mut self.packed, flush)
            .map_err(io::Error::other)?;
        *bytes = &bytes[(packer.total_in() - before) as usize..];
        // With room left there is nothing more to come (zlib.h, `deflate`).
        Ok(bytes.is_empty() && self.packed.len() < self.packed.capacity())
    }

    /// What [`Self::pack`] made.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Whether it holds a dictionary that can be let go of. Everything must have been flushed.
    #[must_use]
    pub const fn holds_much(&self) -> bool {
        self.packer.is_some()
    }

    /// Lets go of what the next response can do without.
    pub fn rest(&mut self) {
        self.packer = None;
        self.packed = Vec::new();
    }

    /// Where bytes from the client go.
    pub const fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.raw
    }

    /// Whether there may be something to unpack.
    #[must_use]
    pub fn has_raw(&self) -> bool {
        self.full || self.used < self.raw.len()
    }

    /// Unpacks a bounded piece of what came in, and not beyond where the client flushed: what
    /// follows may be in clear, if what comes before ends compression (RFC 8437 §4.1).
    ///
    /// # Errors
    /// It is not DEFLATE, or goes on after its end.
    pub fn unpack(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let rest = &self.raw[self.used..];
        let end = memmem::find(rest, FLUSHED).map_or(rest.len(), |at| at + FLUSHED.len());
        out.reserve_exact(PIECE_BYTES);
        let (taken, made) = (self.unpacker.total_in(), out.len());
        let invalid = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
        if self.ended {
            return Err(invalid("the compressed stream went on after its end"));
        }
        let status = self
            .unpacker
            .decompress_vec(&rest[..end], out, FlushDecompress::None)
            .map_err(|_| invalid("what the client sends is not DEFLATE"))?;
        let taken = (self.unpacker.total_in() - taken) as usize;
        self.ended = status == Status::StreamEnd;
        if taken == 0 && out.len() == made && !rest.is_empty() && !self.ended {
            return Err(invalid("what the client sends is not DEFLATE"));
        }
        self.full = out.len() == out.capacity();
        self.used += taken;
        if self.used == self.raw.len() {
            self.raw = Vec::new();
            self.used = 0;
        }
        Ok(())
    }

    /// What came in and is not unpacked, when compression ends.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.raw.split_off(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(texts: &[&[u8]], flush: Flush) -> Vec<u8> {
        let mut deflate = Deflate::new();
        let mut all = Vec::new();
        for text in texts {
            let mut text = *text;
            loop {
                let done = deflate.pack(&mut text, flush).unwrap();
                assert!(deflate.packed().len() <= 2 * PIECE_BYTES);
                all.extend_from_slice(deflate.packed());
                if done {
                    break;
                }
            }
        }
        all
    }

    /// All that comes of some bytes, however they are cut.
    fn unpacked(raw: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut deflate = Deflate::new();
        let mut all = Vec::new();
        for piece in raw.chunks(piece) {
            deflate.raw().extend_from_slice(piece);
            while deflate.has_raw() {
                let mut out = Vec::new();
                deflate.unpack(&mut out)?;
                assert!(out.len() <= out.capacity() && out.capacity() <= PIECE_BYTES);
                all.extend_from_slice(&out);
            }
        }
        Ok(all)
    }

    #[test]
    fn what_is_packed_comes_out_again_however_it_is_cut_and_flushed() {
        let long: Vec<u8> = (0..300_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        let short = vec![b'x'; 1_000_000];
        let texts = [&b"a NOOP\r\n"[..], b"", &long, &short, b"b NOOP\r\n"];
        for flush in [Flush::Sync, Flush::Full, Flush::Partial] {
            let raw = packed(&texts, flush);
            for piece in [1, 7, 1_000, raw.len()] {
                assert_eq!(unpacked(&raw, piece).unwrap(), texts.concat());
            }
        }
    }

    /// A dictionary that was let go of is not missed at the other end.
    #[test]
    fn a_rest_in_between_is_not_noticed() {
        let mut deflate = Deflate::new();
        let mut raw = Vec::new();
        for _ in 0..5 {
            let mut text = &b"* 1 FETCH (FLAGS ())\r\n"[..];
            assert!(deflate.pack(&mut text, Flush::Sync).unwrap());
            raw.extend_from_slice(deflate.packed());
            deflate.rest();
            assert!(!deflate.holds_much());
        }
        let expected = b"* 1 FETCH (FLAGS ())\r\n".repeat(5);
        assert_eq!(unpacked(&raw, 3).unwrap(), expected);
    }

    /// A megabyte that becomes a gigabyte comes out a piece at a time; here the first of it.
    #[test]
    fn a_bomb_goes_off_in_pieces() {
        let bomb = packed(&[&vec![b'x'; 50_000_000]], Flush::Sync);
        assert!(bomb.len() < 500_000);
        let mut deflate = Deflate::new();
        deflate.raw().extend_from_slice(&bomb);
        for _ in 0..100 {
            let mut out = Vec::new();
            deflate.unpack(&mut out).unwrap();
            assert!(out.len() <= PIECE_BYTES && out.capacity() <= PIECE_BYTES);
        }
        assert!(deflate.has_raw());
    }

    #[test]
    fn what_is_no_deflate_is_told() {
        assert!(unpacked(b"a NOOP\r\n\xff\xff\xff", 4).is_err());
        let mut ended = packed(&[b"x"], Flush::Finish);
        assert_eq!(unpacked(&ended, 1).unwrap(), b"x");
        ended.push(b'y');
        assert!(unpacked(&ended, 100).is_err());
    }

    #[test]
    fn what_follows_a_flush_stays_as_it_is() {
        let mut raw = packed(&[b"z UNAUTHENTICATE\r\n"], Flush::Sync);
        raw.extend_from_slice(b"a LOGIN x y\r\n");
        let mut deflate = Deflate::new();
        deflate.raw().extend_from_slice(&raw);
        let mut out = Vec::new();
        deflate.unpack(&mut out).unwrap();
        assert_eq!(out, b"z UNAUTHENTICATE\r\n");
        assert_eq!(deflate.into_rest(), b"a LOGIN x y\r\n");
    }
}

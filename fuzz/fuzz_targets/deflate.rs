//! Compressed input: a piece of a moderate size at a time comes of it, the same however it is cut, and what
//! was packed comes out as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_proto::imap::deflate::{Deflate, Flush};

/// More is a bomb, which would only take time.
const ENOUGH: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let whole = unpacked(data, data.len().max(1));
    let bytes = unpacked(data, 1);
    // What was unpacked before an error may differ; what is no error may not.
    if let (Some(whole), Some(bytes)) = (&whole, &bytes) {
        assert_eq!(whole, bytes, "byte by byte");
    }
    assert_eq!(unpacked(&packed(data), 7).as_deref(), Some(data), "packed");
});

fn unpacked(raw: &[u8], piece: usize) -> Option<Vec<u8>> {
    let mut deflate = Deflate::new();
    let mut all = Vec::new();
    for piece in raw.chunks(piece) {
        deflate.raw().extend_from_slice(piece);
        while deflate.has_raw() && all.len() < ENOUGH {
            let mut out = Vec::new();
            deflate.unpack(&mut out).ok()?;
            assert!(out.capacity() <= 16 * 1024);
            all.extend_from_slice(&out);
        }
    }
    all.truncate(ENOUGH);
    Some(all)
}

fn packed(data: &[u8]) -> Vec<u8> {
    let mut deflate = Deflate::new();
    let mut all = Vec::new();
    for (mut text, flush) in [(data, Flush::Sync), (&[][..], Flush::Full)] {
        loop {
            let done = deflate.pack(&mut text, flush).expect("it packs anything");
            all.extend_from_slice(deflate.packed());
            if done {
                break;
            }
        }
    }
    all
}

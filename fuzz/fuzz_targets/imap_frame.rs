//! However a stream is cut, the events are the same, and no more is held than the limits allow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::events;
use pillarbox_proto::imap::frame::FrameLimits;

fuzz_target!(|data: &[u8]| {
    let Some(([line, argument, literals, flags, swallow, sizes @ ..], stream)) =
        data.split_first_chunk::<8>()
    else {
        return;
    };
    let limits = FrameLimits {
        line_bytes: usize::from(*line) + 1,
        argument_bytes: 2 * usize::from(*argument) + 1,
        literals: usize::from(*literals),
        literal_minus: flags & 1 != 0,
        messages: flags & 2 != 0,
        swallow_bytes: u64::from(*swallow),
    };
    let whole = events(limits, [stream]);
    assert_eq!(whole, events(limits, stream.chunks(1)), "byte by byte");
    assert_eq!(whole, events(limits, pieces(stream, *sizes)), "in pieces");
});

/// Cuts the stream into pieces of these sizes, over and over.
fn pieces(mut stream: &[u8], sizes: [u8; 3]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for size in sizes.into_iter().cycle() {
        let (piece, rest) = stream.split_at(stream.len().min(usize::from(size).max(1)));
        pieces.push(piece);
        stream = rest;
        if stream.is_empty() {
            break;
        }
    }
    pieces
}

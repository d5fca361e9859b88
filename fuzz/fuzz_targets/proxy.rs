//! However a stream is cut, the verdict on its PROXY header is the same, it comes at the first byte
//! from which it is certain, and what a header says can be said again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_proto::proxy::{Found, Header, V1_BYTES, V2_BYTES, find};

fuzz_target!(|stream: &[u8]| {
    let whole = find(stream);
    let mut decided = false;
    for end in 0..=stream.len() {
        let now = find(&stream[..end]);
        if decided {
            assert_eq!(now, whole, "changed its mind");
        }
        decided |= now != Ok(Found::More);
        if now == Ok(Found::More) {
            assert!(end < V2_BYTES, "waits for ever");
            assert!(
                !stream.starts_with(b"P") || end < V1_BYTES,
                "waits for ever"
            );
        }
    }
    if let Ok(Found::Header(header, length)) = whole {
        assert!(length <= stream.len());
        assert_eq!(
            find(&stream[..length - 1]),
            Ok(Found::More),
            "found too soon"
        );
        said_again(&header);
    }
});

/// Both versions say the same of the addresses.
fn said_again(header: &Header) {
    let Some((client, server)) = header.addresses else {
        return;
    };
    if client.is_ipv4() != server.is_ipv4() {
        return;
    }
    let family = if client.is_ipv4() { 4 } else { 6 };
    let line = format!(
        "PROXY TCP{family} {} {} {} {}\r\n",
        client.ip(),
        server.ip(),
        client.port(),
        server.port()
    );
    let bare = Header {
        addresses: header.addresses,
        ..Header::default()
    };
    assert_eq!(find(line.as_bytes()), Ok(Found::Header(bare, line.len())));
}

//! PROXY headers, as proxies write them and as nobody should.

use std::net::SocketAddr;

use pillarbox_proto::proxy::{ClientTls, Found, Header, Malformed, V1_BYTES, V2_BYTES, find};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V4: &[u8] = &[192, 0, 2, 7, 198, 51, 100, 1, 0x13, 0x88, 0, 143];

/// A header of version 2.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// A field of version 2.
fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

fn from(client: &str, server: &str) -> Header {
    Header {
        addresses: Some((address(client), address(server))),
        ..Header::default()
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What is found when the bytes come one at a time, with more of the stream behind them: nothing
/// before the last byte of the header, and the same with whatever follows.
#[track_caller]
fn byte_by_byte(bytes: &[u8]) -> Result<Found, Malformed> {
    let mut verdict = Ok(Found::More);
    for end in 0..=bytes.len() {
        let now = find(&bytes[..end]);
        if verdict == Ok(Found::More) {
            if let Ok(Found::Header(_, length)) = &now {
                assert_eq!(*length, end, "found before it was complete");
            }
            verdict = now;
        } else {
            assert_eq!(verdict, now, "changed its mind at byte {end}");
        }
    }
    verdict
}

#[track_caller]
fn assert_header(bytes: &[u8], expected: &Header) {
    let followed = [bytes, b"a1 LOGIN x y\r\n"].concat();
    let found = byte_by_byte(&followed);
    assert_eq!(found, Ok(Found::Header(expected.clone(), bytes.len())));
}

#[test]
fn version_1_names_the_client() {
    let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 143\r\n";
    assert_header(line, &from("192.0.2.7:5000", "198.51.100.1:143"));
    let line = b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 143\r\n";
    assert_header(line, &from("[2001:db8::7]:5000", "[2001:db8::1]:143"));
    let longest = "ffff:".repeat(7) + "ffff";
    let line = format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n");
    let both = format!("[{longest}]:65535");
    assert_header(line.as_bytes(), &from(&both, &both));
}

#[test]
fn version_1_may_not_know() {
    assert_header(b"PROXY UNKNOWN\r\n", &Header::default());
    assert_header(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", &Header::default());
}

/// An IPv4 client of a proxy's IPv6 socket is an IPv4 client.
#[test]
fn mapped_addresses_are_ipv4() {
    let line = b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 5000 143\r\n";
    assert_header(line, &from("192.0.2.7:5000", "198.51.100.1:143"));
}

#[test]
fn version_1_is_strict() {
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 5000\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 5000 143 1\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 5000 143\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 5000 143\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 5000 143\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 143\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 5000 143\r\n",
        "PROXY tcp4 192.0.2.7 198.51.100.1 5000 143\r\n",
        "PROXY  TCP4 192.0.2.7 198.51.100.1 5000 143\r\n",
        "PROXY a LOGIN x y\r\n",
    ] {
        assert_eq!(
            byte_by_byte(line.as_bytes()),
            Err(Malformed::Line),
            "{line}"
        );
    }
}

#[test]
fn version_1_ends_within_its_bound() {
    let fitting = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_BYTES - 16));
    assert_header(fitting.as_bytes(), &Header::default());
    let endless = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_BYTES - 15));
    let verdict = byte_by_byte(endless.as_bytes());
    assert_eq!(verdict, Err(Malformed::TooLong));
}

#[test]
fn version_2_names_the_client() {
    let expected = from("192.0.2.7:5000", "198.51.100.1:143");
    assert_header(&v2(0x21, 0x11, V4), &expected);
    let mut six = [0; 36];
    six[..2].copy_from_slice(&[0x20, 0x01]);
    six[15] = 7;
    six[16..18].copy_from_slice(&[0x20, 0x01]);
    six[31] = 1;
    six[32..].copy_from_slice(&[0x13, 0x88, 0, 143]);
    let expected = from("[2001::7]:5000", "[2001::1]:143");
    assert_header(&v2(0x21, 0x21, &six), &expected);
}

/// Health checks, and clients of which the proxy knows nothing. LOCAL is skipped unread.
#[test]
fn version_2_may_not_know() {
    assert_header(&v2(0x20, 0x00, b""), &Header::default());
    assert_header(&v2(0x20, 0x11, V4), &Header::default());
    assert_header(&v2(0x20, 0xff, b"what\xff"), &Header::default());
    assert_header(&v2(0x21, 0x00, b""), &Header::default());
}

#[test]
fn fields_tell_of_the_clients_tls() {
    let mut ssl = vec![0x01, 0, 0, 0, 0];
    ssl.extend(field(0x21, b"TLSv1.3"));
    let rest = [
        V4,
        &field(0x02, b"mx.example.org"),
        &field(0x20, &ssl),
        &field(0xe5, b"?"),
    ];
    let expected = Header {
        client_tls: Some(ClientTls {
            version: Some("TLSv1.3".to_owned()),
        }),
        authority: Some("mx.example.org".to_owned()),
        ..from("192.0.2.7:5000", "198.51.100.1:143")
    };
    assert_header(&v2(0x21, 0x11, &rest.concat()), &expected);

    // The field is there, and says that the client came in clear.
    let clear = field(0x20, &[0; 5]);
    let expected = from("192.0.2.7:5000", "198.51.100.1:143");
    assert_header(&v2(0x21, 0x11, &[V4, &clear].concat()), &expected);
}

#[test]
fn a_checksum_is_checked() {
    let mut header = v2(
        0x21,
        0x11,
        &[V4, &field(0x04, b"..."), &field(0x03, &[0; 4])].concat(),
    );
    assert_eq!(byte_by_byte(&header), Err(Malformed::Checksum));
    let sum = bitwise_crc32c(&header);
    let at = header.len() - 4;
    header[at..].copy_from_slice(&sum.to_be_bytes());
    assert_header(&header, &from("192.0.2.7:5000", "198.51.100.1:143"));
    let whole = find(&header);
    // A damaged type of the checksum's own field hides it.
    let bits = (0..8 * header.len()).filter(|bit| bit / 8 != at - 3);
    for bit in bits {
        let mut damaged = header.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(find(&damaged), whole, "bit {bit}");
    }
}

/// The checksum by its definition (RFC 3720 §12.1), as the library's judge.
fn bitwise_crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

#[test]
fn version_2_is_strict() {
    for (header, malformed) in [
        (v2(0x11, 0x11, V4), Malformed::Version(0x11)),
        (v2(0x22, 0x11, V4), Malformed::Version(0x22)),
        (v2(0x21, 0x12, V4), Malformed::Family(0x12)),
        (v2(0x21, 0x31, &[0; 216]), Malformed::Family(0x31)),
        (v2(0x21, 0x41, V4), Malformed::Family(0x41)),
        (v2(0x21, 0x11, &V4[..11]), Malformed::Fields),
        (v2(0x21, 0x21, V4), Malformed::Fields),
        (v2(0x21, 0x11, &[V4, b"\x02"].concat()), Malformed::Fields),
        (
            v2(0x21, 0x11, &[V4, b"\x02\0\x05shor"].concat()),
            Malformed::Fields,
        ),
        (
            v2(0x21, 0x11, &[V4, &field(0x02, b"\xff")].concat()),
            Malformed::Fields,
        ),
        (
            v2(0x21, 0x11, &[V4, &field(0x03, b"sum")].concat()),
            Malformed::Fields,
        ),
        (
            v2(0x21, 0x11, &[V4, &field(0x20, b"ssl")].concat()),
            Malformed::Fields,
        ),
    ] {
        assert_eq!(byte_by_byte(&header), Err(malformed), "{header:?}");
    }
}

#[test]
fn version_2_is_refused_by_its_announced_length() {
    let room = V2_BYTES - 16 - V4.len() - 3;
    let fitting = [V4, &field(0x04, &vec![0; room])].concat();
    assert_header(
        &v2(0x21, 0x11, &fitting),
        &from("192.0.2.7:5000", "198.51.100.1:143"),
    );
    let announced = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert_eq!(byte_by_byte(&announced), Err(Malformed::TooLong));
}

/// What is no header is known as such at the first byte that differs.
#[test]
fn other_protocols_are_left_alone() {
    for (bytes, known_at) in [
        (&b"a1 CAPABILITY\r\n"[..], 1),
        (b"P1 NOOP\r\n", 2),
        (b"PROXYX NOOP\r\n", 6),
        (b"\r\na1 NOOP\r\n", 3),
        (b"\x16\x03\x01\x02\x00", 1),
    ] {
        assert_eq!(find(&bytes[..known_at - 1]), Ok(Found::More), "{bytes:?}");
        assert_eq!(find(&bytes[..known_at]), Ok(Found::Absent), "{bytes:?}");
        assert_eq!(byte_by_byte(bytes), Ok(Found::Absent), "{bytes:?}");
    }
}

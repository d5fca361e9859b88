//! Header text: one line comes out of any field, what is plain stays, and a text is found in itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_message::{
    Needle, base_subject, decode_base64, decode_header, decode_quoted_printable, fields,
    header_fields,
};

fuzz_target!(|data: &[u8]| {
    let text = decode_header(data);
    assert!(!text.contains(['\r', '\n']));
    if data.iter().all(|b| matches!(b, b' '..=b'~')) && !data.windows(2).any(|w| w == b"=?") {
        assert_eq!(text.as_bytes(), data.trim_ascii());
    }
    let (base, _) = base_subject(&text);
    assert_eq!(base_subject(&base).0, base);
    assert!(Needle::new(&text).found_in(&text));
    check_fields(data);
    assert!(decode_base64(data).len() <= data.len());
    assert!(decode_quoted_printable(data).len() <= data.len());
});

fn check_fields(block: &[u8]) {
    let all: Vec<_> = fields(block).collect();
    let selected = header_fields(block, &[b"Subject", b"To"], true);
    let others = header_fields(block, &[b"Subject", b"To"], false);
    let count = |block: &[u8]| fields(block).count();
    assert_eq!(count(&selected) + count(&others), all.len());
    assert!(fields(&selected).all(|field| field.is(b"subject") || field.is(b"to")));
    assert_eq!(header_fields(&others, &[], false), others);
    for field in all {
        assert!(field.raw.starts_with(field.name) && !field.name.is_empty());
        assert!(field.name.len() + field.value.len() < field.raw.len());
    }
}

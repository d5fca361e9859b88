//! What is beyond a limit is left out or left as it stands, and nothing breaks.

mod common;

use common::{Value, read};
use pillarbox_message::{DigestRef, digest, limit, scan};

#[test]
fn an_envelope_tells_a_bounded_number_of_addresses() {
    let addresses = "x@y.z, ".repeat(limit::MAX_ADDRESSES + 10);
    for (to, entries) in [
        (addresses.clone(), limit::MAX_ADDRESSES),
        // The group that was cut is closed.
        (format!("group: {addresses};"), limit::MAX_ADDRESSES + 1),
    ] {
        let made = digest(format!("To: {to}\r\n\r\n").as_bytes());
        let envelope = read(&made.envelope).expect("a list");
        let told = envelope.list()[5].list();
        assert_eq!(told.len(), entries);
        let last = told.last().expect("an entry").list();
        assert_eq!(
            last.iter().all(|value| *value == Value::Nil),
            entries > limit::MAX_ADDRESSES
        );
    }
}

#[test]
fn parameters_are_bounded() {
    let params: String = (0..limit::MAX_PARAMS + 10)
        .map(|n| format!("; p{n}=v"))
        .collect();
    let made = digest(format!("Content-Type: image/png{params}\r\n\r\n").as_bytes());
    let structure = read(&made.bodystructure).expect("a list");
    assert_eq!(structure.list()[2].list().len(), 2 * limit::MAX_PARAMS);
}

#[test]
fn fields_beyond_the_looked_into_header_are_not_told() {
    let filler = format!("X: {}\r\n", "x".repeat(1000)).repeat(limit::MAX_HEADER_BYTES / 1000);
    let message = format!("Subject: first\r\n{filler}To: x@y.z\r\n\r\nbody\r\n");
    let made = digest(message.as_bytes());
    assert_eq!(
        made.envelope,
        b"(NIL \"first\" NIL NIL NIL NIL NIL NIL NIL NIL)"
    );
    // The body is where it is all the same.
    assert_eq!(made.header_len as usize, message.len() - 6);
}

#[test]
fn of_many_references_the_last_count() {
    let count = limit::MAX_REFERENCES + 10;
    let ids: String = (0..count).map(|n| format!("<{n}@x>\r\n ")).collect();
    let encoded = digest(format!("References: {ids}\r\n\r\n").as_bytes()).encode();
    let stored = DigestRef::new(&encoded).expect("a stored digest");
    let told: Vec<&[u8]> = stored.references().collect();
    assert_eq!(told.len(), limit::MAX_REFERENCES);
    assert_eq!(
        told.last().copied(),
        Some(format!("{}@x", count - 1).as_bytes())
    );
}

#[test]
fn a_thousand_levels_and_a_hundred_thousand_parts_are_told_in_bounds() {
    let levels = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(1000);
    let parts = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\n\r\nx\r\n".repeat(100_000)
    );
    for message in [
        levels,
        parts,
        "Content-Type: message/rfc822\r\n\r\n".repeat(1000),
    ] {
        common::told(message.as_bytes());
        assert!(scan(message.as_bytes()).parts().len() <= limit::MAX_PARTS);
    }
}

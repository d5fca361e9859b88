//! Every part of a message is within it and within the part that holds it, the digest reads back
//! as it was, and every section that can be named is in the message.
#![no_main]

use std::ops::Range;

use libfuzzer_sys::fuzz_target;
use pillarbox_message::{
    Digest, DigestRef, Kind, PartIndex, SectionText, Structure, decode_part, digest, for_each_text,
    scan,
};

fuzz_target!(|message: &[u8]| {
    let structure = scan(message);
    check_structure(&structure, message);
    let digest = digest(message);
    let encoded = digest.encode();
    let read = DigestRef::new(&encoded).expect("a digest can be read");
    check_digest(&digest, &read);
    let index = read.parts();
    check_index(&index, &structure);
    check_sections(&index, &structure, message);
    check_texts(&index, message);
    // What the store gives back may be damaged, and then as well nothing panics.
    if let Some(damaged) = DigestRef::new(message) {
        damaged.parts().iter().count();
        damaged.parts().locate(&[1, 2, 1], None);
        damaged.references().count();
    }
});

fn check_structure(structure: &Structure, message: &[u8]) {
    let parts = structure.parts();
    assert_eq!(parts[0].header.start, 0);
    assert_eq!(parts[0].body.end as usize, message.len());
    assert_eq!(parts[0].subtree_end as usize, parts.len());
    for (index, part) in parts.iter().enumerate() {
        assert!(part.header.start <= part.header.end);
        assert_eq!(part.header.end, part.body.start);
        assert!(part.body.start <= part.body.end);
        let line_ends = part.body.of(message).iter().filter(|&&b| b == b'\n');
        assert_eq!(
            part.lines as usize,
            line_ends.count(),
            "lines of part {index}"
        );
        let children: Vec<usize> = structure.children(index).collect();
        let expected = match part.kind {
            Kind::Leaf | Kind::Text => 0..=0,
            Kind::Multipart => 1..=usize::MAX,
            Kind::Message => 1..=1,
        };
        assert!(expected.contains(&children.len()), "part {index}");
        let mut from = part.body.start;
        for child in children.into_iter().map(|child| &parts[child]) {
            assert!(from <= child.header.start && child.body.end <= part.body.end);
            assert!(child.subtree_end <= part.subtree_end);
            from = child.body.end;
        }
    }
}

fn check_digest(digest: &Digest, read: &DigestRef<'_>) {
    assert_eq!(read.envelope(), digest.envelope);
    assert_eq!(read.bodystructure(false), digest.bodystructure);
    assert_eq!(read.body(false), digest.body);
    assert_eq!(read.header_len(), digest.header_len);
    assert_eq!(read.sent_date(), digest.sort.sent_date);
    assert_eq!(read.is_reply(), digest.sort.is_reply);
    assert_eq!(
        read.message_id().unwrap_or_default(),
        digest.sort.message_id
    );
    let references: Vec<u8> = read
        .references()
        .flat_map(|id| [id, b"\n"].concat())
        .collect();
    assert_eq!(references, digest.sort.references);
    assert_eq!(read.base_subject(), digest.sort.base_subject);
    assert_eq!(read.from(), digest.sort.from);
    assert_eq!(read.to(), digest.sort.to);
    assert_eq!(read.cc(), digest.sort.cc);
    assert_eq!(read.display_from(), digest.sort.display_from);
    assert_eq!(read.display_to(), digest.sort.display_to);
    assert_eq!(read.preview(), digest.preview);
    for list in [&digest.envelope, &digest.body, &digest.bodystructure] {
        assert!(list.starts_with(b"(") && list.ends_with(b")"));
    }
}

fn check_index(index: &PartIndex<'_>, structure: &Structure) {
    assert_eq!(index.iter().count(), structure.parts().len());
    for (stored, part) in index.iter().zip(structure.parts()) {
        assert_eq!((stored.header, stored.body), (part.header, part.body));
        assert_eq!(stored.kind, part.kind);
    }
}

/// Each part by the numbers that lead to it, and what must not be found beside it.
fn check_sections(index: &PartIndex<'_>, structure: &Structure, message: &[u8]) {
    let inside = |range: Range<u32>| {
        assert!(range.start <= range.end && range.end as usize <= message.len());
    };
    for path in paths(structure) {
        let body = index.locate(&path, None).expect("every part has a body");
        inside(body);
        for text in [SectionText::Header, SectionText::Text, SectionText::Mime] {
            index.locate(&path, Some(&text)).map(inside);
        }
        let nothing = [&path[..], &[0]].concat();
        assert_eq!(index.locate(&nothing, None), None);
        let too_far = [&path[..], &[u32::MAX]].concat();
        assert_eq!(index.locate(&too_far, None), None);
    }
}

/// The numbers of every part (RFC 9051 §6.4.5.1).
fn paths(structure: &Structure) -> Vec<Vec<u32>> {
    let mut paths = vec![Vec::new()];
    // Parts whose numbers are known, and whether they are messages of their own.
    let mut open = vec![(0, Vec::new(), true)];
    while let Some((at, path, is_message)) = open.pop() {
        let part = &structure.parts()[at];
        match part.kind {
            Kind::Multipart => {
                for (child, number) in structure.children(at).zip(1..) {
                    open.push((child, [&path[..], &[number]].concat(), false));
                }
            }
            _ if is_message => open.push((at, [&path[..], &[1]].concat(), false)),
            Kind::Message => open.push((at + 1, path.clone(), true)),
            Kind::Leaf | Kind::Text => {}
        }
        paths.push(path);
    }
    paths
}

fn check_texts(index: &PartIndex<'_>, message: &[u8]) {
    for part in index.iter() {
        let body = part.body.of(message);
        assert!(decode_part(body, part.encoding).len() <= body.len());
    }
    for_each_text(message, index, true, |_| false);
}

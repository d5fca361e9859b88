//! Modified UTF-7 has one spelling for every text, and mailbox names are stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_model::{Delimiter, MailboxName, Pattern};
use pillarbox_proto::imap::utf7::{decode, encode, mailbox_argument};

const DELIMITER: Delimiter = Delimiter('.');

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = decode(data) {
        assert_eq!(encode(&text).as_bytes(), data);
    }
    if let Ok(text) = str::from_utf8(data) {
        let encoded = encode(text);
        assert!(encoded.bytes().all(|b| matches!(b, b' '..=b'~')));
        assert_eq!(decode(encoded.as_bytes()).as_deref(), Ok(text));
    }
    if let Some((pattern, name)) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.split_once(' '))
    {
        check_pattern(pattern, name);
    }
    for utf8 in [false, true] {
        if let Ok(name) = mailbox_argument(data, utf8, DELIMITER) {
            check_name(&name);
        }
    }
});

fn check_name(name: &MailboxName) {
    assert_eq!(
        MailboxName::new(name.as_str(), DELIMITER).as_ref(),
        Ok(name)
    );
    let matches = |pattern: &str| Pattern::new("", pattern, DELIMITER).matches(name.as_str());
    assert!(matches("*") && matches(name.as_str()));
    assert_eq!(matches("%"), name.parent(DELIMITER).is_none());
    for above in name.ancestors(DELIMITER) {
        assert!(name.is_below(&above, DELIMITER));
        assert_eq!(name.rebased(&above, &above, DELIMITER).as_ref(), Some(name));
        let below = format!("{}.*", above.as_str());
        assert!(matches(&below));
    }
}

/// A pattern matches as it is defined (RFC 3501 §6.3.8): each prefix of it with each prefix of the name.
fn check_pattern(pattern: &str, name: &str) {
    // INBOX is one name in any spelling; everything else is as it is written.
    let pattern = pattern.replace(['x', 'X'], "");
    let mut reached = vec![vec![false; name.chars().count() + 1]; pattern.chars().count() + 1];
    reached[0][0] = true;
    for (at, p) in pattern.chars().enumerate() {
        for (taken, c) in std::iter::once(None)
            .chain(name.chars().map(Some))
            .enumerate()
        {
            let before = taken > 0 && reached[at][taken - 1];
            let stays = taken > 0 && reached[at + 1][taken - 1];
            reached[at + 1][taken] = match p {
                '*' => reached[at][taken] || stays,
                '%' => reached[at][taken] || (stays && c != Some(DELIMITER.0)),
                plain => before && c == Some(plain),
            };
        }
    }
    let expected = reached.last().and_then(|row| row.last()).copied();
    assert_eq!(
        Some(Pattern::new("", &pattern, DELIMITER).matches(name)),
        expected
    );
}

//! What SORT and THREAD compare (RFC 5256, RFC 5957), worked out once.

use crate::address::Entry;
use crate::comparator::Comparator;
use crate::cursor::{Cursor, is_space, trim};
use crate::date;
use crate::envelope::for_each_address;
use crate::header::Known;
use crate::limit::{MAX_REFERENCES, MAX_SORT_BYTES};
use crate::scan::{Part, Structure, scan};
use crate::subject::base_subject;
use crate::words::{decode_header, decode_unfolded};

/// Keys of one message. Texts are keys of a comparator ([`Comparator::key`]), so that comparing bytes
/// sorts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortKeys {
    /// The Date field: seconds since 1970 (UTC), and its zone in minutes. `None` if it is absent or
    /// cannot be read: the internal date stands in (RFC 5256 §2.2).
    pub sent_date: Option<(i64, i16)>,
    /// Message-ID, normalised and without angle brackets; empty if there is none.
    pub message_id: Vec<u8>,
    /// The identifiers of References or, without any, the first of In-Reply-To, each normalised and
    /// with a line feed after it (RFC 5256 §3, REFERENCES step 1).
    pub references: Vec<u8>,
    /// The base subject.
    pub base_subject: String,
    /// True if the subject was that of a reply or forward.
    pub is_reply: bool,
    /// The mailbox (before the `@`) of the first From address; a group's name if that comes first.
    pub from: String,
    /// The same of To.
    pub to: String,
    /// The same of Cc.
    pub cc: String,
    /// What a client shows for the first From address: its display name, else the address.
    pub display_from: String,
    /// The same of To.
    pub display_to: String,
}

/// The keys of a message whose texts another comparator is to compare than the one that digests are
/// made for. A message's header is enough of it. Linear in the bytes given.
pub fn sort_keys_by(message: &[u8], comparator: Comparator) -> SortKeys {
    let structure = scan(message);
    // A structure has at least the message itself.
    sort_keys(message, &structure, &structure.parts()[0], comparator)
}

pub(crate) fn sort_keys(
    message: &[u8],
    structure: &Structure,
    part: &Part,
    comparator: Comparator,
) -> SortKeys {
    let field = |known| structure.field(message, part, known);
    let subject = field(Known::Subject).unwrap_or_default();
    let (base, is_reply) = base_subject(&decode_header(subject));
    let (from, display_from) = address_keys(message, structure, part, Known::From, comparator);
    let (to, display_to) = address_keys(message, structure, part, Known::To, comparator);
    let (cc, _) = address_keys(message, structure, part, Known::Cc, comparator);
    SortKeys {
        sent_date: field(Known::Date).and_then(date::parse),
        message_id: field(Known::MessageId)
            .and_then(|value| MessageIds::new(value).next())
            .unwrap_or_default(),
        references: references(field(Known::References), field(Known::InReplyTo)),
        base_subject: comparator.key(cut(&base)).into_owned(),
        is_reply,
        from,
        to,
        cc,
        display_from,
        display_to,
    }
}

/// At most `MAX_SORT_BYTES` of a text.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_SORT_BYTES)]
}

/// The keys of the first address of a field: by mailbox, and by what is displayed.
fn address_keys(
    message: &[u8],
    structure: &Structure,
    part: &Part,
    known: Known,
    comparator: Comparator,
) -> (String, String) {
    let key = |raw: &[u8]| {
        comparator
            .key(cut(decode_unfolded(raw).trim()))
            .into_owned()
    };
    let mut keys = (String::new(), String::new());
    for_each_address(message, structure, part, known, |entry| {
        keys = match entry {
            Entry::GroupEnd => return true,
            Entry::GroupStart(name) => (key(name), key(name)),
            Entry::Mailbox {
                name,
                local,
                domain,
                ..
            } => {
                let mailbox = key(local);
                // An empty name is as good as none (RFC 5957 §3).
                let display = match name.map(key).filter(|name| !name.is_empty()) {
                    Some(name) => name,
                    None if domain.is_empty() => mailbox.clone(),
                    None => key(&[local, b"@", domain].concat()),
                };
                (mailbox, display)
            }
        };
        false
    });
    keys
}

fn references(references: Option<&[u8]>, in_reply_to: Option<&[u8]>) -> Vec<u8> {
    let ids = || MessageIds::new(references.unwrap_or_default());
    let count = ids().count();
    let mut out = Vec::new();
    if count == 0 {
        for id in MessageIds::new(in_reply_to.unwrap_or_default()).take(1) {
            push_id(&mut out, &id);
        }
    }
    for id in ids().skip(count.saturating_sub(MAX_REFERENCES)) {
        push_id(&mut out, &id);
    }
    out
}

fn push_id(out: &mut Vec<u8>, id: &[u8]) {
    out.extend_from_slice(id);
    out.push(b'\n');
}

/// The message identifiers in a value, normalised: without white space, comments and the quotes of
/// a quoted local part, so that two ways to write one identifier are equal (RFC 5256 §3).
struct MessageIds<'a> {
    at: Cursor<'a>,
}

impl<'a> MessageIds<'a> {
    fn new(value: &'a [u8]) -> Self {
        Self {
            at: Cursor::new(trim(value)),
        }
    }

    /// What is between the brackets, or a lone word with an `@` in it.
    fn id(&mut self) -> Vec<u8> {
        let mut id = Vec::new();
        loop {
            match self.at.peek() {
                None | Some(b'>' | b'<') => break,
                Some(b'"') => self.at.quoted(&mut id),
                Some(byte) if is_space(byte) => self.at.skip_space(),
                Some(_) => {
                    id.extend_from_slice(self.at.run(|b| !is_space(b) && !b"<>\"".contains(&b)))
                }
            }
        }
        self.at.eat(b'>');
        id
    }
}

impl Iterator for MessageIds<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            self.at.skip_cfws();
            let id = match self.at.peek()? {
                b'<' => {
                    self.at.skip(1);
                    self.id()
                }
                b'"' => {
                    self.at.skip_quoted();
                    continue;
                }
                b'>' | b',' | b')' => {
                    self.at.skip(1);
                    continue;
                }
                _ => {
                    let word = self.at.run(|b| !is_space(b) && !b"<>\",()".contains(&b));
                    // In-Reply-To of old mail is prose; only what looks like one is an identifier.
                    if word.contains(&b'@') {
                        word.to_vec()
                    } else {
                        continue;
                    }
                }
            };
            if !id.is_empty() {
                return Some(id);
            }
        }
    }
}

//! ENVELOPE (RFC 9051 §7.5.2): what a message's header says, in the message's own words.

use crate::address::{Addresses, Entry};
use crate::cursor::trim;
use crate::header::Known;
use crate::limit::MAX_ADDRESSES;
use crate::nstring::{push_nstring, push_string};
use crate::scan::{Part, Structure};

/// Appends the envelope of a message, or of a message within it, as a parenthesised list.
///
/// Values are unfolded and otherwise as they stand, encoded words included. An absent field is NIL,
/// an empty one `""`; Sender and Reply-To are From's if absent or empty. Of fields that may be
/// there once, the first counts; address fields that are repeated are one list.
pub(crate) fn push_envelope(out: &mut Vec<u8>, message: &[u8], structure: &Structure, part: &Part) {
    let text = |known| structure.field(message, part, known).map(trim);
    out.push(b'(');
    push_nstring(out, text(Known::Date));
    out.push(b' ');
    push_nstring(out, text(Known::Subject));
    out.push(b' ');
    let list = |out: &mut Vec<u8>, known| {
        let start = out.len();
        push_addresses(out, structure, message, part, known);
        out.len() > start
    };
    let from = out.len();
    if !list(out, Known::From) {
        out.extend_from_slice(b"NIL");
    }
    let from = from..out.len();
    for known in [Known::Sender, Known::ReplyTo] {
        out.push(b' ');
        if !list(out, known) {
            out.extend_from_within(from.clone());
        }
    }
    for known in [Known::To, Known::Cc, Known::Bcc] {
        out.push(b' ');
        if !list(out, known) {
            out.extend_from_slice(b"NIL");
        }
    }
    for known in [Known::InReplyTo, Known::MessageId] {
        out.push(b' ');
        push_nstring(out, text(known));
    }
    out.push(b')');
}

/// Calls `each` for the entries of all fields of that name.
pub(crate) fn for_each_address(
    message: &[u8],
    structure: &Structure,
    part: &Part,
    known: Known,
    mut each: impl FnMut(Entry<'_>) -> bool,
) {
    let mut values = structure.fields(part).iter().filter(|(k, _)| *k == known);
    let Some((_, first)) = values.next() else {
        return;
    };
    let mut addresses = Addresses::new(first.of(message));
    loop {
        while let Some(entry) = addresses.next() {
            if !each(entry) {
                return;
            }
        }
        match values.next() {
            Some((_, value)) => addresses.continue_with(value.of(message)),
            None => return,
        }
    }
}

/// Appends the address list; nothing if there is no address.
fn push_addresses(
    out: &mut Vec<u8>,
    structure: &Structure,
    message: &[u8],
    part: &Part,
    known: Known,
) {
    let mut count = 0;
    let mut in_group = false;
    let start = out.len();
    for_each_address(message, structure, part, known, |entry| {
        out.extend_from_slice(if count == 0 { b"(" } else { b"" });
        push_entry(out, entry);
        match entry {
            Entry::GroupStart(_) => in_group = true,
            Entry::GroupEnd => in_group = false,
            Entry::Mailbox { .. } => {}
        }
        count += 1;
        count < MAX_ADDRESSES
    });
    if in_group {
        push_entry(out, Entry::GroupEnd);
    }
    if out.len() > start {
        out.push(b')');
    }
}

/// `address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"`
///
/// A NIL host is the mark of a group, so that a mailbox without a domain has an empty one.
fn push_entry(out: &mut Vec<u8>, entry: Entry<'_>) {
    match entry {
        Entry::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
        Entry::GroupStart(name) => {
            out.extend_from_slice(b"(NIL NIL ");
            push_string(out, name);
            out.extend_from_slice(b" NIL)");
        }
        Entry::Mailbox {
            name,
            route,
            local,
            domain,
        } => {
            out.push(b'(');
            push_nstring(out, name);
            out.push(b' ');
            push_nstring(out, route);
            out.push(b' ');
            push_string(out, local);
            out.push(b' ');
            push_string(out, domain);
            out.push(b')');
        }
    }
}

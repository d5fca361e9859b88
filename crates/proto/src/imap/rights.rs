//! What the server says of rights (RFC 4314 §3.6 to §3.8).

use pillarbox_model::{MailboxName, Rights};

use super::encode::{Dialect, astring, end_line, mailbox};

fn begin(out: &mut Vec<u8>, what: &str, name: &MailboxName, dialect: Dialect) {
    out.extend_from_slice(b"* ");
    out.extend_from_slice(what.as_bytes());
    out.push(b' ');
    mailbox(out, name, dialect);
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.push(b' ');
    astring(out, text.as_bytes());
}

/// Who has which rights on a mailbox.
pub fn acl<'i>(
    out: &mut Vec<u8>,
    name: &MailboxName,
    entries: impl Iterator<Item = (&'i str, Rights)>,
    dialect: Dialect,
) {
    begin(out, "ACL", name, dialect);
    for (identifier, rights) in entries {
        push(out, identifier);
        push(out, &rights.letters());
    }
    end_line(out);
}

/// What an identifier, in the client's spelling, always has on a mailbox and what it can be given: each
/// right by itself, as none is tied to another.
pub fn list_rights(
    out: &mut Vec<u8>,
    name: &MailboxName,
    identifier: &[u8],
    always: Rights,
    dialect: Dialect,
) {
    begin(out, "LISTRIGHTS", name, dialect);
    out.push(b' ');
    astring(out, identifier);
    push(out, &always.letters());
    for letter in (!always).letters().chars() {
        push(out, letter.encode_utf8(&mut [0; 4]));
    }
    end_line(out);
}

/// What the user may do with a mailbox.
pub fn my_rights(out: &mut Vec<u8>, name: &MailboxName, rights: Rights, dialect: Dialect) {
    begin(out, "MYRIGHTS", name, dialect);
    push(out, &rights.letters());
    end_line(out);
}

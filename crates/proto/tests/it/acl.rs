//! Rights on the wire (RFC 4314 §7).

use std::borrow::Cow;

use pillarbox_model::{Delimiter, MailboxName, Rights, RightsChange};
use pillarbox_proto::imap::command::{Bytes, Command};
use pillarbox_proto::imap::encode::{self, Dialect};

use crate::grammar::frame;

fn bytes(text: &str) -> Bytes<'_> {
    Cow::Borrowed(text.as_bytes())
}

fn rights(letters: &str) -> Rights {
    Rights::parse(letters).unwrap()
}

fn means(text: &str, expected: &Command<'_>) {
    let frame = frame(format!("a1 {text}\r\n").as_bytes());
    assert_eq!(&frame.parse().unwrap().command, expected, "{text}");
}

fn wrong(text: &str, message: &str) {
    let frame = frame(format!("a1 {text}\r\n").as_bytes());
    assert_eq!(frame.parse().unwrap_err().message, message, "{text}");
}

#[test]
fn commands() {
    let set = |change| Command::SetAcl {
        mailbox: bytes("INBOX"),
        identifier: bytes("-fred"),
        change,
    };
    means(
        "setacl INBOX -fred lrs",
        &set(RightsChange::Set(rights("lrs"))),
    );
    means(
        "SETACL INBOX \"-fred\" +cd",
        &set(RightsChange::Add(rights("kxet"))),
    );
    means(
        "SETACL INBOX -fred -w",
        &set(RightsChange::Remove(rights("w"))),
    );
    means(
        "SETACL INBOX -fred \"\"",
        &set(RightsChange::Set(Rights::NONE)),
    );
    means(
        "SETACL INBOX -fred +",
        &set(RightsChange::Add(Rights::NONE)),
    );
    means("GETACL a/b", &Command::GetAcl(bytes("a/b")));
    means("MyRights a/b", &Command::MyRights(bytes("a/b")));
    let (mailbox, identifier) = (bytes("a"), bytes("$team"));
    means(
        "DELETEACL a $team",
        &Command::DeleteAcl {
            mailbox: mailbox.clone(),
            identifier: identifier.clone(),
        },
    );
    let list = Command::ListRights {
        mailbox,
        identifier,
    };
    means("LISTRIGHTS a $team", &list);
}

#[test]
fn wrong_commands() {
    wrong("SETACL a b lrQ", "There is no such right at byte 14");
    wrong("SETACL a b +z", "There is no such right at byte 14");
    wrong("SETACL a b", "Expected a space at byte 13");
    wrong(
        "SETACL a b l r",
        "Expected the end of the command at byte 16",
    );
    wrong("GETACL", "Expected a space at byte 9");
    wrong("MYRIGHTS a b", "Expected the end of the command at byte 14");
}

fn out(write: impl FnOnce(&mut Vec<u8>, &MailboxName, Dialect)) -> String {
    let mut out = Vec::new();
    let name = MailboxName::new("p\u{e4}/b", Delimiter('/')).unwrap();
    write(&mut out, &name, Dialect::default());
    let proto = imap_proto::Response::parse(&out);
    assert!(
        matches!(proto, Ok((rest, _)) if rest.is_empty()),
        "{:?}",
        String::from_utf8_lossy(&out)
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn responses() {
    let entries = [("fred", rights("lrd")), ("-$a b", Rights::NONE)];
    assert_eq!(
        out(|o, name, dialect| encode::acl(o, name, entries.into_iter(), dialect)),
        "* ACL \"p&AOQ-/b\" fred lrted \"-$a b\" \"\"\r\n"
    );
    assert_eq!(
        out(|o, name, dialect| encode::acl(o, name, std::iter::empty(), dialect)),
        "* ACL \"p&AOQ-/b\"\r\n"
    );
    assert_eq!(
        out(|o, name, dialect| encode::list_rights(o, name, b"Fred", rights("a"), dialect)),
        "* LISTRIGHTS \"p&AOQ-/b\" Fred a l r s w i p k x t e c d\r\n"
    );
    assert_eq!(
        out(|o, name, dialect| encode::list_rights(o, name, b"", Rights::NONE, dialect)),
        "* LISTRIGHTS \"p&AOQ-/b\" \"\" \"\" l r s w i p k x t e c d a\r\n"
    );
    assert_eq!(
        out(|o, name, dialect| encode::my_rights(o, name, rights("lrk"), dialect)),
        "* MYRIGHTS \"p&AOQ-/b\" lrkc\r\n"
    );
}

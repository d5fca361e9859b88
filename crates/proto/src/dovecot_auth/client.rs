//! The side of those that have users to authenticate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::line::{Line, push_line};
use super::{MAJOR, MINOR};

/// What the service says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The version that it speaks.
    Version(u32),
    /// A mechanism that it has.
    Mechanism(String),
    /// The handshake is over.
    Done,
    /// The password is right.
    Ok(u32),
    /// It is not.
    Fail(u32, Failure),
    /// The exchange goes on; the challenge is not looked at.
    Continue(u32),
    /// Something that does not matter to us.
    Other,
}

/// Why somebody was not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The service could not tell: `temp`, or the code `temp_fail`.
    pub temporary: bool,
    /// What it says about it, for the log: the reason, else the code. May be empty.
    pub reason: String,
}

/// Reads what the service says.
///
/// # Errors
/// The line is not what its command says. The text says so.
pub fn reply(line: &Line) -> Result<Reply, &'static str> {
    let id = || line.number(0).ok_or("a reply without a number");
    match line.command() {
        b"VERSION" => line
            .number(0)
            .map(Reply::Version)
            .ok_or("a strange VERSION"),
        b"MECH" => line
            .argument(0)
            .map(|name| Reply::Mechanism(String::from_utf8_lossy(name).into_owned()))
            .ok_or("a MECH without a name"),
        b"DONE" => Ok(Reply::Done),
        // The password is right, and its owner may not log in here.
        b"OK" if line.has("nologin") => id().map(|id| Reply::Fail(id, no_login(line))),
        b"OK" => id().map(Reply::Ok),
        b"FAIL" => id().map(|id| Reply::Fail(id, failure(line))),
        b"CONT" => id().map(Reply::Continue),
        _ => Ok(Reply::Other),
    }
}

fn failure(line: &Line) -> Failure {
    let code = line.value("code");
    let reason = line.value("reason").or(code).unwrap_or_default();
    Failure {
        temporary: line.has("temp") || code == Some(b"temp_fail"),
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

fn no_login(line: &Line) -> Failure {
    let reason = line.value("reason").unwrap_or(b"nologin");
    Failure {
        temporary: false,
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

/// What is said first. `process` is the number of ours that the service tells its clients by.
pub fn push_handshake(out: &mut Vec<u8>, process: u32) {
    let (major, minor) = (MAJOR.to_string(), MINOR.to_string());
    push_line(out, &[b"VERSION", major.as_bytes(), minor.as_bytes()]);
    push_line(out, &[b"CPID", process.to_string().as_bytes()]);
}

/// Begins an exchange: `id` is not used by another one on this connection, `service` is what the
/// service's rules and log know us by, `initial` the first message if there is one.
///
/// Connections are said to be secured, since the endpoint has seen to that; and there is no penalty
/// for failures, since our own one knows from which address they come.
pub fn push_begin(
    out: &mut Vec<u8>,
    id: u32,
    mechanism: &str,
    service: &str,
    initial: Option<&[u8]>,
) {
    let (id, service) = (id.to_string(), format!("service={service}"));
    // `resp` has to be the last parameter.
    let initial = initial.map(|message| format!("resp={}", STANDARD.encode(message)));
    let mut fields = vec![
        b"AUTH",
        id.as_bytes(),
        mechanism.as_bytes(),
        service.as_bytes(),
    ];
    fields.extend([&b"secured"[..], b"no-penalty"]);
    fields.extend(initial.as_deref().map(str::as_bytes));
    push_line(out, &fields);
}

/// Goes on with an exchange.
pub fn push_continue(out: &mut Vec<u8>, id: u32, message: &[u8]) {
    let message = STANDARD.encode(message);
    push_line(
        out,
        &[b"CONT", id.to_string().as_bytes(), message.as_bytes()],
    );
}

/// Gives an exchange up.
pub fn push_cancel(out: &mut Vec<u8>, id: u32) {
    push_line(out, &[b"CANCEL", id.to_string().as_bytes()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Reply, &'static str> {
        reply(&Line::parse(line.as_bytes()).unwrap())
    }

    #[test]
    fn what_a_service_says_is_understood() {
        assert_eq!(read("VERSION\t1\t2"), Ok(Reply::Version(1)));
        assert_eq!(
            read("MECH\tPLAIN\tplaintext"),
            Ok(Reply::Mechanism("PLAIN".to_owned()))
        );
        assert_eq!(read("SPID\t123"), Ok(Reply::Other));
        assert_eq!(read("DONE"), Ok(Reply::Done));
        assert_eq!(read("OK\t3\tuser=ann"), Ok(Reply::Ok(3)));
        assert_eq!(read("CONT\t4\tUGFzc3dvcmQ6"), Ok(Reply::Continue(4)));
        for strange in [
            "VERSION",
            "VERSION\tx",
            "MECH",
            "OK",
            "OK\t-1",
            "FAIL\tx",
            "CONT",
        ] {
            assert!(read(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn a_service_that_could_not_tell_is_not_a_no() {
        let failed = |line| match read(line) {
            Ok(Reply::Fail(_, failure)) => failure,
            other => panic!("{other:?}"),
        };
        assert!(!failed("FAIL\t1\tuser=ann").temporary);
        assert!(failed("FAIL\t1\tuser=ann\ttemp").temporary);
        assert_eq!(failed("OK\t1\tuser=ann\tnologin").reason, "nologin");
        assert!(failed("FAIL\t1\tcode=temp_fail").temporary);
        assert_eq!(
            failed("FAIL\t1\tcode=pass_expired\treason=too old").reason,
            "too old"
        );
        assert_eq!(failed("FAIL\t1\tcode=pass_expired").reason, "pass_expired");
    }

    #[test]
    fn what_is_said_to_it() {
        let mut out = Vec::new();
        push_handshake(&mut out, 9);
        push_begin(&mut out, 1, "PLAIN", "imap", Some(b"\0a\0b"));
        push_begin(&mut out, 2, "LOGIN", "imap", None);
        push_continue(&mut out, 2, b"a");
        push_cancel(&mut out, 2);
        let said = "VERSION\t1\t2\nCPID\t9\n\
                    AUTH\t1\tPLAIN\tservice=imap\tsecured\tno-penalty\tresp=AGEAYg==\n\
                    AUTH\t2\tLOGIN\tservice=imap\tsecured\tno-penalty\nCONT\t2\tYQ==\nCANCEL\t2\n";
        assert_eq!(String::from_utf8(out).unwrap(), said);
    }
}

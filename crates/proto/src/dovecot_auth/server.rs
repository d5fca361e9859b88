//! The side of the authentication service.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::line::{Line, push_line};
use super::{MAJOR, MINOR};

/// Bytes of a cookie, before it is written in hexadecimal.
pub const COOKIE_BYTES: usize = 16;

/// What a client says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// The version that it speaks.
    Version(u32),
    /// It begins an exchange.
    Begin(Begin),
    /// It goes on with one: the message in base64.
    Continue(u32, Vec<u8>),
    /// It gives one up.
    Cancel(u32),
    /// Something that does not matter to us, such as its process id.
    Other,
}

/// The beginning of an exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Begin {
    /// By which both sides name it.
    pub id: u32,
    /// The mechanism's name as it was written.
    pub mechanism: String,
    /// The protocol of the server that asks, as in `smtp`.
    pub service: String,
    /// The user's connection is encrypted, or the server takes it for as good as that.
    pub secured: bool,
    /// The address that the user comes from.
    pub remote_address: Option<String>,
    /// The port, likewise.
    pub remote_port: Option<u16>,
    /// The first message, if it came.
    pub initial: Option<Vec<u8>>,
}

/// Without the first message, which may be a password.
impl std::fmt::Debug for Begin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begin")
            .field("id", &self.id)
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

/// Reads what a client says.
///
/// # Errors
/// The line is not what its command says. The text says so; the connection is of no more use.
pub fn request(line: &Line) -> Result<Request, &'static str> {
    let id = || line.number(0).ok_or("a request without a number");
    match line.command() {
        b"VERSION" => line
            .number(0)
            .map(Request::Version)
            .ok_or("a strange VERSION"),
        b"AUTH" => begin(id()?, line).map(Request::Begin),
        b"CONT" => {
            let message = line.argument(1).ok_or("a CONT without a message")?;
            Ok(Request::Continue(id()?, message.to_vec()))
        }
        b"CANCEL" => id().map(Request::Cancel),
        _ => Ok(Request::Other),
    }
}

fn begin(id: u32, line: &Line) -> Result<Begin, &'static str> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let initial = match line.value("resp") {
        None => None,
        Some(message) => Some(STANDARD.decode(message).map_err(|_| "resp is not base64")?),
    };
    let port = line.value("rport").and_then(super::line::number);
    Ok(Begin {
        id,
        mechanism: text(line.argument(1).ok_or("an AUTH without a mechanism")?),
        service: line.value("service").map(text).unwrap_or_default(),
        secured: line.has("secured") || line.value("secured").is_some(),
        remote_address: line.value("rip").map(text),
        remote_port: port.and_then(|port| u16::try_from(port).ok()),
        initial,
    })
}

/// What is said first: the mechanisms with their properties, as in `plaintext`, and who we are.
/// `connection` is a number of this connection, and `cookie` is random.
pub fn push_handshake<'m>(
    out: &mut Vec<u8>,
    mechanisms: impl Iterator<Item = (&'m str, &'m [&'m str])>,
    process: u32,
    connection: u64,
    cookie: [u8; COOKIE_BYTES],
) {
    let (major, minor) = (MAJOR.to_string(), MINOR.to_string());
    push_line(out, &[b"VERSION", major.as_bytes(), minor.as_bytes()]);
    for (name, properties) in mechanisms {
        let mut fields = vec![b"MECH", name.as_bytes()];
        fields.extend(properties.iter().map(|property| property.as_bytes()));
        push_line(out, &fields);
    }
    push_line(out, &[b"SPID", process.to_string().as_bytes()]);
    push_line(out, &[b"CUID", connection.to_string().as_bytes()]);
    let cookie: String = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
    push_line(out, &[b"COOKIE", cookie.as_bytes()]);
    push_line(out, &[b"DONE"]);
}

/// The user is who it says.
pub fn push_ok(out: &mut Vec<u8>, id: u32, user: &str) {
    let user = format!("user={user}");
    push_line(out, &[b"OK", id.to_string().as_bytes(), user.as_bytes()]);
}

/// It is not, or (`temporary`) that could not be found out. The reason is for users to see.
pub fn push_fail(out: &mut Vec<u8>, id: u32, user: &str, temporary: bool, reason: Option<&str>) {
    let id = id.to_string();
    let (user, reason) = (
        (!user.is_empty()).then(|| format!("user={user}")),
        reason.map(|reason| format!("reason={reason}")),
    );
    let mut fields = vec![&b"FAIL"[..], id.as_bytes()];
    fields.extend(user.as_deref().map(str::as_bytes));
    if temporary {
        fields.extend([&b"temp"[..], b"code=temp_fail"]);
    }
    fields.extend(reason.as_deref().map(str::as_bytes));
    push_line(out, &fields);
}

/// The exchange goes on.
pub fn push_challenge(out: &mut Vec<u8>, id: u32, challenge: &[u8]) {
    let challenge = STANDARD.encode(challenge);
    let id = id.to_string();
    push_line(out, &[b"CONT", id.as_bytes(), challenge.as_bytes()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Result<Request, &'static str> {
        request(&Line::parse(line).unwrap())
    }

    /// As Postfix writes it.
    #[test]
    fn requests_are_read() {
        assert_eq!(read(b"VERSION\t1\t0"), Ok(Request::Version(1)));
        assert_eq!(read(b"CPID\t4711"), Ok(Request::Other));
        let line = b"AUTH\t3\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\trip=192.0.2.7\t\
                     rport=5000\tsecured\tresp=AGFubgAxMjM=";
        let Ok(Request::Begin(begin)) = read(line) else {
            panic!("no beginning");
        };
        assert_eq!((begin.id, begin.mechanism.as_str()), (3, "PLAIN"));
        assert_eq!(begin.service, "smtp");
        assert_eq!(begin.remote_address.as_deref(), Some("192.0.2.7"));
        assert_eq!(begin.remote_port, Some(5000));
        assert!(begin.secured && !format!("{begin:?}").contains("ann"));
        assert_eq!(begin.initial.as_deref(), Some(&b"\0ann\x00123"[..]));
        assert_eq!(
            read(b"CONT\t3\tAA=="),
            Ok(Request::Continue(3, b"AA==".to_vec()))
        );
        assert_eq!(read(b"CANCEL\t3"), Ok(Request::Cancel(3)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            &b"VERSION"[..],
            b"VERSION\tx",
            b"AUTH",
            b"AUTH\t1",
            b"AUTH\tx\tPLAIN",
            b"AUTH\t1\tPLAIN\tresp=?",
            b"CONT\t1",
            b"CONT",
            b"CANCEL",
        ] {
            assert!(read(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn answers_are_lines() {
        let mut out = Vec::new();
        let mechanisms = [("PLAIN", &["plaintext"][..]), ("SCRAM-SHA-256", &[])];
        push_handshake(&mut out, mechanisms.into_iter(), 7, 8, [0xab; COOKIE_BYTES]);
        push_ok(&mut out, 1, "ann");
        push_fail(&mut out, 2, "a\tb", false, None);
        push_fail(&mut out, 3, "", true, Some("later"));
        push_challenge(&mut out, 4, b"x");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            format!(
                "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\nSPID\t7\nCUID\t8\n\
                 COOKIE\t{}\nDONE\nOK\t1\tuser=ann\nFAIL\t2\tuser=a\u{1}tb\n\
                 FAIL\t3\ttemp\tcode=temp_fail\treason=later\nCONT\t4\teA==\n",
                "ab".repeat(COOKIE_BYTES)
            )
        );
    }
}

//! From a line to a command.

use super::address::is_host;
use super::limit::{HOST_BYTES, PARAMETERS};
use super::{Address, Body, Command, Mail, Reply};

/// Not a command at all (RFC 3463 §3.6: "invalid command").
const UNKNOWN: Reply = Reply::new(500, (5, 5, 1), "Unknown command");
const SYNTAX: Reply = Reply::new(501, (5, 5, 2), "Syntax error");
const ARGUMENTS: Reply = Reply::new(501, (5, 5, 4), "Syntax error in parameters");
const PARAMETER: Reply = Reply::new(
    555,
    (5, 5, 4),
    "Parameter not recognized or not implemented",
);
const ADDRESS: Reply = Reply::new(501, (5, 1, 3), "Bad address syntax");
const SENDER: Reply = Reply::new(501, (5, 1, 7), "Bad sender address syntax");
/// A server on an LMTP port must not take HELO or EHLO (RFC 2033 §4.1).
const NOT_SMTP: Reply = Reply::new(500, (5, 5, 1), "This is LMTP: say LHLO");
const LOST: Reply = Reply::new(502, (5, 5, 1), "Command not implemented");

/// Reads a command line, which has no line end any more.
///
/// # Errors
/// The reply that says what is wrong.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Reply> {
    let line = std::str::from_utf8(line).map_err(|_| SYNTAX)?;
    if line.contains(|c: char| c.is_control() && c != '\t') {
        return Err(SYNTAX);
    }
    let line = line.trim_end_matches([' ', '\t']);
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let alone = |command| {
        if rest.is_empty() {
            Ok(command)
        } else {
            Err(ARGUMENTS)
        }
    };
    match verb.to_ascii_uppercase().as_str() {
        "LHLO" => lhlo(rest),
        "MAIL" => mail(rest).map(Command::Mail),
        "RCPT" => rcpt(rest).map(Command::Rcpt),
        "BDAT" => bdat(rest),
        "DATA" => alone(Command::Data),
        "STARTTLS" => alone(Command::StartTls),
        "RSET" => alone(Command::Rset),
        "QUIT" => alone(Command::Quit),
        // With or without arguments, which mean nothing (RFC 5321 §4.1.1.9).
        "NOOP" => Ok(Command::Noop),
        "HELP" => Ok(Command::Help),
        "VRFY" if !rest.is_empty() => Ok(Command::Vrfy),
        "VRFY" => Err(ARGUMENTS),
        "HELO" | "EHLO" => Err(NOT_SMTP),
        "EXPN" | "AUTH" | "TURN" | "ETRN" => Err(LOST),
        _ => Err(UNKNOWN),
    }
}

fn lhlo(rest: &str) -> Result<Command<'_>, Reply> {
    let fits = is_host(rest) && rest.len() <= HOST_BYTES;
    if fits {
        Ok(Command::Lhlo(rest))
    } else {
        Err(ARGUMENTS)
    }
}

fn mail(rest: &str) -> Result<Mail<'_>, Reply> {
    let (path, parameters) = path(rest, "FROM:")?;
    let from = match path {
        "" => None,
        path => Some(Address::parse(path).ok_or(SENDER)?),
    };
    let mut mail = Mail {
        from,
        ..Mail::default()
    };
    for (key, value) in parameters {
        parameter(&mut mail, &key.to_ascii_uppercase(), value)?;
    }
    Ok(mail)
}

fn parameter(mail: &mut Mail<'_>, key: &str, value: Option<&str>) -> Result<(), Reply> {
    match (key, value) {
        ("SIZE", Some(digits)) if mail.size.is_none() => {
            mail.size = Some(number(digits).ok_or(ARGUMENTS)?);
        }
        ("BODY", Some(word)) if mail.body == Body::Unsaid => {
            let known = |(_, name): &&(Body, &str)| word.eq_ignore_ascii_case(name);
            mail.body = Body::SAID.iter().find(known).ok_or(ARGUMENTS)?.0;
        }
        ("SMTPUTF8", None) if !mail.utf8 => mail.utf8 = true,
        ("SIZE" | "BODY" | "SMTPUTF8", _) => return Err(ARGUMENTS),
        _ => return Err(PARAMETER),
    }
    Ok(())
}

fn rcpt(rest: &str) -> Result<Address<'_>, Reply> {
    let (path, mut parameters) = path(rest, "TO:")?;
    if parameters.next().is_some() {
        return Err(PARAMETER);
    }
    Address::parse(path).ok_or(ADDRESS)
}

type Parameters<'l> = Box<dyn Iterator<Item = (&'l str, Option<&'l str>)> + 'l>;

/// What stands in brackets after `FROM:` or `TO:`, and the parameters after that. Spaces before the
/// bracket are wrong, and common.
fn path<'l>(rest: &'l str, keyword: &str) -> Result<(&'l str, Parameters<'l>), Reply> {
    let head = rest.get(..keyword.len()).ok_or(SYNTAX)?;
    if !head.eq_ignore_ascii_case(keyword) {
        return Err(SYNTAX);
    }
    let path = rest[keyword.len()..].trim_start_matches(' ');
    let path = path.strip_prefix('<').ok_or(SYNTAX)?;
    let end = bracket(path).ok_or(SYNTAX)?;
    let parameters = &path[end + 1..];
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(SYNTAX);
    }
    if parameters.split_ascii_whitespace().count() > PARAMETERS {
        return Err(ARGUMENTS);
    }
    let parameters = parameters.split_ascii_whitespace();
    let parameters = parameters.map(|word| match word.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (word, None),
    });
    Ok((&path[..end], Box::new(parameters)))
}

/// Where the closing bracket is: the first one that is not in quotes.
fn bracket(path: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn bdat(rest: &str) -> Result<Command<'_>, Reply> {
    let mut words = rest.split_ascii_whitespace();
    let size = words.next().and_then(number).ok_or(ARGUMENTS)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(ARGUMENTS),
    };
    match words.next() {
        None => Ok(Command::Bdat { size, last }),
        Some(_) => Err(ARGUMENTS),
    }
}

/// As many as 20 digits (RFC 1870 §4, RFC 3030 §2). What is beyond 64 bits counts as the largest
/// number there is.
fn number(digits: &str) -> Option<u64> {
    let fits = (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().unwrap_or(u64::MAX))
}

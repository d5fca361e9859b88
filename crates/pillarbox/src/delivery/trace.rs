//! How a message came: the header fields that say so (RFC 5321 §4.4).

use std::net::IpAddr;

use aws_lc_rs::rand;
use pillarbox_message::date::format_internal;
use pillarbox_model::InternalDate;

/// How a message came.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Names the transaction in the log, in replies and in the header.
    pub message_id: String,
    /// The sender's address in the envelope; empty if there is none.
    pub sender: String,
    /// What the client called itself.
    pub helo: String,
    /// Where it is, if it came over a network.
    pub address: Option<IpAddr>,
    /// What we call ourselves.
    pub hostname: String,
    /// How it was handed over: `LMTP`, `LMTPS`, `UTF8LMTP` (RFC 3848, RFC 6531 §4.3).
    pub protocol: &'static str,
    /// When.
    pub date: InternalDate,
}

/// A new name for a transaction: eight hexadecimal digits.
#[must_use]
pub fn message_id() -> String {
    let mut bytes = [0; 4];
    // Without random numbers there is still a name, which is then the same each time.
    let _ = rand::fill(&mut bytes);
    format!("{:08x}", u32::from_be_bytes(bytes))
}

impl Trace {
    /// The fields that go before the message in an account.
    #[must_use]
    pub fn header(&self, account: &str) -> Vec<u8> {
        let Self {
            message_id,
            sender,
            hostname,
            protocol,
            ..
        } = self;
        let from = match self.address {
            Some(address) => format!("{} ([{}])", self.helo, literal(address)),
            None => self.helo.clone(),
        };
        let date = format_internal(self.date.unix_seconds, self.date.zone_minutes);
        let date = mail_date(&date, self.date);
        let (account, sender) = (one_line(account), one_line(sender));
        let comment = comment(&sender);
        format!(
            "Delivered-To: {account}\r\nReturn-Path: <{sender}>\r\nReceived: from {from}\r\n by \
             {hostname} (envelope-sender <{comment}>)\r\n with {protocol} id {message_id}; {date}\r\n"
        )
        .into_bytes()
    }
}

/// An address as in RFC 5321 §4.1.3, without the brackets.
fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPv6:{address}"),
    }
}

/// `date-time` of RFC 5322 §3.3 from that of IMAP.
fn mail_date(internal: &str, date: InternalDate) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = usize::try_from(date.local_day().rem_euclid(7)).unwrap_or(0);
    let mut parts = internal.trim_start().splitn(2, ' ');
    let (calendar, time) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    format!("{}, {} {time}", DAYS[day % 7], calendar.replace('-', " "))
}

/// A table may make anything of a name; a header's line ends are ours.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "?")
}

/// A text within a comment (RFC 5322 §3.2.2).
fn comment(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '(' | ')' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(sender: &str, address: Option<IpAddr>) -> String {
        let trace = Trace {
            message_id: "0123abcd".to_owned(),
            sender: sender.to_owned(),
            helo: "mta.example.test".to_owned(),
            address,
            hostname: "mx.example.test".to_owned(),
            protocol: "LMTP",
            date: InternalDate::utc(1_700_000_000),
        };
        String::from_utf8(trace.header("ann")).unwrap()
    }

    #[test]
    fn three_fields_of_which_the_last_is_folded() {
        assert_eq!(
            trace("bob@b.example", Some("192.0.2.7".parse().unwrap())),
            "Delivered-To: ann\r\nReturn-Path: <bob@b.example>\r\n\
             Received: from mta.example.test ([192.0.2.7])\r\n by mx.example.test \
             (envelope-sender <bob@b.example>)\r\n with LMTP id 0123abcd; \
             Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        );
        assert!(trace("", Some("::1".parse().unwrap())).contains(" ([IPv6:::1])\r\n"));
        assert!(trace("", None).contains("Received: from mta.example.test\r\n by"));
    }

    #[test]
    fn nothing_breaks_out_of_its_field() {
        let header = trace("\"a)b\\\"\r\nX: y\"@c", None);
        assert!(
            header.contains("(envelope-sender <\"a\\)b\\\\\"??X: y\"@c>)"),
            "{header}"
        );
        assert_eq!(header.matches("\r\n").count(), 5);
    }

    #[test]
    fn names_of_transactions_have_eight_digits() {
        let (one, other) = (message_id(), message_id());
        assert!(one.len() == 8 && one.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }
}

//! `lmtp` blocks.

use pillarbox_config::{Bound, Directive, Error, Span, unit};
use pillarbox_proto::lmtp::Settings;

use super::Assembly;
use super::endpoint::keep;
use crate::delivery::Buffer;
use crate::endpoint::{EndpointKind, Protocol, count};
use crate::lmtp::directives::{DIRECTIVES, limits, refusals};
use crate::lmtp::endpoint::LmtpRules;
use crate::module::Built;

pub(super) const KIND: EndpointKind = EndpointKind {
    name: "lmtp",
    summary: "mail from an MTA",
    doc: "`lmtp ADDRESS... { ... }` takes mail for delivery (RFC 2033) at these addresses: `unix://PATH`, \
          `tcp://HOST:PORT` (with STARTTLS, if there is TLS), `tls://HOST:PORT`, and sockets that the \
          service manager hands over (see `imap`). Whoever can connect can deliver: it is for the MTA \
          in front, not for the Internet.\n\n\
          A message is stored for all of its recipients at once, and each is answered for alone. Accounts \
          are not made by deliveries, unless the storage has a `delivery_create_from`. `Delivered-To` \
          (with the account's name), `Return-Path` and `Received` are added at the top of each copy. Only \
          CRLF ends a line and only a line with nothing but a dot ends a message: a CR or LF by itself is \
          kept as it came, and is never taken for either.",
    directives: DIRECTIVES,
    limits,
    build: |assembly, bound, _, errors| build(assembly, bound, errors).map(Protocol::Lmtp),
};

fn build<'t>(
    assembly: &mut Assembly<'t>,
    bound: &Bound<'t>,
    errors: &mut Vec<Error>,
) -> Option<LmtpRules> {
    errors.extend(refused(bound));
    let storage = bound.node("deliver_to").map(|node| assembly.storage(node));
    let storage = keep(storage.transpose(), errors).flatten().flatten();
    let throttle = bound.node("limits").map(|node| assembly.throttle(node));
    let throttle = keep(throttle.transpose(), errors).flatten();
    let buffer = keep(buffer(assembly, bound), errors);
    Some(LmtpRules {
        settings: Settings {
            hostname: bound.text("hostname").unwrap_or_default().to_owned(),
            message_bytes: bound.size("max_message_size"),
            line_bytes: count(bound, "smtp_max_line_length"),
            recipients: count(bound, "max_recipients"),
            tls: false,
        },
        storage: storage?,
        read_timeout: bound.duration("read_timeout"),
        header_bytes: usize::try_from(bound.size("max_header_size")).unwrap_or(usize::MAX),
        received: count(bound, "max_received"),
        buffer: buffer?,
        throttle,
        logged_recipient_errors: count(bound, "max_logged_rcpt_errors"),
    })
}

/// What belongs to SMTP and would mean something that is not done.
fn refused(bound: &Bound<'_>) -> Vec<Error> {
    let error = |row: &Directive| {
        let node = bound.node(row.name)?;
        let (message, why) = (format!("lmtp has no {}", row.name), row.doc);
        let why = why.strip_prefix("Refused: ").unwrap_or(why);
        Some(Error::new(node.span(), message).help(why))
    };
    let dmarc = bound.node("dmarc").filter(|_| bound.flag("dmarc"));
    let dmarc = dmarc.map(|node| {
        Error::new(node.span(), "lmtp has no dmarc")
            .help("checks belong to the MTA; write `dmarc no`")
    });
    refusals().filter_map(error).chain(dmarc).collect()
}

/// What waits in memory unless the configuration says how much.
const MEMORY_BYTES: usize = 256 * 1024;

fn buffer(assembly: &Assembly<'_>, bound: &Bound<'_>) -> Built<Buffer> {
    let (kind, rest) = match bound.list("buffer").as_slice() {
        [] => ("auto", Vec::new()),
        [kind, rest @ ..] => (*kind, rest.to_vec()),
    };
    let size = |text: &str| {
        unit::size(text)
            .ok()
            .and_then(|size| usize::try_from(size).ok())
    };
    let (memory_bytes, path) = match (kind, rest.as_slice()) {
        ("auto", []) => (Some(MEMORY_BYTES), "buffer"),
        ("auto", [bytes]) => (size(bytes), "buffer"),
        ("auto", [bytes, path]) => (size(bytes), *path),
        ("fs", []) => (Some(0), "buffer"),
        ("fs", [path]) => (Some(0), *path),
        ("ram", []) => (Some(usize::MAX), "buffer"),
        _ => (None, ""),
    };
    let directory = assembly.path(path);
    let buffer = |memory_bytes| Buffer {
        memory_bytes,
        directory,
    };
    memory_bytes.map(buffer).ok_or_else(|| {
        let span = bound
            .node("buffer")
            .map_or(Span::BUILT_IN, |node| node.span());
        let error = Error::new(span, "unknown kind of buffer");
        vec![error.help("one of `auto [SIZE [PATH]]`, `fs [PATH]`, `ram`")]
    })
}

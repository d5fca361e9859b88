//! The machine that a connection's bytes go through.

use memchr::memchr;

use super::data::{Data, Step};
use super::limit::{ERRORS, OVERLONG_BYTES, SWALLOW_BYTES};
use super::{Address, Body, Command, Mail, Reply, parse};

/// What the machine has to know of its endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the server calls itself.
    pub hostname: String,
    /// The largest message that is taken, in bytes (RFC 1870).
    pub message_bytes: u64,
    /// The longest line, in commands and in data, in bytes with its end. RFC 5321 §4.5.3.1 asks for
    /// 1,000 at least.
    pub line_bytes: usize,
    /// The most recipients of a message. RFC 5321 §4.5.3.1.8 asks for 100 at least.
    pub recipients: usize,
    /// STARTTLS can be had.
    pub tls: bool,
}

/// What the bytes fed so far amount to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'i> {
    /// All was taken; more is needed.
    More,
    /// Say this.
    Say(Reply),
    /// A client introduced itself: say this, and forget any transaction.
    Hello(String, Reply),
    /// Is this sender fine? [`Machine::accept`] if so; the reply is yours in any case.
    Sender(Sender),
    /// Is this recipient? Likewise.
    Recipient(String),
    /// Bytes of the message.
    Content(&'i [u8]),
    /// The message is complete, or has failed as the reply says. Answer once for each recipient that
    /// was accepted, in their order (RFC 2033 §4.2). The transaction is over.
    End(Result<(), Reply>),
    /// The transaction was given up: forget it, and say this.
    Reset(Reply),
    /// Say this, throw away all that was read, begin TLS and call [`Machine::secured`] (RFC 3207).
    StartTls(Reply),
    /// Say this and close.
    Bye(Reply),
}

/// Whom a message comes from, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sender {
    /// The address; empty for a report of a failure.
    pub from: String,
    /// SMTPUTF8 was said.
    pub utf8: bool,
}

/// Cuts a connection's bytes into commands and messages, and knows which of them may follow which.
/// Holds one line at most. However the stream is cut into pieces, the events are the same; only
/// [`Event::Content`] comes in the pieces fed.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    line: Vec<u8>,
    phase: Phase,
    greeted: bool,
    secure: bool,
    transaction: Option<Transaction>,
    /// What waits for [`Machine::accept`].
    asked: Option<Asked>,
    /// Why nobody wants the piece under way.
    refused: Option<Reply>,
    errors: u32,
}

#[derive(Debug)]
enum Phase {
    /// In a command line.
    Command,
    /// In a command line that is too long, after so many bytes of it.
    Overlong(usize),
    /// In the data after DATA.
    Data(Data),
    /// In a piece that BDAT announced.
    Chunk(Chunk),
    /// After [`Event::Bye`].
    Dead,
}

/// The piece that a BDAT brings.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    size: u64,
    left: u64,
    last: bool,
    wanted: bool,
}

#[derive(Debug)]
enum Asked {
    Sender(Transaction),
    Recipient,
}

/// A message on its way.
#[derive(Clone, Debug, Default)]
struct Transaction {
    body: Body,
    utf8: bool,
    recipients: usize,
    /// Bytes of the message so far.
    received: u64,
    /// It has begun with BDAT.
    chunked: bool,
    failure: Option<Reply>,
}

const LHLO_FIRST: Reply = Reply::new(503, (5, 5, 1), "Say LHLO first");
const MAIL_FIRST: Reply = Reply::new(503, (5, 5, 1), "Say MAIL first");
/// "If there were no previously successful RCPT commands in the mail transaction, then the DATA command
/// MUST fail with a 503 reply code" (RFC 2033 §4.2).
const NO_RECIPIENTS: Reply = Reply::new(503, (5, 5, 1), "No valid recipients");
const NESTED: Reply = Reply::new(503, (5, 5, 1), "There is a transaction already");
/// RFC 3030 §2.
const MIXED: Reply = Reply::new(503, (5, 5, 1), "DATA and BDAT don't go together");
/// RFC 3030 §3.
const NEEDS_BDAT: Reply = Reply::new(503, (5, 5, 1), "BINARYMIME needs BDAT");
const TOO_LARGE: Reply = Reply::new(552, (5, 3, 4), "Message size exceeds limit");
const TOO_MANY: Reply = Reply::new(452, (4, 5, 3), "Too many recipients");
const LONG_LINE: Reply = Reply::new(500, (5, 5, 2), "Line too long");
const LONG_DATA: Reply = Reply::new(554, (5, 6, 0), "A line of the message is too long");
const SENDER_UTF8: Reply = Reply::new(553, (5, 6, 7), "SMTPUTF8 is required for non-ASCII senders");
const RECIPIENT_UTF8: Reply = Reply::new(
    553,
    (5, 6, 7),
    "SMTPUTF8 is required for non-ASCII recipients",
);
const ERRORS_REPLY: Reply = Reply::new(421, (4, 7, 0), "Too many errors");
const HTTP: Reply = Reply::new(421, (4, 7, 0), "This is LMTP, not HTTP");

impl Machine {
    /// A connection at its beginning. The greeting is the caller's.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            line: Vec::new(),
            phase: Phase::Command,
            greeted: false,
            secure: false,
            transaction: None,
            asked: None,
            refused: None,
            errors: 0,
        }
    }

    /// Takes bytes; says how many, and what they amount to. To be called again, also with nothing,
    /// until it says [`Event::More`].
    pub fn feed<'i>(&mut self, input: &'i [u8]) -> (usize, Event<'i>) {
        self.asked = None;
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let (used, event) = self.step(rest);
            at += used;
            if let Some(event) = event {
                return (at, event);
            }
            if at >= input.len() {
                return (at, Event::More);
            }
        }
    }

    /// Takes some bytes, if there are any. Takes none only if there is an event.
    fn step<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        match &mut self.phase {
            Phase::Command => self.command_bytes(input),
            Phase::Overlong(bytes) => {
                *bytes += input.len();
                self.overlong_bytes(input)
            }
            Phase::Data(data) => {
                let (used, step) = data.step(input);
                let overlong = data.line_bytes() > self.settings.line_bytes;
                (used, self.data(step, overlong))
            }
            Phase::Chunk(chunk) => {
                let chunk = *chunk;
                self.chunk_bytes(input, chunk)
            }
            Phase::Dead => (input.len(), None),
        }
    }

    /// Says yes to what the last event asked.
    pub fn accept(&mut self) {
        match self.asked.take() {
            Some(Asked::Sender(transaction)) => self.transaction = Some(transaction),
            Some(Asked::Recipient) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients += 1;
                }
            }
            None => {}
        }
    }

    /// TLS has begun: the client has to introduce itself again (RFC 3207 §4.2).
    pub fn secured(&mut self) {
        self.secure = true;
        self.greeted = false;
        self.transaction = None;
        self.line.clear();
        self.phase = Phase::Command;
    }

    /// Whether nothing is under way: no transaction, no half a command.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let between = matches!(self.phase, Phase::Command | Phase::Dead);
        between && self.line.is_empty() && self.transaction.is_none()
    }

    /// Whether the next bytes are of a command, and not of a message.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(self.phase, Phase::Command | Phase::Overlong(_))
    }

    fn command_bytes<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        let (used, whole) = line_end(self.line.last().copied(), input);
        if self.line.len() + used > self.settings.line_bytes {
            self.line = input
                .get(..used)
                .and_then(<[u8]>::last)
                .map_or_else(Vec::new, |&b| vec![b]);
            self.phase = Phase::Overlong(used);
            return (used, whole.then(|| self.overlong()));
        }
        self.line
            .extend_from_slice(input.get(..used).unwrap_or_default());
        if !whole {
            return (used, None);
        }
        let line = std::mem::take(&mut self.line);
        (used, self.line(line.strip_suffix(b"\r\n").unwrap_or(&line)))
    }

    /// Looks for the end of a line of which only the last byte is kept.
    fn overlong_bytes<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        let (used, whole) = line_end(self.line.last().copied(), input);
        if let Some(&last) = input.get(..used).and_then(<[u8]>::last) {
            self.line = vec![last];
        }
        match self.phase {
            Phase::Overlong(bytes) if bytes > OVERLONG_BYTES => {
                (used, Some(self.bye(ERRORS_REPLY)))
            }
            _ => (used, whole.then(|| self.overlong())),
        }
    }

    fn overlong(&mut self) -> Event<'static> {
        self.line = Vec::new();
        self.phase = Phase::Command;
        self.bad(LONG_LINE)
    }

    /// A reply to what makes no sense. Addresses that nobody can have may be many in one message.
    fn bad(&mut self, reply: Reply) -> Event<'static> {
        let address = matches!(reply.status, Some((_, 1, _)));
        self.errors += u32::from(!address);
        if self.errors > ERRORS {
            return self.bye(ERRORS_REPLY);
        }
        Event::Say(reply)
    }

    fn bye(&mut self, reply: Reply) -> Event<'static> {
        self.phase = Phase::Dead;
        self.line = Vec::new();
        self.transaction = None;
        Event::Bye(reply)
    }

    /// A command line. Nothing comes of a BDAT before its bytes.
    fn line(&mut self, text: &[u8]) -> Option<Event<'static>> {
        let command = match parse(text) {
            Ok(Command::Bdat { size, last }) => return self.bdat(size, last),
            Ok(command) => command,
            Err(_) if is_http(text) => return Some(self.bye(HTTP)),
            Err(reply) => return Some(self.bad(reply)),
        };
        Some(self.command(command))
    }

    fn command(&mut self, command: Command<'_>) -> Event<'static> {
        match command {
            Command::Lhlo(host) => self.lhlo(host),
            Command::StartTls => self.start_tls(),
            Command::Noop => Event::Say(Reply::new(250, (2, 0, 0), "OK")),
            Command::Help => Event::Say(Reply::new(214, (2, 0, 0), "RFC 2033")),
            Command::Vrfy => Event::Say(Reply::new(
                252,
                (2, 5, 2),
                "Send some mail, I'll try my best",
            )),
            Command::Quit => self.bye(Reply::new(221, (2, 0, 0), "Bye")),
            Command::Rset => {
                self.transaction = None;
                Event::Reset(Reply::new(250, (2, 0, 0), "Flushed"))
            }
            _ if !self.greeted => self.bad(LHLO_FIRST),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(to) => self.rcpt(&to),
            Command::Data | Command::Bdat { .. } => self.begin_data(),
        }
    }

    fn lhlo(&mut self, host: &str) -> Event<'static> {
        self.greeted = true;
        self.transaction = None;
        let size = self.settings.message_bytes;
        let mut text = format!(
            "{}\nPIPELINING\nENHANCEDSTATUSCODES\n8BITMIME\nSMTPUTF8\nCHUNKING\nBINARYMIME\nSIZE {size}",
            self.settings.hostname
        );
        if self.settings.tls && !self.secure {
            text.push_str("\nSTARTTLS");
        }
        Event::Hello(host.to_owned(), Reply::plain(250, text))
    }

    fn start_tls(&mut self) -> Event<'static> {
        match (self.secure, self.settings.tls) {
            (true, _) => self.bad(Reply::new(503, (5, 5, 1), "TLS is in use already")),
            (false, false) => self.bad(Reply::new(502, (5, 5, 1), "TLS is not available here")),
            (false, true) => Event::StartTls(Reply::new(220, (2, 0, 0), "Ready to start TLS")),
        }
    }

    fn mail(&mut self, mail: Mail<'_>) -> Event<'static> {
        if self.transaction.is_some() {
            return self.bad(NESTED);
        }
        if mail
            .size
            .is_some_and(|size| size > self.settings.message_bytes)
        {
            return Event::Say(TOO_LARGE);
        }
        if !mail.utf8 && mail.from.as_ref().is_some_and(Address::is_international) {
            return Event::Say(SENDER_UTF8);
        }
        self.asked = Some(Asked::Sender(Transaction {
            body: mail.body,
            utf8: mail.utf8,
            ..Transaction::default()
        }));
        Event::Sender(Sender {
            from: mail.from.map(|from| from.to_string()).unwrap_or_default(),
            utf8: mail.utf8,
        })
    }

    fn rcpt(&mut self, to: &Address<'_>) -> Event<'static> {
        let most = self.settings.recipients;
        match &self.transaction {
            None => self.bad(MAIL_FIRST),
            Some(transaction) if transaction.chunked => self.bad(NESTED),
            Some(transaction) if transaction.recipients >= most => Event::Say(TOO_MANY),
            Some(transaction) if !transaction.utf8 && to.is_international() => {
                Event::Say(RECIPIENT_UTF8)
            }
            Some(_) => {
                self.asked = Some(Asked::Recipient);
                Event::Recipient(to.to_string())
            }
        }
    }

    fn begin_data(&mut self) -> Event<'static> {
        match &self.transaction {
            None => self.bad(MAIL_FIRST),
            Some(transaction) if transaction.chunked => self.bad(MIXED),
            Some(transaction) if transaction.body == Body::Binary => self.bad(NEEDS_BDAT),
            // Not held against a client that pipelines (RFC 2920 §3.1).
            Some(transaction) if transaction.recipients == 0 => Event::Say(NO_RECIPIENTS),
            Some(_) => {
                self.phase = Phase::Data(Data::new());
                Event::Say(Reply::plain(
                    354,
                    "Start mail input; end with <CRLF>.<CRLF>",
                ))
            }
        }
    }

    fn data<'i>(&mut self, step: Step<'i>, overlong: bool) -> Option<Event<'i>> {
        match step {
            Step::Nothing => None,
            Step::End => Some(self.end()),
            Step::Content(bytes) => {
                if overlong {
                    self.fail(LONG_DATA);
                }
                self.content(bytes)
            }
        }
    }

    /// Bytes of a message, which are thrown away if it failed already.
    fn content<'i>(&mut self, bytes: &'i [u8]) -> Option<Event<'i>> {
        let limit = self.settings.message_bytes;
        let transaction = self.transaction.as_mut()?;
        transaction.received = transaction.received.saturating_add(bytes.len() as u64);
        if transaction.received > limit.saturating_add(SWALLOW_BYTES) {
            return Some(self.bye(TOO_LARGE));
        }
        if transaction.received > limit {
            self.fail(TOO_LARGE);
        }
        let wanted = self.transaction.as_ref()?.failure.is_none();
        wanted.then_some(Event::Content(bytes))
    }

    /// Notes why the message is not taken. Which reason shows first may depend on how the stream is
    /// cut; which one is told must not.
    fn fail(&mut self, reply: Reply) {
        if let Some(transaction) = &mut self.transaction
            && transaction.failure != Some(TOO_LARGE)
        {
            transaction.failure = Some(reply);
        }
    }

    fn end(&mut self) -> Event<'static> {
        self.phase = Phase::Command;
        self.errors = 0;
        let failure = self
            .transaction
            .take()
            .and_then(|transaction| transaction.failure);
        Event::End(failure.map_or(Ok(()), Err))
    }

    /// BDAT: its bytes come whether they are wanted or not (RFC 3030 §2).
    fn bdat(&mut self, size: u64, last: bool) -> Option<Event<'static>> {
        let limit = self.settings.message_bytes;
        if size > limit.saturating_add(SWALLOW_BYTES) {
            return Some(self.bye(TOO_LARGE));
        }
        let refused = match &mut self.transaction {
            _ if !self.greeted => Some(LHLO_FIRST),
            None => Some(MAIL_FIRST),
            Some(transaction) if transaction.recipients == 0 => Some(NO_RECIPIENTS),
            Some(transaction) => {
                transaction.chunked = true;
                None
            }
        };
        self.phase = Phase::Chunk(Chunk {
            size,
            left: size,
            last,
            wanted: refused.is_none(),
        });
        self.refused = refused;
        None
    }

    fn chunk_bytes<'i>(&mut self, input: &'i [u8], chunk: Chunk) -> (usize, Option<Event<'i>>) {
        if chunk.left == 0 {
            return (0, Some(self.chunk_end(chunk)));
        }
        let used = usize::try_from(chunk.left).map_or(input.len(), |left| left.min(input.len()));
        let chunk = Chunk {
            left: chunk.left - used as u64,
            ..chunk
        };
        self.phase = Phase::Chunk(chunk);
        let content = match chunk.wanted && used > 0 {
            true => self.content(input.get(..used).unwrap_or_default()),
            false => None,
        };
        let ended = content.is_none() && chunk.left == 0;
        (
            used,
            content.or_else(|| ended.then(|| self.chunk_end(chunk))),
        )
    }

    fn chunk_end(&mut self, chunk: Chunk) -> Event<'static> {
        self.phase = Phase::Command;
        if let Some(reply) = self.refused.take() {
            // Not held against a client that pipelines.
            return match reply == NO_RECIPIENTS {
                true => Event::Say(reply),
                false => self.bad(reply),
            };
        }
        if chunk.last {
            return self.end();
        }
        let failure = self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.failure.clone());
        let received =
            || Reply::new(250, (2, 0, 0), "").with(&format!("{} octets received", chunk.size));
        Event::Say(failure.unwrap_or_else(received))
    }
}

/// How far a line goes on in the input, and whether it ends there: with CRLF, of which the CR may
/// have come before.
fn line_end(before: Option<u8>, input: &[u8]) -> (usize, bool) {
    let mut from = 0;
    while let Some(found) = memchr(b'\n', input.get(from..).unwrap_or_default()) {
        let at = from + found;
        let previous = match at {
            0 => before,
            at => input.get(at - 1).copied(),
        };
        if previous == Some(b'\r') {
            return (at + 1, true);
        }
        from = at + 1;
    }
    (input.len(), false)
}

/// Whether a line is the first of an HTTP request (RFC 9112 §3): somebody has a browser talk to us.
fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"PUT ",
        b"DELETE ",
        b"OPTIONS ",
        b"CONNECT ",
        b"PATCH ",
    ];
    METHODS.iter().any(|method| line.starts_with(method))
}

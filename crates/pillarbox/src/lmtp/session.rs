//! One connection: events in, decisions, replies out.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use pillarbox_message::fields;
use pillarbox_proto::lmtp::{Event, Machine, Reply, Sender};
use pillarbox_store::Error;

use super::Endpoint;
use super::throttle::{Busy, Ticket};
use super::wire::Wire;
use crate::clock;
use crate::delivery::{
    Letter, NoRecipient, Recipient, Spool, Trace, deliver, header_len, message_id,
};
use crate::log::{Fields, Logger, Text};
use crate::net::{Connection, Peer, quota};
use crate::shutdown::Signal;

/// What a connection knows of itself.
pub(super) struct Session {
    endpoint: Arc<Endpoint>,
    wire: Wire,
    machine: Machine,
    peer: Peer,
    secure: bool,
    helo: String,
    transaction: Option<Transaction>,
    shutdown: Signal,
    _permit: quota::Permit,
}

/// A message on its way.
struct Transaction {
    id: String,
    sender: Sender,
    recipients: Vec<Recipient>,
    spool: Spool,
    /// What went wrong while the message came.
    failure: Option<Reply>,
    refused: usize,
    /// Places among the limits.
    tickets: Vec<Ticket>,
    /// Domains that have theirs.
    domains: HashSet<String>,
}

/// What is to be done with an event, which must not borrow from the input.
enum Step {
    /// All input is used.
    More,
    /// There is more of it.
    Again,
    Event(Event<'static>),
}

const STOPPING: Reply = Reply::new(421, (4, 3, 2), "The server is shutting down");
const SILENT: Reply = Reply::new(421, (4, 4, 2), "Nothing was said for too long");
const BUSY: Reply = Reply::new(451, (4, 4, 5), "High load, try again later");
const FULL: Reply = Reply::new(452, (4, 3, 1), "Insufficient system storage");
const FAILED: Reply = Reply::new(451, (4, 3, 0), "Internal error, try again later");
const UNKNOWN: Reply = Reply::new(501, (5, 1, 1), "User does not exist");
const LARGE_HEADER: Reply = Reply::new(552, (5, 3, 4), "Message header size exceeds limit");

impl Session {
    pub(super) fn new(endpoint: Arc<Endpoint>, connection: Connection) -> Self {
        let mut machine = Machine::new(endpoint.rules.settings.clone());
        let secure = connection.tls.is_some();
        if secure {
            machine.secured();
        }
        Self {
            wire: Wire::new(connection.stream, endpoint.write_timeout),
            machine,
            peer: connection.peer,
            secure,
            helo: String::new(),
            transaction: None,
            shutdown: connection.shutdown,
            _permit: connection.permit,
            endpoint,
        }
    }

    pub(super) async fn run(mut self) {
        let hostname = &self.endpoint.rules.settings.hostname;
        self.say(&Reply::plain(
            220,
            format!("{hostname} LMTP Pillarbox ready"),
        ));
        if let Err(error) = self.converse().await
            && self.endpoint.io_errors
        {
            let fields: Fields<'_> = &[("reason", &error), ("src_ip", &self.peer)];
            self.endpoint.log.info("I/O error", fields);
        }
        self.wire.close().await;
    }

    async fn converse(&mut self) -> io::Result<()> {
        loop {
            match self.step() {
                Step::More => {
                    self.wire.flush().await?;
                    if !self.fill().await? {
                        return Ok(());
                    }
                }
                Step::Again => {}
                Step::Event(event) => {
                    if !self.handle(event).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Feeds the machine. What it gives of a message is kept at once.
    fn step(&mut self) -> Step {
        // What is logged is a line at most, so that nothing behind it is: it may be of a message.
        let logged = self.endpoint.io_debug && self.machine.is_command();
        let unread = self.wire.unread();
        let input = if logged { first_line(unread) } else { unread };
        let (used, event) = self.machine.feed(input);
        if logged {
            tap(&self.endpoint.log, input);
        }
        let step = match event {
            Event::More if used < unread.len() => Step::Again,
            Event::More => Step::More,
            Event::Content(bytes) => {
                keep(&mut self.transaction, bytes, &self.endpoint);
                Step::Again
            }
            Event::Say(reply) => Step::Event(Event::Say(reply)),
            Event::Hello(host, reply) => Step::Event(Event::Hello(host, reply)),
            Event::Sender(sender) => Step::Event(Event::Sender(sender)),
            Event::Recipient(to) => Step::Event(Event::Recipient(to)),
            Event::End(outcome) => Step::Event(Event::End(outcome)),
            Event::Reset(reply) => Step::Event(Event::Reset(reply)),
            Event::StartTls(reply) => Step::Event(Event::StartTls(reply)),
            Event::Bye(reply) => Step::Event(Event::Bye(reply)),
        };
        self.wire.consume(used);
        step
    }

    /// Waits for the client. Says whether to go on.
    async fn fill(&mut self) -> io::Result<bool> {
        let idle = self.machine.is_idle();
        let reading = tokio::time::timeout(self.endpoint.rules.read_timeout, self.wire.fill());
        let goodbye = tokio::select! {
            read = reading => match read {
                Ok(read) => return Ok(read? > 0),
                Err(_) => SILENT,
            },
            () = self.shutdown.stopping(), if idle => STOPPING,
        };
        self.say(&goodbye);
        self.wire.flush().await?;
        Ok(false)
    }

    /// Says whether to go on.
    async fn handle(&mut self, event: Event<'_>) -> io::Result<bool> {
        match event {
            Event::Say(reply) => self.say(&reply),
            Event::Hello(host, reply) => {
                self.helo = host;
                self.transaction = None;
                self.say(&reply);
            }
            Event::Sender(sender) => self.sender(sender).await,
            Event::Recipient(to) => self.recipient(&to).await,
            Event::End(outcome) => self.end(outcome).await,
            Event::Reset(reply) => {
                self.transaction = None;
                self.say(&reply);
            }
            Event::StartTls(reply) => return self.start_tls(&reply).await,
            Event::Bye(reply) => {
                self.say(&reply);
                return Ok(false);
            }
            Event::More | Event::Content(_) => {}
        }
        Ok(true)
    }

    fn say(&mut self, reply: &Reply) {
        let from = self.wire.out.len();
        reply.write(&mut self.wire.out);
        if self.endpoint.io_debug {
            let text = String::from_utf8_lossy(self.wire.out.get(from..).unwrap_or_default());
            self.endpoint.log.info("S:", &[("data", &Text(text))]);
        }
    }

    async fn start_tls(&mut self, reply: &Reply) -> io::Result<bool> {
        let Some(tls) = self.endpoint.tls.clone() else {
            return Ok(false);
        };
        self.say(reply);
        self.wire.flush().await?;
        let clear = self.wire.take_stream();
        let (stream, _) = tls.accept(clear, self.endpoint.tls_timeout).await?;
        self.wire.set_stream(stream);
        self.machine.secured();
        self.secure = true;
        self.helo.clear();
        self.transaction = None;
        Ok(true)
    }

    async fn sender(&mut self, sender: Sender) {
        let id = message_id();
        let tickets = match &self.endpoint.rules.throttle {
            Some(throttle) => throttle.sender(&self.peer, &sender.from).await,
            None => Ok(Vec::new()),
        };
        let tickets = match tickets {
            Ok(tickets) => tickets,
            Err(Busy) => return self.say(&about(BUSY, &id)),
        };
        self.machine.accept();
        self.transaction = Some(Transaction {
            id,
            sender,
            recipients: Vec::new(),
            spool: Spool::new(self.endpoint.rules.buffer.clone()),
            failure: None,
            refused: 0,
            tickets,
            domains: HashSet::new(),
        });
        self.say(&Reply::new(250, (2, 1, 0), "Sender OK"));
    }

    async fn recipient(&mut self, to: &str) {
        let endpoint = Arc::clone(&self.endpoint);
        let Some(transaction) = &mut self.transaction else {
            return self.say(&FAILED);
        };
        if let Some(throttle) = &endpoint.rules.throttle {
            match throttle.recipient(to, &mut transaction.domains).await {
                Ok(tickets) => transaction.tickets.extend(tickets),
                Err(Busy) => {
                    let reply = about(BUSY, &transaction.id);
                    return self.say(&reply);
                }
            }
        }
        match endpoint.rules.storage.recipient(to).await {
            Ok(recipient) => {
                transaction.recipients.push(recipient);
                self.machine.accept();
                self.say(&Reply::new(250, (2, 1, 5), "Recipient OK"));
            }
            Err(error) => {
                let reply = about(transaction.refuse(&endpoint, to, &error), &transaction.id);
                self.say(&reply);
            }
        }
    }

    /// The message is complete: one reply for each recipient (RFC 2033 §4.2).
    async fn end(&mut self, outcome: Result<(), Reply>) {
        let Some(mut transaction) = self.transaction.take() else {
            return self.say(&FAILED);
        };
        let early = outcome.err().or_else(|| transaction.failure.take());
        let checked = match early {
            Some(reply) => Err(reply),
            None => header(&self.endpoint, &transaction.spool),
        };
        let replies = match checked {
            Ok(header) => self.deliver(&transaction, &header).await,
            Err(reply) => {
                let reason = reply.text.as_ref();
                self.log_end(&transaction, "message was refused", Some(&reason));
                vec![reply; transaction.recipients.len()]
            }
        };
        for (reply, recipient) in replies.into_iter().zip(&transaction.recipients) {
            let reply = match reply.is_good() {
                true => reply.with(&format!("<{}> OK: queued", recipient.address)),
                false => about(reply, &transaction.id),
            };
            self.say(&reply);
        }
    }

    async fn deliver(&self, transaction: &Transaction, header: &[u8]) -> Vec<Reply> {
        let trace = self.trace(transaction);
        let letter = Letter::new(&trace, &transaction.spool, header);
        let storage = &self.endpoint.rules.storage;
        let outcomes = Box::pin(deliver(storage, &letter, &transaction.recipients)).await;
        let mut told = None;
        let replies = outcomes.into_iter().map(|outcome| match outcome {
            Ok(()) => Reply::new(250, (2, 0, 0), ""),
            Err(error) => {
                let reply = of_store(&error, storage.delivery.reject_over_quota);
                told.get_or_insert(error);
                reply
            }
        });
        let replies = replies.collect();
        match &told {
            None => self.log_end(transaction, "message was delivered", None),
            Some(error) => self.log_end(transaction, "delivery failed", Some(&Text(error))),
        }
        replies
    }

    fn log_end(
        &self,
        transaction: &Transaction,
        what: &str,
        reason: Option<&dyn crate::log::Value>,
    ) {
        let (id, sender) = (transaction.id.as_str(), transaction.sender.from.as_str());
        let (count, size) = (transaction.recipients.len(), transaction.spool.len());
        let first = transaction.recipients.first();
        let first = first.map_or("", |recipient| recipient.address.as_str());
        let mut fields: Vec<(&str, &dyn crate::log::Value)> = vec![
            ("msg_id", &id),
            ("rcpt", &first),
            ("rcpts", &count),
            ("sender", &sender),
            ("size", &size),
            ("src_ip", &self.peer),
        ];
        fields.extend(reason.map(|reason| ("reason", reason)));
        self.endpoint.log.info(what, &fields);
    }

    fn trace(&self, transaction: &Transaction) -> Trace {
        Trace {
            message_id: transaction.id.clone(),
            sender: transaction.sender.from.clone(),
            helo: self.helo.clone(),
            address: match &self.peer {
                Peer::Ip(address) => Some(address.ip()),
                Peer::Unix => None,
            },
            hostname: self.endpoint.rules.settings.hostname.clone(),
            protocol: match (transaction.sender.utf8, self.secure) {
                (false, false) => "LMTP",
                (false, true) => "LMTPS",
                (true, false) => "UTF8LMTP",
                (true, true) => "UTF8LMTPS",
            },
            date: clock::now(),
        }
    }
}

impl Transaction {
    /// Why there is no such recipient, which is logged for the first of them.
    fn refuse(&mut self, endpoint: &Endpoint, to: &str, error: &NoRecipient) -> Reply {
        self.refused += 1;
        if self.refused <= endpoint.rules.logged_recipient_errors {
            let id = self.id.as_str();
            let fields: Fields<'_> = &[("msg_id", &id), ("rcpt", &to), ("reason", &Text(error))];
            endpoint.log.info("recipient was refused", fields);
        }
        match error {
            NoRecipient::Unknown => UNKNOWN,
            NoRecipient::Unavailable(_) => FAILED,
        }
    }
}

/// Up to and with the end of the first line, or all if it has none.
fn first_line(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', bytes);
    end.and_then(|at| bytes.get(..=at)).unwrap_or(bytes)
}

fn tap(log: &Logger, bytes: &[u8]) {
    if !bytes.is_empty() {
        log.info("C:", &[("data", &Text(String::from_utf8_lossy(bytes)))]);
    }
}

/// Keeps bytes of the message.
fn keep(transaction: &mut Option<Transaction>, bytes: &[u8], endpoint: &Endpoint) {
    let Some(transaction) = transaction else {
        return;
    };
    if transaction.failure.is_some() {
        return;
    }
    if let Err(error) = transaction.spool.write(bytes) {
        endpoint
            .log
            .error("a message can't be buffered", &[("reason", &error)]);
        transaction.failure = Some(of_store(&error.into(), false));
    }
}

/// The header of a complete message, if it is as it should be.
fn header(endpoint: &Endpoint, spool: &Spool) -> Result<Vec<u8>, Reply> {
    let rules = &endpoint.rules;
    let mut head = spool
        .head(rules.header_bytes.saturating_add(1))
        .map_err(|error| of_store(&error.into(), false))?;
    head.truncate(header_len(&head));
    if head.len() > rules.header_bytes {
        return Err(LARGE_HEADER);
    }
    let received = fields(&head).filter(|field| field.is(b"Received")).count();
    if received > rules.received {
        let text =
            format!("Too many Received header fields ({received}), possible forwarding loop");
        return Err(Reply::new(554, (5, 4, 6), "").with(&text));
    }
    Ok(head)
}

/// A reply that names the transaction.
fn about(reply: Reply, id: &str) -> Reply {
    reply.with(&format!(" (msg ID = {id})"))
}

/// What is said of a message that the store did not take.
fn of_store(error: &Error, reject_over_quota: bool) -> Reply {
    match error {
        Error::Full(_) => FULL,
        Error::OverQuota { .. } if reject_over_quota => {
            Reply::new(552, (5, 2, 2), "Mailbox is full")
        }
        Error::OverQuota { .. } => Reply::new(452, (4, 2, 2), "Mailbox is full"),
        _ => FAILED,
    }
}

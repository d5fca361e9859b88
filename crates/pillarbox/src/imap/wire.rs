//! A connection's bytes: input by events, output in a bounded buffer.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use pillarbox_proto::imap::deflate::{Deflate, Flush};
use pillarbox_proto::imap::frame::{Event, FrameLimits, Framer};
use tokio::io::AsyncWriteExt;

use crate::net::{Stream, read};

/// Output is sent when there is this much of it: large enough for few system calls, small enough to stay in cache.
const FLUSH_BYTES: usize = 64 * 1024;
/// Message bytes from this size on go to the socket from where they are, without a copy.
const DIRECT_BYTES: usize = 16 * 1024;

/// Message bytes from this size on are compressed apart from what is around them (RFC 4978 §4).
const ALONE_BYTES: usize = 5 * 1024;
/// A compressed connection on which nothing is said for so long gives up most of its memory, and with it
/// what would pack the next response better.
const QUIET: Duration = Duration::from_secs(5);

/// What came in.
pub(super) enum Input {
    /// Something of the protocol.
    Event(Incoming),
    /// The client closed its end.
    End,
}

/// An [`Event`] that owns what it says, except for message data, which stays in [`Wire`].
pub(super) enum Incoming {
    Continue,
    Message(Offer),
    /// `Wire::data` has bytes of a message.
    Data,
    MessageEnd,
    Command(pillarbox_proto::imap::frame::Frame),
    Line(Vec<u8>),
    Abandoned(Option<String>),
    Refused(Option<String>, pillarbox_proto::imap::frame::FrameError),
    Fatal(pillarbox_proto::imap::frame::FrameError),
}

/// A message literal that the client wants to send.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    pub(super) size: u64,
    /// It waits for our `+`.
    pub(super) synchronizing: bool,
}

/// Sees all output.
pub(super) type Tap = Box<dyn Fn(&[u8]) + Send + Sync>;

/// A connection's input and output.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    framer: Framer,
    /// What was read and not yet used.
    unread: Vec<u8>,
    used: usize,
    /// Output that is not sent yet.
    pub(super) out: Vec<u8>,
    /// Message data of the last [`Incoming::Data`].
    pub(super) data: Vec<u8>,
    write_timeout: Duration,
    /// COMPRESS is active (RFC 4978).
    deflate: Option<Box<Deflate>>,
    /// Where `io_debug` writes to.
    pub(super) tap: Option<Tap>,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, write_timeout: Duration) -> Self {
        Self {
            stream,
            framer: Framer::new(FrameLimits::before_login()),
            unread: Vec::new(),
            used: 0,
            out: Vec::new(),
            data: Vec::new(),
            write_timeout,
            deflate: None,
            tap: None,
        }
    }

    pub(super) fn framer(&mut self) -> &mut Framer {
        &mut self.framer
    }

    /// Whether bytes wait that need no reading: a client that pipelines.
    pub(super) fn has_unread(&self) -> bool {
        let raw = self
            .deflate
            .as_ref()
            .is_some_and(|deflate| deflate.has_raw());
        raw || self.used < self.unread.len()
    }

    /// Whether the connection is compressed.
    pub(super) const fn is_compressed(&self) -> bool {
        self.deflate.is_some()
    }

    /// From now on it is, in both directions. Everything was flushed, nothing is unread.
    pub(super) fn compress(&mut self) {
        self.deflate = Some(Box::new(Deflate::new()));
    }

    /// From now on it is not. Everything was flushed.
    pub(super) fn end_compression(&mut self) {
        if let Some(deflate) = self.deflate.take() {
            self.unread.drain(..self.used);
            self.used = 0;
            self.unread.extend(deflate.into_rest());
        }
    }

    /// The next event. Cancel safe: what was read stays.
    ///
    /// Holds no buffer while it waits.
    pub(super) async fn next(&mut self) -> io::Result<Input> {
        loop {
            if let Some(event) = self.step() {
                return Ok(Input::Event(event));
            }
            if self.fill().await? == 0 {
                return Ok(Input::End);
            }
        }
    }

    /// The next event in what was read already.
    fn step(&mut self) -> Option<Incoming> {
        let (used, event) = self.framer.feed(&self.unread[self.used..]);
        let incoming = owned(event, &mut self.data);
        self.used += used;
        if self.used == self.unread.len() {
            self.unread = Vec::new();
            self.used = 0;
        }
        incoming
    }

    /// Reads what there is into `unread`, which is empty.
    async fn fill(&mut self) -> io::Result<usize> {
        let Some(deflate) = &mut self.deflate else {
            return read(&mut self.stream, &mut self.unread).await;
        };
        while self.unread.is_empty() {
            if !deflate.has_raw() && read_raw(&mut self.stream, deflate).await? == 0 {
                return Ok(0);
            }
            deflate.unpack(&mut self.unread)?;
            // A little may become much: others get their turn.
            tokio::task::yield_now().await;
        }
        Ok(self.unread.len())
    }

    /// Takes the stream away for a TLS handshake. Everything already read is thrown away: it came in
    /// clear, and must not be taken for what a client said under TLS (RFC 3501 §6.2.1).
    pub(super) fn take_stream(&mut self) -> Box<dyn Stream> {
        self.unread = Vec::new();
        self.used = 0;
        self.framer = Framer::new(FrameLimits::before_login());
        std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()))
    }

    pub(super) fn set_stream(&mut self, stream: Box<dyn Stream>) {
        self.stream = stream;
    }

    /// Sends what waits if there is much of it.
    pub(super) async fn flush_if_full(&mut self) -> io::Result<()> {
        if self.out.len() >= FLUSH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends what waits. The buffer is given back.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let mut out = std::mem::take(&mut self.out);
        if let Some(tap) = &self.tap {
            tap(&out);
        }
        self.write(&out, Flush::Sync).await?;
        if out.capacity() <= 2 * FLUSH_BYTES && self.has_unread() {
            out.clear();
            self.out = out;
        }
        timeout(self.write_timeout, self.stream.flush()).await
    }

    /// Adds message bytes to the output: small ones to the buffer, large ones straight to the socket.
    pub(super) async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        let direct = match self.deflate {
            Some(_) => ALONE_BYTES,
            None => DIRECT_BYTES,
        };
        if bytes.len() < direct {
            self.out.extend_from_slice(&bytes);
            return self.flush_if_full().await;
        }
        let out = std::mem::take(&mut self.out);
        // What was said does not help to pack a message, nor the message what is said next; and of
        // texts packed together one tells about the other by its length (RFC 4978 §4).
        self.write(&out, Flush::Full).await?;
        self.out = out;
        self.out.clear();
        self.write(&bytes, Flush::Full).await
    }

    /// Writes all, compressed if need be and then flushed like that.
    async fn write(&mut self, mut bytes: &[u8], flush: Flush) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else {
            return write_all(&mut self.stream, bytes, self.write_timeout).await;
        };
        loop {
            let done = deflate.pack(&mut bytes, flush)?;
            write_all(&mut self.stream, deflate.packed(), self.write_timeout).await?;
            if done {
                return Ok(());
            }
        }
    }

    /// Says goodbye to the transport, without waiting long.
    pub(super) async fn close(&mut self) {
        let _ = self.flush().await;
        let _ = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    /// Gives memory back before a long wait.
    pub(super) fn rest(&mut self) {
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        self.data = Vec::new();
    }
}

/// Reads compressed bytes. Cancel safe.
async fn read_raw(stream: &mut Box<dyn Stream>, deflate: &mut Deflate) -> io::Result<usize> {
    if deflate.holds_much() {
        match tokio::time::timeout(QUIET, read(stream, deflate.raw())).await {
            Ok(read) => return read,
            Err(_) => deflate.rest(),
        }
    }
    read(stream, deflate.raw()).await
}

/// Writes all, where each piece of progress restarts the clock.
async fn write_all(
    stream: &mut Box<dyn Stream>,
    mut bytes: &[u8],
    limit: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = timeout(limit, stream.write(bytes)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
    }
    Ok(())
}

async fn timeout<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read",
        )),
    }
}

fn owned(event: Event<'_>, data: &mut Vec<u8>) -> Option<Incoming> {
    Some(match event {
        Event::More => return None,
        Event::Continue => Incoming::Continue,
        Event::Message {
            size,
            synchronizing,
            ..
        } => Incoming::Message(Offer {
            size,
            synchronizing,
        }),
        Event::MessageData(bytes) => {
            data.clear();
            data.extend_from_slice(bytes);
            Incoming::Data
        }
        Event::MessageEnd => Incoming::MessageEnd,
        Event::Command(frame) => Incoming::Command(frame),
        Event::Line(line) => Incoming::Line(line),
        Event::Abandoned { tag } => Incoming::Abandoned(tag),
        Event::Refused { tag, why } => Incoming::Refused(tag, why),
        Event::Fatal(why) => Incoming::Fatal(why),
    })
}

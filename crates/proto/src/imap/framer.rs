//! The machine that cuts a stream into frames.

use pillarbox_model::limit;

use super::frame::{Frame, FrameError, FrameLimits, Literal, LiteralData};
use super::line::{Header, TLS_HANDSHAKE, is_http, is_message, is_url, strip_line_end};
use super::swallow::{Swallow, TAIL_BYTES};

/// What the bytes fed so far amount to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'i> {
    /// All was taken; more is needed.
    More,
    /// The client waits for `+` before it sends a literal.
    Continue,
    /// A message of APPEND is offered: answer with [`Framer::accept_message`] or
    /// [`Framer::refuse_message`]. Until then nothing is taken.
    Message {
        /// In bytes.
        size: u64,
        /// It is a `literal8`.
        binary: bool,
        /// The client waits for `+` before it sends it.
        synchronizing: bool,
    },
    /// Some bytes of the accepted message.
    MessageData(&'i [u8]),
    /// The accepted message is complete.
    MessageEnd,
    /// A command is complete.
    Command(Frame),
    /// The line that [`Framer::expect_line`] asked for, without its end.
    Line(Vec<u8>),
    /// The rest of a command whose message was refused has gone by.
    Abandoned {
        /// The command's.
        tag: Option<String>,
    },
    /// A command was not taken. What belongs to it has gone by, or waits for a `+` that must not
    /// come.
    Refused {
        /// The command's, if it had a valid one.
        tag: Option<String>,
        /// What was wrong.
        why: FrameError,
    },
    /// Say BYE and close: the rest of the stream can't be made sense of, and is thrown away.
    Fatal(FrameError),
}

/// Cuts a stream into frames. Holds at most one command, and nothing between commands.
///
/// However the stream is cut into pieces, the events are the same; only [`Event::MessageData`]
/// comes in the pieces fed.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    frame: Frame,
    /// Where the line in progress starts in the frame.
    line_start: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In a line of a command.
    Line,
    /// In a line that is no command.
    Data,
    /// In a literal that is held, with so many bytes to come.
    Literal(usize),
    /// Waiting for the session to decide about a message.
    Offered(Header),
    /// In a message, with so many bytes to come.
    Message(u64),
    /// Throwing away what was refused.
    Swallow(Swallow),
    /// After [`Event::Fatal`].
    Dead,
}

impl Framer {
    /// At the start of a stream.
    #[must_use]
    pub const fn new(limits: FrameLimits) -> Self {
        let frame = Frame {
            bytes: Vec::new(),
            literals: Vec::new(),
        };
        Self {
            limits,
            frame,
            line_start: 0,
            state: State::Line,
        }
    }

    /// From the next bytes on, these limits hold.
    pub const fn set_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// Takes bytes up to the first event, and says how many. Call again with the rest until it says
    /// [`Event::More`]; an event can also come when there is no rest.
    ///
    /// Costs one pass over the bytes, which are copied, those of messages aside.
    pub fn feed<'i>(&mut self, input: &'i [u8]) -> (usize, Event<'i>) {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let (taken, event) = self.step(rest);
            used += taken;
            match event {
                Some(event) => return (used, event),
                None if rest.is_empty() => return (used, Event::More),
                None => {}
            }
        }
    }

    /// The next line is data and no command: a SASL response, or IDLE's DONE. Call this right after
    /// the [`Event::Command`] that leads to it.
    pub fn expect_line(&mut self) {
        self.state = State::Data;
    }

    /// Takes the message that was offered. If it is synchronizing, send `+` now.
    pub fn accept_message(&mut self) {
        if let State::Offered(header) = self.state {
            self.state = State::Message(header.size);
        }
    }

    /// Turns the message down that was offered, and with it the command; take the tag from
    /// [`Self::partial`] before.
    ///
    /// If it is synchronizing, the command is over: send NO or BAD now, no event follows. If not,
    /// its bytes and the rest of the command are thrown away, and [`Event::Abandoned`] says when;
    /// the client may be told before or then.
    pub fn refuse_message(&mut self) {
        let State::Offered(header) = self.state else {
            return;
        };
        let tag = self.clear();
        if !header.synchronizing {
            self.state = State::Swallow(self.swallowing(tag, None, header.size));
        }
    }

    /// The command so far; of use during [`Event::Message`].
    #[must_use]
    pub const fn partial(&self) -> &Frame {
        &self.frame
    }

    /// Whether nothing of a command is held: the client said nothing since the last one ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frame.bytes.is_empty() && matches!(self.state, State::Line | State::Data | State::Dead)
    }

    /// Takes some of `input`, changes state or has an event; with nothing to take it may do
    /// nothing.
    fn step<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        match &mut self.state {
            State::Line => self.line(input),
            State::Data => self.data_line(input),
            State::Literal(0) | State::Message(0) => (0, self.end_literal()),
            State::Literal(left) => {
                let wanted = &input[..input.len().min(*left)];
                // What follows a NUL is thrown away, and is counted as such however it is cut.
                let taken = memchr::memchr(0, wanted).map_or(wanted.len(), |at| at + 1);
                *left -= taken;
                (taken, self.literal(&input[..taken]))
            }
            State::Message(left) => {
                let taken =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= taken as u64;
                (
                    taken,
                    (taken > 0).then(|| Event::MessageData(&input[..taken])),
                )
            }
            State::Offered(_) => (0, Some(Event::More)),
            State::Swallow(_) => self.swallow(input),
            State::Dead => (input.len(), None),
        }
    }

    fn line<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        let starts = self.frame.bytes.is_empty();
        if starts && input.first() == Some(&TLS_HANDSHAKE) {
            return (0, self.fatal(FrameError::Tls));
        }
        let (taken, complete) = self.hold_line(input);
        match complete {
            Some(true) => (taken, self.end_line()),
            Some(false) => (taken, None),
            None => {
                let first = self.line_start == 0;
                if first && is_http(&self.frame.bytes) {
                    return (taken, self.fatal(FrameError::Http));
                }
                (taken, self.overflow(true))
            }
        }
    }

    fn data_line<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        let (taken, complete) = self.hold_line(input);
        let event = match complete {
            Some(true) => {
                self.state = State::Line;
                strip_line_end(&mut self.frame.bytes, 0);
                Some(Event::Line(std::mem::take(&mut self.frame.bytes)))
            }
            Some(false) => None,
            None => self.overflow(false),
        };
        (taken, event)
    }

    /// Holds bytes up to a line end, as far as there is room. Says how many, and whether the line
    /// is complete, or `None` if there was no room.
    fn hold_line(&mut self, input: &[u8]) -> (usize, Option<bool>) {
        let held = self.frame.bytes.len();
        let room = (self.limits.line_bytes + self.line_start).min(self.limits.argument_bytes);
        let room = room.saturating_sub(held);
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        let wanted = end.unwrap_or(input.len());
        let taken = wanted.min(room);
        self.frame.bytes.extend_from_slice(&input[..taken]);
        (taken, (taken == wanted).then_some(end.is_some()))
    }

    /// A line has no room. What of it is held decides what kind of literal its end may announce.
    fn overflow(&mut self, command: bool) -> Option<Event<'static>> {
        let held = self.frame.bytes.len();
        let from = held.saturating_sub(TAIL_BYTES).max(self.line_start);
        let tail = command.then(|| self.frame.bytes[from..].to_vec());
        let tag = self.clear().filter(|_| command);
        let mut swallow = self.swallowing(tag, Some(FrameError::LineTooLong), 0);
        swallow.tail = tail;
        self.state = State::Swallow(swallow);
        None
    }

    /// A line of a command is held whole.
    fn end_line(&mut self) -> Option<Event<'static>> {
        strip_line_end(&mut self.frame.bytes, self.line_start);
        let line = &self.frame.bytes[self.line_start..];
        if self.line_start == 0 && is_http(line) {
            return self.fatal(FrameError::Http);
        }
        let header = Header::at_end(line);
        if memchr::memchr(0, line).is_some() {
            return self.refuse(FrameError::Nul, header);
        }
        let Some(header) = header else {
            let frame = std::mem::take(&mut self.frame);
            self.line_start = 0;
            return Some(Event::Command(frame));
        };
        if let Err(why) = self.begin_literal(header) {
            return self.refuse(why, Some(header));
        }
        match self.state {
            State::Offered(_) => Some(Event::Message {
                size: header.size,
                binary: header.binary,
                synchronizing: header.synchronizing,
            }),
            _ => header.synchronizing.then_some(Event::Continue),
        }
    }

    /// Takes note of a literal, or says why it can't be taken.
    fn begin_literal(&mut self, header: Header) -> Result<(), FrameError> {
        let minus = self.limits.literal_minus && !header.synchronizing;
        if minus && header.size > limit::LITERAL_MINUS_BYTES {
            return Err(FrameError::LiteralTooBig);
        }
        let start = self.frame.bytes.len();
        let at = start - header.len;
        let before = &self.frame.bytes[..at];
        let message = self.limits.messages && is_message(before);
        let data = if message && !is_url(before, self.line_start) {
            self.offer(header)?
        } else {
            self.hold_literal(header)?
        };
        self.frame.literals.push(Literal {
            header: at,
            start,
            data,
            binary: header.binary,
        });
        Ok(())
    }

    fn offer(&mut self, header: Header) -> Result<LiteralData, FrameError> {
        if self.count(|data| matches!(data, LiteralData::Streamed(_))) >= limit::MESSAGES_PER_APPEND
        {
            return Err(FrameError::TooManyMessages);
        }
        self.state = State::Offered(header);
        Ok(LiteralData::Streamed(header.size))
    }

    fn hold_literal(&mut self, header: Header) -> Result<LiteralData, FrameError> {
        if self.count(|data| matches!(data, LiteralData::Held(_))) >= self.limits.literals {
            return Err(FrameError::TooManyLiterals);
        }
        let room = self
            .limits
            .argument_bytes
            .saturating_sub(self.frame.bytes.len());
        let size = usize::try_from(header.size)
            .ok()
            .filter(|&size| size <= room)
            .ok_or(FrameError::LiteralTooBig)?;
        self.state = State::Literal(size);
        Ok(LiteralData::Held(size))
    }

    fn count(&self, kind: impl Fn(&LiteralData) -> bool) -> usize {
        self.frame.literals.iter().filter(|l| kind(&l.data)).count()
    }

    /// Some bytes of a literal that is held; a NUL is the last of them, which only a `literal8` may have
    /// (RFC 3516 §4.1).
    fn literal(&mut self, data: &[u8]) -> Option<Event<'static>> {
        self.frame.bytes.extend_from_slice(data);
        let State::Literal(left) = self.state else {
            return None;
        };
        let binary = self.frame.literals.last().is_some_and(|last| last.binary);
        if binary || data.last() != Some(&0) {
            return None;
        }
        let tag = self.clear();
        self.state = State::Swallow(self.swallowing(tag, Some(FrameError::Nul), left as u64));
        None
    }

    /// After a literal the command's line goes on.
    fn end_literal(&mut self) -> Option<Event<'static>> {
        let streamed = matches!(self.state, State::Message(_));
        self.state = State::Line;
        self.line_start = self.frame.bytes.len();
        streamed.then_some(Event::MessageEnd)
    }

    /// Refuses the command in progress, whose line ended with `header`.
    fn refuse(&mut self, why: FrameError, header: Option<Header>) -> Option<Event<'static>> {
        let tag = self.clear();
        match header {
            Some(header) if !header.synchronizing => {
                self.state = State::Swallow(self.swallowing(tag, Some(why), header.size));
                None
            }
            _ => Some(Event::Refused { tag, why }),
        }
    }

    const fn swallowing(
        &self,
        tag: Option<String>,
        why: Option<FrameError>,
        literal: u64,
    ) -> Swallow {
        Swallow {
            tag,
            why,
            literal,
            left: self.limits.swallow_bytes,
            tail: Some(Vec::new()),
        }
    }

    /// Lets go of the command in progress, and says its tag.
    fn clear(&mut self) -> Option<String> {
        let tag = self.frame.tag().map(str::to_owned);
        self.frame = Frame::default();
        self.line_start = 0;
        self.state = State::Line;
        tag
    }

    fn fatal(&mut self, why: FrameError) -> Option<Event<'static>> {
        self.clear();
        self.state = State::Dead;
        Some(Event::Fatal(why))
    }

    fn swallow<'i>(&mut self, input: &'i [u8]) -> (usize, Option<Event<'i>>) {
        let State::Swallow(swallow) = &mut self.state else {
            return (0, None);
        };
        let (taken, complete) = swallow.take(input);
        if swallow.literal > swallow.left || taken as u64 > swallow.left {
            return (taken, self.fatal(FrameError::Flood));
        }
        swallow.left -= taken as u64;
        if !complete {
            return (taken, None);
        }
        let (tag, why) = (swallow.tag.take(), swallow.why);
        self.state = State::Line;
        let event = match why {
            Some(why) => Event::Refused { tag, why },
            None => Event::Abandoned { tag },
        };
        (taken, Some(event))
    }
}

//! What several targets need: a stream of IMAP, cut into frames.

use pillarbox_model::limit;
use pillarbox_proto::imap::frame::{Event, Frame, FrameLimits, Framer};

/// An event, in a form in which two runs can be compared.
#[derive(PartialEq, Eq, Debug)]
pub enum Seen {
    /// Bytes of a message; those of one message in a row are one.
    Data(Vec<u8>),
    /// Any other event.
    Event(String),
}

/// Feeds the pieces, asserts what holds at every step, and gives the events.
///
/// What the session decides hangs on the bytes alone: a message is accepted unless its size is
/// divisible by 3, and a line follows a command whose tag begins with `l`.
pub fn events<'p>(limits: FrameLimits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Seen> {
    let mut framer = Framer::new(limits);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        loop {
            let (used, event) = framer.feed(rest);
            rest = &rest[used..];
            assert_bounded(framer.partial(), limits);
            if event == Event::More {
                assert!(rest.is_empty(), "asks for more while there is some");
                break;
            }
            decide(&mut framer, &event);
            record(&mut seen, &event);
        }
    }
    seen
}

/// The commands of a stream, as they are read after login.
pub fn commands(stream: &[u8]) -> Vec<Frame> {
    let mut framer = Framer::new(FrameLimits::after_login());
    let (mut rest, mut frames) = (stream, Vec::new());
    loop {
        let (used, event) = framer.feed(rest);
        rest = &rest[used..];
        match event {
            Event::More => return frames,
            Event::Command(frame) => frames.push(frame),
            Event::Message { .. } => {
                frames.push(framer.partial().clone());
                framer.accept_message();
            }
            _ => {}
        }
    }
}

fn decide(framer: &mut Framer, event: &Event<'_>) {
    match event {
        Event::Message { size, .. } if size % 3 == 0 => framer.refuse_message(),
        Event::Message { .. } => framer.accept_message(),
        Event::Command(frame) if frame.tag().is_some_and(|tag| tag.starts_with('l')) => {
            framer.expect_line();
        }
        _ => {}
    }
}

fn record(seen: &mut Vec<Seen>, event: &Event<'_>) {
    match (event, seen.last_mut()) {
        (Event::MessageData(data), Some(Seen::Data(before))) => before.extend_from_slice(data),
        (Event::MessageData(data), _) => seen.push(Seen::Data(data.to_vec())),
        _ => seen.push(Seen::Event(format!("{event:?}"))),
    }
}

/// The redacted command is as long as the command at most, and the marks put into it.
fn assert_bounded(held: &Frame, limits: FrameLimits) {
    let marks = 2 * (limits.literals + limit::MESSAGES_PER_APPEND) + 3;
    assert!(held.redacted().len() <= limits.argument_bytes + marks);
}

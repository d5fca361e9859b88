//! Reading without a buffer for each connection that waits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::Stream;

/// Bytes read at once. The buffer belongs to the thread, so an idle connection holds none.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Adds what there is to read to `unread`, and says how much; nothing means the end. Holds no buffer
/// while it waits. Cancel safe.
pub(crate) async fn read(stream: &mut Box<dyn Stream>, unread: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|context| poll_read(Pin::new(stream), context, unread)).await
}

/// Reads into the thread's buffer and keeps only what came.
fn poll_read(
    stream: Pin<&mut Box<dyn Stream>>,
    context: &mut Context<'_>,
    unread: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    READ_BUFFER.with_borrow_mut(|buffer| {
        let mut read = ReadBuf::new(buffer);
        std::task::ready!(stream.poll_read(context, &mut read))?;
        unread.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

//! A stream of which something was read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pillarbox_proto::proxy::{Found, Malformed, V2_BYTES, find};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// What to do with a PROXY header, or with something malformed, that comes when nobody waits for it
/// any more. It is thrown away, or the error breaks the connection.
pub(super) type Late = Box<dyn Fn(Result<(), Malformed>) -> io::Result<()> + Send + Sync>;

/// A stream whose first bytes are read from memory.
pub(super) struct Unread {
    stream: Box<dyn Stream>,
    bytes: Vec<u8>,
    used: usize,
    /// Until it is certain whether the stream begins with a header.
    late: Option<Late>,
}

impl Unread {
    /// The stream with these bytes before it.
    pub(super) fn put_back(stream: Box<dyn Stream>, bytes: Vec<u8>) -> Box<dyn Stream> {
        if bytes.is_empty() {
            return stream;
        }
        Box::new(Self {
            stream,
            bytes,
            used: 0,
            late: None,
        })
    }

    /// The stream without the header that it may begin with. Nothing was read from it yet.
    pub(super) fn without_header(stream: Box<dyn Stream>, late: Late) -> Box<dyn Stream> {
        Box::new(Self {
            stream,
            bytes: Vec::new(),
            used: 0,
            late: Some(late),
        })
    }

    /// Reads until it is certain whether there is a header, and drops it.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(late) = self.late.take() {
            match find(&self.bytes) {
                Ok(Found::More) => {
                    self.late = Some(late);
                    if ready!(self.poll_more(cx))? == 0 {
                        self.late = None;
                    }
                }
                Ok(Found::Absent) => {}
                Ok(Found::Header(_, length)) => {
                    self.bytes.drain(..length);
                    late(Ok(()))?;
                }
                Err(malformed) => late(Err(malformed))?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; V2_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.bytes.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncRead for Unread {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_begin(cx))?;
        let rest = &self.bytes[self.used..];
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.used += length;
        if self.used == self.bytes.len() {
            self.bytes = Vec::new();
            self.used = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Unread {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const HEADER: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 5000 143\r\n";

    /// What is read of a stream that says these pieces, and how many headers were told of.
    async fn read(pieces: &[&str]) -> (io::Result<String>, usize) {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let told = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&told);
        let late = Box::new(move |header: Result<(), Malformed>| {
            counter.fetch_add(1, Ordering::Relaxed);
            header.map_err(io::Error::other)
        });
        let mut stream = Unread::without_header(Box::new(ours), late);
        let pieces: Vec<_> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let said = async move {
            for piece in pieces {
                // Fails if the stream was broken off.
                let _ = theirs.write_all(piece.as_bytes()).await;
            }
        };
        let mut text = String::new();
        let heard = async move { stream.read_to_string(&mut text).await.map(|_| text) };
        let (heard, ()) = tokio::join!(heard, said);
        (heard, told.load(Ordering::Relaxed))
    }

    /// However the bytes come, the header goes, and nothing else.
    #[tokio::test]
    async fn a_header_is_taken_away() {
        let whole = format!("{HEADER}a1 NOOP\r\n{HEADER}");
        let (bytes, rest) = (whole.split("").collect::<Vec<_>>(), &whole[HEADER.len()..]);
        for pieces in [&bytes[..], &[&whole], &[HEADER, rest]] {
            let (text, told) = read(pieces).await;
            assert_eq!((text.unwrap().as_str(), told), (rest, 1));
        }
    }

    #[tokio::test]
    async fn what_is_no_header_stays() {
        for text in ["", "P", "PROXY", "P1 NOOP\r\n", "a1 NOOP\r\n", "\r\n\r\n"] {
            let (heard, told) = read(&text.split("").collect::<Vec<_>>()).await;
            assert_eq!((heard.unwrap().as_str(), told), (text, 0));
        }
    }

    #[tokio::test]
    async fn a_malformed_header_breaks_off() {
        let (heard, told) = read(&["PROXY TCP4 everywhere\r\n", "a1 NOOP\r\n"]).await;
        assert!(heard.is_err());
        assert_eq!(told, 1);
    }

    #[tokio::test]
    async fn bytes_come_back_before_the_stream() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"LOGOUT\r\n").await.unwrap();
        drop(theirs);
        let mut stream = Unread::put_back(Box::new(ours), b"a1 ".to_vec());
        let mut text = String::new();
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() > 0 {
            text.push(char::from(byte[0]));
        }
        assert_eq!(text, "a1 LOGOUT\r\n");
    }
}

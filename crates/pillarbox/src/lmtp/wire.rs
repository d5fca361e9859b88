//! A connection's bytes.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::net::{Stream, read};

/// A connection's input and output.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    /// What was read and not yet used. Empty while the client is silent.
    input: Vec<u8>,
    used: usize,
    /// Replies that are not sent yet.
    pub(super) out: Vec<u8>,
    write_timeout: Duration,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, write_timeout: Duration) -> Self {
        Self {
            stream,
            input: Vec::new(),
            used: 0,
            out: Vec::new(),
            write_timeout,
        }
    }

    /// What was read and not yet used.
    pub(super) fn unread(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    /// So many bytes of it are used.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.input.len());
    }

    /// Reads more; nothing means the end. All must have been used. Cancel safe.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        self.input = Vec::new();
        self.used = 0;
        read(&mut self.stream, &mut self.input).await
    }

    /// Sends all replies.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let mut rest = self.out.as_slice();
        while !rest.is_empty() {
            let write = self.stream.write(rest);
            let written = tokio::time::timeout(self.write_timeout, write).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
        self.out = Vec::new();
        tokio::time::timeout(self.write_timeout, self.stream.flush()).await?
    }

    /// Says goodbye to the transport, without waiting long.
    pub(super) async fn close(&mut self) {
        let _ = self.flush().await;
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    /// Takes the stream away for a TLS handshake. What was read came in clear, and must not be taken
    /// for what a client says under TLS (RFC 3207 §4.2).
    pub(super) fn take_stream(&mut self) -> Box<dyn Stream> {
        self.input = Vec::new();
        self.used = 0;
        std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()))
    }

    pub(super) fn set_stream(&mut self, stream: Box<dyn Stream>) {
        self.stream = stream;
    }
}

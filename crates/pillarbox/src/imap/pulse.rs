//! Signs of life while a command takes long (RFC 9585): they keep connections open that others would cut, and let a
//! client show how far it is.

use std::io;
use std::pin::pin;
use std::time::Duration;

use pillarbox_proto::imap::encode::{self, Code, Progress, Status};
use tokio::time::Instant;

use super::Session;
use super::wire::Wire;

/// How often a client hears of a command that says nothing else. RFC 9585 §4.1 recommends 10 to 15 seconds.
pub const PROGRESS: Duration = Duration::from_secs(10);

/// Tells how far a command is, now and then.
pub(super) struct Pulse<'a> {
    wire: &'a mut Wire,
    tag: &'a str,
    every: Duration,
    last: Instant,
    numbers: bool,
}

impl<'a> Pulse<'a> {
    pub(super) fn new(wire: &'a mut Wire, tag: &'a str, every: Duration) -> Self {
        Self {
            wire,
            tag,
            every,
            last: Instant::now(),
            numbers: true,
        }
    }

    /// Does not say how far one step is of several.
    pub(super) fn without_numbers(self) -> Self {
        Self {
            numbers: false,
            ..self
        }
    }

    /// Says how far the command is, if nothing was said for long. Costs a look at the clock.
    ///
    /// # Errors
    /// The client can't be told.
    pub(super) async fn beat(&mut self, progress: Progress) -> io::Result<()> {
        if self.last.elapsed() < self.every {
            return Ok(());
        }
        match self.numbers {
            true => self.tell(progress).await,
            false => self.tell(Progress::default()).await,
        }
    }

    async fn tell(&mut self, progress: Progress) -> io::Result<()> {
        // A bracket would end the code for clients that look no closer.
        let tag = Some(self.tag).filter(|tag| !tag.contains(']'));
        let code = Code::InProgress(tag, progress);
        encode::untagged(&mut self.wire.out, Status::Ok, Some(&code), "Still at it");
        self.wire.flush().await?;
        self.last = Instant::now();
        Ok(())
    }

    /// Waits for work of which nobody knows how far it is. It is done to its end, also if the client has left.
    ///
    /// # Errors
    /// The client can't be told; the work was done.
    async fn patiently<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        let mut work = pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(self.every, &mut work).await {
                return Ok(done);
            }
            // The work goes on meanwhile: others may wait for it, however slowly this client reads.
            let mut telling = pin!(self.tell(Progress::default()));
            tokio::select! {
                done = &mut work => {
                    telling.await?;
                    return Ok(done);
                }
                told = &mut telling => if let Err(broken) = told {
                    work.await;
                    return Err(broken);
                },
            }
        }
    }
}

impl Session {
    /// Waits for the store to do what the command in progress wants of it.
    ///
    /// # Errors
    /// As [`Pulse::patiently`].
    pub(super) async fn patiently<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        let every = self.endpoint.progress;
        Pulse::new(&mut self.wire, &self.tag, every)
            .patiently(work)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    /// The work ends when its client has heard twice that it goes on.
    #[tokio::test]
    async fn whoever_waits_hears_that_it_is_worth_it() {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(Box::new(near), Duration::from_secs(60));
        let (end, ended) = tokio::sync::oneshot::channel();
        let listen = async move {
            let mut heard = Vec::new();
            let sign = b"* OK [INPROGRESS (\"a1\" NIL NIL)] Still at it\r\n";
            while heard.len() < 2 * sign.len() {
                far.read_buf(&mut heard).await.unwrap();
            }
            assert!(heard.starts_with(&sign.repeat(2)), "{heard:?}");
            end.send(7).unwrap();
            far
        };
        let mut pulse = Pulse::new(&mut wire, "a1", Duration::from_millis(1));
        let (done, _far) = tokio::join!(pulse.patiently(ended), listen);
        assert_eq!(done.unwrap().unwrap(), 7);
    }

    #[tokio::test]
    async fn work_is_done_to_its_end_when_nobody_listens_any_more() {
        let (near, far) = tokio::io::duplex(16);
        drop(far);
        let mut wire = Wire::new(Box::new(near), Duration::from_secs(60));
        let mut done = false;
        let work = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            done = true;
        };
        let mut pulse = Pulse::new(&mut wire, "a]", Duration::from_millis(1));
        assert!(pulse.patiently(work).await.is_err());
        assert!(done);
    }

    /// Work that is done while nobody reads what was said of it: others may wait for it.
    #[tokio::test]
    async fn work_goes_on_while_a_client_does_not_read() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut wire = Wire::new(Box::new(near), Duration::from_secs(60));
        let (done, is_done) = tokio::sync::oneshot::channel();
        let work = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            done.send(()).unwrap();
        };
        let reader = async move {
            // Not before the work is done.
            is_done.await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n") {
                far.read_buf(&mut heard).await.unwrap();
            }
            far
        };
        let mut pulse = Pulse::new(&mut wire, "a", Duration::from_millis(1));
        let (waited, _far) = tokio::join!(pulse.patiently(work), reader);
        waited.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_said_before_its_time() {
        let (near, _far) = tokio::io::duplex(16);
        let mut wire = Wire::new(Box::new(near), Duration::from_secs(60));
        let mut pulse = Pulse::new(&mut wire, "a", Duration::from_secs(3_600));
        pulse.beat(Progress::default()).await.unwrap();
        assert_eq!(pulse.patiently(async { 1 }).await.unwrap(), 1);
        assert!(wire.out.is_empty());
    }
}

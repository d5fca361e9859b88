//! Stopping: telling every session, and waiting until they have left.

use std::time::Duration;

use tokio::sync::watch;

/// The one who stops the server.
///
/// Whoever must be told, and must have finished before the process ends, holds a [`Signal`].
pub struct Shutdown(watch::Sender<bool>);

/// A share in the server's life: says when to stop, and keeps the process until it is dropped.
#[derive(Clone)]
pub struct Signal(watch::Receiver<bool>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Shutdown {
    /// A signal for one more task.
    #[must_use]
    pub fn signal(&self) -> Signal {
        Signal(self.0.subscribe())
    }

    /// Tells all who hold a signal to stop, and waits until they dropped it, but no longer than
    /// `patience`. Gives the number of those who are still there.
    pub async fn stop(&self, patience: Duration) -> usize {
        self.0.send_replace(true);
        let _ = tokio::time::timeout(patience, self.0.closed()).await;
        self.0.receiver_count()
    }
}

impl Signal {
    /// Completes when the server stops. Dropping the future loses nothing, and it may be waited for
    /// again.
    pub async fn stopping(&mut self) {
        // An error means that nobody is left who could stop: that is stopping, too.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }

    /// Whether the server stops, without waiting.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopping_waits_for_the_last_one_to_leave() {
        let shutdown = Shutdown::default();
        let (left, mut was_left) = watch::channel(false);
        let mut signal = shutdown.signal();
        tokio::spawn(async move {
            signal.stopping().await;
            left.send_replace(true);
        });
        assert_eq!(shutdown.stop(Duration::from_secs(60)).await, 0);
        assert!(*was_left.borrow_and_update());
    }

    #[tokio::test]
    async fn who_does_not_leave_is_counted_and_left_behind() {
        let shutdown = Shutdown::default();
        let _stubborn = shutdown.signal();
        assert_eq!(shutdown.stop(Duration::from_millis(5)).await, 1);
    }
}

//! What random runs against a reference have in common: how long they go on, and the least that fails.

use std::time::{Duration, Instant};

/// When to end, if `PILLARBOX_MODEL_SECONDS` says how long to go on; else a few rounds are enough.
pub(crate) fn end() -> Option<Instant> {
    let seconds = std::env::var("PILLARBOX_MODEL_SECONDS").ok()?;
    Some(Instant::now() + Duration::from_secs(seconds.parse().unwrap()))
}

/// Leaves out steps as long as the rest still fails.
pub(crate) async fn shrink<S: Clone>(
    mut steps: Vec<S>,
    fails: impl AsyncFn(Vec<S>) -> bool,
) -> Vec<S> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            if fails(fewer.clone()).await {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}

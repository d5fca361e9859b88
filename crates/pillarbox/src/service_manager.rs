//! What the service manager is told (sd_notify(3)). Without one, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState::{self, MonotonicUsec, Ready, Reloading, Status, Stopping, Watchdog};

/// The server serves, for the first time or after a reload.
pub fn ready() {
    tell(&[Ready, Status("Configuration running.")]);
}

/// A reload has begun. [`ready`] has to follow, however it ends.
pub fn reloading() {
    // systemd pairs the two by the time (Type=notify-reload).
    let now = NotifyState::monotonic_usec_now().unwrap_or(MonotonicUsec(0));
    tell(&[Reloading, now, Status("Loading new configuration.")]);
}

/// The server serves on, but its new configuration is wrong.
pub fn reload_failed() {
    tell(&[
        Ready,
        Status("New configuration is wrong, the old one is running."),
    ]);
}

/// The server stops.
pub fn stopping() {
    tell(&[Stopping, Status("Waiting for sessions to end.")]);
}

/// Shows from now on that the runtime is alive, twice in each interval that was asked for.
pub fn keep_watchdog_calm() {
    if let Some(interval) = sd_notify::watchdog_enabled() {
        tokio::spawn(pat(interval / 2));
    }
}

async fn pat(interval: Duration) {
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        tell(&[Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // A service manager that can't be told is none.
    let _ = sd_notify::notify(state);
}

//! What time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_model::InternalDate;

/// Now, in UTC.
#[must_use]
pub fn now() -> InternalDate {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    InternalDate::utc(since.as_secs().try_into().unwrap_or(i64::MAX))
}

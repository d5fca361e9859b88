//! INTERNALDATE.

/// When a message arrived, with the zone it was said in (RFC 3501 §2.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InternalDate {
    /// Seconds since 1970-01-01T00:00:00Z. Negative before.
    pub unix_seconds: i64,
    /// East of Greenwich, in minutes.
    pub zone_minutes: i16,
}

impl InternalDate {
    /// The instant, said in UTC.
    #[must_use]
    pub const fn utc(unix_seconds: i64) -> Self {
        Self {
            unix_seconds,
            zone_minutes: 0,
        }
    }

    /// Days since 1970-01-01 on the calendar of its own zone: what SEARCH ON, BEFORE and SINCE
    /// compare, "disregarding time and timezone" (RFC 3501 §6.4.4).
    #[must_use]
    pub const fn local_day(self) -> i64 {
        (self.unix_seconds + self.zone_minutes as i64 * 60).div_euclid(86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 23:30 at +0200 is still the same day there, though it is 21:30 in Greenwich.
    #[test]
    fn a_day_is_the_day_of_the_written_zone() {
        let half_past_midnight_utc = 1_800;
        assert_eq!(InternalDate::utc(half_past_midnight_utc).local_day(), 0);
        let west = InternalDate {
            unix_seconds: half_past_midnight_utc,
            zone_minutes: -60,
        };
        assert_eq!(west.local_day(), -1);
    }
}

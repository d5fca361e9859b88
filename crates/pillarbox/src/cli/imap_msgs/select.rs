//! Which messages are meant.

use pillarbox_model::{Bound, NumberSet, SequenceSet, limit};
use pillarbox_store::{Mailbox, Row};

use super::super::Failure;
use super::super::admin::failed;

/// A set as it was written.
pub(super) struct Set {
    set: SequenceSet,
    uid: bool,
}

impl Set {
    /// Reads `sequence-set` (RFC 9051 §9), of UIDs or of places in the mailbox.
    pub(super) fn new(text: &str, uid: bool) -> Result<Self, Failure> {
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        let bounded = ranges.filter(|ranges| ranges.len() <= limit::SEQUENCE_RANGES);
        let ranges = bounded.ok_or_else(|| {
            Failure::Usage(format!("{text} is no set of messages, as in 1:3,7 or *"))
        })?;
        let set = SequenceSet::Ranges(ranges);
        Ok(Self { set, uid })
    }

    /// The messages that are there, with their places. Linear in the messages of the mailbox.
    pub(super) fn select(&self, mailbox: &Mailbox) -> Vec<(u32, Row)> {
        let rows = mailbox.read();
        let places = || (1..).zip(rows.range(0, u32::MAX));
        let last = match self.uid {
            true => rows.uid_ranges().last().map_or(0, |&(_, last)| last),
            false => rows.counters().messages,
        };
        let wanted = self.set.resolve(last).unwrap_or_default();
        let number = |place: u32, row: &Row| if self.uid { row.uid.0 } else { place };
        places()
            .filter(|(place, row)| wanted.contains(number(*place, row)))
            .collect()
    }

    /// The messages that are there.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn select_some(&self, mailbox: &Mailbox) -> Result<Vec<(u32, Row)>, Failure> {
        let selected = self.select(mailbox);
        match selected.is_empty() {
            true => Err(failed("there are no such messages".to_owned())),
            false => Ok(selected),
        }
    }

    /// The UIDs of the messages that are there.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn uids(&self, mailbox: &Mailbox) -> Result<NumberSet, Failure> {
        let selected = self.select_some(mailbox)?;
        Ok(selected.iter().map(|(_, row)| row.uid.0).collect())
    }
}

fn range(text: &str) -> Option<(Bound, Bound)> {
    match text.split_once(':') {
        Some((from, to)) => Some((bound(from)?, bound(to)?)),
        None => Some((bound(text)?, bound(text)?)),
    }
}

fn bound(text: &str) -> Option<Bound> {
    if text == "*" {
        return Some(Bound::Last);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|&number| digits && number > 0)?;
    Some(Bound::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_those_of_the_protocol() {
        for good in ["1", "*", "1:*", "*:1", "1:3,7", "4294967295"] {
            assert!(Set::new(good, false).is_ok(), "{good}");
        }
        for bad in [
            "",
            "0",
            "1:",
            ":1",
            "1,",
            "a",
            "+1",
            "-1",
            "$",
            "4294967296",
            "1 2",
        ] {
            assert!(Set::new(bad, false).is_err(), "{bad}");
        }
    }
}

//! How many messages one command may touch (RFC 9738).

use pillarbox_model::NumberSet;
use pillarbox_proto::imap::encode::Code;

use super::{Refusal, Selected, Session};

impl Session {
    /// Those of `uids` that a command may touch which does what it may: the newest, as many as MESSAGELIMIT says.
    /// The command's end tells where it stopped.
    pub(super) fn curb(&mut self, uids: NumberSet) -> Result<NumberSet, Refusal> {
        let Some(limit) = self.endpoint.limits.messages else {
            return Ok(uids);
        };
        let there = self.selected()?.there(&uids);
        if there.len() <= u64::from(limit) {
            return Ok(uids);
        }
        let newest = there.highest(limit.into());
        self.curbed = newest.first();
        Ok(newest)
    }

    /// Refuses what is done whole or not at all, and of too many messages: sorting and threading.
    pub(super) fn within_limit(&mut self, uids: &NumberSet) -> Result<(), Refusal> {
        let limit = self.endpoint.limits.messages;
        self.admits(limit, uids)
    }

    /// As [`Self::within_limit`], of what adds messages.
    pub(super) fn within_save_limit(&mut self, uids: &NumberSet) -> Result<(), Refusal> {
        let limits = &self.endpoint.limits;
        let limit = limits.messages.or(limits.saved_messages);
        self.admits(limit, uids)
    }

    fn admits(&mut self, limit: Option<u32>, uids: &NumberSet) -> Result<(), Refusal> {
        let Some(limit) = limit else {
            return Ok(());
        };
        let there = self.selected()?.there(uids);
        match there.len() > u64::from(limit) {
            true => Err(Refusal::MessageLimit {
                limit,
                lowest: there.highest(limit.into()).first(),
            }),
            false => Ok(()),
        }
    }

    /// Refuses an APPEND of too many messages.
    pub(super) fn may_append(&self, messages: usize) -> Result<(), Refusal> {
        let limits = &self.endpoint.limits;
        let limit = limits.messages.or(limits.saved_messages);
        match limit.filter(|limit| messages > *limit as usize) {
            Some(limit) => Err(Refusal::MessageLimit {
                limit,
                lowest: None,
            }),
            None => Ok(()),
        }
    }

    /// What the end of a command says of messages that it did not come to.
    pub(super) fn message_limit(&mut self) -> Option<Code<'static>> {
        let lowest = Some(self.curbed.take()?);
        let limit = self.endpoint.limits.messages?;
        Some(Code::MessageLimit { limit, lowest })
    }
}

impl Selected {
    /// Those of `uids` that are messages.
    pub(super) fn there(&self, uids: &NumberSet) -> NumberSet {
        match self.view.has_numbers() {
            true => self.view.known_among(uids),
            false => {
                let rows = self.member.mailbox().read();
                NumberSet::from_ranges(rows.uid_ranges()).intersection(uids)
            }
        }
    }
}

//! Where records go: a lane is a segment that one kind of writer appends to.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::record::ALIGNMENT;
use super::segment::Segment;
use super::{Inner, lock};
use crate::Error;

/// Batches of small messages; a sync here never waits for the bytes of large ones.
pub(super) const SMALL: usize = 0;
/// Messages that come in pieces.
pub(super) const LARGE: usize = 1;
/// What compaction moves.
pub(super) const MOVED: usize = 2;
/// How many there are.
pub(super) const LANES: usize = 3;

/// The open segment of a lane.
pub(super) struct Head {
    pub(super) segment: Arc<Segment>,
    /// Where the next record goes.
    pub(super) end: u64,
    /// Room before `end` that was claimed and given back.
    free: Vec<Range<u64>>,
}

impl Head {
    pub(super) fn new(segment: Arc<Segment>, end: u64) -> Self {
        let free = Vec::new();
        Self { segment, end, free }
    }

    /// Claims room, if there is enough left.
    fn claim(&mut self, room: u64) -> Option<(Arc<Segment>, u64)> {
        let end = self.end.checked_add(room)?;
        (end <= self.segment.capacity()).then(|| {
            let at = std::mem::replace(&mut self.end, end);
            (self.segment.clone(), at)
        })
    }

    /// Takes room back. What lies at the end is used again; the rest counts as given up.
    fn give_back(&mut self, range: Range<u64>) {
        self.free.push(range);
        while let Some(last) = self.free.iter().position(|range| range.end == self.end) {
            self.end = self.free.swap_remove(last).start;
        }
    }
}

impl Inner {
    /// Claims room in a lane; in a new segment if the open one has not enough. Returns the segment that is
    /// full now too: it is to be sealed once what is being written to it is durable.
    pub(super) fn claim(
        &self,
        lane: usize,
        head: &mut Option<Head>,
        room: u64,
    ) -> Result<(Arc<Segment>, u64, Option<Head>), Error> {
        if let Some((segment, at)) = head.as_mut().and_then(|head| head.claim(room)) {
            return Ok((segment, at, None));
        }
        let segment = self.create(lane, room)?;
        let full = head.replace(Head::new(segment.clone(), ALIGNMENT + room));
        Ok((segment, ALIGNMENT, full))
    }

    /// Gives back room that was claimed and not used.
    pub(super) fn give_back(&self, segment: &Segment, range: Range<u64>) {
        let len = range.end - range.start;
        match &mut *lock(&self.lanes[segment.lane()]) {
            Some(head) if head.segment.number() == segment.number() => head.give_back(range),
            _ => {
                segment.total.fetch_add(len, Ordering::Relaxed);
                segment.dead.fetch_add(len, Ordering::Relaxed);
            }
        }
    }

    /// Ends a segment: cuts off the room behind its last record, and counts holes as given up.
    pub(super) fn seal(&self, head: Head) -> Result<(), Error> {
        let segment = &head.segment;
        let holes: u64 = head.free.iter().map(|range| range.end - range.start).sum();
        segment.total.fetch_add(holes, Ordering::Relaxed);
        segment.dead.fetch_add(holes, Ordering::Relaxed);
        segment.sealed.store(true, Ordering::Release);
        let file = self.file(segment)?;
        file.cut(head.end)?;
        segment.write_header(&*file)?;
        Ok(())
    }
}

//! Threads under construction, and how they are told.

use super::{Piece, Threaded};

/// Messages in threads. The first nodes are the messages; those after them stand for one that is not there, have
/// two children or more, and are at the top.
pub(super) struct Forest<'m> {
    pub(super) messages: &'m [Threaded<'m>],
    pub(super) children: Vec<Vec<u32>>,
    /// The heads of threads.
    pub(super) top: Vec<u32>,
}

impl<'m> Forest<'m> {
    /// The messages, in no thread yet.
    pub(super) fn of(messages: &'m [Threaded<'m>]) -> Self {
        Self {
            messages,
            children: vec![Vec::new(); messages.len()],
            top: Vec::new(),
        }
    }

    pub(super) fn is_message(&self, node: u32) -> bool {
        (node as usize) < self.messages.len()
    }

    /// All messages by sent date, then by sequence number (RFC 5256 §2.2).
    pub(super) fn by_date(&self) -> Vec<u32> {
        let mut nodes: Vec<u32> = (0..self.messages.len() as u32).collect();
        nodes.sort_by_key(|node| self.messages[*node as usize].sent);
        nodes
    }

    pub(super) fn adopt(&mut self, parent: u32, child: u32) {
        self.children[parent as usize].push(child);
    }

    /// Another node at the top, with these children.
    pub(super) fn push_dummy(&mut self, children: Vec<u32>) -> u32 {
        let dummy = self.children.len() as u32;
        self.children.push(children);
        self.top.push(dummy);
        dummy
    }

    /// The message that speaks for a node: itself, or its first child.
    pub(super) fn speaker(&self, node: u32) -> u32 {
        match self.is_message(node) {
            true => node,
            false => self.children[node as usize][0],
        }
    }

    /// By what a node is sorted among its siblings.
    fn sent(&self, node: u32) -> (i64, u32) {
        let speaker = self.speaker(node);
        (self.messages[speaker as usize].sent, speaker)
    }

    /// Step 4 of REFERENCES. The children of a node that is not there are sorted already.
    pub(super) fn sort_top_by_sent(&mut self) {
        let mut top = std::mem::take(&mut self.top);
        top.sort_by_cached_key(|node| self.sent(*node));
        self.top = top;
    }

    /// Step 6: all siblings by sent date.
    pub(super) fn sort(&mut self) {
        // Below the top there are messages only, whose dates stand for themselves.
        for children in &mut self.children {
            children.sort_by_key(|node| (self.messages[*node as usize].sent, *node));
        }
        self.sort_top_by_sent();
    }

    /// Threads by the newest arrival in each.
    pub(super) fn sort_top_by_newest(&mut self) {
        let mut top = std::mem::take(&mut self.top);
        top.sort_by_cached_key(|node| self.newest(*node));
        self.top = top;
    }

    /// The latest arrival in a thread.
    fn newest(&self, head: u32) -> Option<(i64, u32)> {
        let mut newest = None;
        let mut rest = vec![head];
        while let Some(node) = rest.pop() {
            let message = self.messages.get(node as usize);
            newest = newest.max(message.map(|message| (message.arrived, node)));
            rest.extend(&self.children[node as usize]);
        }
        newest
    }

    /// The threads as they are told.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.messages.len() * 2);
        // What is still to be told, the next last.
        let mut rest: Vec<Step> = self
            .top
            .iter()
            .rev()
            .map(|&node| Step::List(node))
            .collect();
        while let Some(step) = rest.pop() {
            let node = match step {
                Step::Close => {
                    pieces.push(Piece::Close);
                    continue;
                }
                Step::List(node) => {
                    pieces.push(Piece::Open);
                    rest.push(Step::Close);
                    node
                }
                Step::Member(node) => node,
            };
            if self.is_message(node) {
                pieces.push(Piece::Message(node));
            }
            match self.children[node as usize][..] {
                [only] => rest.push(Step::Member(only)),
                ref several => rest.extend(several.iter().rev().map(|&node| Step::List(node))),
            }
        }
        pieces
    }
}

enum Step {
    /// A list with this node first.
    List(u32),
    /// The only child of the node before.
    Member(u32),
    Close,
}

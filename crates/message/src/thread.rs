//! Putting messages together to threads (RFC 5256 §3, draft-ietf-morg-inthread).
//!
//! Texts come as numbers that stand for them: equal texts, equal numbers. All costs are `n log n` in messages and
//! references, whatever refers to what, and nothing recurses.

mod forest;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{HashMap, HashSet};

use forest::Forest;
use tree::Trees;

/// What threading looks at. Messages are given in the order of their sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threaded<'a> {
    /// Its Message-ID.
    pub id: Option<u64>,
    /// The identifiers it refers to, the nearest ancestor last.
    pub references: &'a [u64],
    /// Its base subject; `None` for the empty one.
    pub subject: Option<u32>,
    /// Whether its subject is that of a reply or a forward.
    pub is_reply: bool,
    /// The sent date in seconds, UTC; without one, the internal date (RFC 5256 §2.2).
    pub sent: i64,
    /// The internal date in seconds.
    pub arrived: i64,
}

/// A piece of the threads as THREAD tells them (RFC 5256 §4, `thread-list`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A list begins.
    Open,
    /// A message, by its place among those given; a child of the one before it in its list.
    Message(u32),
    /// The list ends.
    Close,
}

/// Threads by base subject: the oldest message, and the others of its subject below it.
pub fn ordered_subject(messages: &[Threaded<'_>]) -> Vec<Piece> {
    let mut forest = Forest::of(messages);
    let mut first_of: HashMap<Option<u32>, u32> = HashMap::new();
    for node in forest.by_date() {
        let first = *first_of
            .entry(messages[node as usize].subject)
            .or_insert(node);
        match first == node {
            true => forest.top.push(node),
            false => forest.adopt(first, node),
        }
    }
    forest.pieces()
}

/// Threads by references, put together further where the subject is one.
pub fn references(messages: &[Threaded<'_>]) -> Vec<Piece> {
    let mut forest = by_references(messages);
    forest.sort_top_by_sent();
    merge_subjects(&mut forest, messages);
    forest.sort();
    forest.pieces()
}

/// Threads by references alone; the one with the newest arrival comes last.
pub fn refs(messages: &[Threaded<'_>]) -> Vec<Piece> {
    let mut forest = by_references(messages);
    forest.sort();
    forest.sort_top_by_newest();
    forest.pieces()
}

/// Steps 1 to 3 of REFERENCES.
fn by_references<'m>(messages: &'m [Threaded<'m>]) -> Forest<'m> {
    let parents = link(messages);
    let mut forest = Forest::of(messages);
    prune(&parents, &mut forest);
    forest
}

/// Step 1: who is whose child. Nodes from `messages.len()` on stand for messages that are not there.
fn link(messages: &[Threaded<'_>]) -> Vec<Option<u32>> {
    let mut trees = Trees::default();
    let mut nodes: HashMap<u64, u32> = HashMap::new();
    for (index, message) in messages.iter().enumerate() {
        trees.add();
        if let Some(id) = message.id {
            // Of several messages with one identifier, the first has it.
            nodes.entry(id).or_insert(index as u32);
        }
    }
    for (index, message) in messages.iter().enumerate() {
        let mut before = None;
        for reference in message.references {
            let node = *nodes.entry(*reference).or_insert_with(|| trees.add());
            if let Some(parent) = before
                && trees.parent(node).is_none()
            {
                trees.link(node, parent);
            }
            before = Some(node);
        }
        // Its own references are better evidence than what others said of it.
        let node = index as u32;
        if trees.parent(node) != before {
            trees.cut(node);
            if let Some(parent) = before {
                trees.link(node, parent);
            }
        }
    }
    trees.into_parents()
}

/// Steps 2 and 3: messages that are not there go, their children take their place; at the top only if it is one
/// child.
fn prune(parents: &[Option<u32>], forest: &mut Forest<'_>) {
    let places = places(parents, forest.messages.len());
    let mut absent: HashMap<u32, Vec<u32>> = HashMap::new();
    for node in forest.by_date() {
        match places[node as usize] {
            Some(parent) if forest.is_message(parent) => forest.adopt(parent, node),
            Some(gone) => absent.entry(gone).or_default().push(node),
            None => forest.top.push(node),
        }
    }
    for children in absent.into_values() {
        match children[..] {
            [only] => forest.top.push(only),
            _ => {
                forest.push_dummy(children);
            }
        }
    }
}

/// For each node the nearest ancestor that is a message; without one, the uppermost that is not; `None` at the
/// top.
fn places(parents: &[Option<u32>], messages: usize) -> Vec<Option<u32>> {
    let mut places: Vec<Option<u32>> = parents.to_vec();
    let mut settled = vec![false; parents.len()];
    for node in messages..parents.len() {
        // Up to an ancestor of which it is known, and back down.
        let (mut path, mut at) = (Vec::new(), node);
        let place = loop {
            if settled[at] {
                break places[at];
            }
            path.push(at);
            match parents[at] {
                Some(up) if (up as usize) < messages => break Some(up),
                Some(up) => at = up as usize,
                // Those below it are put under it.
                None => {
                    settled[at] = true;
                    path.pop();
                    places[at] = Some(at as u32);
                    break Some(at as u32);
                }
            }
        };
        for node in path {
            (places[node], settled[node]) = (place, true);
        }
    }
    for node in 0..messages {
        if let Some(up) = parents[node].filter(|up| *up as usize >= messages) {
            places[node] = places[up as usize];
        }
    }
    places
}

/// Step 5: threads of one subject become one.
fn merge_subjects(forest: &mut Forest<'_>, messages: &[Threaded<'_>]) {
    let top = std::mem::take(&mut forest.top);
    let subject = |forest: &Forest<'_>, node| messages[forest.speaker(node) as usize].subject;
    let is_reply = |node: u32| messages.get(node as usize).is_some_and(|m| m.is_reply);
    let mut table: HashMap<u32, u32> = HashMap::new();
    for &node in &top {
        let Some(subject) = subject(forest, node) else {
            continue;
        };
        let known = table.entry(subject).or_insert(node);
        let better = !forest.is_message(node) || (is_reply(*known) && !is_reply(node));
        if forest.is_message(*known) && better {
            *known = node;
        }
    }
    let mut moved = HashSet::new();
    for &node in &top {
        let Some(subject) = subject(forest, node).filter(|_| !moved.contains(&node)) else {
            continue;
        };
        let known = table[&subject];
        if known == node {
            continue;
        }
        moved.insert(node);
        match (forest.is_message(known), forest.is_message(node)) {
            (false, false) => {
                let children = std::mem::take(&mut forest.children[node as usize]);
                forest.children[known as usize].extend(children);
            }
            (true, _) if is_reply(known) || !is_reply(node) => {
                table.insert(subject, forest.push_dummy(vec![known, node]));
                moved.insert(known);
            }
            _ => forest.adopt(known, node),
        }
    }
    let rest = top.into_iter().filter(|node| !moved.contains(node));
    forest.top.extend(rest);
}

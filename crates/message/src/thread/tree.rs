//! Trees that are linked and cut, and asked whether a link would make a loop.

/// No node.
const NONE: u32 = u32::MAX;

/// Rooted trees over nodes `0..len`, as link-cut trees (Sleator and Tarjan): each operation costs `log n`,
/// amortised, however deep the trees are. A walk up to the root would make a chain of `n` messages cost `n²`.
#[derive(Debug, Default)]
pub(super) struct Trees {
    nodes: Vec<Splay>,
    parents: Vec<Option<u32>>,
}

/// A node in the splay tree of its path. `up` leads to the path's parent where it is the root of the splay tree.
#[derive(Debug)]
struct Splay {
    up: u32,
    /// Towards the root, and away from it.
    below: [u32; 2],
}

impl Trees {
    /// Another node, a tree of its own.
    pub(super) fn add(&mut self) -> u32 {
        self.nodes.push(Splay {
            up: NONE,
            below: [NONE; 2],
        });
        self.parents.push(None);
        self.parents.len() as u32 - 1
    }

    pub(super) fn parent(&self, node: u32) -> Option<u32> {
        self.parents[node as usize]
    }

    /// Makes a root a child of `parent`, unless that is below it.
    pub(super) fn link(&mut self, root: u32, parent: u32) {
        if self.root_of(parent) == root {
            return;
        }
        self.access(root);
        self.nodes[root as usize].up = parent;
        self.parents[root as usize] = Some(parent);
    }

    /// Makes a node with all below it a tree of its own.
    pub(super) fn cut(&mut self, node: u32) {
        self.access(node);
        let above = std::mem::replace(&mut self.nodes[node as usize].below[0], NONE);
        if above != NONE {
            self.nodes[above as usize].up = NONE;
        }
        self.parents[node as usize] = None;
    }

    pub(super) fn into_parents(self) -> Vec<Option<u32>> {
        self.parents
    }

    fn root_of(&mut self, node: u32) -> u32 {
        self.access(node);
        let mut at = node;
        while self.nodes[at as usize].below[0] != NONE {
            at = self.nodes[at as usize].below[0];
        }
        // What was walked over has to be paid for.
        self.splay(at);
        at
    }

    /// Brings a node to the top, with the path from its tree's root to it, and nothing below it.
    fn access(&mut self, node: u32) {
        self.splay(node);
        self.nodes[node as usize].below[1] = NONE;
        while self.nodes[node as usize].up != NONE {
            let up = self.nodes[node as usize].up;
            self.splay(up);
            self.nodes[up as usize].below[1] = node;
            self.splay(node);
        }
    }

    fn splay(&mut self, node: u32) {
        while let Some(side) = self.side(node) {
            let up = self.nodes[node as usize].up;
            match self.side(up) {
                None => {}
                Some(above) if above == side => self.rotate(up),
                Some(_) => self.rotate(node),
            }
            self.rotate(node);
        }
    }

    /// On which side of its splay parent a node is; `None` for the root of a splay tree.
    fn side(&self, node: u32) -> Option<usize> {
        let up = self.nodes[node as usize].up;
        let parent = self.nodes.get(up as usize)?;
        parent.below.iter().position(|below| *below == node)
    }

    /// Changes places with the splay parent.
    fn rotate(&mut self, node: u32) {
        let Some(side) = self.side(node) else {
            return;
        };
        let up = self.nodes[node as usize].up;
        let inner = self.nodes[node as usize].below[1 - side];
        let above = self.nodes[up as usize].up;
        if let Some(side) = self.side(up) {
            self.nodes[above as usize].below[side] = node;
        }
        if inner != NONE {
            self.nodes[inner as usize].up = up;
        }
        self.nodes[up as usize].below[side] = inner;
        self.nodes[up as usize].up = node;
        self.nodes[node as usize].below[1 - side] = up;
        self.nodes[node as usize].up = above;
    }
}

//! The RFC's examples, and what a plain reading of the RFC says of random mail.

use std::fmt::Write as _;

use super::*;

/// A message of the tests: identifier, references, subject, whether a reply, date. Identifiers are numbers.
#[derive(Clone, Debug, Default)]
struct Mail {
    id: Option<u64>,
    references: Vec<u64>,
    subject: Option<u32>,
    is_reply: bool,
    sent: i64,
    arrived: i64,
}

fn mail(id: u64, references: &[u64], sent: i64) -> Mail {
    Mail {
        id: Some(id),
        references: references.to_vec(),
        sent,
        arrived: sent,
        ..Mail::default()
    }
}

fn about(subject: u32, is_reply: bool, mail: Mail) -> Mail {
    Mail {
        subject: Some(subject),
        is_reply,
        ..mail
    }
}

fn seen(mails: &[Mail]) -> Vec<Threaded<'_>> {
    mails
        .iter()
        .map(|mail| Threaded {
            id: mail.id,
            references: &mail.references,
            subject: mail.subject,
            is_reply: mail.is_reply,
            sent: mail.sent,
            arrived: mail.arrived,
        })
        .collect()
}

type Algorithm = fn(&[Threaded<'_>]) -> Vec<Piece>;

/// The threads as text, with messages counted from 1.
fn told(algorithm: Algorithm, mails: &[Mail]) -> String {
    let mut text = String::new();
    for piece in algorithm(&seen(mails)) {
        match piece {
            Piece::Open => text.push('('),
            Piece::Close => text.push(')'),
            Piece::Message(index) => {
                let spaced = text.ends_with(|c: char| c.is_ascii_digit());
                let _ = write!(text, "{}{}", if spaced { " " } else { "" }, index + 1);
            }
        }
    }
    text
}

#[test]
fn replies_are_below_what_they_answer() {
    // RFC 5256 §4: 3, its child 6, which has 4 with 23 below it and 44 with 7 and 96 below it.
    let mails = [
        mail(2, &[], 0),
        mail(3, &[], 1),
        mail(6, &[3], 2),
        mail(4, &[3, 6], 3),
        mail(23, &[3, 6, 4], 5),
        mail(44, &[6], 4),
        mail(7, &[44], 6),
        mail(96, &[7], 7),
    ];
    assert_eq!(told(references, &mails), "(1)(2 3(4 5)(6 7 8))");
    assert_eq!(told(refs, &mails), "(1)(2 3(4 5)(6 7 8))");
}

#[test]
fn siblings_of_a_message_that_is_not_there_are_one_thread() {
    let mails = [mail(1, &[9], 0), mail(2, &[9], 1)];
    assert_eq!(told(references, &mails), "((1)(2))");
    // An only child needs nobody above it, and one far above it is seen through.
    let mails = [
        mail(1, &[9], 0),
        mail(2, &[1, 8], 1),
        mail(3, &[7, 6, 5], 2),
    ];
    assert_eq!(told(references, &mails), "(1 2)(3)");
    let mails = [
        mail(1, &[9, 8], 0),
        mail(2, &[9, 7, 6], 1),
        mail(3, &[9, 8], 2),
    ];
    assert_eq!(told(references, &mails), "((1)(2)(3))");
}

#[test]
fn loops_and_duplicates_do_no_harm() {
    for (mails, expected) in [
        (vec![mail(1, &[1], 0)], "(1)"),
        (vec![mail(1, &[2], 0), mail(2, &[1], 1)], "(2 1)"),
        (
            vec![
                mail(1, &[2, 3], 0),
                mail(2, &[3, 1], 1),
                mail(3, &[1, 2], 2),
            ],
            "(2 3 1)",
        ),
        // The first of those with one identifier has it.
        (
            vec![mail(1, &[], 0), mail(1, &[], 1), mail(2, &[1], 2)],
            "(1 3)(2)",
        ),
        (vec![mail(5, &[4, 4, 4], 0), mail(4, &[5, 5], 1)], "(2 1)"),
    ] {
        assert_eq!(told(references, &mails), expected, "{mails:?}");
        assert_eq!(plainly(&mails, true), expected, "{mails:?}");
    }
}

#[test]
fn a_message_knows_its_parent_better_than_others_do() {
    // 3 says that 2 is below 1; 2 itself says that it is below 9, and another that it is below nobody.
    assert_eq!(
        told(
            references,
            &[mail(3, &[1, 2], 0), mail(1, &[], 1), mail(2, &[], 2)]
        ),
        "(2)(3 1)"
    );
    let mails = [
        mail(1, &[], 0),
        mail(3, &[1, 2], 1),
        mail(2, &[9], 2),
        mail(9, &[], 3),
    ];
    assert_eq!(told(references, &mails), "(1)(4 3 2)");
}

#[test]
fn threads_of_one_subject_are_put_together() {
    let plain = |id, sent| about(7, false, mail(id, &[], sent));
    let reply = |id, sent| about(7, true, mail(id, &[], sent));
    // A reply goes below what is none, whichever is older.
    assert_eq!(told(references, &[plain(1, 0), reply(2, 1)]), "(1 2)");
    assert_eq!(told(references, &[reply(1, 0), plain(2, 1)]), "(2 1)");
    assert_eq!(
        told(references, &[plain(1, 0), reply(2, 1), reply(3, 2)]),
        "(1(2)(3))"
    );
    // Two of a kind become siblings.
    assert_eq!(told(references, &[plain(1, 0), plain(2, 1)]), "((1)(2))");
    assert_eq!(
        told(references, &[reply(1, 0), reply(2, 1), reply(3, 2)]),
        "((1)(2)(3))"
    );
    // So do those below one that is not there.
    let child = |id, sent| about(7, true, mail(id, &[99], sent));
    assert_eq!(
        told(references, &[child(1, 0), child(2, 1), plain(3, 2)]),
        "((1)(2)(3))"
    );
    let other = |id, sent| about(7, true, mail(id, &[98], sent));
    let mails = [child(1, 0), other(2, 1), child(3, 2), other(4, 3)];
    assert_eq!(told(references, &mails), "((1)(2)(3)(4))");
    // The empty subject says nothing.
    assert_eq!(
        told(references, &[mail(1, &[], 0), mail(2, &[], 1)]),
        "(1)(2)"
    );
    // Nor does any subject to REFS.
    assert_eq!(told(refs, &[plain(1, 0), reply(2, 1)]), "(1)(2)");
}

#[test]
fn poor_mans_threads_have_no_grandchildren() {
    let subjects = [(1, 5), (2, 1), (1, 3), (1, 4), (2, 9), (3, 0)];
    let mails: Vec<_> = (0..)
        .zip(subjects)
        .map(|(id, (subject, sent))| about(subject, false, mail(id, &[], sent)))
        .collect();
    assert_eq!(told(ordered_subject, &mails), "(6)(2 5)(3(4)(1))");
    assert_eq!(told(ordered_subject, &[]), "");
}

#[test]
fn the_thread_with_the_newest_message_is_last() {
    let mut mails = [mail(1, &[], 5), mail(2, &[], 1), mail(3, &[1], 6)];
    assert_eq!(told(refs, &mails), "(2)(1 3)");
    // It is the arrival that counts among threads, and the date in a message within one.
    mails[1].arrived = 9;
    assert_eq!(told(refs, &mails), "(1 3)(2)");
    let below = [mail(1, &[], 0), mail(2, &[1], 5), mail(3, &[1], 4)];
    assert_eq!(told(refs, &below), "(1(3)(2))");
}

/// Each refers to the one before it, in an order that makes walks to the root long.
#[test]
fn a_very_deep_thread_costs_no_more_than_a_flat_one() {
    const MANY: u64 = 100_000;
    let chain = |id: u64| mail(id, &[id - 1], id as i64);
    let forwards: Vec<_> = (1..=MANY).map(chain).collect();
    let mut backwards = forwards.clone();
    backwards.reverse();
    // First pairs, then what joins them.
    let odd = (1..=MANY).filter(|id| id % 2 == 1);
    let pairs: Vec<_> = (1..=MANY)
        .filter(|id| id % 2 == 0)
        .chain(odd)
        .map(chain)
        .collect();
    for mails in [forwards, backwards, pairs] {
        for algorithm in [references as Algorithm, refs] {
            let pieces = algorithm(&seen(&mails));
            assert_eq!(pieces.len(), MANY as usize + 2);
            let dates = pieces[1..=MANY as usize].iter().map(|piece| match piece {
                Piece::Message(index) => mails[*index as usize].sent,
                other => panic!("{other:?}"),
            });
            assert!(dates.is_sorted());
        }
    }
}

/// Everybody cuts a deep thread and puts it elsewhere.
#[test]
fn forged_references_cost_no_more_than_others() {
    const MANY: u64 = 30_000;
    let mut mails: Vec<_> = (1..=MANY).map(|id| mail(id, &[id - 1], 0)).collect();
    mails.extend((1..=MANY).map(|n| mail(MANY + n, &[MANY - 1, MANY, 1, n], 0)));
    mails.extend(
        (1..=MANY)
            .rev()
            .map(|id| mail(2 * MANY + id, &[2 * MANY + id - 1, id], 0)),
    );
    let messages = references(&seen(&mails));
    assert_eq!(
        messages
            .iter()
            .filter(|piece| matches!(piece, Piece::Message(_)))
            .count(),
        mails.len()
    );
}

/// RFC 5256 step by step, with walks and without care for cost.
fn plainly(mails: &[Mail], by_subject: bool) -> String {
    let mut naive = Naive::default();
    for mail in mails {
        let id = mail.id.filter(|id| !naive.ids.contains(&Some(*id)));
        naive.ids.push(id);
        naive.parents.push(None);
    }
    naive.mails = mails.to_vec();
    for (index, mail) in mails.iter().enumerate() {
        let mut before = None;
        for reference in &mail.references {
            let node = naive.node(*reference);
            if let Some(parent) = before
                && naive.parents[node].is_none()
            {
                naive.link(node, parent);
            }
            before = Some(node);
        }
        naive.parents[index] = None;
        if let Some(parent) = before {
            naive.link(index, parent);
        }
    }
    let roots: Vec<usize> = (0..naive.parents.len())
        .filter(|n| naive.parents[*n].is_none())
        .collect();
    let mut top: Vec<Tree> = roots
        .into_iter()
        .flat_map(|root| naive.pruned(root, true))
        .collect();
    naive.sort(&mut top);
    if by_subject {
        top = naive.merged(top);
    }
    naive.sort(&mut top);
    top.iter()
        .map(|tree| format!("({})", tree.text()))
        .collect()
}

#[derive(Default)]
struct Naive {
    mails: Vec<Mail>,
    ids: Vec<Option<u64>>,
    parents: Vec<Option<usize>>,
}

#[derive(Clone, Debug)]
struct Tree {
    message: Option<usize>,
    children: Vec<Self>,
}

impl Naive {
    fn node(&mut self, id: u64) -> usize {
        if let Some(node) = self.ids.iter().position(|known| *known == Some(id)) {
            return node;
        }
        self.ids.push(Some(id));
        self.parents.push(None);
        self.ids.len() - 1
    }

    fn link(&mut self, child: usize, parent: usize) {
        let mut at = Some(parent);
        while let Some(node) = at {
            if node == child {
                return;
            }
            at = self.parents[node];
        }
        self.parents[child] = Some(parent);
    }

    fn pruned(&self, node: usize, top: bool) -> Vec<Tree> {
        let below = (0..self.parents.len()).filter(|n| self.parents[*n] == Some(node));
        let children: Vec<Tree> = below.flat_map(|child| self.pruned(child, false)).collect();
        let message = (node < self.mails.len()).then_some(node);
        if message.is_none() && (!top || children.len() <= 1) {
            return children;
        }
        vec![Tree { message, children }]
    }

    fn speaker(&self, tree: &Tree) -> usize {
        tree.message
            .unwrap_or_else(|| self.speaker(&tree.children[0]))
    }

    fn sort(&self, trees: &mut [Tree]) {
        for tree in trees.iter_mut() {
            self.sort(&mut tree.children);
        }
        trees.sort_by_key(|tree| {
            let speaker = self.speaker(tree);
            (self.mails[speaker].sent, speaker)
        });
    }

    fn merged(&self, mut top: Vec<Tree>) -> Vec<Tree> {
        let subject = |tree: &Tree| self.mails[self.speaker(tree)].subject;
        let reply = |tree: &Tree| tree.message.is_some_and(|m| self.mails[m].is_reply);
        // Places in `top`, by subject.
        let mut table: Vec<(u32, usize)> = Vec::new();
        for place in 0..top.len() {
            let Some(subject) = subject(&top[place]) else {
                continue;
            };
            match table.iter_mut().find(|(known, _)| *known == subject) {
                None => table.push((subject, place)),
                Some((_, known)) => {
                    let (old, new) = (&top[*known], &top[place]);
                    if old.message.is_some()
                        && (new.message.is_none() || (reply(old) && !reply(new)))
                    {
                        *known = place;
                    }
                }
            }
        }
        let mut merged: Vec<usize> = Vec::new();
        for place in 0..top.len() {
            let Some(subject) = subject(&top[place]) else {
                continue;
            };
            let known = table.iter().find(|(s, _)| *s == subject).unwrap().1;
            if known == place {
                continue;
            }
            merged.push(place);
            let current = top[place].clone();
            match (top[known].message, current.message) {
                (None, None) => top[known].children.extend(current.children),
                (None, Some(_)) => top[known].children.push(current),
                _ if reply(&current) && !reply(&top[known]) => top[known].children.push(current),
                _ => {
                    let children = vec![top[known].clone(), current];
                    top[known] = Tree {
                        message: None,
                        children,
                    };
                }
            }
        }
        let kept = (0..top.len()).filter(|place| !merged.contains(place));
        kept.map(|place| top[place].clone()).collect()
    }
}

impl Tree {
    fn text(&self) -> String {
        let below: Vec<String> = self.children.iter().map(Self::text).collect();
        let mut text = self
            .message
            .map(|m| (m + 1).to_string())
            .unwrap_or_default();
        match &below[..] {
            [only] => text.push_str(&format!(" {only}")),
            several => text.extend(several.iter().map(|child| format!("({child})"))),
        }
        text
    }
}

#[test]
fn random_mail_is_threaded_as_the_rfc_says() {
    let mut seed = 4_711_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for round in 0..5_000 {
        let count = 1 + next(12);
        let mails: Vec<Mail> = (0..count)
            .map(|_| Mail {
                id: (next(8) > 0).then(|| next(count + 3)),
                references: (0..next(4)).map(|_| next(count + 3)).collect(),
                subject: (next(3) > 0).then(|| next(4) as u32),
                is_reply: next(2) == 0,
                sent: next(6) as i64,
                arrived: next(100) as i64,
            })
            .collect();
        assert_eq!(
            told(references, &mails),
            plainly(&mails, true),
            "{round}: {mails:#?}"
        );
        let sorted = |text: String| {
            let mut digits: Vec<_> = text
                .split(|c: char| !c.is_ascii_digit())
                .map(str::to_owned)
                .collect();
            digits.sort();
            digits
        };
        assert_eq!(sorted(told(refs, &mails)), sorted(plainly(&mails, false)));
    }
}

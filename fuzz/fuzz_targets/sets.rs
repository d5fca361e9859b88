//! Sets of numbers behave as sets, and what is printed reads the same.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::commands;
use pillarbox_model::{Bound, NumberSet, SequenceSet, View};
use pillarbox_proto::imap::command::Command;

fuzz_target!(|data: &[u8]| {
    let (pairs, text) = data.split_at(data.len() / 2);
    check_model(pairs);
    let last = text.first().map_or(0, |&last| u32::from(last));
    if let Some(set) = read(text.get(1..).unwrap_or_default()) {
        check_resolved(&set, last);
    }
});

/// The set as a client writes it.
fn read(text: &[u8]) -> Option<SequenceSet> {
    let line = [b"t UID EXPUNGE ", text, b"\r\n"].concat();
    let frame = commands(&line).into_iter().next()?;
    let Command::Expunge(Some(set)) = frame.parse().ok()?.command else {
        return None;
    };
    Some(set)
}

fn check_resolved(set: &SequenceSet, last: u32) {
    let SequenceSet::Ranges(ranges) = set else {
        assert_eq!(set.resolve(last), None);
        return;
    };
    let resolved = set.resolve(last).expect("ranges can be resolved");
    assert_canonical(&resolved);
    for &(from, to) in ranges {
        let ends = [from, to].map(|bound| match bound {
            Bound::Number(number) => number,
            Bound::Last => last,
        });
        let meant = last > 0 || (from != Bound::Last && to != Bound::Last);
        assert!(!meant || ends.iter().all(|&end| resolved.contains(end)));
    }
    if !resolved.is_empty() {
        let again = read(resolved.to_string().as_bytes()).expect("what is printed can be read");
        assert_eq!(again.resolve(0), Some(resolved));
    }
}

/// Two sets, each of which takes ranges and single numbers in turn, beside two of the standard
/// library's.
fn check_model(bytes: &[u8]) {
    let (mut a, mut a_model) = (NumberSet::new(), BTreeSet::new());
    let mut pairs = Vec::new();
    for pair in bytes.chunks_exact(2) {
        a.insert(u32::from(pair[0]));
        a_model.insert(u32::from(pair[0]));
        pairs.push((u32::from(pair[0]), u32::from(pair[1])));
    }
    let b = NumberSet::from_ranges(pairs.iter().copied());
    let b_model: BTreeSet<u32> = pairs.iter().flat_map(|&(from, to)| from..=to).collect();
    assert_same(&a, &a_model);
    assert_same(&b, &b_model);
    assert_same(&a.intersection(&b), &(&a_model & &b_model));
    let unsorted: NumberSet = pairs.iter().map(|&(from, _)| from).collect();
    assert_eq!(unsorted, a);
    check_view(&b_model, &a);
}

fn check_view(uids: &BTreeSet<u32>, gone: &NumberSet) {
    let uids: Vec<u32> = uids.iter().copied().filter(|&uid| uid > 0).collect();
    let mut view = View::new(uids.iter().map(|&uid| (uid, uid)));
    for (&uid, seq) in uids.iter().zip(1..) {
        assert_eq!((view.uid(seq), view.seq(uid)), (Some(uid), Some(seq)));
    }
    view.remove(gone);
    let left = uids.into_iter().filter(|&uid| !gone.contains(uid));
    assert!(view.uids().eq(left));
}

fn assert_same(set: &NumberSet, model: &BTreeSet<u32>) {
    assert_canonical(set);
    assert!(set.iter().eq(model.iter().copied()));
    assert_eq!(set.len(), model.len() as u64);
    assert!((0..=256).all(|number| set.contains(number) == model.contains(&number)));
    assert_eq!(set.first(), model.first().copied());
    assert_eq!(set.last(), model.last().copied());
}

fn assert_canonical(set: &NumberSet) {
    assert!(set.ranges().iter().all(|(from, to)| from <= to));
    let apart = |pair: &[(u32, u32)]| pair[0].1 < pair[1].0 && pair[1].0 - pair[0].1 > 1;
    assert!(set.ranges().windows(2).all(apart), "{set}");
}

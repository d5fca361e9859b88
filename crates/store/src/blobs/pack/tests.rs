//! Stories of segments.

use std::os::unix::fs::FileExt;

use super::super::record::ALIGNMENT;
use super::*;

fn small(directory: &Path) -> Pack {
    Pack::open(Options {
        segment_bytes: 4_096,
        linger: Duration::ZERO,
        ..Options::new(directory)
    })
    .unwrap()
}

fn about() -> About {
    About {
        account: Default::default(),
        mailbox: Default::default(),
        date: Default::default(),
    }
}

fn message(n: usize) -> Bytes {
    format!("{n}").repeat(100 + n * 37 % 500).into()
}

fn put(pack: &Pack, messages: impl Iterator<Item = usize>) -> Vec<Location> {
    let blobs = messages.map(|n| (about(), NewBlob::Memory(message(n))));
    pack.0.put(blobs.collect()).unwrap()
}

fn overwrite(directory: &Path, at: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(directory.join("00000001.seg"));
    file.unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn damage_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let pack = small(directory.path());
    let location = put(&pack, 5..6).remove(0);
    overwrite(directory.path(), 2 * ALIGNMENT + 3, b"?");
    assert!(matches!(pack.0.read(&location), Err(Error::Corrupt(_))));
}

/// Reads trust what was found good a short while ago; whoever checks does not.
#[test]
fn damage_that_comes_after_a_read_is_noticed_by_a_check() {
    let directory = tempfile::tempdir().unwrap();
    let pack = small(directory.path());
    let location = put(&pack, 5..6).remove(0);
    pack.0.read(&location).unwrap();
    overwrite(directory.path(), 2 * ALIGNMENT + 3, b"?");
    assert!(matches!(
        pack.0.read_checked(&location, true),
        Err(Error::Corrupt(_))
    ));
}

/// What is needed to read a segment is in its records too.
#[test]
fn a_damaged_start_of_a_segment_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let pack = small(directory.path());
    let locations = put(&pack, 0..3);
    drop(pack);
    overwrite(directory.path(), 3, &[0xff; 40]);
    let pack = small(directory.path());
    for (n, location) in locations.iter().enumerate() {
        assert_eq!(pack.0.read(location).unwrap(), message(n));
    }
    assert_eq!(put(&pack, 3..4)[0].0.split_once(':').unwrap().0, "2");
}

/// Restarts do not litter: a segment goes on where it ended.
#[test]
fn a_reopened_segment_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut locations = Vec::new();
    for n in 0..5 {
        locations.extend(put(&small(directory.path()), n..n + 1));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let pack = small(directory.path());
    for (n, location) in locations.iter().enumerate() {
        assert_eq!(pack.0.read(location).unwrap(), message(n));
    }
}

/// Whoever announces large messages and goes away uses up nothing.
#[test]
fn room_of_abandoned_messages_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let pack = small(directory.path());
    for _ in 0..50 {
        let mut first = pack.0.begin(about(), 1_500).unwrap();
        let second = pack.0.begin(about(), 1_500).unwrap();
        first.add(&[b'x'; 1_000]).unwrap();
        drop(first);
        drop(second);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// A segment that somebody still writes to is not removed, though nothing in it counts yet.
#[test]
fn a_segment_stays_while_a_message_comes_in() {
    let directory = tempfile::tempdir().unwrap();
    let pack = small(directory.path());
    let mut slow = pack.0.begin(about(), 1_500).unwrap();
    let mut fills = pack.0.begin(about(), 2_000).unwrap();
    let mut next = pack.0.begin(about(), 3_000).unwrap();
    fills.add(&[b'f'; 2_000]).unwrap();
    next.add(&[b'n'; 3_000]).unwrap();
    let put = |stream: stream::Stream| {
        let (written, _) = stream.end().unwrap();
        pack.0
            .put(vec![(about(), NewBlob::Written(written))])
            .unwrap()
            .remove(0)
    };
    let filled = put(fills);
    let kept = put(next);
    pack.0.forget(&[filled]).unwrap();
    slow.add(&[b's'; 1_500]).unwrap();
    let slow = put(slow);
    pack.0.forget(&[]).unwrap();
    drop(pack);
    let pack = small(directory.path());
    pack.0.forget(&[]).unwrap();
    assert_eq!(pack.0.read(&slow).unwrap(), [b's'; 1_500][..]);
    assert_eq!(pack.0.read(&kept).unwrap(), [b'n'; 3_000][..]);
}

/// Batches, messages in pieces and compaction may all need a new segment at the same time.
#[test]
fn lanes_that_are_full_together_get_a_segment_each() {
    let directory = tempfile::tempdir().unwrap();
    let pack = &small(directory.path());
    std::thread::scope(|scope| {
        let small = scope.spawn(|| {
            let each = (0..200).map(|n| put(pack, n..n + 1).remove(0));
            each.collect::<Vec<_>>()
        });
        let large: Vec<_> = (0..200).map(|_| pack.0.begin(about(), 3_900)).collect();
        assert!(large.iter().all(Result::is_ok));
        for (n, location) in small.join().unwrap().iter().enumerate() {
            assert_eq!(pack.0.read(location).unwrap(), message(n));
        }
    });
}

/// Numbers of segments are not used again, so that an old place never leads to another message.
#[test]
fn an_old_place_leads_to_no_other_message() {
    let directory = tempfile::tempdir().unwrap();
    let pack = small(directory.path());
    let mut old = Vec::new();
    for n in 0..40 {
        old.extend(put(&pack, n..n + 1));
    }
    pack.0.forget(&old).unwrap();
    drop(pack);
    let pack = small(directory.path());
    pack.0.forget(&[]).unwrap();
    let new = put(&pack, 50..51).remove(0);
    assert!(!old.contains(&new));
}

/// Nor does it give up another message, whatever an index remembers.
#[test]
fn an_old_place_gives_up_no_other_message() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = Vec::new();
    for n in 0..20 {
        let pack = small(directory.path());
        let new = put(&pack, n..n + 1).remove(0);
        pack.0.forget(&old).unwrap();
        assert_eq!(pack.0.list().unwrap().len(), 1);
        old.push(new);
    }
    let pack = small(directory.path());
    let kept = put(&pack, 30..31).remove(0);
    let (place, len) = kept.0.rsplit_once(':').unwrap();
    let wrong = format!("{place}:{}", len.parse::<u64>().unwrap() + 1);
    pack.0.forget(&[Location(wrong.into())]).unwrap();
    assert_eq!(pack.0.list().unwrap().len(), 2);
}

#[test]
fn compressed_segments_are_smaller_and_read_alike() {
    let directory = tempfile::tempdir().unwrap();
    let raw = small(directory.path());
    let old = put(&raw, 0..60);
    drop(raw);
    let options = Options {
        segment_bytes: 4_096,
        compression: Compression::Zstd(3),
        linger: Duration::ZERO,
        ..Options::new(directory.path())
    };
    let pack = Pack::open(options).unwrap();
    let moved = pack.0.compact().unwrap();
    assert!(moved.len() > 50);
    for (before, after) in &moved {
        let n = old.iter().position(|location| location == before).unwrap();
        assert_eq!(pack.0.read(after).unwrap(), message(n));
    }
    let copies: Vec<_> = moved.iter().map(|(_, new)| new.clone()).collect();
    pack.0.keep(&copies).unwrap();
    let before = std::fs::read_dir(directory.path()).unwrap().count();
    let given_up: Vec<_> = moved.into_iter().map(|(old, _)| old).collect();
    pack.0.forget(&given_up).unwrap();
    assert!(std::fs::read_dir(directory.path()).unwrap().count() < before / 2);
    assert!(pack.0.compact().unwrap().is_empty(), "once is enough");
}

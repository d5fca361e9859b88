//! Random stories with power cuts, kills, full and broken disks. After each: what was acknowledged is there,
//! unchanged, and whatever else is found is a message that somebody sent, as it was sent.

use std::collections::HashMap;

use super::sim::{Random, Sim};
use super::stream::Stream;
use super::*;

/// Stories told by a test run; `PILLARBOX_CASES` asks for more.
const CASES: u64 = 1_000;
/// Steps of a story.
const STEPS: usize = 30;

/// The bytes of message `n`, as whoever sent it knows them.
fn message(n: u64) -> Vec<u8> {
    let mut random = Random::new(n);
    let len = match random.below(10) {
        0 => 0,
        1..8 => random.below(400),
        _ => random.below(3_000),
    };
    // Some are like text, and some like noise. None has zeros: the disk takes them for room never written.
    let kinds = if random.one_in(2) { 3 } else { 255 };
    (0..len).map(|_| 1 + random.below(kinds) as u8).collect()
}

fn about(n: u64) -> About {
    About {
        account: pillarbox_model::AccountId(n),
        mailbox: Default::default(),
        date: pillarbox_model::InternalDate::utc(n.cast_signed()),
    }
}

struct Story {
    random: Random,
    disk: Sim,
    inner: Arc<Inner>,
    sent: u64,
    /// What was acknowledged, and not given up.
    kept: HashMap<Location, u64>,
    /// Places that are to be given up: an index writes them down before it says so, and takes them
    /// from there once they are.
    doomed: HashMap<Location, u64>,
    /// All that was ever acknowledged, and where.
    acknowledged: HashMap<Location, u64>,
    streams: Vec<(u64, Vec<u8>, Stream)>,
    finished: Vec<(u64, Written)>,
}

fn open(disk: &Sim, random: &mut Random) -> Arc<Inner> {
    let compressions = [Compression::Off, Compression::Lz4, Compression::Zstd(1)];
    let options = Options {
        segment_bytes: 4_096,
        compression: compressions[random.below(3)],
        linger: Duration::ZERO,
        ..Options::new(Path::new("/"))
    };
    Arc::new(Inner::open(Box::new(disk.clone()), options).unwrap())
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let disk = Sim::new(seed + 1);
        Self {
            inner: open(&disk, &mut random),
            random,
            disk,
            sent: seed << 16,
            kept: HashMap::new(),
            doomed: HashMap::new(),
            acknowledged: HashMap::new(),
            streams: Vec::new(),
            finished: Vec::new(),
        }
    }

    fn send(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0..5 => self.put(),
            5 | 6 => self.begin(),
            7 | 8 => self.stream(),
            9 => self.finish(),
            10 => self.give_up(),
            11 => self.forget(),
            12 => self.compact(),
            13 => self.reopen(self.disk.killed()),
            14 => self.reopen(self.disk.power_cut()),
            _ => self.fail(),
        }
    }

    fn put(&mut self) {
        let mut batch = Vec::new();
        let mut numbers = Vec::new();
        for _ in 0..self.random.below(4) {
            let n = self.send();
            numbers.push(n);
            batch.push((about(n), NewBlob::Memory(message(n).into())));
        }
        if self.random.one_in(2)
            && let Some((n, written)) = self.finished.pop()
        {
            numbers.push(n);
            batch.push((about(n), NewBlob::Written(written)));
        }
        if let Ok(locations) = self.inner.put(batch) {
            for (location, n) in locations.into_iter().zip(numbers) {
                self.acknowledge(location, n);
            }
        }
    }

    /// An index names it now. Places never come back.
    fn acknowledge(&mut self, location: Location, n: u64) {
        let before = self.acknowledged.insert(location.clone(), n);
        assert_eq!(before, None, "{location:?}");
        self.kept.insert(location, n);
    }

    fn begin(&mut self) {
        let n = self.send();
        let bytes = message(n);
        if let Ok(stream) = self.inner.begin(about(n), bytes.len() as u64) {
            self.streams.push((n, bytes, stream));
        }
    }

    fn stream(&mut self) {
        if let Some((n, mut rest, mut stream)) = self.streams.pop() {
            let later = rest.split_off(self.random.below(rest.len() + 1));
            if stream.add(&rest).is_ok() {
                self.streams.insert(0, (n, later, stream));
            }
        }
    }

    fn finish(&mut self) {
        if let Some((n, rest, mut stream)) = self.streams.pop()
            && stream.add(&rest).is_ok()
            && let Ok((written, bytes)) = stream.end()
        {
            assert_eq!(bytes, message(n));
            self.finished.push((n, written));
        }
    }

    fn give_up(&mut self) {
        self.streams.pop();
        self.finished.pop();
    }

    fn forget(&mut self) {
        let mut all: Vec<Location> = self.kept.keys().cloned().collect();
        // The same story each time.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        for location in all {
            if self.random.one_in(2)
                && let Some(n) = self.kept.remove(&location)
            {
                self.doomed.insert(location, n);
            }
        }
        self.reap();
    }

    fn reap(&mut self) {
        let mut gone: Vec<Location> = self.doomed.keys().cloned().collect();
        gone.sort_by(|a, b| a.0.cmp(&b.0));
        if self.inner.forget(&gone).is_ok() {
            self.doomed.clear();
        }
    }

    /// Stops somewhere on the way, now and then.
    fn compact(&mut self) {
        let Ok(moved) = self.inner.compact() else {
            return;
        };
        if self.random.one_in(4) {
            return;
        }
        let known: Vec<_> = moved
            .into_iter()
            .filter_map(|(old, new)| Some((self.kept.get(&old).copied()?, old, new)))
            .collect();
        let copies: Vec<Location> = known.iter().map(|(_, _, new)| new.clone()).collect();
        for (n, _, new) in &known {
            self.doomed.insert(new.clone(), *n);
        }
        if self.inner.keep(&copies).is_err() || self.random.one_in(4) {
            return;
        }
        for (n, old, new) in known {
            self.doomed.remove(&new);
            self.kept.remove(&old);
            self.doomed.insert(old, n);
            self.acknowledge(new, n);
        }
        self.reap();
    }

    fn fail(&mut self) {
        let kind = if self.random.one_in(2) {
            io::ErrorKind::StorageFull
        } else {
            io::ErrorKind::Other
        };
        self.disk.fail(self.random.below(4), kind);
    }

    fn reopen(&mut self, disk: Sim) {
        self.disk = disk;
        self.inner = open(&self.disk, &mut self.random);
        self.streams.clear();
        self.finished.clear();
        self.check();
    }

    fn check(&self) {
        for (location, &n) in &self.kept {
            assert_eq!(
                self.inner.read(location).unwrap(),
                message(n),
                "{location:?}"
            );
        }
        let mut missing = self.kept.clone();
        for (location, about_it, len) in self.inner.list().unwrap() {
            missing.remove(&location);
            // A record that a cut tore may be listed, but does not read.
            let (Ok(bytes), Some(found)) = (self.inner.read(&location), about_it) else {
                continue;
            };
            let n = found.account.0;
            assert_eq!((found, len), (about(n), bytes.len() as u64));
            assert_eq!(bytes, message(n), "{location:?}");
            // What was once acknowledged and given up since does not come back.
            let known = self.kept.contains_key(&location) || self.doomed.contains_key(&location);
            let never = !self.acknowledged.values().any(|&other| other == n);
            assert!(known || never, "{location:?} is named by nothing");
        }
        assert!(missing.is_empty(), "not listed: {missing:?}");
    }
}

#[test]
fn what_was_acknowledged_survives_and_nothing_else_is_made_up() {
    let asked = std::env::var("PILLARBOX_CASES").ok();
    let cases = asked.and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    for seed in 0..cases {
        let told = std::panic::catch_unwind(|| {
            let mut story = Story::new(seed);
            for _ in 0..STEPS {
                story.step();
            }
            let left = story.disk.power_cut();
            story.reopen(left);
        });
        assert!(told.is_ok(), "in story {seed}");
    }
}

/// A full disk refuses mail and keeps what it has; with room again it takes more.
#[test]
fn a_full_disk_is_not_the_end() {
    let mut story = Story::new(1);
    for _ in 0..5 {
        story.put();
    }
    let batch = || vec![(about(9), NewBlob::Memory(message(9).into()))];
    story.disk.fail(0, io::ErrorKind::StorageFull);
    assert!(matches!(story.inner.put(batch()), Err(Error::Full(_))));
    story.check();
    assert!(story.inner.put(batch()).is_ok());
}

/// After a failed sync nothing is written any more, and what was acknowledged is read on.
#[test]
fn a_failed_sync_ends_writing() {
    let mut story = Story::new(2);
    for _ in 0..5 {
        story.put();
    }
    let batch = || vec![(about(9), NewBlob::Memory(message(9).into()))];
    story.disk.fail(1, io::ErrorKind::Other);
    assert!(matches!(
        story.inner.put(batch()),
        Err(Error::Unavailable(_))
    ));
    assert!(matches!(
        story.inner.put(batch()),
        Err(Error::Unavailable(_))
    ));
    assert!(story.inner.begin(about(9), 3).is_err());
    story.check();
    story.reopen(story.disk.power_cut());
    assert!(story.inner.put(batch()).is_ok());
}

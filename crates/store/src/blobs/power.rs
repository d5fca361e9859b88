//! Random stories with power cuts, kills, full and broken disks, for each keeper that has a disk. After each:
//! what was acknowledged is there, unchanged; what was given up does not come back; and whatever else is found
//! is a message that somebody sent, as it was sent.

use std::collections::{HashMap, HashSet};
use std::io;

use bytes::Bytes;

use super::Compression;
use super::sim::{Random, Sim};
use crate::Error;
use crate::blob::{About, Location, NewBlob, Written};

/// Stories told by a test run; `PILLARBOX_CASES` asks for more.
const CASES: u64 = 1_000;
/// Steps of a story.
const STEPS: usize = 30;

/// A list of what a keeper has.
pub(super) type List = Vec<(Location, Option<About>, u64)>;

/// A keeper on a disk that loses power, without the parts that wait.
pub(super) trait Keeper: Sized {
    type Stream;
    fn open(disk: Sim, compression: Compression) -> Result<Self, Error>;
    fn put(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error>;
    fn begin(&self, about: About, size: u64) -> Result<Self::Stream, Error>;
    fn add(stream: &mut Self::Stream, bytes: &[u8]) -> Result<(), Error>;
    fn end(stream: Self::Stream) -> Result<(Written, Bytes), Error>;
    fn read(&self, location: &Location) -> Result<Bytes, Error>;
    fn forget(&self, locations: &[Location]) -> Result<u64, Error>;
    fn keep(&self, locations: &[Location]) -> Result<(), Error>;
    fn compact(&self) -> Result<Vec<(Location, Location)>, Error>;
    fn list(&self) -> Result<List, Error>;
}

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
    let mut bytes: Vec<u8> = (0..len).map(|_| 1 + random.below(kinds) as u8).collect();
    // Some look compressed.
    if random.one_in(8) && len > 4 {
        bytes[..4].copy_from_slice(&[0x28, 0xb5, 0x2f, 0xfd]);
    }
    bytes
}

fn about(n: u64) -> About {
    About {
        account: pillarbox_model::AccountId(n),
        mailbox: Default::default(),
        date: pillarbox_model::InternalDate::utc(n.cast_signed()),
    }
}

struct Story<K: Keeper> {
    random: Random,
    disk: Sim,
    keeper: K,
    sent: u64,
    /// What was acknowledged, and not given up.
    kept: HashMap<Location, u64>,
    /// Places that are to be given up: an index writes them down before it says so, and takes them
    /// from there once they are.
    doomed: HashMap<Location, u64>,
    /// All that was ever acknowledged, by its places, which never come back.
    acknowledged: HashMap<Location, u64>,
    streams: Vec<(u64, Vec<u8>, K::Stream)>,
    finished: Vec<(u64, Written)>,
}

fn open<K: Keeper>(disk: &Sim, random: &mut Random) -> K {
    let compressions = [Compression::Off, Compression::Lz4, Compression::Zstd(1)];
    K::open(disk.clone(), compressions[random.below(3)]).unwrap()
}

/// Their places, in the order in which the messages were sent: so a story is the same each time.
fn in_order(messages: &HashMap<Location, u64>) -> Vec<Location> {
    let mut all: Vec<_> = messages.iter().map(|(place, n)| (*n, place)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.0.cmp(&b.1.0)));
    all.into_iter().map(|(_, place)| place.clone()).collect()
}

impl<K: Keeper> Story<K> {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let disk = Sim::new(seed + 1);
        Self {
            keeper: open(&disk, &mut random),
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
        if let Ok(locations) = self.keeper.put(batch) {
            for (location, n) in locations.into_iter().zip(numbers) {
                self.acknowledge(location, n);
            }
        }
    }

    /// An index names it now.
    fn acknowledge(&mut self, location: Location, n: u64) {
        let before = self.acknowledged.insert(location.clone(), n);
        assert_eq!(before, None, "{location:?}");
        self.kept.insert(location, n);
    }

    fn begin(&mut self) {
        let n = self.send();
        let bytes = message(n);
        if let Ok(stream) = self.keeper.begin(about(n), bytes.len() as u64) {
            self.streams.push((n, bytes, stream));
        }
    }

    fn stream(&mut self) {
        if let Some((n, mut rest, mut stream)) = self.streams.pop() {
            let later = rest.split_off(self.random.below(rest.len() + 1));
            if K::add(&mut stream, &rest).is_ok() {
                self.streams.insert(0, (n, later, stream));
            }
        }
    }

    fn finish(&mut self) {
        if let Some((n, rest, mut stream)) = self.streams.pop()
            && K::add(&mut stream, &rest).is_ok()
            && let Ok((written, bytes)) = K::end(stream)
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
        for location in in_order(&self.kept) {
            if self.random.one_in(2)
                && let Some(n) = self.kept.remove(&location)
            {
                self.doomed.insert(location, n);
            }
        }
        self.reap();
    }

    fn reap(&mut self) {
        if self.keeper.forget(&in_order(&self.doomed)).is_ok() {
            self.doomed.clear();
        }
    }

    /// Stops somewhere on the way, now and then.
    fn compact(&mut self) {
        let Ok(moved) = self.keeper.compact() else {
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
        if self.keeper.keep(&copies).is_err() || self.random.one_in(4) {
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
        self.keeper = open(&self.disk, &mut self.random);
        self.streams.clear();
        self.finished.clear();
        self.check();
    }

    fn check(&self) {
        for (location, &n) in &self.kept {
            let bytes = self.keeper.read(location).unwrap();
            assert_eq!(bytes, message(n), "{location:?}");
        }
        let mut missing: HashSet<&Location> = self.kept.keys().collect();
        for (location, about_it, len) in self.keeper.list().unwrap() {
            missing.remove(&location);
            // A record that a cut tore may be listed, but does not read.
            if let Ok(bytes) = self.keeper.read(&location) {
                self.check_listed(&location, about_it, len, &bytes);
            }
        }
        assert!(missing.is_empty(), "not listed: {missing:?}");
    }

    fn check_listed(&self, location: &Location, found: Option<About>, len: u64, bytes: &[u8]) {
        let first = (self.sent >> 16) << 16;
        let mut sent = first..=self.sent;
        let n = match found {
            Some(found) => {
                let n = found.account.0;
                assert_eq!((found, len), (about(n), bytes.len() as u64));
                assert_eq!(bytes, message(n), "{location:?}");
                Some(n)
            }
            None => {
                assert!(sent.any(|n| bytes == message(n)), "{location:?}");
                self.acknowledged.get(location).copied()
            }
        };
        // What was once acknowledged and given up since does not come back.
        let known = self.kept.contains_key(location) || self.doomed.contains_key(location);
        let never = n.is_none_or(|n| !self.acknowledged.values().any(|&other| other == n));
        assert!(known || never, "{location:?} is named by nothing");
    }
}

/// Tells random stories, each the same every time.
pub(super) fn tell<K: Keeper>() {
    let asked = std::env::var("PILLARBOX_CASES").ok();
    let cases = asked.and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    for seed in 0..cases {
        let told = std::panic::catch_unwind(|| {
            let mut story = Story::<K>::new(seed);
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
pub(super) fn a_full_disk_is_not_the_end<K: Keeper>() {
    for after in 0..4 {
        let mut story = Story::<K>::new(1);
        for _ in 0..5 {
            story.put();
        }
        let batch = || vec![(about(9), NewBlob::Memory(message(9).into()))];
        story.disk.fail(after, io::ErrorKind::StorageFull);
        // A sync that fails is worse, whatever it says.
        let refused = story.keeper.put(batch());
        story.check();
        if let Err(Error::Full(_)) = refused {
            assert!(story.keeper.put(batch()).is_ok());
        } else {
            assert!(after > 0, "nothing was written yet");
        }
    }
}

/// After a failed sync nothing is written any more, and what was acknowledged is read on.
pub(super) fn a_failed_sync_ends_writing<K: Keeper>(after: usize) {
    let mut story = Story::<K>::new(2);
    for _ in 0..5 {
        story.put();
    }
    let batch = || vec![(about(9), NewBlob::Memory(message(9).into()))];
    story.disk.fail(after, io::ErrorKind::Other);
    for _ in 0..2 {
        let refused = story.keeper.put(batch());
        assert!(matches!(refused, Err(Error::Unavailable(_))));
    }
    assert!(story.keeper.begin(about(9), 3).is_err());
    assert!(story.keeper.forget(&in_order(&story.kept)).is_err());
    story.check();
    story.reopen(story.disk.power_cut());
    assert!(story.keeper.put(batch()).is_ok());
}

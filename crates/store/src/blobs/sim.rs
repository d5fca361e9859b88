//! A disk that loses power: what was not synced is there, or not, or torn. Also full, or broken, on demand.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::disk::{Disk, DiskFile};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Numbers that look random, the same for the same seed (xorshift).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % end as u64) as usize
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Default, Debug)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
}

impl Inode {
    /// Some sectors of what is there now reach the disk.
    fn settle(&mut self, random: &mut Random) {
        if random.one_in(2) {
            self.durable.resize(self.now.len(), 0);
        }
        let len = self.durable.len().min(self.now.len());
        for start in (0..len).step_by(SECTOR) {
            let range = start..(start + SECTOR).min(len);
            let fresh = self.durable[range.clone()].iter().all(|&byte| byte == 0);
            if self.durable[range.clone()] == self.now[range.clone()] {
                continue;
            }
            match random.below(5) {
                0 | 1 => {}
                // A sector that never held anything may hold anything.
                2 if fresh => self.durable[range].fill(random.below(256) as u8),
                _ => {
                    let (from, to) = (&self.now[range.clone()], &mut self.durable[range]);
                    to.copy_from_slice(from);
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    random: Random,
    inodes: Vec<Inode>,
    now: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// After so many writes or syncs, one fails like this.
    fault: Option<(usize, io::ErrorKind)>,
}

impl State {
    fn trip(&mut self) -> Option<io::ErrorKind> {
        let (left, kind) = self.fault?;
        self.fault = left.checked_sub(1).map(|left| (left, kind));
        (left == 0).then_some(kind)
    }
}

/// The disk.
#[derive(Clone, Debug)]
pub(super) struct Sim(Arc<Mutex<State>>);

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Random::new(seed),
            inodes: Vec::new(),
            now: BTreeMap::new(),
            durable: BTreeMap::new(),
            fault: None,
        })))
    }

    /// One of the next writes or syncs fails.
    pub(super) fn fail(&self, after: usize, kind: io::ErrorKind) {
        lock(&self.0).fault = Some((after, kind));
    }

    /// What a killed process leaves. Whoever still holds the old disk writes to nothing that counts.
    pub(super) fn killed(&self) -> Self {
        let mut state = lock(&self.0).clone();
        state.fault = None;
        Self(Arc::new(Mutex::new(state)))
    }

    /// What a power cut leaves.
    pub(super) fn power_cut(&self) -> Self {
        let next = self.killed();
        let mut guard = lock(&next.0);
        let state = &mut *guard;
        let names = state.now.iter().chain(&state.durable);
        let mut names: Vec<(usize, String)> = names.map(|(name, at)| (*at, name.clone())).collect();
        // By age, as names may be drawn by lot.
        names.sort();
        for (_, name) in names {
            let now = state.now.get(&name).copied();
            if now != state.durable.get(&name).copied() && state.random.one_in(2) {
                match now {
                    Some(inode) => state.durable.insert(name, inode),
                    None => state.durable.remove(&name),
                };
            }
        }
        for inode in &mut state.inodes {
            inode.settle(&mut state.random);
            inode.now.clone_from(&inode.durable);
        }
        state.now.clone_from(&state.durable);
        drop(guard);
        next
    }

    fn file(&self, inode: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile(self.0.clone(), inode))
    }
}

impl Disk for Sim {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).now.keys().cloned().collect())
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.0);
        assert!(!state.now.contains_key(name), "{name} is there already");
        if let Some(kind) = state.trip() {
            return Err(kind.into());
        }
        let now = vec![0; size as usize];
        state.inodes.push(Inode {
            now,
            durable: Vec::new(),
        });
        let inode = state.inodes.len() - 1;
        state.now.insert(name.to_owned(), inode);
        drop(state);
        Ok(self.file(inode))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let inode = lock(&self.0).now.get(name).copied();
        Ok(self.file(inode.ok_or(io::ErrorKind::NotFound)?))
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        let state = lock(&self.0);
        let inode = state.now.get(name);
        Ok(inode.map(|&inode| state.inodes[inode].now.len() as u64))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = lock(&self.0);
        if let Some(kind) = state.trip() {
            return Err(kind.into());
        }
        let inode = state.now.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.now.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let gone = lock(&self.0).now.remove(name);
        gone.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.0);
        if let Some(kind) = state.trip() {
            return Err(kind.into());
        }
        state.durable = state.now.clone();
        Ok(())
    }
}

struct SimFile(Arc<Mutex<State>>, usize);

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.0).inodes[self.1].now.len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        into.copy_from_slice(&self.slice(at..at + into.len() as u64)?);
        Ok(())
    }

    fn slice(&self, range: Range<u64>) -> io::Result<Bytes> {
        let state = lock(&self.0);
        let bytes = state.inodes[self.1]
            .now
            .get(range.start as usize..range.end as usize);
        Ok(Bytes::copy_from_slice(
            bytes.ok_or(io::ErrorKind::UnexpectedEof)?,
        ))
    }

    fn write_at(&self, at: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut state = lock(&self.0);
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        let fault = state.trip();
        if fault.is_some() {
            let some = state.random.below(bytes.len() + 1);
            bytes.truncate(some);
        }
        let start = at as usize;
        let file = &mut state.inodes[self.1].now;
        file.resize(file.len().max(start + bytes.len()), 0);
        file[start..start + bytes.len()].copy_from_slice(&bytes);
        fault.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut guard = lock(&self.0);
        let fault = guard.trip();
        let state = &mut *guard;
        let inode = &mut state.inodes[self.1];
        match fault {
            Some(kind) => {
                inode.settle(&mut state.random);
                Err(kind.into())
            }
            None => {
                inode.durable.clone_from(&inode.now);
                Ok(())
            }
        }
    }

    fn cut(&self, size: u64) -> io::Result<()> {
        lock(&self.0).inodes[self.1].now.truncate(size as usize);
        Ok(())
    }
}

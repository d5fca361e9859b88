//! Segments with any bytes in them can be opened, listed, read, given up and gone on with; what is
//! well-formed reads as it was written, and goes on to do so after reopening.
//!
//! The input describes a segment whose headers are sealed as they should be, so that it gets behind
//! the checksums; then it spoils some bytes.
#![no_main]

use std::collections::HashMap;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pillarbox_model::{AccountId, InternalDate, MailboxId};
use pillarbox_store::blobs::{Compression, Options, Pack};
use pillarbox_store::{About, Blobs, Location, NewBlob, Reply};

/// Bytes of a header, and what records start at multiples of.
const ALIGNMENT: usize = 64;
const NONCE: u64 = 0x1122_3344_5566_7788;
const ABOUT: About = About {
    account: AccountId(1),
    mailbox: MailboxId(2),
    date: InternalDate::utc(3),
};

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let directory = Directory::new();
    let segment = segment(&mut input);
    std::fs::write(directory.0.join("00000001.seg"), segment).expect("a directory to write to");
    let pack = open(&directory.0, &mut input);
    let mut readable = read_all(&pack);
    for place in [
        "1:64:0",
        "1:64:4294967295",
        "1:18446744073709551615:1",
        "1:63:9",
        "x",
    ] {
        let _ = now(pack.read(&Location(place.into())));
    }
    let new = put(&pack, b"a new message".to_vec());
    let some: Vec<Location> = readable
        .keys()
        .filter(|_| input.byte() % 2 == 0)
        .cloned()
        .collect();
    if now(pack.forget(&some)).is_ok() {
        readable.retain(|place, _| !some.contains(place));
    }
    for (old, copy) in now(pack.compact()).unwrap_or_default() {
        let kept = now(pack.keep(&[copy.clone()]));
        if kept.is_ok()
            && let Some(message) = readable.remove(&old)
        {
            readable.insert(copy, message);
            let _ = now(pack.forget(&[old]));
        }
    }
    drop(pack);
    let pack = open(&directory.0, &mut input);
    for (place, message) in &readable {
        assert_eq!(
            now(pack.read(place)).expect("it was readable"),
            message,
            "{place:?}"
        );
    }
    if let Some(new) = new {
        assert_eq!(
            now(pack.read(&new)).expect("it was acknowledged"),
            "a new message"
        );
    }
    let listed = now(pack.list()).expect("a listing");
    assert!(
        readable
            .keys()
            .all(|place| listed.iter().any(|(other, ..)| other == place))
    );
});

fn open(directory: &Path, input: &mut Input<'_>) -> Pack {
    let compressions = [Compression::Off, Compression::Lz4, Compression::Zstd(1)];
    let options = Options {
        segment_bytes: 4_096,
        compression: compressions[usize::from(input.byte()) % 3],
        linger: Duration::ZERO,
        ..Options::new(directory)
    };
    Pack::open(options).expect("damage does not keep it from opening")
}

/// What is listed and can be read.
fn read_all(pack: &Pack) -> HashMap<Location, Vec<u8>> {
    let mut readable = HashMap::new();
    for (place, about, len) in now(pack.list()).expect("a listing") {
        assert!(about.is_some());
        if let Ok(message) = now(pack.read(&place)) {
            assert_eq!(message.len() as u64, len);
            readable.insert(place, message.to_vec());
        }
    }
    readable
}

fn put(pack: &Pack, message: Vec<u8>) -> Option<Location> {
    let placed = now(pack.put(vec![(ABOUT, NewBlob::Memory(message.into()))]));
    placed.ok()?.pop()
}

/// The result of a call that does not wait.
fn now<T>(reply: Reply<'_, T>) -> Result<T, pillarbox_store::Error> {
    let mut reply = pin!(reply);
    match reply.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a keeper on a disk waits for nothing"),
    }
}

/// Bytes that decide; zeros when there are no more.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn number(&mut self, bytes: usize) -> u64 {
        (0..bytes).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn segment(input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = segment_header(input);
    while !input.is_empty() && bytes.len() < 4_096 {
        match input.byte() % 16 {
            0 => break,
            1 => bytes.resize(bytes.len() + ALIGNMENT, 0),
            _ => record(input, &mut bytes),
        }
    }
    for _ in 0..input.byte() % 4 {
        let at = input.number(2) as usize % bytes.len();
        bytes[at] = input.byte();
    }
    bytes.truncate(bytes.len() - usize::from(input.byte()) % 32);
    bytes
}

fn segment_header(input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = vec![0; ALIGNMENT];
    let what = input.byte();
    let mut field = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    field(0, b"PBXSEG\0\x01");
    field(8, &1_u32.to_le_bytes());
    field(12, &[what % 4, what / 4 % 4, what / 16 % 2]);
    field(16, &NONCE.to_le_bytes());
    for at in [24, 32, 40] {
        let value = match input.byte() % 4 {
            0 => 4_096,
            1 => 0,
            2 => input.number(8),
            _ => input.number(2),
        };
        field(at, &value.to_le_bytes());
    }
    seal(&mut bytes, 0);
    bytes
}

/// A record: its lengths and checksum are true, or whatever the input says.
fn record(input: &mut Input<'_>, segment: &mut Vec<u8>) {
    let what = input.byte();
    let body: Vec<u8> = (0..input.byte()).map(|_| input.byte()).collect();
    let true_length = body.len() as u32;
    let length = |input: &mut Input<'_>, lies: bool| match lies {
        true => input.number(4) as u32,
        false => true_length,
    };
    let (len, stored) = (length(input, what & 1 > 0), length(input, what & 2 > 0));
    let mut header = vec![0; ALIGNMENT];
    let mut field = |at: usize, value: &[u8]| header[at..at + value.len()].copy_from_slice(value);
    field(
        0,
        [b"PBXR", b"pbxv", b"PBXR", b"pbXR"][usize::from(what / 4 % 4)],
    );
    field(4, &[1, what / 16 % 4]);
    field(8, &NONCE.to_le_bytes());
    field(16, &(segment.len() as u64).to_le_bytes());
    field(24, &len.to_le_bytes());
    field(28, &stored.to_le_bytes());
    field(32, &input.number(1).to_le_bytes());
    field(48, &input.number(8).to_le_bytes());
    field(56, &crc32c::crc32c(&body).to_le_bytes());
    seal(&mut header, 4);
    segment.extend(header);
    segment.extend(body);
    segment.resize(segment.len().next_multiple_of(ALIGNMENT), 0);
}

fn seal(header: &mut [u8], from: usize) {
    let crc = crc32c::crc32c(&header[from..60]);
    header[60..64].copy_from_slice(&crc.to_le_bytes());
}

/// A directory, in memory where there is one, that goes.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let path = parent.join(format!("pillarbox-fuzz-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a directory of its own");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        let _ = std::fs::remove_file(self.0.with_extension("lock"));
    }
}

//! Rates of the keepers of messages, on a directory of your choice:
//! `cargo run --release --example blobs -- DIRECTORY`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pillarbox_store::blobs::{Compression, Files, Options, Pack};
use pillarbox_store::{About, Blobs, Location, NewBlob};

/// Bytes of a message.
const MESSAGE_BYTES: usize = 10_000;
/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(2);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let path = std::env::args().nth(1).ok_or("which directory?")?;
    let path = Path::new(&path);
    let pack = Pack::open(Options::new(&path.join("pack")))?;
    measure("pack", &pack).await?;
    compact(pack, &path.join("pack")).await?;
    measure("fs", &Files::open(&path.join("fs"), Compression::Off)?).await
}

async fn measure(name: &str, blobs: &dyn Blobs) -> Outcome<()> {
    let mut all = Vec::new();
    for batch in [1, 8, 64] {
        let (start, before) = (Instant::now(), all.len());
        while start.elapsed() < SPAN {
            let messages = (0..batch).map(|_| (about(), NewBlob::Memory(message())));
            all.extend(blobs.put(messages.collect()).await?);
        }
        report(
            &format!("{name}: put in batches of {batch}"),
            all.len() - before,
            start.elapsed(),
        );
    }
    read(name, blobs, &all).await?;
    stream(name, blobs).await
}

async fn read(name: &str, blobs: &dyn Blobs, all: &[Location]) -> Outcome<()> {
    let (start, mut count, mut at) = (Instant::now(), 0, 0);
    while start.elapsed() < SPAN {
        for _ in 0..100 {
            at = (at + 7_919) % all.len();
            count += usize::from(blobs.read(&all[at]).await?.len() == MESSAGE_BYTES);
        }
    }
    report(&format!("{name}: read at random"), count, start.elapsed());
    Ok(())
}

/// One large message after another, in pieces.
async fn stream(name: &str, blobs: &dyn Blobs) -> Outcome<()> {
    let piece = vec![b'x'; 64 * 1024];
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < SPAN {
        let mut writer = blobs.begin(about(), 160 * piece.len() as u64).await?;
        for _ in 0..160 {
            writer.write(&piece).await?;
        }
        let (written, _) = writer.finish().await?;
        blobs
            .put(vec![(about(), NewBlob::Written(written))])
            .await?;
        count += 1;
    }
    report(&format!("{name}: stream 10 MiB"), count, start.elapsed());
    Ok(())
}

/// Compression of everything there is.
async fn compact(pack: Pack, path: &Path) -> Outcome<()> {
    drop(pack);
    let compression = Compression::Zstd(3);
    let pack = Pack::open(Options {
        compression,
        ..Options::new(path)
    })?;
    let start = Instant::now();
    let moved = pack.compact().await?;
    report("pack: compact with zstd 3", moved.len(), start.elapsed());
    let new: Vec<Location> = moved.into_iter().map(|(_, new)| new).collect();
    let small = format!(":{MESSAGE_BYTES}");
    let new: Vec<Location> = new
        .into_iter()
        .filter(|place| place.0.ends_with(&small))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    read("pack, zstd 3", &pack, &new).await
}

fn about() -> About {
    About {
        account: Default::default(),
        mailbox: Default::default(),
        date: Default::default(),
    }
}

/// Something that compresses to about half, and is never the same twice.
fn message() -> Bytes {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let mut state = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b'a' + (state >> 60) as u8
    };
    (0..MESSAGE_BYTES).map(|_| letter()).collect()
}

fn report(what: &str, count: usize, spent: Duration) {
    let rate = count as f64 / spent.as_secs_f64();
    println!("{what:<32} {rate:>12.0}/s");
}

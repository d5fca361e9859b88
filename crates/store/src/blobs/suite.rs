//! What every keeper promises, as stories; each keeper hears all of them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pillarbox_model::{AccountId, InternalDate, MailboxId};

use super::{Compression, Files, Memory, Options, Pack};
use crate::Error;
use crate::blob::{About, Blobs, Location, NewBlob};

const ABOUT: About = About {
    account: AccountId(7),
    mailbox: MailboxId(8),
    date: InternalDate::utc(9),
};

fn message(n: usize) -> Bytes {
    format!("Subject: {n}\r\n\r\n")
        .repeat(1 + n * 37 % 50)
        .into()
}

fn in_memory(range: std::ops::Range<usize>) -> Vec<(About, NewBlob)> {
    range
        .map(|n| (ABOUT, NewBlob::Memory(message(n))))
        .collect()
}

/// A keeper that can be closed and opened again.
struct Stage {
    directory: tempfile::TempDir,
    open: fn(&Path) -> Arc<dyn Blobs>,
    blobs: Arc<dyn Blobs>,
    outlives_the_process: bool,
}

impl Stage {
    fn new(open: fn(&Path) -> Arc<dyn Blobs>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let blobs = open(directory.path());
        Self {
            directory,
            open,
            blobs,
            outlives_the_process: true,
        }
    }

    fn reopen(&mut self) {
        if self.outlives_the_process {
            self.blobs = Arc::new(Memory::default());
            self.blobs = (self.open)(self.directory.path());
        }
    }

    async fn check(&self, locations: &[Location], first: usize) {
        for (n, location) in locations.iter().enumerate() {
            assert_eq!(self.blobs.read(location).await.unwrap(), message(first + n));
        }
    }
}

fn pack(compression: Compression) -> impl Fn(&Path) -> Arc<dyn Blobs> {
    move |directory| {
        let options = Options {
            segment_bytes: 4_096,
            compression,
            linger: std::time::Duration::ZERO,
            ..Options::new(directory)
        };
        Arc::new(Pack::open(options).unwrap())
    }
}

fn stages() -> Vec<Stage> {
    let memory = Stage {
        outlives_the_process: false,
        ..Stage::new(|_| Arc::new(Memory::default()))
    };
    vec![
        memory,
        Stage::new(|directory| pack(Compression::Off)(directory)),
        Stage::new(|directory| pack(Compression::Zstd(1))(directory)),
        Stage::new(|directory| pack(Compression::Lz4)(directory)),
        Stage::new(|directory| Arc::new(Files::open(directory, Compression::Off).unwrap())),
        Stage::new(|directory| Arc::new(Files::open(directory, Compression::Zstd(3)).unwrap())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_is_there_after_reopening() {
    for mut stage in stages() {
        let mut all = Vec::new();
        for run in 0..3 {
            stage.check(&all, 0).await;
            all.extend(
                stage
                    .blobs
                    .put(in_memory(run * 20..run * 20 + 20))
                    .await
                    .unwrap(),
            );
            let listed = stage.blobs.list().await.unwrap();
            assert_eq!(listed.len(), all.len());
            let about = listed.iter().filter_map(|(_, about, _)| *about);
            assert!(about.into_iter().all(|about| about == ABOUT));
            stage.reopen();
        }
        stage.check(&all, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_pieces_counts_once_it_is_put() {
    for mut stage in stages() {
        let large = vec![b'x'; 20_000];
        let mut writer = stage.blobs.begin(ABOUT, 20_000).await.unwrap();
        let dropped = stage.blobs.begin(ABOUT, 1_000).await.unwrap();
        writer.write(&large[..7_000]).await.unwrap();
        let mut all = stage.blobs.put(in_memory(0..3)).await.unwrap();
        writer.write(&large[7_000..]).await.unwrap();
        drop(dropped);
        let (written, bytes) = writer.finish().await.unwrap();
        assert_eq!(bytes, large);
        assert_eq!(written.hash, *blake3::hash(&large).as_bytes());
        assert_eq!(written.size_bytes, 20_000);
        let batch = vec![
            (ABOUT, NewBlob::Written(written)),
            (ABOUT, NewBlob::Memory(message(3))),
        ];
        let placed = stage.blobs.put(batch).await.unwrap();
        all.push(placed[1].clone());
        stage.reopen();
        assert_eq!(stage.blobs.read(&placed[0]).await.unwrap(), large);
        stage.check(&all, 0).await;
        assert_eq!(stage.blobs.list().await.unwrap().len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_put_leaves_nothing() {
    for mut stage in stages() {
        let mut finished = stage.blobs.begin(ABOUT, 3).await.unwrap();
        finished.write(b"abc").await.unwrap();
        drop(finished.finish().await.unwrap());
        let mut short = stage.blobs.begin(ABOUT, 3).await.unwrap();
        short.write(b"ab").await.unwrap();
        assert!(short.finish().await.is_err());
        let mut long = stage.blobs.begin(ABOUT, 3).await.unwrap();
        assert!(long.write(b"abcd").await.is_err());
        drop(long);
        assert_eq!(stage.blobs.list().await.unwrap(), []);
        stage.reopen();
        assert_eq!(stage.blobs.list().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_goes_and_the_rest_stays() {
    for mut stage in stages() {
        let all = stage.blobs.put(in_memory(0..40)).await.unwrap();
        let held = stage.blobs.read(&all[0]).await.unwrap();
        assert!(stage.blobs.forget(&all[..30]).await.unwrap() > 0);
        assert_eq!(held, message(0), "bytes in use outlive their file");
        assert!(stage.blobs.read(&all[0]).await.is_err());
        assert_eq!(
            stage.blobs.forget(&all[..30]).await.unwrap(),
            0,
            "twice is harmless"
        );
        stage.reopen();
        stage.check(&all[30..], 30).await;
        assert_eq!(stage.blobs.list().await.unwrap().len(), 10);
    }
}

/// The index takes over what moved and gives up the old places, until there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_what_is_wanted() {
    for mut stage in stages() {
        let mut wanted = stage.blobs.put(in_memory(0..90)).await.unwrap();
        let unwanted: Vec<_> = (0..90)
            .filter(|n| n % 3 > 0)
            .map(|n| wanted[n].clone())
            .collect();
        stage.blobs.forget(&unwanted).await.unwrap();
        stage.reopen();
        while let moved = stage.blobs.compact().await.unwrap()
            && !moved.is_empty()
        {
            let copies: Vec<_> = moved.iter().map(|(_, new)| new.clone()).collect();
            let listed = stage.blobs.list().await.unwrap();
            let counts = |copy: &Location| listed.iter().any(|(location, ..)| location == copy);
            assert!(
                !copies.iter().any(counts),
                "copies count once they are kept"
            );
            stage.blobs.keep(&copies).await.unwrap();
            for (old, new) in &moved {
                let at = wanted.iter().position(|location| location == old).unwrap();
                wanted[at] = new.clone();
            }
            let old: Vec<_> = moved.into_iter().map(|(old, _)| old).collect();
            stage.blobs.forget(&old).await.unwrap();
        }
        stage.reopen();
        for n in (0..90).step_by(3) {
            assert_eq!(stage.blobs.read(&wanted[n]).await.unwrap(), message(n));
        }
        assert_eq!(stage.blobs.list().await.unwrap().len(), 30);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_corrupt() {
    for stage in stages() {
        for place in [
            "",
            "a:b",
            "1",
            "9:9:9",
            "../x",
            "1:64:18446744073709551615",
            "1:18446744073709551615:3",
        ] {
            let read = stage.blobs.read(&Location(place.into())).await;
            assert!(matches!(read, Err(Error::Corrupt(_))), "{place}");
        }
    }
}

/// A store opened on the copy has what the original had.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_keeper() {
    for stage in stages()
        .into_iter()
        .filter(|stage| stage.outlives_the_process)
    {
        let all = stage.blobs.put(in_memory(0..30)).await.unwrap();
        let target = tempfile::tempdir().unwrap();
        stage.blobs.backup(target.path()).await.unwrap();
        let copy = (stage.open)(
            &target
                .path()
                .join(stage.directory.path().file_name().unwrap()),
        );
        for (n, location) in all.iter().enumerate() {
            assert_eq!(copy.read(location).await.unwrap(), message(n));
        }
    }
}

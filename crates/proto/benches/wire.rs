//! How fast commands come in and responses go out: `cargo bench -p pillarbox-proto`.

use std::hint::black_box;
use std::time::Instant;

use pillarbox_model::{Flags, InternalDate, KeywordTable};
use pillarbox_proto::imap::encode::{Dialect, Fetch};
use pillarbox_proto::imap::frame::{Event, FrameLimits, Framer};

/// Repeats of each measurement.
const ROUNDS: u64 = 5_000_000;

fn main() {
    let mut table = KeywordTable::default();
    let keyword = table.find_or_add("$Forwarded").unwrap_or_default();
    let flags = [
        Flags::NONE,
        Flags::SEEN,
        Flags::SEEN | Flags::ANSWERED,
        Flags::SEEN | keyword,
    ];
    let mut out = Vec::with_capacity(1 << 20);
    let mut number = 0_u32;
    measure("FETCH (UID FLAGS)", || {
        number += 1;
        if out.len() > 1_000_000 {
            out.clear();
        }
        let mut fetch = Fetch::begin(&mut out, number, Dialect::default());
        fetch.uid(number + 7);
        fetch.flags(table.names_of(flags[number as usize % flags.len()]));
        fetch.end();
    });
    measure("FETCH (UID INTERNALDATE RFC822.SIZE)", || {
        number = number.wrapping_add(1);
        if out.len() > 1_000_000 {
            out.clear();
        }
        let mut fetch = Fetch::begin(&mut out, number, Dialect::default());
        fetch.uid(number);
        fetch.internal_date(InternalDate::utc(number.into()));
        fetch.size(number.into());
        fetch.end();
    });
    for command in [
        "a1 NOOP\r\n",
        "a1 UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject)])\r\n",
        "a1 UID STORE 5 +FLAGS.SILENT (\\Seen)\r\n",
        "a1 LOGIN {3+}\r\njoe {6+}\r\nsecret\r\n",
    ] {
        let mut framer = Framer::new(FrameLimits::after_login());
        measure(command.trim(), || {
            if let (_, Event::Command(frame)) = framer.feed(command.as_bytes()) {
                black_box(frame.parse().is_ok());
            }
        });
    }
}

fn measure(name: &str, mut once: impl FnMut()) {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        once();
    }
    let nanos = start.elapsed().as_nanos() as f64 / ROUNDS as f64;
    println!("{nanos:8.1} ns  {:7.2} M/s  {name:?}", 1_000.0 / nanos);
}

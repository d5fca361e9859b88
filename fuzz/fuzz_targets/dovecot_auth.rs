//! However a stream of lines is cut, the lines are the same; what is written reads the same; and a
//! client makes something of each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_proto::dovecot_auth::client::reply;
use pillarbox_proto::dovecot_auth::line::{FIELDS, LINE_BYTES, Line, LineError, Lines, push_line};

fuzz_target!(|data: &[u8]| {
    let whole = read([data]);
    assert_eq!(whole, read(data.chunks(1)), "byte by byte");
    for line in whole.iter().flatten() {
        let _ = reply(line);
        assert!(line.arguments().len() < FIELDS);
        let mut fields = vec![line.command()];
        fields.extend(line.arguments().iter().map(Vec::as_slice));
        let mut written = Vec::new();
        push_line(&mut written, &fields);
        // Escaped, a line may be longer than the one that was read.
        if written.len() <= LINE_BYTES {
            assert_eq!(read([written.as_slice()]), [Ok(line.clone())]);
        }
    }
});

/// All lines, up to the first that can't be read.
fn read<'d>(pieces: impl IntoIterator<Item = &'d [u8]>) -> Vec<Result<Line, LineError>> {
    let (mut lines, mut read) = (Lines::default(), Vec::new());
    for piece in pieces {
        lines.feed(piece);
        while let Some(line) = lines.next_line().transpose() {
            let failed = line.is_err();
            read.push(line);
            if failed {
                return read;
            }
        }
    }
    read
}

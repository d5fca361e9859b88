//! However a stream is cut, LMTP makes the same of it; commands that are printed read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_proto::lmtp::{Event, Machine, Settings, parse};

fuzz_target!(|data: &[u8]| {
    let Some(([line, size, recipients, refusals, size_of_pieces], stream)) =
        data.split_first_chunk::<5>()
    else {
        return;
    };
    if let Ok(command) = parse(stream) {
        let text = command.to_string();
        assert_eq!(parse(text.as_bytes()).as_ref(), Ok(&command), "{text}");
    }
    let settings = Settings {
        hostname: "x".to_owned(),
        message_bytes: u64::from(*size) * 8,
        line_bytes: usize::from(*line) + 16,
        recipients: usize::from(*recipients),
        tls: refusals & 1 != 0,
    };
    let whole = events(&settings, *refusals, [stream]);
    assert_eq!(
        whole,
        events(&settings, *refusals, stream.chunks(1)),
        "byte by byte"
    );
    let pieces = stream.chunks(usize::from(*size_of_pieces).max(1));
    assert_eq!(whole, events(&settings, *refusals, pieces), "in pieces");
});

/// All that happens. Every so many senders and recipients are refused, by the bits of `refusals`.
fn events<'i>(
    settings: &Settings,
    refusals: u8,
    pieces: impl IntoIterator<Item = &'i [u8]>,
) -> Vec<String> {
    let mut machine = Machine::new(settings.clone());
    let (mut all, mut content, mut asked) = (Vec::new(), Vec::new(), 0);
    for mut rest in pieces {
        loop {
            let (used, event) = machine.feed(rest);
            rest = &rest[used..];
            match event {
                Event::More => {
                    assert!(rest.is_empty(), "not all was taken");
                    break;
                }
                Event::Content(bytes) => {
                    content.extend_from_slice(bytes);
                    assert!(content.len() as u64 <= settings.message_bytes);
                    continue;
                }
                Event::End(Ok(())) => all.push(format!("{:?}", std::mem::take(&mut content))),
                Event::End(Err(_)) | Event::Reset(_) | Event::Hello(..) => content.clear(),
                Event::Sender(_) | Event::Recipient(_) => {
                    asked += 1;
                    if refusals >> (asked % 8) & 1 == 0 {
                        machine.accept();
                    }
                }
                _ => {}
            }
            all.push(format!("{event:?}"));
        }
    }
    all
}

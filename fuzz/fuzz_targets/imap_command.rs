//! Commands are understood or refused with a place within them; secrets are not in their log form;
//! sections are repeated so that they read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::commands;
use pillarbox_proto::imap::command::{Command, FetchItem, Section};
use pillarbox_proto::imap::encode::section_label;
use pillarbox_proto::imap::frame::{Frame, Unparsable};

fuzz_target!(|data: &[u8]| {
    if let Some(filter) = Frame::of_criteria(data) {
        let _ = filter.criteria();
    }
    for frame in commands(data) {
        let redacted = frame.redacted();
        match frame.parse() {
            Err(error) => check_error(&frame, &error, data.len()),
            Ok(tagged) => {
                assert_eq!(Some(tagged.tag), frame.tag());
                check_command(&tagged.command, &redacted);
            }
        }
    }
});

fn check_error(frame: &Frame, error: &Unparsable<'_>, bytes: usize) {
    assert!(error.tag.is_none() || error.tag == frame.tag());
    assert!(error.message.bytes().all(|b| matches!(b, b' '..=b'~')));
    if let Some((_, at)) = error.message.rsplit_once(" at byte ") {
        let at: usize = at.parse().expect("a place is a number");
        assert!(at <= bytes, "{}", error.message);
    } else {
        assert!(error.unknown_command);
    }
}

fn check_command(command: &Command<'_>, redacted: &[u8]) {
    match command {
        Command::Login { .. }
        | Command::Authenticate {
            initial: Some(_), ..
        } => assert!(redacted.ends_with(b"***")),
        Command::Fetch { items, .. } => items.iter().for_each(check_item),
        Command::Notify(Some(set)) => {
            for item in set.groups.iter().flat_map(|group| &group.fetch) {
                check_item(item);
                assert_eq!(&item.clone().into_owned(), item);
            }
        }
        _ => {}
    }
}

fn check_item(item: &FetchItem<'_>) {
    let FetchItem::Section(section) = item else {
        return;
    };
    let wanted = Section {
        peek: false,
        partial: None,
        ..section.clone()
    };
    let mut line = b"t FETCH 1 ".to_vec();
    section_label(&mut line, &wanted);
    line.extend_from_slice(b"\r\n");
    let frames = commands(&line);
    let [frame] = &frames[..] else {
        panic!("{} commands in {}", frames.len(), line.escape_ascii());
    };
    let tagged = frame.parse().expect("what was repeated can be read");
    let Command::Fetch { items, .. } = tagged.command else {
        panic!("no FETCH: {}", line.escape_ascii());
    };
    assert_eq!(items, [FetchItem::Section(wanted)]);
}

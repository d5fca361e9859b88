//! Results in order and in part: SORT, THREAD, PARTIAL, updates.

use pillarbox_model::{Bound, SequenceSet};
use pillarbox_proto::imap::command::{
    Command, FetchItem, FetchModifier, PartialRange, Search, SearchKey, SearchReturn,
    SortCriterion, SortKey, ThreadAlgorithm,
};
use pillarbox_proto::imap::encode::{
    self, Change, Code, Esearch, Numbers, Progress, Status, ThreadPiece,
};

use crate::grammar::{bytes, means, wrong};
use crate::responses::{
    Known::{Both, Codec, Neither},
    goes_out, numbers,
};

#[test]
fn sorted_results() {
    goes_out(Both, "* SORT", |o| encode::sort(o, [].into_iter(), Some(5)));
    goes_out(Both, "* SORT 84 2 882", |o| {
        encode::sort(o, [84, 2, 882].into_iter(), None)
    });
    goes_out(Codec, "* SORT 2 (MODSEQ 9)", |o| {
        encode::sort(o, [2].into_iter(), Some(9))
    });
    // Ranges ascend, as RFC 5267 §3.2 has it.
    let sorted = [7, 5, 6, 3, 2, 1, u32::MAX, 8, 9, 10];
    goes_out(
        Neither,
        "* ESEARCH (TAG \"a1\") UID ALL 7,5:6,3,2,1,4294967295,8:10",
        |o| {
            let result = Esearch {
                all: Some(Numbers::Sorted(&sorted)),
                ..Esearch::default()
            };
            encode::esearch(o, "a1", true, &result);
        },
    );
    let range = |from, to, from_end| PartialRange { from, to, from_end };
    for (range, numbers, text) in [
        (range(1, 3, false), &sorted[..3], "1:3 7,5:6"),
        (range(3, 1, true), &sorted[7..], "-3:-1 8:10"),
        (range(24_000, 24_500, false), &[], "24000:24500 NIL"),
    ] {
        let expected = format!("* ESEARCH (TAG \"a1\") PARTIAL ({text})");
        goes_out(Neither, &expected, |o| {
            let result = Esearch {
                partial: Some((range, Numbers::Sorted(numbers))),
                ..Esearch::default()
            };
            encode::esearch(o, "a1", false, &result);
        });
    }
}

/// RFC 5267 §4.3.
#[test]
fn changes_of_results() {
    let change = |place, numbers| Change { place, numbers };
    let some = numbers(&[(32_768, 32_769)]);
    goes_out(
        Neither,
        "* ESEARCH (TAG \"B01\") UID ADDTO (0 32768:32769)",
        |o| {
            encode::add_to(o, "B01", true, &[change(0, (&some).into())]);
        },
    );
    goes_out(
        Neither,
        "* ESEARCH (TAG \"C01\") REMOVEFROM (3 9,2 1 7)",
        |o| {
            let changes = [
                change(3, Numbers::Sorted(&[9, 2])),
                change(1, Numbers::Sorted(&[7])),
            ];
            encode::remove_from(o, "C01", false, &changes);
        },
    );
    let mut out = Vec::new();
    encode::add_to(&mut out, "a", false, &[change(1, Numbers::Sorted(&[]))]);
    assert!(out.is_empty());
    goes_out(Both, "* NO [NOUPDATE \"B02\"] Too many contexts", |o| {
        encode::untagged(
            o,
            Status::No,
            Some(&Code::NoUpdate("B02")),
            "Too many contexts",
        );
    });
}

/// RFC 9585 §4.
#[test]
fn progress_of_a_command() {
    for (tag, progress, text) in [
        (
            Some("A001"),
            Progress::of(454, 1_000),
            "(\"A001\" 454 1000)",
        ),
        (Some("A001"), Progress::of(0, 1), "(\"A001\" 0 1)"),
        (Some("A001"), Progress::of(7, 7), "(\"A001\" NIL NIL)"),
        (None, Progress::default(), "(NIL NIL NIL)"),
    ] {
        goes_out(Both, &format!("* OK [INPROGRESS {text}] Still here"), |o| {
            let code = Code::InProgress(tag, progress);
            encode::untagged(o, Status::Ok, Some(&code), "Still here");
        });
    }
}

/// RFC 5256 §4.
#[test]
fn threads() {
    let pieces = |text: &str| -> Vec<ThreadPiece> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        spaced
            .split_whitespace()
            .map(|word| match word {
                "(" => ThreadPiece::Open,
                ")" => ThreadPiece::Close,
                number => ThreadPiece::Number(number.parse().unwrap()),
            })
            .collect()
    };
    for text in [
        "",
        " (2)(3 6 (4 23)(44 7 96))",
        " ((3)(5))",
        " (166)((170)(179))(188 (184)(189))",
        " ((1)(2 ((3)(4))(5)))",
    ] {
        goes_out(Codec, &format!("* THREAD{text}"), |o| {
            encode::thread(o, pieces(text).into_iter())
        });
    }
}

#[test]
fn parts_of_a_result() {
    let with = |returns| Command::Search {
        uid: false,
        search: Search {
            fetch: Vec::new(),
            returns: Some(returns),
            charset: None,
            key: SearchKey::All,
        },
    };
    let range = |from, to, from_end| PartialRange { from, to, from_end };
    let partial = |partial| SearchReturn {
        partial: Some(partial),
        ..SearchReturn::default()
    };
    means(
        "SEARCH RETURN (PARTIAL 500:400) ALL",
        &with(partial(range(500, 400, false))),
    );
    means(
        "SEARCH RETURN (PARTIAL -1:-100 COUNT) ALL",
        &with(SearchReturn {
            count: true,
            ..partial(range(1, 100, true))
        }),
    );
    means(
        "SEARCH RETURN (update) ALL",
        &with(SearchReturn {
            update: true,
            all: true,
            ..SearchReturn::default()
        }),
    );
    means(
        "SEARCH RETURN (UPDATE CONTEXT COUNT) ALL",
        &with(SearchReturn {
            update: true,
            context: true,
            count: true,
            ..SearchReturn::default()
        }),
    );
    let twice = "Only one of PARTIAL and ALL is allowed, and once";
    for (options, problem) in [
        ("PARTIAL 1:5 ALL", format!("{twice} at byte 30")),
        ("ALL PARTIAL 1:5", format!("{twice} at byte 22")),
        ("PARTIAL 1:5 PARTIAL 6:9", format!("{twice} at byte 30")),
        ("PARTIAL", "Expected a space at byte 25".into()),
        ("PARTIAL 0:5", "0 is not allowed here at byte 26".into()),
        (
            "PARTIAL 1:*",
            "Expected a place in the result at byte 28".into(),
        ),
        ("PARTIAL -1:5", "Expected - at byte 29".into()),
        (
            "PARTIAL 1:-5",
            "Expected a place in the result at byte 28".into(),
        ),
        ("PARTIAL 5", "Expected : at byte 27".into()),
        (
            "PARTIAL 1:4294967296",
            "Number is too large at byte 28".into(),
        ),
    ] {
        wrong(&format!("SEARCH RETURN ({options}) ALL"), &problem);
    }
}

#[test]
fn a_range_of_a_result_takes_what_is_there() {
    let within = |from, to, from_end, len| PartialRange { from, to, from_end }.within(len);
    assert_eq!(within(1, 10, false, 25), 0..10);
    assert_eq!(within(20, 11, false, 25), 10..20);
    assert_eq!(within(21, 30, false, 25), 20..25);
    assert_eq!(within(26, 30, false, 25), 25..25);
    assert_eq!(within(1, 10, true, 25), 15..25);
    assert_eq!(within(20, 30, true, 25), 0..6);
    assert_eq!(within(26, 26, true, 25), 0..0);
    assert_eq!(within(1, u32::MAX, true, 0), 0..0);
}

#[test]
fn sort_and_thread() {
    let search = |returns, charset| Search {
        fetch: Vec::new(),
        returns,
        charset: Some(bytes(charset)),
        key: SearchKey::All,
    };
    let by = |key, reverse| SortCriterion { key, reverse };
    let sort = |uid, criteria, search| Command::Sort {
        uid,
        criteria,
        search,
    };
    means(
        "SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
        &sort(
            false,
            vec![by(SortKey::Subject, false), by(SortKey::Date, true)],
            search(None, "UTF-8"),
        ),
    );
    means(
        "UID SORT RETURN () (DISPLAYFROM DISPLAYTO ARRIVAL CC FROM SIZE TO REVERSE CC) \"US-ASCII\" ALL",
        &sort(
            true,
            [
                SortKey::DisplayFrom,
                SortKey::DisplayTo,
                SortKey::Arrival,
                SortKey::Cc,
                SortKey::From,
                SortKey::Size,
                SortKey::To,
            ]
            .map(|key| by(key, false))
            .to_vec(),
            search(
                Some(SearchReturn {
                    all: true,
                    ..SearchReturn::default()
                }),
                "US-ASCII",
            ),
        ),
    );
    for (name, algorithm) in [
        ("ORDEREDSUBJECT", ThreadAlgorithm::OrderedSubject),
        ("references", ThreadAlgorithm::References),
        ("REFS", ThreadAlgorithm::Refs),
    ] {
        means(
            &format!("UID THREAD {name} UTF-8 ALL"),
            &Command::Thread {
                uid: true,
                algorithm,
                search: search(None, "UTF-8"),
            },
        );
    }
    means(
        "CANCELUPDATE \"B01\" \"B02\"",
        &Command::CancelUpdate(vec![bytes("B01"), bytes("B02")]),
    );
    for (text, problem) in [
        (
            "SORT () UTF-8 ALL",
            "Expected a list of sort keys at byte 8",
        ),
        (
            "SORT DATE UTF-8 ALL",
            "Expected a list of sort keys at byte 8",
        ),
        ("SORT (REVERSE) UTF-8 ALL", "Expected a space at byte 16"),
        (
            "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
            "Unknown sort key at byte 17",
        ),
        ("SORT (FOO) UTF-8 ALL", "Unknown sort key at byte 9"),
        ("SORT (DATE) UTF-8", "Expected a space at byte 20"),
        (
            "THREAD FOO UTF-8 ALL",
            "Unknown threading algorithm at byte 10",
        ),
        ("THREAD REFERENCES ALL", "Expected a space at byte 24"),
        ("CANCELUPDATE", "Expected a space at byte 15"),
    ] {
        wrong(text, problem);
    }
}

/// RFC 5465 §7.
#[test]
fn what_is_told_of_new_messages_in_a_result() {
    for options in ["COUNT UPDATE (UID FLAGS)", "UPDATE(UID FLAGS) COUNT"] {
        means(
            &format!("SEARCH RETURN ({options}) ALL"),
            &Command::Search {
                uid: false,
                search: Search {
                    returns: Some(SearchReturn {
                        update: true,
                        count: true,
                        ..SearchReturn::default()
                    }),
                    fetch: vec![FetchItem::Uid, FetchItem::Flags],
                    charset: None,
                    key: SearchKey::All,
                },
            },
        );
    }
    wrong(
        "SEARCH RETURN (UPDATE ()) ALL",
        "Expected one or more items at byte 25",
    );
}

/// RFC 9394 §3.3.
#[test]
fn parts_of_a_fetch() {
    let with = |modifiers| Command::Fetch {
        uid: true,
        set: SequenceSet::Ranges(vec![(Bound::Number(1), Bound::Last)]),
        items: vec![FetchItem::Flags],
        modifiers,
    };
    let last = PartialRange {
        from: 1,
        to: 30,
        from_end: true,
    };
    means(
        "UID FETCH 1:* FLAGS (PARTIAL -1:-30 CHANGEDSINCE 98305)",
        &with(vec![
            FetchModifier::Partial(last),
            FetchModifier::ChangedSince(98_305),
        ]),
    );
    wrong(
        "UID FETCH 1 FLAGS (PARTIAL 1:5 PARTIAL 1:2)",
        "Only one PARTIAL is allowed at byte 34",
    );
    wrong("UID FETCH 1 FLAGS (PARTIAL)", "Expected a space at byte 29");
    wrong(
        "FETCH 1 FLAGS (PARTIAL 1:2)",
        "PARTIAL is for UID FETCH at byte 18",
    );
}

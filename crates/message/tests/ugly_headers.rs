//! Ugly headers: what ENVELOPE says of them (RFC 9051 §7.5.2).

mod common;

use common::{envelope, envelope_exact};

#[test]
fn nothing() {
    envelope(b"", br#"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"#);
}

#[test]
fn only_a_blank_line() {
    envelope(b"\n", br#"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"#);
}

#[test]
fn header_without_body() {
    envelope(
        b"Subject: s\n\
          From: a@b.c\n",
        br#"(NIL "s" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn header_without_line_end() {
    envelope(
        b"Subject: s",
        br#"(NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn body_without_header() {
    envelope(
        b"Hello, this is\n\
          \n\
          no mail\n",
        br#"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn binary_rubbish() {
    envelope_exact(
        b"\0\x01\xff\xfe\r\0:\n\
          \n",
        br#"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn bare_line_feeds() {
    envelope_exact(
        b"From: a@b.c\n\
          Subject: folded\n\
          \tsubject\n\
          \n\
          line\n\
          line\n",
        br#"(NIL "folded subject" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a"
            "b.c")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn bare_carriage_returns() {
    envelope_exact(
        b"From: a@b.c\r\n\
          Subject: one\rtwo\r\n\
          \r\n\
          body\rbody\r\n",
        br#"(NIL "one two" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c"))
            NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn nul_bytes() {
    envelope_exact(
        b"From: a@b.c\r\n\
          Subject: n\0ul\r\n\
          \r\n\
          bo\0dy\r\n",
        br#"(NIL "nul" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL
            NIL NIL NIL NIL)"#,
    );
}

#[test]
fn no_final_line_end() {
    envelope(
        b"From: a@b.c\n\
          Subject: s\n\
          \n\
          body",
        br#"(NIL "s" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn plain_simple() {
    envelope(
        b"Date: Tue, 2 Jan 2024 03:04:05 +0000\n\
          From: Joe <joe@example.org>\n\
          To: Ann <ann@example.org>\n\
          Subject: hello\n\
          Message-ID: <1@example.org>\n\
          \n\
          body\n",
        br#"("Tue, 2 Jan 2024 03:04:05 +0000" "hello" (("Joe" NIL "joe" "example.org")) (("Joe"
            NIL "joe" "example.org")) (("Joe" NIL "joe" "example.org")) (("Ann" NIL "ann"
            "example.org")) NIL NIL NIL "<1@example.org>")"#,
    );
}

#[test]
fn empty_fields() {
    envelope(
        b"Date:\n\
          Subject:\n\
          From:\n\
          Sender: \n\
          Reply-To:\n\
          To:\n\
          Cc:\n\
          Bcc:\n\
          In-Reply-To:\n\
          Message-ID:\n\
          \n",
        br#"("" "" NIL NIL NIL NIL NIL NIL "" "")"#,
    );
}

#[test]
fn space_before_colon() {
    envelope(
        b"Subject : spaced\n\
          From\t: a@b.c\n\
          \n",
        br#"(NIL "spaced" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL
            NIL NIL NIL NIL)"#,
    );
}

#[test]
fn no_space_after_colon() {
    envelope(
        b"Subject:tight\n\
          From:a@b.c\n\
          \n",
        br#"(NIL "tight" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL
            NIL NIL NIL NIL)"#,
    );
}

#[test]
fn field_twice() {
    envelope(
        b"Subject: one\n\
          Subject: two\n\
          From: a@b.c\n\
          From: d@e.f\n\
          To: g@h.i\n\
          To: j@k.l\n\
          \n",
        br#"(NIL "one" ((NIL NIL "a" "b.c")(NIL NIL "d" "e.f")) ((NIL NIL "a" "b.c")(NIL NIL
            "d" "e.f")) ((NIL NIL "a" "b.c")(NIL NIL "d" "e.f")) ((NIL NIL "g" "h.i")(NIL NIL
            "j" "k.l")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn mbox_line_on_top() {
    envelope(
        b"From a@b.c Tue Jan  2 03:04:05 2024\n\
          Subject: s\n\
          From: a@b.c\n\
          \n",
        br#"(NIL "s" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn rubbish_among_fields() {
    envelope(
        b"Subject: s\n\
          this is no field\n\
          \x20nor this\n\
          From: a@b.c\n\
          \n",
        br#"(NIL "s" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn case_of_field_names() {
    envelope(
        b"SUBJECT: s\n\
          from: a@b.c\n\
          mEsSaGe-Id: <x@y>\n\
          \n",
        br#"(NIL "s" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL
            NIL NIL "<x@y>")"#,
    );
}

#[test]
fn folded_subject() {
    envelope(
        b"Subject: a\n\
          \x20 b\n\
          \tc\n\
          \x20\n\
          \x20d\n\
          From: a@b.c\n\
          \n",
        br#"(NIL "a  b c  d" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c"))
            NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn encoded_words_stay_raw() {
    envelope(
        b"Subject: =?utf-8?Q?J=C3=BCrgen?=\n\
          \x20=?utf-8?Q?_x?=\n\
          From: =?UTF-8?Q?J=C3=BCrgen?= <j@Ex.COM>\n\
          \n",
        br#"(NIL "=?utf-8?Q?J=C3=BCrgen?= =?utf-8?Q?_x?=" (("=?UTF-8?Q?J=C3=BCrgen?=" NIL "j"
            "Ex.COM")) (("=?UTF-8?Q?J=C3=BCrgen?=" NIL "j" "Ex.COM"))
            (("=?UTF-8?Q?J=C3=BCrgen?=" NIL "j" "Ex.COM")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn eight_bit_subject_and_name() {
    envelope(
        b"Subject: J\xc3\xbcrgen\n\
          From: J\xfcrgen <j@b.c>\n\
          \n",
        b"(NIL {7}\r\nJ\xc3\xbcrgen (({6}\r\nJ\xfcrgen NIL \"j\" \"b.c\")) \
          (({6}\r\nJ\xfcrgen NIL \"j\" \"b.c\")) (({6}\r\nJ\xfcrgen NIL \"j\" \"b.c\")) NIL \
          NIL NIL NIL NIL)",
    );
}

#[test]
fn quotes_and_backslashes() {
    envelope(
        b"Subject: a \"b\" \\c\n\
          From: \"Q. \\\"the\\\" X\" <q@b.c>\n\
          Message-ID: <\"a\\b\"@c>\n\
          \n",
        br#"(NIL "a \"b\" \\c" (("Q. \"the\" X" NIL "q" "b.c")) (("Q. \"the\" X" NIL "q"
            "b.c")) (("Q. \"the\" X" NIL "q" "b.c")) NIL NIL NIL NIL "<\"a\\b\"@c>")"#,
    );
}

#[test]
fn iso_2022_jp_without_label() {
    envelope(
        b"Subject: \x1b$B$\"\x1b(B\n\
          From: a@b.c\n\
          \n",
        b"(NIL \"\x1b$B$\\\"\x1b(B\" ((NIL NIL \"a\" \"b.c\")) ((NIL NIL \"a\" \"b.c\")) \
          ((NIL NIL \"a\" \"b.c\")) NIL NIL NIL NIL NIL)",
    );
}

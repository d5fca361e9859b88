//! Ugly multiparts and messages in messages:
//! what BODYSTRUCTURE says of them (RFC 9051 §7.5.2).

mod common;

use common::{structure, structure_exact};

#[test]
fn multipart_simple() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          preamble\n\
          --b\n\
          Content-Type: text/plain; charset=utf-8\n\
          \n\
          one\n\
          --b\n\
          Content-Type: text/html; charset=utf-8\n\
          \n\
          <p>two\n\
          \n\
          --b--\n\
          epilogue\n",
        br#"(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text"
            "html" ("charset" "utf-8") NIL NIL "7bit" 8 1 NIL NIL NIL NIL) "mixed" ("boundary"
            "b") NIL NIL NIL)"#,
    );
}

#[test]
fn multipart_of_nothing() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn multipart_without_its_boundary() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          just text\n\
          second line\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 24 2 NIL NIL NIL NIL)
            "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn multipart_without_boundary_parameter() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed\n\
          \n\
          --b\n\
          \n\
          one\n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 19 4 NIL NIL NIL NIL)
            "mixed" NIL NIL NIL NIL)"#,
    );
}

#[test]
fn multipart_closed_at_once() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn multipart_never_closed() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          \n\
          one\n\
          --b\n\
          \n\
          two",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text"
            "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn part_without_blank_line() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: text/html\n\
          --b\n\
          \n\
          x\n\
          --b--\n",
        br#"(("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)("text"
            "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn parts_without_anything() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          --b\n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)("text"
            "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn part_without_header() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          no header here\n\
          \n\
          second\n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 24 2 NIL NIL NIL NIL)
            "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn trailing_space_at_boundary() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b  \t\n\
          \n\
          one\n\
          --b-- \t\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn text_after_the_closing_boundary() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          \n\
          one\n\
          --b--\n\
          --b\n\
          \n\
          two\n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn boundary_folded_and_quoted() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=\"foo\n\
          \x20bar\"\n\
          \n\
          --foo bar\n\
          Content-Type: text/x-myown; charset=us-ascii\n\
          \n\
          hello\n\
          \n\
          --foo bar--\n",
        br#"(("text" "x-myown" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)
            "mixed" ("boundary" "foo bar") NIL NIL NIL)"#,
    );
}

#[test]
fn boundary_prefix_of_inner() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: multipart/alternative; boundary=bb\n\
          \n\
          --bb\n\
          \n\
          one\n\
          --bb\n\
          \n\
          two\n\
          --bb--\n\
          --b\n\
          \n\
          three\n\
          --b--\n",
        br#"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text"
            "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "alternative"
            ("boundary" "bb") NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit"
            5 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn inner_boundary_prefix_of_outer() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=bb\n\
          \n\
          --bb\n\
          Content-Type: multipart/alternative; boundary=b\n\
          \n\
          --b\n\
          \n\
          one\n\
          --b--\n\
          --bb\n\
          \n\
          three\n\
          --bb--\n",
        br#"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)
            "alternative" ("boundary" "b") NIL NIL NIL)("text" "plain" ("charset" "us-ascii")
            NIL NIL "7bit" 5 0 NIL NIL NIL NIL) "mixed" ("boundary" "bb") NIL NIL NIL)"#,
    );
}

#[test]
fn same_boundary_nested() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: multipart/alternative; boundary=b\n\
          \n\
          --b\n\
          \n\
          one\n\
          --b--\n\
          --b\n\
          \n\
          two\n\
          --b--\n",
        br#"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)
            "alternative" ("boundary" "b") NIL NIL NIL)("text" "plain" ("charset" "us-ascii")
            NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn inner_never_closed() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: multipart/alternative; boundary=i\n\
          \n\
          --i\n\
          \n\
          one\n\
          --b\n\
          \n\
          two\n\
          --b--\n",
        br#"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)
            "alternative" ("boundary" "i") NIL NIL NIL)("text" "plain" ("charset" "us-ascii")
            NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn digest() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/digest; boundary=b\n\
          \n\
          --b\n\
          \n\
          From: x@y.z\n\
          Subject: m1\n\
          \n\
          one\n\
          \n\
          --b\n\
          X-Mime: y\n\
          \n\
          Subject: m2\n\
          Content-Type: text/html; charset=utf-8\n\
          \n\
          two\n\
          --b\n\
          Content-Type: text/plain; charset=us-ascii\n\
          \n\
          no message\n\
          --b--\n",
        br#"(("message" "rfc822" NIL NIL NIL "7bit" 33 (NIL "m1" ((NIL NIL "x" "y.z")) ((NIL
            NIL "x" "y.z")) ((NIL NIL "x" "y.z")) NIL NIL NIL NIL NIL) ("text" "plain"
            ("charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL) 4 NIL NIL NIL
            NIL)("message" "rfc822" NIL NIL NIL "7bit" 58 (NIL "m2" NIL NIL NIL NIL NIL NIL NIL
            NIL) ("text" "html" ("charset" "utf-8") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) 3 NIL
            NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 0 NIL NIL NIL
            NIL) "digest" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn message_in_message() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: message/rfc822\n\
          \n\
          From: in@b.c\n\
          Subject: inner\n\
          \n\
          line\n\
          line\n",
        br#"("message" "rfc822" NIL NIL NIL "7bit" 44 (NIL "inner" ((NIL NIL "in" "b.c")) ((NIL
            NIL "in" "b.c")) ((NIL NIL "in" "b.c")) NIL NIL NIL NIL NIL) ("text" "plain"
            ("charset" "us-ascii") NIL NIL "7bit" 12 2 NIL NIL NIL NIL) 5 NIL NIL NIL NIL)"#,
    );
}

#[test]
fn message_part() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: message/rfc822\n\
          Content-Disposition: attachment; filename=m.eml\n\
          \n\
          From: in@b.c\n\
          Subject: inner\n\
          Content-Type: multipart/alternative; boundary=i\n\
          \n\
          --i\n\
          \n\
          one\n\
          --i\n\
          Content-Type: text/html\n\
          \n\
          <p>\n\
          --i--\n\
          \n\
          --b--\n",
        br#"(("message" "rfc822" NIL NIL NIL "7bit" 137 (NIL "inner" ((NIL NIL "in" "b.c"))
            ((NIL NIL "in" "b.c")) ((NIL NIL "in" "b.c")) NIL NIL NIL NIL NIL) (("text" "plain"
            ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text" "html" ("charset"
            "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "alternative" ("boundary" "i") NIL
            NIL NIL) 12 NIL ("attachment" ("filename" "m.eml")) NIL NIL) "mixed" ("boundary"
            "b") NIL NIL NIL)"#,
    );
}

#[test]
fn message_part_that_is_none() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: message/rfc822\n\
          Content-Transfer-Encoding: base64\n\
          \n\
          U3ViamVjdDogeA0KDQp4DQo=\n\
          --b--\n",
        br#"(("message" "rfc822" NIL NIL NIL "base64" 24 (NIL NIL NIL NIL NIL NIL NIL NIL NIL
            NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 24 0 NIL NIL NIL NIL) 0
            NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn message_part_that_is_empty() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: message/rfc822\n\
          \n\
          --b--\n",
        br#"(("message" "rfc822" NIL NIL NIL "7bit" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)
            ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) 0 NIL
            NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn message_part_cut_in_its_header() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          Content-Type: message/rfc822\n\
          \n\
          Subject: in\n\
          --b--\n",
        br#"(("message" "rfc822" NIL NIL NIL "7bit" 11 (NIL "in" NIL NIL NIL NIL NIL NIL NIL
            NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) 0
            NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn delivery_status() {
    structure(
        b"From: a@b.c\n\
          Subject: s\n\
          Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\
          \n\
          --b\n\
          \n\
          sorry\n\
          --b\n\
          Content-Type: message/delivery-status\n\
          \n\
          Reporting-MTA: dns; x\n\
          \n\
          --b\n\
          Content-Type: text/rfc822-headers\n\
          \n\
          Subject: x\n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL
            NIL)("message" "delivery-status" NIL NIL NIL "7bit" 23 NIL NIL NIL NIL)("text"
            "rfc822-headers" ("charset" "us-ascii") NIL NIL "7bit" 10 0 NIL NIL NIL NIL)
            "report" ("report-type" "delivery-status" "boundary" "b") NIL NIL NIL)"#,
    );
}

#[test]
fn bare_line_feeds_in_multipart() {
    structure_exact(
        b"Content-Type: multipart/mixed; boundary=b\n\
          \n\
          --b\n\
          \n\
          one\n\
          --b\n\
          \n\
          two\n\
          \n\
          --b--\n",
        br#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text"
            "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL) "mixed"
            ("boundary" "b") NIL NIL NIL)"#,
    );
}

//! Ugly addresses: what ENVELOPE says of them (RFC 9051 §7.5.2).

mod common;

use common::envelope;

#[test]
fn groups() {
    envelope(
        b"From: a@b.c\n\
          To: friends: x@y.z, Zoe <z@y.z>;, other: ;, solo@b.c\n\
          Cc: undisclosed-recipients:;\n\
          \n",
        br#"(NIL NIL ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL
            NIL "friends" NIL)(NIL NIL "x" "y.z")("Zoe" NIL "z" "y.z")(NIL NIL NIL NIL)(NIL NIL
            "other" NIL)(NIL NIL NIL NIL)(NIL NIL "solo" "b.c")) ((NIL NIL
            "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)"#,
    );
}

#[test]
fn group_left_open() {
    envelope(
        b"From: a@b.c\n\
          To: friends: x@y.z, z@y.z\n\
          \n",
        br#"(NIL NIL ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL
            NIL "friends" NIL)(NIL NIL "x" "y.z")(NIL NIL "z" "y.z")(NIL NIL NIL NIL)) NIL NIL
            NIL NIL)"#,
    );
}

#[test]
fn group_between_fields() {
    envelope(
        b"From: a@b.c\n\
          To: friends: x@y.z\n\
          To: z@y.z\n\
          \n",
        br#"(NIL NIL ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL
            NIL "friends" NIL)(NIL NIL "x" "y.z")(NIL NIL NIL NIL)(NIL NIL "z" "y.z")) NIL NIL
            NIL NIL)"#,
    );
}

#[test]
fn source_route() {
    envelope(
        b"From: (a comment) Joe <@r1,@r2:j@Ex.COM>\n\
          To: <@route:user@domain>\n\
          \n",
        br#"(NIL NIL (("Joe" "@r1,@r2" "j" "Ex.COM")) (("Joe" "@r1,@r2" "j" "Ex.COM")) (("Joe"
            "@r1,@r2" "j" "Ex.COM")) ((NIL "@route" "user" "domain")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn comment_as_name() {
    envelope(
        b"From: joe@b.c (Joe (the) Doe)\n\
          To: <ann@b.c> (Ann)\n\
          \n",
        br#"(NIL NIL (("Joe (the) Doe" NIL "joe" "b.c")) (("Joe (the) Doe" NIL "joe" "b.c"))
            (("Joe (the) Doe" NIL "joe" "b.c")) (("Ann" NIL "ann" "b.c")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn missing_domain() {
    envelope(
        b"From: joe\n\
          To: Ann <ann>\n\
          Cc: <>\n\
          Bcc: Nobody <>\n\
          \n",
        br#"(NIL NIL ((NIL NIL "joe" "")) ((NIL NIL "joe" "")) ((NIL NIL "joe" "")) (("Ann" NIL
            "ann" "")) ((NIL NIL "" "")) (("Nobody" NIL "" "")) NIL NIL)"#,
    );
}

#[test]
fn words_without_address() {
    envelope(
        b"From: undisclosed recipients\n\
          To: ,,;\n\
          \n",
        br#"(NIL NIL (("undisclosed recipients" NIL "" "")) (("undisclosed recipients" NIL ""
            "")) (("undisclosed recipients" NIL "" "")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn quoted_local_part() {
    envelope(
        b"From: \"joe doe\"@b.c\n\
          To: \"a\".b@c.d\n\
          \n",
        br#"(NIL NIL ((NIL NIL "joe doe" "b.c")) ((NIL NIL "joe doe" "b.c")) ((NIL NIL "joe
            doe" "b.c")) ((NIL NIL "a.b" "c.d")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn domain_literal() {
    envelope(
        b"From: joe@[192.0.2.1]\n\
          To: <joe@[IPv6:2001:db8::1]>\n\
          \n",
        br#"(NIL NIL ((NIL NIL "joe" "[192.0.2.1]")) ((NIL NIL "joe" "[192.0.2.1]")) ((NIL NIL
            "joe" "[192.0.2.1]")) ((NIL NIL "joe" "[IPv6:2001:db8::1]")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn address_as_name() {
    envelope(
        b"From: joe@b.c <joe@b.c>\n\
          To: \"ann@b.c\" <ann@b.c>\n\
          \n",
        br#"(NIL NIL (("joe@b.c" NIL "joe" "b.c")) (("joe@b.c" NIL "joe" "b.c")) (("joe@b.c"
            NIL "joe" "b.c")) (("ann@b.c" NIL "ann" "b.c")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn missing_bracket() {
    envelope(
        b"From: Joe <joe@b.c\n\
          To: Ann <ann@b.c, bob@b.c\n\
          \n",
        br#"(NIL NIL (("Joe" NIL "joe" "b.c")) (("Joe" NIL "joe" "b.c")) (("Joe" NIL "joe"
            "b.c")) (("Ann" NIL "ann" "b.c")(NIL NIL "bob" "b.c")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn unfinished_quote() {
    envelope(
        b"From: \"Joe <joe@b.c>\n\
          To: x@y.z\n\
          \n",
        br#"(NIL NIL ((NIL NIL "Joe <joe@b.c>" "")) ((NIL NIL "Joe <joe@b.c>" "")) ((NIL NIL
            "Joe <joe@b.c>" "")) ((NIL NIL "x" "y.z")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn unfinished_comment() {
    envelope(
        b"From: joe@b.c (Joe\n\
          To: (x@y.z\n\
          \n",
        br#"(NIL NIL (("Joe" NIL "joe" "b.c")) (("Joe" NIL "joe" "b.c")) (("Joe" NIL "joe"
            "b.c")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn comma_in_encoded_word() {
    envelope(
        b"From: =?utf-8?Q?Doe,_Joe?= <joe@b.c>, =?utf-8?Q?A?= <a@b.c>\n\
          \n",
        br#"(NIL NIL (("=?utf-8?Q?Doe,_Joe?=" NIL "joe" "b.c")("=?utf-8?Q?A?=" NIL "a" "b.c"))
            (("=?utf-8?Q?Doe,_Joe?=" NIL "joe" "b.c")("=?utf-8?Q?A?=" NIL "a" "b.c"))
            (("=?utf-8?Q?Doe,_Joe?=" NIL "joe" "b.c")("=?utf-8?Q?A?=" NIL "a" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn obsolete_white_space() {
    envelope(
        b"From: Joe <joe . doe @ example . org>\n\
          To: joe\n\
          \x20@b.c\n\
          \n",
        br#"(NIL NIL (("Joe" NIL "joe.doe" "example.org")) (("Joe" NIL "joe.doe"
            "example.org")) (("Joe" NIL "joe.doe" "example.org")) ((NIL NIL "joe" "b.c")) NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn semicolon_list() {
    envelope(
        b"From: a@b.c\n\
          To: x@y.z; q@y.z\n\
          \n",
        br#"(NIL NIL ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL
            NIL "x" "y.z")(NIL NIL "q" "y.z")) NIL NIL NIL NIL)"#,
    );
}

#[test]
fn only_encoded_word_quoted() {
    envelope(
        b"From: \"=?utf-8?Q?J=C3=BCrgen?=\" <j@b.c>\n\
          \n",
        br#"(NIL NIL (("=?utf-8?Q?J=C3=BCrgen?=" NIL "j" "b.c")) (("=?utf-8?Q?J=C3=BCrgen?="
            NIL "j" "b.c")) (("=?utf-8?Q?J=C3=BCrgen?=" NIL "j" "b.c")) NIL NIL NIL NIL NIL)"#,
    );
}

#[test]
fn sender_and_reply_to() {
    envelope(
        b"From: a@b.c\n\
          Sender: s@b.c\n\
          Reply-To: r@b.c\n\
          \n",
        br#"(NIL NIL ((NIL NIL "a" "b.c")) ((NIL NIL "s" "b.c")) ((NIL NIL "r" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn sender_is_rubbish() {
    envelope(
        b"From: a@b.c\n\
          Sender: ,\n\
          Reply-To: ()\n\
          \n",
        br#"(NIL NIL ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL
            NIL NIL NIL)"#,
    );
}

#[test]
fn no_from() {
    envelope(
        b"Sender: s@b.c\n\
          To: t@b.c\n\
          \n",
        br#"(NIL NIL NIL ((NIL NIL "s" "b.c")) NIL ((NIL NIL "t" "b.c")) NIL NIL NIL NIL)"#,
    );
}

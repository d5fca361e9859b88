//! How long a digest takes: `cargo run --release --example bench [file...]`.

use std::hint::black_box;
use std::time::Instant;

fn main() {
    let files: Vec<_> = std::env::args().skip(1).collect();
    let mut messages: Vec<(String, Vec<u8>)> = files
        .into_iter()
        .filter_map(|name| Some((name.clone(), std::fs::read(&name).ok()?)))
        .collect();
    if messages.is_empty() {
        messages = vec![
            ("4 KB alternative".into(), alternative()),
            ("1 MB base64".into(), base64()),
        ];
    }
    for (name, message) in &messages {
        let rounds = (200_000_000 / (message.len() + 20_000)).max(1);
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(pillarbox_message::digest(black_box(message)).encode());
        }
        let each = start.elapsed() / rounds as u32;
        println!(
            "{name}: {} bytes, digest and encode {each:?}",
            message.len()
        );
    }
}

/// A message as a newsletter or a person would send it: many fields, text and HTML.
fn alternative() -> Vec<u8> {
    let mut out = String::new();
    for hop in 0..6 {
        out += &format!(
            "Received: from mx{hop}.example.org (mx{hop}.example.org [192.0.2.{hop}])\r\n\tby \
             in.example.net with ESMTPS id abc{hop}def\r\n\tfor <ann@example.net>; Tue, 2 Jan 2024 \
             03:04:05 +0000 (UTC)\r\n"
        );
    }
    out += "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k1;\r\n\tb=";
    out += &"abcdefgh".repeat(30);
    out += "\r\nDate: Tue, 2 Jan 2024 03:04:05 +0000\r\nFrom: =?utf-8?Q?J=C3=BCrgen?= \
            <joe@example.org>\r\nTo: Ann Example <ann@example.net>, bob@example.net\r\nCc: \"Doe, \
            Jane\" <jane@example.net>\r\nSubject: Re: the report of last week\r\nMessage-ID: \
            <20240102030405.1234@example.org>\r\nIn-Reply-To: <1@example.net>\r\nReferences: \
            <0@example.net> <1@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: \
            multipart/alternative; boundary=\"=_abcdef0123456789\"\r\nX-Mailer: none\r\n\r\n";
    let text = "The quick brown fox jumps over the lazy dog, and again it does.\r\n";
    out += "--=_abcdef0123456789\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n";
    out += &text.repeat(12);
    out += "--=_abcdef0123456789\r\nContent-Type: text/html; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><body>";
    out += &text.repeat(14);
    out += "</body></html>\r\n--=_abcdef0123456789--\r\n";
    out.into_bytes()
}

fn base64() -> Vec<u8> {
    let mut out = b"From: a@b.c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\
                    hi\r\n\
                    --b\r\nContent-Type: application/pdf\r\n\
                    Content-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    let line = [&b"QUJD".repeat(19)[..], b"\r\n"].concat();
    out.extend(line.repeat(1_000_000 / line.len()));
    out.extend_from_slice(b"--b--\r\n");
    out
}

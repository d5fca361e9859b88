//! Mail to look at: one message for each thing that clients show in their own way.

use pillarbox_model::Flag;

/// A message of the first day.
pub(super) struct Sample {
    /// Where it is.
    pub(super) mailbox: &'static str,
    /// Its flags.
    pub(super) flags: &'static [&'static str],
    /// How long ago it came.
    pub(super) hours_ago: i64,
    /// With bare line ends; see [`Sample::message`].
    text: &'static str,
}

impl Sample {
    /// The message as it goes over the wire, with CRLF (RFC 5322 §2.1).
    pub(super) fn message(&self) -> Vec<u8> {
        self.text.replace('\n', "\r\n").into_bytes()
    }

    /// Its flags.
    pub(super) fn flags(&self) -> Vec<Flag> {
        self.flags
            .iter()
            .filter_map(|name| Flag::parse(name))
            .collect()
    }
}

/// All of them, in the order of their arrival within each mailbox.
pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        mailbox: "INBOX",
        flags: &["\\Seen"],
        hours_ago: 72,
        text: PLAIN,
    },
    Sample {
        mailbox: "INBOX",
        flags: &["\\Seen", "\\Answered"],
        hours_ago: 48,
        text: ENCODED_WORDS,
    },
    Sample {
        mailbox: "INBOX",
        flags: &["\\Flagged", "$Important"],
        hours_ago: 24,
        text: ATTACHMENT,
    },
    Sample {
        mailbox: "INBOX",
        flags: &[],
        hours_ago: 3,
        text: NON_ASCII,
    },
    Sample {
        mailbox: "INBOX",
        flags: &[],
        hours_ago: 1,
        text: FORWARDED,
    },
    Sample {
        mailbox: "Sent",
        flags: &["\\Seen"],
        hours_ago: 47,
        text: REPLY,
    },
    Sample {
        mailbox: "Drafts",
        flags: &["\\Draft", "\\Seen"],
        hours_ago: 2,
        text: DRAFT,
    },
];

/// Nothing but a header and text.
const PLAIN: &str = "\
From: Pillarbox <postmaster@localhost>
To: user@localhost
Subject: Welcome to your mailbox
Date: Mon, 02 Feb 2026 09:00:00 +0000
Message-ID: <welcome@quickstart.invalid>

Hello,

this mailbox and all that is in it was made by `pillarbox quickstart`. Each
message shows something else: encoded subjects, HTML, an attachment, another
writing system, a message within a message.

Read them, flag them, move them, delete them; they are only samples.
";

/// A subject, a name and a file's text outside of ASCII, said in ASCII (RFC 2047), in Latin-1 and
/// quoted-printable.
const ENCODED_WORDS: &str = "\
From: =?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.org>
To: user@localhost
Subject: =?ISO-8859-1?Q?Gr=FC=DFe_aus_K=F6ln?= =?UTF-8?B?IOKAkyBtaXQgRm90b3M=?=
Date: Tue, 03 Feb 2026 18:30:00 +0100
Message-ID: <gruesse@quickstart.invalid>
MIME-Version: 1.0
Content-Type: text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6ne Gr=FC=DFe aus K=F6ln. Die Fotos schicke ich dir morgen; diese Zeile =
ist so lang, dass sie umgebrochen werden musste.
";

/// The usual message of an office: text, the same as HTML, a picture within, a file attached.
const ATTACHMENT: &str = "\
From: \"Accounts, Example Ltd\" <accounts@example.com>
To: user@localhost
Cc: Ann <ann@example.com>, Bob <bob@example.com>
Subject: Figures for January
Date: Wed, 04 Feb 2026 08:15:00 -0500
Message-ID: <figures@quickstart.invalid>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

The figures for January are attached. Sales went up by 4 %.

--inner
Content-Type: multipart/related; boundary=related

--related
Content-Type: text/html; charset=utf-8

<html><body><p>The figures for <b>January</b> are attached. Sales went up by
<span style=\"color: green\">4&nbsp;%</span>.</p>
<p><img src=\"cid:dot@quickstart.invalid\" alt=\"\" width=\"24\" height=\"24\"></p></body></html>

--related
Content-Type: image/png; name=dot.png
Content-Transfer-Encoding: base64
Content-ID: <dot@quickstart.invalid>
Content-Disposition: inline; filename=dot.png

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6
kgAAAABJRU5ErkJggg==

--related--

--inner--

--outer
Content-Type: text/csv; charset=utf-8; name=january.csv
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=january.csv

d2VlayxzYWxlcwoxLDEwMDAKMiwxMDE1CjMsMTAyMAo0LDEwNDAK

--outer--
";

/// UTF-8 as it is, in the body and, by base64, in the subject; an attachment whose name is not ASCII
/// (RFC 2231).
const NON_ASCII: &str = "\
From: =?UTF-8?B?5bGx55Sw6Iqx5a2Q?= <hanako@example.jp>
To: user@localhost
Subject: =?UTF-8?B?5pil44Gu56Wt44KK44Gu44GK55+l44KJ44GbIPCfjLg=?=
Date: Thu, 05 Feb 2026 21:00:00 +0900
Message-ID: <matsuri@quickstart.invalid>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"=_matsuri\"

--=_matsuri
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

春の祭りは四月四日です。どうぞお越しください。
Весенний праздник будет четвёртого апреля.
عيد الربيع في الرابع من نيسان.

--=_matsuri
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
Content-Disposition: attachment; filename*=utf-8''%E5%9C%B0%E5%9B%B3.txt

駅 → 公園 → 神社

--=_matsuri--
";

/// A message within a message.
const FORWARDED: &str = "\
From: Ann <ann@example.com>
To: user@localhost
Subject: Fwd: Lunch?
Date: Fri, 06 Feb 2026 11:20:00 +0000
Message-ID: <forwarded@quickstart.invalid>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=fwd

--fwd
Content-Type: text/plain

Did you see this one?

--fwd
Content-Type: message/rfc822

From: Bob <bob@example.com>
To: Ann <ann@example.com>
Subject: Lunch?
Date: Fri, 06 Feb 2026 11:00:00 +0000
Message-ID: <lunch@quickstart.invalid>

At noon, the place with the blue door. Bring the others.

--fwd--
";

/// An answer to [`ENCODED_WORDS`], so that there is a conversation to be threaded.
const REPLY: &str = "\
From: user@localhost
To: =?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.org>
Subject: =?UTF-8?Q?Re:_Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln_=E2=80=93_mit_Fotos?=
Date: Tue, 03 Feb 2026 19:10:00 +0100
Message-ID: <antwort@quickstart.invalid>
In-Reply-To: <gruesse@quickstart.invalid>
References: <gruesse@quickstart.invalid>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: 8bit

> Die Fotos schicke ich dir morgen

Danke, ich freue mich darauf!
";

/// Something half written.
const DRAFT: &str = "\
From: user@localhost
To: ann@example.com
Subject: Notes for Thursday
Date: Fri, 06 Feb 2026 10:00:00 +0000
Message-ID: <notes@quickstart.invalid>

- the budget
- who takes minutes
";

#[cfg(test)]
mod tests {
    use pillarbox_message::{decode_header, digest};

    use super::*;

    #[test]
    fn samples_are_what_they_say() {
        for sample in SAMPLES {
            let message = sample.message();
            assert!(
                !String::from_utf8_lossy(&message)
                    .replace("\r\n", "")
                    .contains(['\r', '\n'])
            );
            assert_eq!(sample.flags().len(), sample.flags.len());
            assert!(!digest(&message).preview.is_empty(), "{}", sample.text);
        }
        let subjects = SAMPLES.iter().map(|sample| {
            let lines = sample.text.lines();
            let subject = lines
                .filter_map(|line| line.strip_prefix("Subject: "))
                .next();
            decode_header(subject.unwrap_or_default().as_bytes())
        });
        let subjects: Vec<String> = subjects.collect();
        assert_eq!(subjects[1], "Grüße aus Köln – mit Fotos");
        assert_eq!(subjects[3], "春の祭りのお知らせ 🌸");
    }
}

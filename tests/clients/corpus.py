"""A private corpus of mail: the same seed gives the same octets, on every machine.

Every message is unique and ends its lines in CRLF. Most are what people send; the rest is what
breaks servers and clients: no header, no body, no blank line between them, no last line end,
octets above 127 where none may be, lines of ten thousand octets, five megabytes in one part.
"""

import base64
import calendar
import hashlib
import random
import time
from dataclasses import dataclass, field

LARGE_PART = 5 * 1024 * 1024
FIRST_DATE = calendar.timegm((2019, 1, 1, 8, 0, 0))

WORDS = (
    "able about above account across after again agenda almost along answer arrive autumn balance "
    "before begin better between branch bridge budget button calendar carry cellar change chapter "
    "clear coast colour common copper corner cover cross daily dance dinner distant doctor draft "
    "early east easy eleven empty engine evening exact fabric famous figure final flour forest "
    "garden gather gentle glass grain green harbour hollow honest hunger idea indeed island jacket "
    "journey kettle kitchen ladder letter level library linen little machine market meadow measure "
    "mirror morning narrow never north number office olive orange paper pencil pillar planet "
    "plenty pocket quarter quiet rather reason record river rubber salmon school season second "
    "shadow silver simple sister socket spring square station stone summer sunday table tailor "
    "thread timber travel under usual valley velvet village window winter wonder yellow"
).split()
FOREIGN = (
    "Grüße aus Köln", "Árvíztűrő tükörfúrógép", "Привет, мир", "会議の議事録", "שלום עולם",
    "Żółta łódź", "Đặng Thị Hương", "🎉 Feier 🎂", "naïve café", "Ελληνικά",
)


@dataclass(frozen=True)
class Message:
    """One message, with the date it arrived (seconds since 1970, UTC) and its system flags."""

    octets: bytes = field(repr=False)
    arrived: int
    flags: frozenset[str]

    @property
    def key(self) -> str:
        return key_of(self.octets)


def key_of(octets: bytes) -> str:
    """What a message is recognised by, whichever side's line ends it has.

    mbsync marks what it copies with an X-TUID field; a mark is not the message.
    """
    lines = octets.replace(b"\r\n", b"\n").split(b"\n")
    kept = [line for line in lines if not line.startswith(b"X-TUID: ")]
    return hashlib.sha256(b"\n".join(kept)).hexdigest()[:24]


def messages(count: int, seed: str, large: bool = False) -> list[Message]:
    """`count` messages of `seed`; with `large` one of them carries `LARGE_PART` octets."""
    rng = random.Random(f"pillarbox {seed}")
    made = [_message(number, seed, rng) for number in range(count)]
    if large:
        made[count // 2] = _dressed(_large(count, seed, rng), count // 2, rng)
    return made


def plain(count: int, seed: str) -> list[Message]:
    """`count` well-formed messages, for clients that rewrite what is not."""
    rng = random.Random(f"pillarbox plain {seed}")
    makers = (_plain, _alternative, _attachment, _encoded_words, _eight_bit, _many_fields)
    return [
        _dressed(makers[number % len(makers)](number, seed, rng), number, rng)
        for number in range(count)
    ]


def threaded(number: int) -> Message:
    """The `number`th (below 24) of messages in four threads, where each answers the one before."""
    thread, answer = number % 4, number // 4
    subject = ("Plan", "Bridge", "Übersicht", "Accounts")[thread]
    references = "".join(f" <{thread}.{each}@corpus.example>" for each in range(answer))
    answers = f"In-Reply-To:{references[references.rfind(' '):]}\r\nReferences:{references}\r\n"
    day = f"{1 + number % 28:02} Jan 2019 10:{number:02}:00 +0000"
    text = (
        f"From: Sender {(7 * number) % 24:02} <s{number}@example.net>\r\n"
        f"To: Alice <alice@example.org>\r\nDate: {day}\r\n"
        f"Subject: {'Re: ' if answer else ''}{subject}\r\n"
        f"Message-ID: <{thread}.{answer}@corpus.example>\r\n{answers if answer else ''}"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\nNumber {number}: Grüße aus Köln.\r\n"
    )
    return Message(text.encode(), FIRST_DATE + number * 5417, frozenset())


def complete(some: list[Message]) -> list[Message]:
    """Those of `some` whose header ends in a blank line: mbsync passes others over."""
    return [each for each in some if b"\r\n\r\n" in b"\r\n" + each.octets]


def _message(number: int, seed: str, rng: random.Random) -> Message:
    makers, weights = zip(*_MAKERS)
    # The first messages are one of each kind, so that a small corpus has them all.
    maker = makers[number] if number < len(makers) else rng.choices(makers, weights)[0]
    return _dressed(maker(number, seed, rng), number, rng)


def _dressed(octets: bytes, number: int, rng: random.Random) -> Message:
    flags = [flag for flag in ("Seen", "Answered", "Flagged", "Draft") if rng.random() < 0.3]
    return Message(octets, FIRST_DATE + number * 5417, frozenset(flags))


def _header(number: int, seed: str, rng: random.Random, subject: str, **more: str) -> bytes:
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(FIRST_DATE + number * 5417))
    sender = rng.choice(WORDS)
    fields = {
        "Date": date,
        "From": f"{sender.title()} {rng.choice(WORDS).title()} <{sender}@example.net>",
        "To": "Alice <alice@example.org>",
        "Message-ID": f"<{number}.{seed}@corpus.example>",
        "Subject": subject,
        "MIME-Version": "1.0",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + "."


def _text(rng: random.Random, lines: int) -> str:
    return "".join(_sentence(rng, rng.randint(4, 12)) + "\r\n" for _ in range(lines))


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _word(text: str) -> str:
    return f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="


def _multipart(boundary: str, *parts: bytes) -> bytes:
    opened = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return b"This is a message in several parts.\r\n" + opened + f"--{boundary}--\r\n".encode()


def _part(content_type: str, body: bytes, *fields: str) -> bytes:
    header = "".join(f"{line}\r\n" for line in (f"Content-Type: {content_type}", *fields))
    return header.encode() + b"\r\n" + body


def _plain(number: int, seed: str, rng: random.Random) -> bytes:
    body = _text(rng, rng.randint(1, 60))
    return _header(number, seed, rng, _sentence(rng, 5)) + body.encode()


def _alternative(number: int, seed: str, rng: random.Random) -> bytes:
    text = _text(rng, rng.randint(3, 40))
    html = f"<html><body><p>{text}</p></body></html>\r\n"
    kind = f'multipart/alternative; boundary="alt-{number}"'
    return _header(number, seed, rng, _sentence(rng, 6), Content_Type=kind) + _multipart(
        f"alt-{number}",
        _part("text/plain; charset=us-ascii", text.encode()),
        _part("text/html; charset=us-ascii", html.encode(), "Content-Transfer-Encoding: 7bit"),
    )


def _attachment(number: int, seed: str, rng: random.Random) -> bytes:
    return _with_part(number, seed, rng, rng.randint(500, 9000))


def _large(number: int, seed: str, rng: random.Random) -> bytes:
    return _with_part(number, seed, rng, LARGE_PART)


def _with_part(number: int, seed: str, rng: random.Random, size: int) -> bytes:
    kind = f'multipart/mixed;\r\n boundary="mixed-{number}"'
    return _header(number, seed, rng, _sentence(rng, 4), Content_Type=kind) + _multipart(
        f"mixed-{number}",
        _part("text/plain", _text(rng, 3).encode()),
        _part(
            "application/octet-stream",
            _base64(rng.randbytes(size)),
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment; filename*=utf-8''%C3%9Cbersicht%20%E2%82%AC.bin",
        ),
    )


def _forwarded(number: int, seed: str, rng: random.Random) -> bytes:
    inner = _alternative(number + 1_000_000, seed, rng)
    kind = f"multipart/digest; boundary=digest-{number}"
    return _header(number, seed, rng, "Fwd: two messages", Content_Type=kind) + _multipart(
        f"digest-{number}",
        b"\r\n" + inner,
        _part("message/rfc822", _plain(number + 2_000_000, seed, rng)),
    )


def _encoded_words(number: int, seed: str, rng: random.Random) -> bytes:
    text = rng.choice(FOREIGN)
    header = _header(
        number, seed, rng, f"{_word(text)}\r\n {_word(rng.choice(FOREIGN))}",
        Cc=f"{_word('Jörg Müller')} <joerg@example.net>,\r\n\tteam:a@example.net,b@example.net;",
        Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="base64",
    )
    return header + _base64((text + "\r\n" + _text(rng, 4)).encode())


def _eight_bit(number: int, seed: str, rng: random.Random) -> bytes:
    header = _header(
        number, seed, rng, _sentence(rng, 3),
        Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="8bit",
    )
    return header + "".join(f"{rng.choice(FOREIGN)}\r\n" for _ in range(8)).encode()


def _raw_header(number: int, seed: str, rng: random.Random) -> bytes:
    """Octets above 127 in a header, as ISO 8859-1: wrong, and common."""
    header = _header(number, seed, rng, "SUBJECT")
    return header.replace(b"SUBJECT", b"Gr\xfc\xdfe aus K\xf6ln") + b"\xe4\xf6\xfc\xff\r\n"


def _long_lines(number: int, seed: str, rng: random.Random) -> bytes:
    return _header(number, seed, rng, "Long lines") + b"".join(
        str(digit).encode() * rng.randint(900, 10_000) + b"\r\n" for digit in range(3)
    )


def _many_fields(number: int, seed: str, rng: random.Random) -> bytes:
    trace = {f"X-Trace-{n}": "\r\n\t".join(rng.choices(WORDS, k=12)) for n in range(40)}
    return _header(number, seed, rng, "Many fields", **trace) + _text(rng, 2).encode()


def _empty_body(number: int, seed: str, rng: random.Random) -> bytes:
    return _header(number, seed, rng, "No body")


def _no_blank_line(number: int, seed: str, rng: random.Random) -> bytes:
    return _header(number, seed, rng, "Header only")[:-2]


def _no_header(number: int, seed: str, rng: random.Random) -> bytes:
    return f"\r\nBody {number} of {seed} without a header.\r\n".encode() + _text(rng, 2).encode()


def _no_last_line_end(number: int, seed: str, rng: random.Random) -> bytes:
    return _header(number, seed, rng, "Cut short") + _text(rng, 3).encode()[:-2]


_MAKERS = (
    (_plain, 30),
    (_alternative, 20),
    (_attachment, 14),
    (_encoded_words, 12),
    (_eight_bit, 8),
    (_forwarded, 4),
    (_raw_header, 3),
    (_many_fields, 3),
    (_long_lines, 2),
    (_empty_body, 1),
    (_no_blank_line, 1),
    (_no_header, 1),
    (_no_last_line_end, 1),
)

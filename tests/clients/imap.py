"""The other path: what a server holds, asked with Python's imaplib and nothing of the client's."""

import imaplib
import re
import shlex
import ssl
import time
from dataclasses import dataclass, field

import corpus
import mutf7

# One response line of a SEARCH over a large mailbox passes imaplib's own limit.
imaplib._MAXLINE = 16 * 1024 * 1024

SECONDS = 60
FETCH_AT_ONCE = 200


class Refused(Exception):
    """The server answered NO or BAD where OK was due."""


@dataclass(frozen=True)
class Stored:
    """A message as the server gives it; flags without backslash, `\\Recent` left out."""

    uid: int
    flags: frozenset[str]
    arrived: int
    octets: bytes = field(repr=False)

    @property
    def key(self) -> str:
        return corpus.key_of(self.octets)


def ok(reply):
    """The data of an imaplib reply, or `Refused`."""
    status, data = reply
    if status != "OK":
        raise Refused(f"{status} {data!r}")
    return data


def quoted(text: str) -> str:
    """`text` as an IMAP quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Session:
    """A logged-in imaplib connection over TLS, with mailbox names in Unicode.

    Names use `/` between levels, whatever the server's delimiter is.
    """

    def __init__(self, server, account):
        context = ssl.create_default_context(cafile=str(server.authority))
        self.raw = imaplib.IMAP4_SSL(
            server.host, server.imaps_port, ssl_context=context, timeout=SECONDS
        )
        self.port = self.raw.sock.getsockname()[1]
        ok(self.raw.login(account.name, account.password))
        listed = ok(self.raw.list('""', '""'))[0]
        self.delimiter = re.match(rb'\(.*?\) "(.)"', listed).group(1).decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.logout()

    def wire(self, mailbox: str) -> str:
        """`mailbox` as an argument of a command."""
        return quoted(mutf7.encode(mailbox.replace("/", self.delimiter)))

    def mailboxes(self) -> set[str]:
        """The names of all selectable mailboxes."""
        names = set()
        for line in ok(self.raw.list()):
            if isinstance(line, tuple):
                line = re.sub(rb"\{\d+\}$", b"", line[0]) + line[1]
            parts = line and re.match(rb'\((.*?)\) (?:"(?:\\?.)"|NIL) (.*)$', line)
            if parts and b"\\Noselect" not in parts[1] and b"\\NonExistent" not in parts[1]:
                names.add(self._unwired(parts[2].decode()))
        return names

    def _unwired(self, wire: str) -> str:
        if wire.startswith('"'):
            wire = re.sub(r"\\(.)", r"\1", wire[1:-1])
        return mutf7.decode(wire).replace(self.delimiter, "/")

    def create(self, mailbox: str) -> None:
        ok(self.raw.create(self.wire(mailbox)))

    def fill(self, mailbox: str, messages) -> None:
        """Appends `messages` one at a time, with their flags and dates of arrival."""
        for message in messages:
            flags = " ".join(f"\\{flag}" for flag in sorted(message.flags))
            date = imaplib.Time2Internaldate(message.arrived)
            ok(self.raw.append(self.wire(mailbox), flags, date, message.octets))

    def status(self, mailbox: str, item: str) -> int:
        answer = ok(self.raw.status(self.wire(mailbox), f"({item})"))[-1]
        return int(re.search(rb"\(%b (\d+)\)" % item.encode(), answer).group(1))

    def rights(self, mailbox: str) -> dict[str, str]:
        """Who has which rights on `mailbox`."""
        words = shlex.split(ok(self.raw.getacl(self.wire(mailbox)))[0].decode())[1:]
        return dict(zip(words[::2], words[1::2], strict=True))

    def select(self, mailbox: str, readonly: bool = False) -> int:
        """Selects, and says how many messages there are."""
        return int(ok(self.raw.select(self.wire(mailbox), readonly))[0])

    def uid(self, command: str, *args: str):
        return ok(self.raw.uid(command, *args))

    def uids(self, *criteria: str) -> list[int]:
        return [int(uid) for uid in self.uid("SEARCH", *criteria)[0].split()]

    def contents(self, mailbox: str) -> list[Stored]:
        """Every message of `mailbox`, in order; leaves it selected read-only."""
        self.select(mailbox, readonly=True)
        uids, found = self.uids("ALL"), []
        for start in range(0, len(uids), FETCH_AT_ONCE):
            some = ",".join(map(str, uids[start:start + FETCH_AT_ONCE]))
            answer = self.uid("FETCH", some, "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            found += stored(answer)
        return found


def stored(answer) -> list[Stored]:
    """The messages of a FETCH with UID, FLAGS, INTERNALDATE and one literal each."""
    found, head, literal = [], b"", b""
    for piece in answer:
        if isinstance(piece, tuple):
            head, literal = piece
        elif piece is not None and head:
            found.append(_stored(head + piece, literal))
            head = b""
    return found


def _stored(attributes: bytes, literal: bytes) -> Stored:
    flags = re.search(rb"FLAGS \(([^)]*)\)", attributes).group(1).decode().split()
    parsed = imaplib.Internaldate2tuple(attributes)
    return Stored(
        int(re.search(rb"UID (\d+)", attributes).group(1)),
        frozenset(flag.lstrip("\\") for flag in flags) - {"Recent"},
        int(time.mktime(parsed)),
        literal,
    )

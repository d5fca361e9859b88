"""A Maildir as the clients under test keep it."""

import os
from dataclasses import dataclass
from pathlib import Path

import corpus

LETTERS = {"S": "Seen", "R": "Answered", "F": "Flagged", "D": "Draft", "T": "Deleted"}

AGENT = """\
#!/bin/sh
# Delivers standard input to the Maildir of the first argument.
name="$(date +%s.%N).$$"
cat > "$1/tmp/$name" && mv "$1/tmp/$name" "$1/new/$name"
"""


@dataclass(frozen=True)
class Entry:
    """One file of a Maildir."""

    path: Path

    @property
    def octets(self) -> bytes:
        return self.path.read_bytes()

    @property
    def key(self) -> str:
        return corpus.key_of(self.octets)

    @property
    def flags(self) -> frozenset[str]:
        _, _, info = self.path.name.partition(":2,")
        return frozenset(LETTERS[letter] for letter in info if letter in LETTERS)

    @property
    def arrived(self) -> int:
        return int(self.path.stat().st_mtime)

    def flag(self, flags: frozenset[str]) -> None:
        """Renames the file to carry `flags`."""
        base = self.path.name.partition(":2,")[0]
        os.rename(self.path, self.path.parent.parent / "cur" / (base + ":2," + letters(flags)))


def letters(flags: frozenset[str]) -> str:
    """`flags` as the letters that end a file name."""
    return "".join(sorted(letter for letter, flag in LETTERS.items() if flag in flags))


def agent(story) -> Path:
    """A program that delivers to the Maildir it is told; getmail's own refuses to, as root."""
    path = story.write("agent", AGENT)
    path.chmod(0o700)
    return path


def make(path: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True, exist_ok=True)


def entries(path: Path) -> list[Entry]:
    """All messages, in the order of their names."""
    files = [*(path / "cur").iterdir(), *(path / "new").iterdir()]
    return [Entry(file) for file in sorted(files)]


def mailboxes(root: Path) -> set[str]:
    """The names of the Maildirs below `root`, `/` between levels."""
    return {str(cur.parent.relative_to(root)) for cur in root.rglob("cur")}


def deliver(path: Path, message: corpus.Message, name: str) -> None:
    """Puts `message` there under `name`, with LF line ends, as a mail program would."""
    file = path / "cur" / f"{name}:2,{letters(message.flags)}"
    file.write_bytes(message.octets.replace(b"\r\n", b"\n"))
    os.utime(file, (message.arrived, message.arrived))

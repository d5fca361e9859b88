"""What a story is given: a server of its own, its accounts, a place for logs, ways to check."""

import os
import pty
import select
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import imap
from servers import ALICE, BOB, Account, Server

# Far more than any client takes on an idle machine: a hang is found, a busy machine is not.
COMMAND_SECONDS = 240
SOON_SECONDS = 60


class Failed(Exception):
    """A client did not do what the story asked, or two paths to the same mail disagree."""


@dataclass
class Story:
    """One client's story. `logs` stays, `home` (also `HOME` of all commands) goes."""

    name: str
    server: Server
    home: Path
    logs: Path
    tools: Path
    alice: Account = ALICE
    bob: Account = BOB
    env: dict[str, str] = field(default_factory=dict)
    # The ports of connections that are not the client's.
    own: set[int] = field(default_factory=set)

    def session(self, account: Account | None = None) -> imap.Session:
        """Another path to what `account` (alice, if not said) has on the server."""
        session = imap.Session(self.server, account or self.alice)
        self.own.add(session.port)
        return session

    def commands(self) -> list[str]:
        """What the client has said to the server until now, without tags."""
        return [command for port, command in self.server.heard() if port not in self.own]

    def write(self, name: str, text: str) -> Path:
        """A file of the client's, which only its owner may read."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    def environment(self) -> dict[str, str]:
        kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.home), "TZ": "UTC"}
        return kept | self.env

    def run(self, *argv: str | Path, statuses=(0,), stdin: bytes = b"") -> bytes:
        """Runs a client and gives its standard output; everything else goes to the log."""
        words = [str(word) for word in argv]
        done = subprocess.run(
            words, input=stdin, capture_output=True, timeout=COMMAND_SECONDS, cwd=self.home,
            env=self.environment(),
        )
        self._log(words, done.stdout[-20_000:] + done.stderr, done.returncode)
        if done.returncode not in statuses:
            last = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise Failed(f"{words[0]} ended with {done.returncode}: {last[-1] if last else ''}")
        return done.stdout

    def run_on_terminal(self, *argv: str | Path, shown: bytes = b"", typed: bytes = b"") -> None:
        """Runs a client that wants a terminal; what it paints goes to the log.

        Where it paints `shown`, `typed` is typed, once.
        """
        words = [str(word) for word in argv]
        ours, theirs = pty.openpty()
        environment = self.environment() | {"TERM": "xterm", "LINES": "40", "COLUMNS": "120"}
        client = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=self.home, env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        painted = _paint(client, ours, shown, typed)
        os.close(ours)
        self._log(words, painted, client.returncode)
        if client.returncode != 0:
            raise Failed(f"{words[0]} ended with {client.returncode}; its screen is in the log")

    def _log(self, words: list[str], output: bytes, status: int) -> None:
        with open(self.logs / "commands.log", "ab") as log:
            log.write(f"$ {' '.join(words)}\n".encode() + output + f"[status {status}]\n".encode())


def _paint(client: subprocess.Popen, terminal: int, shown: bytes, typed: bytes) -> bytes:
    """What `client` writes to the terminal until it ends, or is ended for taking too long."""
    painted, deadline = b"", time.monotonic() + COMMAND_SECONDS
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                painted += os.read(terminal, 65_536)
            except OSError:
                # Nobody holds the other end any more.
                client.wait(COMMAND_SECONDS)
                return painted
            if typed and shown in painted:
                os.write(terminal, typed)
                typed = b""
        elif client.poll() is not None:
            return painted
    client.kill()
    client.wait()
    return painted


def expect(actual, due, what: str) -> None:
    """Fails the story unless `actual` is what is `due`."""
    if actual == due:
        return
    if isinstance(due, (set, frozenset, Counter)):
        extra, missing = list(actual - due), list(due - actual)
        raise Failed(f"{what}: too much {_short(extra)}, missing {_short(missing)}")
    raise Failed(f"{what}: {_short(actual)} instead of {_short(due)}")


def becomes(ask, due, what: str) -> None:
    """Fails the story unless what `ask` gives is what is `due`, soon: the client is not done yet."""
    deadline = time.monotonic() + SOON_SECONDS
    while (actual := ask()) != due and time.monotonic() < deadline:
        time.sleep(0.05)
    expect(actual, due, what)


def holds(truth, what: str) -> None:
    """Fails the story unless `what` is so."""
    if not truth:
        raise Failed(f"not so: {what}")


def _short(value) -> str:
    text = repr(value)
    size = f"{len(value)}: " if isinstance(value, list) else ""
    return size + (text if len(text) < 300 else f"{text[:200]}… ({len(text)} characters)")

"""A program on a terminal whose screen is read as a person would."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pyte

from story import COMMAND_SECONDS, SOON_SECONDS, Failed, Story

COLUMNS, LINES = 120, 40


class Terminal:
    """A running program; a context that ends it, and leaves its last screen in the log."""

    def __init__(self, story: Story, *argv):
        self.story, self.argv = story, [str(word) for word in argv]
        self.screen = pyte.Screen(COLUMNS, LINES)
        self.stream = pyte.ByteStream(self.screen)
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        environment = story.environment() | {
            "TERM": "xterm", "LINES": str(LINES), "COLUMNS": str(COLUMNS),
        }
        # For some it is not enough to have a terminal: it must be theirs.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *self.argv], stdin=theirs, stdout=theirs, stderr=theirs,
            cwd=story.home, env=environment,
        )
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        with open(self.story.logs / "commands.log", "a") as log:
            log.write(f"$ {' '.join(self.argv)}\n{self.text()}\n[{self.process.returncode}]\n")

    def text(self) -> str:
        """What is on the screen now."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def until(self, shown, what: str) -> None:
        """Waits for the screen's text to be so; fails the story if it never is."""
        deadline = time.monotonic() + SOON_SECONDS
        while not shown(self.text()):
            if time.monotonic() > deadline or not self._read():
                raise Failed(f"{self.argv[0]} never showed {what}")

    def end(self) -> None:
        """Waits for the program to end well."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while self._read() and time.monotonic() < deadline:
            pass
        if self.process.wait(SOON_SECONDS) != 0:
            raise Failed(f"{self.argv[0]} ended with {self.process.returncode}")

    def _read(self) -> bool:
        """Takes in what the program paints for a moment; whether it still runs."""
        if select.select([self.ours], [], [], 0.1)[0]:
            try:
                self.stream.feed(os.read(self.ours, 65_536))
            except OSError:
                # Nobody holds the other end any more.
                return False
        return self.process.poll() is None

"""A connection that says exactly the octets it is told to, for what imaplib cannot say."""

import re
import socket
import ssl

SECONDS = 60


class Wire:
    """An IMAP connection over TLS; lines come without their CRLF, literals are part of a line."""

    def __init__(self, server):
        context = ssl.create_default_context(cafile=str(server.authority))
        plain = socket.create_connection((server.host, server.imaps_port), SECONDS)
        self.socket = context.wrap_socket(plain, server_hostname=server.host)
        self.file = self.socket.makefile("rb")
        self.tags = 0
        self.greeting = self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def line(self) -> bytes:
        """The next response, its literals included."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"the server closed the connection after {line!r}")
        line = line[:-2]
        literal = re.search(rb"\{(\d+)\}$", line)
        if not literal:
            return line
        return line + b"\r\n" + self.file.read(int(literal.group(1))) + self.line()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def start(self, *pieces: bytes) -> bytes:
        """Sends a command, and does not wait; gives its tag."""
        self.tags += 1
        tag = b"w%d" % self.tags
        self.send(tag + b" " + b"".join(pieces) + b"\r\n")
        return tag

    def until(self, tag: bytes) -> tuple[list[bytes], bytes]:
        """All untagged responses up to the end of the command `tag`, and how it ended."""
        untagged = []
        while not (line := self.line()).startswith(tag + b" "):
            untagged.append(line)
        return untagged, line[len(tag) + 1:]

    def command(self, *pieces: bytes) -> tuple[list[bytes], bytes]:
        return self.until(self.start(*pieces))

    def ok(self, *pieces: bytes) -> list[bytes]:
        """The untagged responses of a command that must succeed."""
        untagged, ended = self.command(*pieces)
        if not ended.startswith(b"OK"):
            raise ConnectionError(f"{pieces[0][:60]!r} ended with {ended!r}")
        return untagged

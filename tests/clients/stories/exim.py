"""Exim hands mail over by LMTP over a unix socket.

Debian has one mail transfer agent installed at a time, so this one is only unpacked, and the user
whom it wants is there in a mount namespace alone.
"""

import shutil
from pathlib import Path

from story import Story, expect, holds

from .postfix import Receiving, fetch, message

SENDER = "carol@elsewhere.test"
UNKNOWN = "nobody@example.org"


class Exim:
    """Exim's program with a configuration of the story's; it delivers while it runs, and ends."""

    def __init__(self, story: Story, receiving: Receiving):
        self.story, self.home = story, receiving.home / "exim"
        self.home.mkdir()
        for name in ("spool", "log"):
            (self.home / name).mkdir()
            (self.home / name).chmod(0o777)
        self.program = story.tools.parent / "unpacked" / "exim" / "usr" / "sbin" / "exim4"
        for name, line in (("passwd", "Debian-exim:x:64998:64998::/:/bin/false\n"),
                           ("group", "Debian-exim:x:64998:\n")):
            known = Path(f"/etc/{name}").read_text()
            missing = "" if "Debian-exim:" in known else line
            (self.home / name).write_text(known + missing)
        (self.home / "exim.conf").write_text(f"""\
exim_path = {self.program}
spool_directory = {self.home}/spool
log_file_path = {self.home}/log/%slog
primary_hostname = mx.example.test
keep_environment =
deliver_drop_privilege = true
local_interfaces = 127.0.0.1
begin routers
local_mail:
  driver = accept
  domains = example.org
  transport = pillarbox_delivery
begin transports
pillarbox_delivery:
  driver = lmtp
  socket = {receiving.home}/run/lmtp.sock
  batch_max = 100
  rcpt_include_affixes
""")

    def send(self, recipients: list[str], mail: bytes) -> None:
        """Gives Exim a message, and waits until it has tried to deliver it."""
        files = " && ".join(f"mount --bind {self.home}/{name} /etc/{name}"
                            for name in ("passwd", "group"))
        self.story.run(
            "unshare", "--mount", "sh", "-c", f'{files} && exec "$@"', "sh", self.program,
            "-C", self.home / "exim.conf", "-odf", "-i", "-f", SENDER, *recipients, stdin=mail,
        )

    def log(self) -> str:
        return (self.home / "log" / "mainlog").read_text(errors="replace")


def tell(story: Story) -> None:
    receiving = Receiving(story)
    try:
        with receiving:
            # As Exim's user, who is in no group: with a configuration of our own Exim has no rights.
            (receiving.home / "run").chmod(0o755)
            (receiving.home / "run" / "lmtp.sock").chmod(0o666)
            deliveries(story, receiving, Exim(story, receiving))
    finally:
        shutil.rmtree(receiving.home)


def deliveries(story: Story, receiving: Receiving, exim: Exim) -> None:
    dots = "dots:\r\n.\r\n..\r\nend"
    exim.send([story.alice.name, story.bob.name, UNKNOWN], message("hello", dots))
    large = "0123456789abcdef" * 4 + "\r\n"
    exim.send([story.alice.name], message("large", large * 20_000))

    log = exim.log()
    for name in (story.alice.name, story.bob.name):
        holds(f"> {name.split('@')[0]} <{name}> R=local_mail" in log, f"{name} has got it: {log}")
    holds(f"** {UNKNOWN}" in log and "User does not exist" in log, f"{UNKNOWN} is refused: {log}")
    holds("== " not in log, f"nothing is deferred: {log}")

    mail = fetch(receiving, story.alice, 2)
    expect(sorted(mail), ["hello", "large"], "Alice's mail")
    holds(mail["large"].endswith(large * 20_000 + "\r\n"), "a large message is whole")
    mail = fetch(receiving, story.bob, 1)
    holds(mail["hello"].endswith(f"\r\n\r\n{dots}\r\n"), "dots are as they were")
    holds(f"Return-Path: <{SENDER}>\r\n" in mail["hello"], "it says whom it is from")

"""aerc, on a terminal: the list as the server sorts and threads it, and what is done in it."""

import re
from urllib.parse import quote

import corpus
from story import Story, becomes
from terminal import Terminal

MESSAGES = 24
SENDER = re.compile(r"Sender (\d\d)")


def tell(story: Story) -> None:
    messages = [corpus.threaded(number) for number in range(MESSAGES)]
    with story.session() as session:
        session.fill("INBOX", messages)
    _configure(story)
    # Programs in Go take their authorities from here.
    story.env["SSL_CERT_FILE"] = str(story.server.authority)
    with Terminal(story, "aerc") as aerc:
        arrived = [(7 * number) % MESSAGES for number in range(MESSAGES)]
        _until(aerc, list(reversed(arrived)), "messages as they arrived")
        aerc.type(":sort from\r")
        # By the part before the @ of their addresses, which are s0 to s23.
        by_sender = [arrived[number] for number in sorted(range(MESSAGES), key=str)]
        _until(aerc, by_sender, "messages by sender")
        aerc.type(":sort -r arrival\r:toggle-threads\r")
        threads = [arrived[start::4] for start in range(4)]
        aerc.until(lambda text: _threads(text) == sorted(threads), "threads")
        aerc.type(":toggle-threads\r:sort arrival\r")
        _until(aerc, arrived, "messages as they arrived, once more")
        _changes(story, aerc, messages)
        aerc.type(":quit\r")
        aerc.end()


def _until(aerc: Terminal, senders: list[int], what: str) -> None:
    aerc.until(lambda text: list(map(int, SENDER.findall(text))) == senders, what)


def _threads(text: str) -> list[list[int]]:
    """The senders of each thread: a thread begins where there is no branch before the subject."""
    threads: list[list[int]] = []
    for line in text.splitlines():
        if found := SENDER.search(line):
            if re.search("[└├│]", line[found.end():]):
                threads[-1:] = [[*(threads or [[]])[-1], int(found[1])]]
            else:
                threads.append([int(found[1])])
    return sorted(threads)


def _changes(story: Story, aerc: Terminal, messages: list[corpus.Message]) -> None:
    aerc.type(":select-message 3\r:flag\r")
    _in_server(story, "INBOX", lambda mail: "Flagged" in mail.flags, [messages[3]])
    aerc.type(":select-message 5\r:move Archive\r")
    _in_server(story, "Archive", lambda mail: True, [messages[5]])
    aerc.type(":select-message 0\r:delete\r")
    left = [each for number, each in enumerate(messages) if number not in (0, 5)]
    _in_server(story, "INBOX", lambda mail: True, left)
    aerc.type(":mkdir Skizzen\r")
    with story.session() as session:
        becomes(lambda: "Skizzen" in session.mailboxes(), True, "the new mailbox is there")


def _in_server(story: Story, mailbox: str, which, due: list[corpus.Message]) -> None:
    with story.session() as session:
        def ask():
            return [mail.key for mail in session.contents(mailbox) if which(mail)]
        becomes(ask, [each.key for each in due], mailbox)


def _configure(story: Story) -> None:
    user, password = quote(story.alice.name, safe=""), quote(story.alice.password, safe="")
    story.write(".config/aerc/accounts.conf", f"""\
[alice]
source = imaps://{user}:{password}@{story.server.host}:{story.server.imaps_port}
outgoing = /bin/true
default = INBOX
from = Alice <{story.alice.name}>
""")
    story.write(".config/aerc/aerc.conf", """\
[general]
log-level = debug
[ui]
index-format = %-10.10n %Z %s
sidebar-width = 16
mouse-enabled = false
threading-enabled = false
[viewer]
pager = cat
[filters]
text/plain = cat
""")

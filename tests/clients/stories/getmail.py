"""getmail: everything fetched over TLS from two mailboxes, then deleted on the server."""

import email

import corpus
import maildir
from story import Story, expect, holds

MESSAGES = 120
MAILBOXES = ("INBOX", "Entwürfe")


def tell(story: Story) -> None:
    messages = corpus.plain(MESSAGES, "getmail")
    with story.session() as session:
        session.create("Entwürfe")
        session.fill("INBOX", messages[::2])
        session.fill("Entwürfe", messages[1::2])
    target = story.home / "Maildir"
    maildir.make(target)
    story.write("getmail/getmailrc", _config(story, target))
    story.run("getmail", "--getmaildir", story.home / "getmail")

    expect(_texts(entry.octets for entry in maildir.entries(target)),
           _texts(message.octets for message in messages), "what getmail delivered")
    with story.session() as session:
        for name in MAILBOXES:
            expect(session.contents(name), [], f"messages left in {name}")
    again = story.run("getmail", "--getmaildir", story.home / "getmail")
    holds(b"0 messages (0 bytes) retrieved" in again, "nothing is left for a second run")


def _texts(octets) -> set[tuple[str, bytes]]:
    """Message-ID and text without spaces: getmail folds headers anew, those of parts as well."""
    texts = set()
    for each in octets:
        header, _, body = each.replace(b"\r\n", b"\n").partition(b"\n\n")
        texts.add((email.message_from_bytes(header)["Message-ID"], b"".join(body.split())))
    return texts


def _config(story: Story, target) -> str:
    return f"""\
[retriever]
type = SimpleIMAPSSLRetriever
server = {story.server.host}
port = {story.server.imaps_port}
username = {story.alice.name}
password = {story.alice.password}
ca_certs = {story.server.authority}
mailboxes = {MAILBOXES!r}

[destination]
type = MDA_external
path = {maildir.agent(story)}
arguments = ("{target}",)
allow_root_commands = true

[options]
delete = true
read_all = true
delivered_to = false
received = false
verbose = 1
"""

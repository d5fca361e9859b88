"""curl: lists, fetches by UID and by section, uploads, asks; over TLS and STARTTLS."""

import re
from urllib.parse import quote

import corpus
from story import Story, expect, holds

MESSAGES = 20
# curl's status where the server refuses the login.
DENIED = 67


def tell(story: Story) -> None:
    messages = corpus.messages(MESSAGES, "curl")
    with story.session(story.bob) as session:
        session.fill("INBOX", messages)
        session.create("Entwürfe")
        uids = [mail.uid for mail in session.contents("INBOX")]
    for scheme, port in (("imaps", story.server.imaps_port), ("imap", story.server.imap_port)):
        url = f"{scheme}://{story.server.host}:{port}"
        _list(story, url)
        _fetch(story, url, messages, uids)
        _ask(story, url, uids)
        _upload(story, url, corpus.messages(1, f"curl {scheme}")[0])
    _refusals(story)


def curl(story: Story, *args, user: str | None = None, statuses=(0,)) -> bytes:
    credentials = user or f"{story.bob.name}:{story.bob.password}"
    return story.run(
        "curl", "-sS", "--ssl-reqd", "--cacert", story.server.authority, "--user", credentials,
        *args, statuses=statuses,
    )


def _list(story: Story, url: str) -> None:
    listed = curl(story, f"{url}/").decode().splitlines()
    names = {re.search(r'(?:"([^"]*)"|(\S+))\s*$', line).group(0).strip() for line in listed}
    wanted = {"INBOX", "Entw&APw-rfe", "Sent"}
    holds(wanted <= {name.strip('"') for name in names}, f"{wanted} among the listed {names}")


def _fetch(story: Story, url: str, messages, uids: list[int]) -> None:
    for message, uid in list(zip(messages, uids))[:13]:
        octets = curl(story, f"{url}/INBOX;UID={uid}")
        expect(octets, message.octets, f"message with UID {uid}")
    header, _, body = messages[0].octets.partition(b"\r\n\r\n")
    text = curl(story, f"{url}/INBOX;UID={uids[0]};SECTION=TEXT")
    expect(text, body, "section TEXT")
    section = curl(story, f"{url}/INBOX;UID={uids[0]};SECTION=HEADER")
    expect(section, header + b"\r\n\r\n", "section HEADER")
    first = messages[0].octets[:40]
    expect(curl(story, f"{url}/INBOX;MAILINDEX=1")[:40], first, "message 1 by its number")


def _ask(story: Story, url: str, uids: list[int]) -> None:
    found = curl(story, f"{url}/INBOX?ALL").split()
    expect(found[2:], [b"%d" % number for number in range(1, MESSAGES + 1)], "SEARCH ALL")
    flagged = f"UID STORE {uids[1]} +FLAGS.SILENT (\\Flagged $Forwarded)"
    curl(story, f"{url}/INBOX", "-X", flagged)
    found = curl(story, f"{url}/INBOX", "-X", "UID SEARCH KEYWORD $Forwarded FLAGGED").split()
    expect(found[2:], [b"%d" % uids[1]], "UID SEARCH by keyword and flag")
    status = curl(story, f"{url}/", "-X", "STATUS INBOX (MESSAGES UIDNEXT)")
    holds(b"MESSAGES %d" % MESSAGES in status, "STATUS counts the messages")
    examined = curl(story, f"{url}/", "-X", "EXAMINE INBOX")
    holds(b"* %d EXISTS" % MESSAGES in examined, "EXAMINE counts the messages")


def _upload(story: Story, url: str, message: corpus.Message) -> None:
    file = story.home / "upload"
    file.write_bytes(message.octets)
    curl(story, "-T", file, f"{url}/{quote('Entw&APw-rfe')}")
    with story.session(story.bob) as session:
        expect(session.contents("Entwürfe")[-1].octets, message.octets, "the uploaded message")


def _refusals(story: Story) -> None:
    url = f"imaps://{story.server.host}:{story.server.imaps_port}/"
    curl(story, url, user=f"{story.bob.name}:wrong", statuses=(DENIED,))

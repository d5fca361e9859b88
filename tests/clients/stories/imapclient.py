"""IMAPClient: the library that many scripts use, over STARTTLS."""

import ssl
from datetime import datetime, timezone

import imapclient

import corpus
from story import Story, expect, holds

MESSAGES = 100
SECONDS = 60


def tell(story: Story) -> None:
    with _connected(story) as client:
        _mailboxes(client)
        messages = corpus.messages(MESSAGES, "imapclient")
        _append(client, messages)
        _fetch(client, messages)
        _search(client)
        _flags(client)
        _move(client)
        _idle(story, client)


def _connected(story: Story) -> imapclient.IMAPClient:
    client = imapclient.IMAPClient(
        story.server.host, story.server.imap_port, ssl=False, timeout=SECONDS
    )
    holds(client.has_capability("STARTTLS"), "STARTTLS is offered")
    client.starttls(ssl.create_default_context(cafile=str(story.server.authority)))
    client.login(story.bob.name, story.bob.password)
    return client


def _mailboxes(client) -> None:
    client.create_folder("Entwürfe")
    client.create_folder("Ümlaut")
    client.rename_folder("Ümlaut", "日本語")
    client.subscribe_folder("日本語")
    names = {name for _, _, name in client.list_folders()}
    expect(names & {"Entwürfe", "Ümlaut", "日本語"}, {"Entwürfe", "日本語"}, "mailboxes")
    subscribed = {name for _, _, name in client.list_sub_folders()}
    holds("日本語" in subscribed, "the subscription")
    expect(client.find_special_folder(b"\\Sent"), "Sent", "the mailbox for sent mail")
    expect(client.find_special_folder(b"\\Junk"), "Junk", "the mailbox for junk")
    client.delete_folder("日本語")
    holds(not client.folder_exists("日本語"), "a deleted mailbox is gone")
    holds(client.namespace().personal, "there is a personal namespace")


def _append(client, messages) -> None:
    for message in messages:
        date = datetime.fromtimestamp(message.arrived, timezone.utc)
        flags = [f"\\{flag}".encode() for flag in message.flags]
        client.append("Entwürfe", message.octets, flags, date)
    counts = client.folder_status("Entwürfe", ["MESSAGES", "UNSEEN", "UIDNEXT"])
    expect(counts[b"MESSAGES"], len(messages), "MESSAGES")
    unseen = sum("Seen" not in message.flags for message in messages)
    expect(counts[b"UNSEEN"], unseen, "UNSEEN")


def _fetch(client, messages) -> None:
    expect(client.select_folder("Entwürfe")[b"EXISTS"], len(messages), "EXISTS")
    items = ["BODY.PEEK[]", "ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE"]
    fetched = client.fetch(client.search("ALL"), items)
    for message, uid in zip(messages, sorted(fetched), strict=True):
        data = fetched[uid]
        expect(data[b"BODY[]"], message.octets, f"message with UID {uid}")
        expect(data[b"RFC822.SIZE"], len(message.octets), f"size of UID {uid}")
        sent = b"Message-ID: " + (data[b"ENVELOPE"].message_id or b"")
        holds(sent in message.octets or b"Message-ID" not in message.octets, "ENVELOPE's id")
        multipart = b"multipart/" in message.octets.partition(b"\r\n\r\n")[0]
        expect(data[b"BODYSTRUCTURE"].is_multipart, multipart, f"BODYSTRUCTURE of UID {uid}")


def _search(client) -> None:
    uids = client.search(["ALL"])
    found = client.search(["TEXT", "Köln"], "UTF-8")
    holds(0 < len(found) < len(uids), "a search in UTF-8 finds some")
    expect(client.search(["NOT", ["OR", "SEEN", "UNSEEN"]]), [], "neither seen nor unseen")
    recent = client.search(["SINCE", datetime(2019, 1, 3), "BEFORE", datetime(2019, 1, 4)])
    due = [uid for number, uid in enumerate(uids) if _day(number) == 3]
    expect(recent, due, "messages of one day")


def _day(number: int) -> int:
    return datetime.fromtimestamp(corpus.FIRST_DATE + number * 5417, timezone.utc).day


def _flags(client) -> None:
    uids = client.search("ALL")[:4]
    client.set_flags(uids, [b"\\Seen", b"$Label1"])
    expect(set(client.get_flags(uids)[uids[0]]) - {b"\\Recent"}, {b"\\Seen", b"$Label1"}, "set")
    client.add_flags(uids, [b"\\Flagged"])
    client.remove_flags(uids, [b"\\Seen"])
    for flags in client.get_flags(uids).values():
        expect(set(flags) - {b"\\Recent"}, {b"\\Flagged", b"$Label1"}, "changed flags")
    expect(client.search(["KEYWORD", "$Label1"]), uids, "messages with the keyword")


def _move(client) -> None:
    uids = client.search("ALL")
    client.copy(uids[:3], "Archive")
    client.move(uids[3:10], "Archive")
    expect(client.search("ALL"), uids[:3] + uids[10:], "what a MOVE leaves")
    client.delete_messages(uids[:3])
    client.uid_expunge(uids[:2])
    expect(client.search("ALL"), uids[2:3] + uids[10:], "what UID EXPUNGE leaves")
    client.expunge()
    expect(client.search("ALL"), uids[10:], "what EXPUNGE leaves")
    expect(client.select_folder("Archive", readonly=True)[b"EXISTS"], 10, "messages in Archive")


def _idle(story: Story, client) -> None:
    client.select_folder("INBOX")
    client.idle()
    with story.session(story.bob) as other:
        other.fill("INBOX", corpus.plain(1, "imapclient idle"))
    heard = []
    while (1, b"EXISTS") not in heard:
        told = client.idle_check(timeout=SECONDS)
        holds(told, "the arrival is told while idle")
        heard += told
    client.idle_done()
    expect(len(client.search("ALL")), 1, "messages after IDLE")

"""A tree of mailboxes kept on two sides, and the account of what both ought to hold.

The two synchronising clients are told the same story: both sides start with mail of their own,
are synchronised, change apart from each other, and are synchronised again. The tree keeps the
books (what each mailbox must hold now), and compares both sides with them message by message.
"""

import random
from collections import Counter
from pathlib import Path

import corpus
import maildir
from story import Story, expect

# Shared by both sides from the start; every alphabet and the escape character of the wire.
NAMES = ("INBOX", "Entwürfe", "日本語", "🎉 Fest", "A&B", "Lists", "Lists/Ärger & Co")

Flags = frozenset[str]


class Tree:
    """The books, and the hands that change one side and the books together."""

    def __init__(self, story: Story, root: Path, seed: str, written=str, read=str):
        """`written` makes the client's name for a mailbox of ours, and `read` undoes it."""
        self.story, self.root = story, root
        self.written, self.read = written, read
        self.rng = random.Random(seed)
        self.due: dict[str, dict[str, tuple[Flags, int]]] = {}
        self.delivered = 0

    def _at(self, name: str) -> Path:
        return self.root / self.written(name)

    # Both sides at the start.

    def mailbox_at_server(self, session, name: str) -> None:
        if name not in session.mailboxes():
            session.create(name)
        self.due.setdefault(name, {})

    def mailbox_at_client(self, name: str) -> None:
        maildir.make(self._at(name))
        self.due.setdefault(name, {})

    def fill_server(self, session, name: str, messages) -> None:
        session.fill(name, messages)
        self._enter(name, messages)

    def fill_client(self, name: str, messages) -> None:
        for message in messages:
            self.delivered += 1
            maildir.deliver(self._at(name), message, f"{1_600_000_000 + self.delivered}.test.here")
        self._enter(name, messages)

    def _enter(self, name: str, messages) -> None:
        for message in messages:
            self.due[name][message.key] = (message.flags, message.arrived)

    # Changes.

    def pick(self, count: int, name: str, but=frozenset()) -> set[str]:
        """The keys of `count` messages of a mailbox, none of them in `but`."""
        return set(self.rng.sample(sorted(set(self.due[name]) - set(but)), count))

    def flag_at_server(self, session, name: str, keys, add: str, remove: str) -> None:
        uids = self._uids(session, name, keys)
        session.uid("STORE", uids, "+FLAGS.SILENT", f"(\\{add})")
        session.uid("STORE", uids, "-FLAGS.SILENT", f"(\\{remove})")
        self._reflag(name, keys, add, remove)

    def flag_at_client(self, name: str, keys, add: str, remove: str) -> None:
        for entry in self._entries(name, keys):
            entry.flag(entry.flags - {remove} | {add})
        self._reflag(name, keys, add, remove)

    def _reflag(self, name: str, keys, add: str, remove: str) -> None:
        for key in keys:
            flags, arrived = self.due[name][key]
            self.due[name][key] = (flags - {remove} | {add}, arrived)

    def remove_at_server(self, session, name: str, keys) -> None:
        uids = self._uids(session, name, keys)
        session.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)")
        session.uid("EXPUNGE", uids)
        self._strike(name, keys)

    def remove_at_client(self, name: str, keys) -> None:
        for entry in self._entries(name, keys):
            entry.path.unlink()
        self._strike(name, keys)

    def _strike(self, name: str, keys) -> None:
        for key in keys:
            del self.due[name][key]

    def move_at_server(self, session, source: str, target: str, keys) -> None:
        session.uid("MOVE", self._uids(session, source, keys), session.wire(target))
        self._carry(source, target, keys)

    def move_at_client(self, source: str, target: str, keys) -> None:
        for entry in self._entries(source, keys):
            self.delivered += 1
            # A name of its own: the old one says which UID the message had where it was.
            name = f"{1_700_000_000 + self.delivered}.test.here:2,{maildir.letters(entry.flags)}"
            entry.path.rename(self._at(target) / "cur" / name)
        self._carry(source, target, keys)

    def _carry(self, source: str, target: str, keys) -> None:
        for key in keys:
            self.due[target][key] = self.due[source].pop(key)

    def _uids(self, session, name: str, keys) -> str:
        found = [mail.uid for mail in session.contents(name) if mail.key in keys]
        expect(len(found), len(keys), f"messages found on the server in {name}")
        session.select(name)
        return ",".join(map(str, found))

    def _entries(self, name: str, keys) -> list[maildir.Entry]:
        found = [each for each in maildir.entries(self._at(name)) if each.key in keys]
        expect(len(found), len(keys), f"messages found at the client in {name}")
        return found

    # The comparison.

    def compare(self, when: str, dates: bool = True, at_server_only=frozenset()) -> None:
        """Both sides hold exactly what is due: contents, flags, and (with `dates`) arrival.

        `at_server_only` are mailboxes that the client was told to leave alone.
        """
        with self.story.session() as session:
            names = session.mailboxes() - set(at_server_only)
            expect(names, set(self.due), f"mailboxes on the server {when}")
            here = set(map(self.read, maildir.mailboxes(self.root)))
            expect(here, set(self.due), f"mailboxes at the client {when}")
            for name in sorted(self.due):
                due = self._account(name, dates)
                there = _summary(session.contents(name), dates)
                here = _summary(maildir.entries(self._at(name)), dates)
                expect(there, due, f"messages on the server in {name} {when}")
                expect(here, due, f"messages at the client in {name} {when}")

    def _account(self, name: str, dates: bool) -> Counter:
        due = self.due[name].items()
        return Counter((key, flags, arrived if dates else 0) for key, (flags, arrived) in due)

    def uid_nexts(self) -> dict[str, int]:
        """UIDNEXT of every mailbox: what a synchronisation with nothing to do leaves alone."""
        with self.story.session() as session:
            return {name: session.status(name, "UIDNEXT") for name in sorted(self.due)}


def _summary(mails, dates: bool) -> Counter:
    return Counter((mail.key, mail.flags, mail.arrived if dates else 0) for mail in mails)


def start(tree: Tree, messages: list[corpus.Message]) -> None:
    """Spreads `messages` over both sides: some mailboxes on one, some on the other, or both."""
    for name in NAMES[:-2]:
        tree.mailbox_at_client(name)
    shares = [messages[number::9] for number in range(9)]
    with tree.story.session() as session:
        for name in NAMES[:2] + NAMES[4:]:
            tree.mailbox_at_server(session, name)
        tree.fill_server(session, "INBOX", shares[0] + shares[1])
        tree.fill_server(session, "Entwürfe", shares[2])
        tree.fill_server(session, "Lists", shares[3])
        tree.fill_server(session, "Lists/Ärger & Co", shares[4])
        tree.fill_server(session, "A&B", shares[5])
    tree.fill_client("INBOX", shares[6])
    tree.fill_client("日本語", shares[7])
    tree.fill_client("🎉 Fest", shares[8])


def change(tree: Tree, some: int, news: list[corpus.Message]) -> None:
    """Changes both sides apart from each other, `some` messages with each kind of change."""
    half = len(news) // 2
    with tree.story.session() as session:
        used = _change_server(tree, session, some)
        # Chosen before the server has messages of which the client knows nothing.
        answered = tree.pick(some, "INBOX", used)
        tree.mailbox_at_server(session, "Später")
        tree.fill_server(session, "Später", news[:half // 2])
        tree.fill_server(session, "INBOX", news[half // 2:half])
        flagged = tree.pick(some, "日本語")
        tree.flag_at_server(session, "日本語", flagged, "Flagged", "Seen")
    tree.flag_at_client("INBOX", answered, "Answered", "Flagged")
    tree.remove_at_client("日本語", tree.pick(some, "日本語", flagged))
    tree.mailbox_at_client("Früher")
    tree.fill_client("Früher", news[half:half + half // 2])
    tree.fill_client("A&B", news[half + half // 2:])
    moved = tree.pick(some, "Lists")
    tree.move_at_client("Lists", "Entwürfe", moved)


def _change_server(tree: Tree, session, some: int) -> set[str]:
    flagged = tree.pick(some, "INBOX")
    removed = tree.pick(some, "INBOX", flagged)
    moved = tree.pick(some, "INBOX", flagged | removed)
    tree.flag_at_server(session, "INBOX", flagged, "Seen", "Draft")
    tree.remove_at_server(session, "INBOX", removed)
    tree.move_at_server(session, "INBOX", "🎉 Fest", moved)
    return flagged

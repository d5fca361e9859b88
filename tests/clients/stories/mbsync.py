"""mbsync: two thousand messages, both ways, twice over, and once more with nothing to do."""

import corpus
import mutf7
import servers
import tree
from story import Story, expect

MESSAGES = 2000
CHANGES = 25
# The server has these from the start; they are kept out, so that the tree is the whole tree.
LEFT_ALONE = frozenset(servers.SPECIAL_USE)


def tell(story: Story) -> None:
    root = story.home / "mail"
    root.mkdir()
    config = story.write("mbsyncrc", _config(story, root))
    # mbsync 1.4 names its Maildirs as the wire does.
    books = tree.Tree(story, root, "mbsync", written=mutf7.encode, read=mutf7.decode)
    tree.start(books, corpus.complete(corpus.messages(MESSAGES, "mbsync", large=True)))

    def sync(when: str) -> None:
        story.run("mbsync", "-c", config, "-V", "-a")
        books.compare(when, at_server_only=LEFT_ALONE)

    sync("after the first synchronisation")
    tree.change(books, CHANGES, corpus.complete(corpus.messages(4 * CHANGES, "mbsync news")))
    sync("after changes on both sides")
    before = books.uid_nexts()
    sync("after a synchronisation with nothing to do")
    expect(books.uid_nexts(), before, "UIDNEXT after a synchronisation with nothing to do")


def _config(story: Story, root) -> str:
    patterns = " ".join(f"!{name}" for name in sorted(LEFT_ALONE))
    return f"""\
IMAPAccount far
Host {story.server.host}
Port {story.server.imaps_port}
User {story.alice.name}
Pass {story.alice.password}
SSLType IMAPS
CertificateFile {story.server.authority}

IMAPStore far
Account far

MaildirStore near
Path {root}/
Inbox {root}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * {patterns}
Create Both
Expunge Both
CopyArrivalDate yes
SyncState *
"""

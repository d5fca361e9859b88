"""OfflineIMAP: the tree in small, both ways, twice over."""

import corpus
import servers
import tree
from story import Story, expect

MESSAGES = 270
CHANGES = 5


def tell(story: Story) -> None:
    root = story.home / "mail"
    root.mkdir()
    config = story.write("offlineimaprc", _config(story, root))
    books = tree.Tree(story, root, "offlineimap")
    tree.start(books, corpus.plain(MESSAGES, "offlineimap"))

    def sync(when: str) -> None:
        story.run("offlineimap", "-c", config, "-o", "-u", "basic")
        books.compare(when, dates=False, at_server_only=frozenset(servers.SPECIAL_USE))

    sync("after the first synchronisation")
    tree.change(books, CHANGES, corpus.plain(4 * CHANGES, "offlineimap news"))
    sync("after changes on both sides")
    before = books.uid_nexts()
    sync("after a synchronisation with nothing to do")
    expect(books.uid_nexts(), before, "UIDNEXT after a synchronisation with nothing to do")


def _config(story: Story, root) -> str:
    return f"""\
[general]
accounts = test
metadata = {story.home}/metadata
maxsyncaccounts = 1
socktimeout = 60

[Account test]
localrepository = near
remoterepository = far
utf8foldernames = yes

[Repository near]
type = Maildir
localfolders = {root}
sep = /

[Repository far]
type = IMAP
remotehost = {story.server.host}
remoteport = {story.server.imaps_port}
remoteuser = {story.alice.name}
remotepass = {story.alice.password}
ssl = yes
sslcacertfile = {story.server.authority}
maxconnections = 2
folderfilter = lambda name: name not in {servers.SPECIAL_USE!r}
"""

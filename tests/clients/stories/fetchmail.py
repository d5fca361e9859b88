"""fetchmail: everything, over TLS and over STARTTLS, handed to a delivery agent and deleted."""

from collections import Counter

import corpus
import maildir
from story import Story, expect

MESSAGES = 150
# Status of a run that found no mail.
NO_MAIL = 1


def tell(story: Story) -> None:
    secure, upgraded = f"port {story.server.imaps_port}", f"port {story.server.imap_port}"
    _fetch(story, "tls", f"{secure} protocol imap", "ssl")
    _fetch(story, "starttls", f"{upgraded} protocol imap", "sslproto TLS1.2+")


def _fetch(story: Story, how: str, service: str, options: str) -> None:
    messages = corpus.plain(MESSAGES, f"fetchmail {how}")
    with story.session() as session:
        session.fill("INBOX", messages)
    target = story.home / how
    maildir.make(target)
    config = story.write(f"fetchmailrc-{how}", f"""\
poll {story.server.host} {service}
    user "{story.alice.name}" password "{story.alice.password}"
    {options} sslcertck sslcertfile "{story.server.authority}"
    fetchall no rewrite expunge 20
    mda "{maildir.agent(story)} {target}"
""")
    command = ("fetchmail", "--nosyslog", "--invisible", "-v", "-f", config,
               "--pidfile", story.home / "pid", "--idfile", story.home / "ids")
    story.run(*command)
    expect(Counter(entry.key for entry in maildir.entries(target)),
           Counter(message.key for message in messages), f"what fetchmail delivered over {how}")
    with story.session() as session:
        expect(session.contents("INBOX"), [], f"messages left in INBOX over {how}")
    story.run(*command, statuses=(NO_MAIL,))

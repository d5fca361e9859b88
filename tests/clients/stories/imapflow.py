"""ImapFlow, the Node.js library; what it did is checked here."""

import json
from pathlib import Path

import corpus
from story import Story, expect, holds

MESSAGES = 60
SCRIPT = Path(__file__).with_name("imapflow.mjs")


def tell(story: Story) -> None:
    messages = corpus.messages(MESSAGES, "imapflow")
    with story.session() as session:
        session.fill("INBOX", messages)
    late = corpus.plain(1, "imapflow late")[0]
    task = {
        "host": story.server.host,
        "port": story.server.imaps_port,
        "plainPort": story.server.imap_port,
        "user": story.alice.name,
        "password": story.alice.password,
        "authority": str(story.server.authority),
        "messages": [each.key for each in messages],
        "late": late.octets.decode(),
    }
    story.env["NODE_PATH"] = str(story.tools / "node_modules")
    story.run("node", SCRIPT, story.write("task.json", json.dumps(task)))
    with story.session() as session:
        archive = [mail.key for mail in session.contents("Archive")]
        expect(archive, [each.key for each in messages[:5]], "what was moved to Archive")
        inbox = session.contents("INBOX")
        left = [messages[5]] + messages[8:]
        due = [each.key for each in left] + [late.key]
        expect([mail.key for mail in inbox], due, "INBOX")
        holds({"Flagged", "$Important"} <= inbox[0].flags, "flags that were set")
        drafts = session.contents("Entwürfe")
        expect([mail.octets for mail in drafts], [late.octets], "the appended draft")
        expect([mail.flags for mail in drafts], [{"Draft", "Seen"}], "its flags")

"""Evolution's mail library, through its bindings: the same code as the program's, without windows."""

import email
import email.policy
import json
from pathlib import Path

import corpus
from story import Story, expect

MESSAGES = 30
SCRIPT = Path(__file__).with_name("evolution_session.py")


def tell(story: Story) -> None:
    # It asks the system whether there is a network; loopback is none.
    story.env |= {"GIO_USE_NETWORK_MONITOR": "base", "GIO_USE_VFS": "local"}
    messages = corpus.plain(MESSAGES, "evolution")
    with story.session() as session:
        session.fill("INBOX", messages)
    worked = _run(story, "works")
    subject = email.message_from_bytes(messages[1].octets, policy=email.policy.default)["Subject"]
    expect(worked["subject"].split(), subject.split(), "the subject of the second message")
    expect(worked["quota"], ["STORAGE", 1024 * 1024], "the quota, in KiB")
    left = messages[:3] + messages[5:]
    with story.session() as session:
        inbox = session.contents("INBOX")
        expect([mail.key for mail in inbox], [each.key for each in left], "INBOX")
        expect(inbox[1].flags >= {"Seen"} and inbox[2].flags >= {"Flagged"}, True, "flags")
        moved = [mail.key for mail in session.contents("Skizzen")]
        expect(moved, [each.key for each in messages[3:5]], "what was moved")
        session.select("INBOX")
        session.uid("STORE", str(inbox[0].uid), "+FLAGS", r"(\Deleted)")
        session.uid("EXPUNGE", str(inbox[0].uid))
        session.uid("STORE", str(inbox[4].uid), "+FLAGS", r"(\Flagged)")
        session.fill("INBOX", corpus.plain(1, "evolution late"))
        inbox = session.contents("INBOX")
    back = _run(story, "comes back")
    expect(back["uids"], [mail.uid for mail in inbox], "messages after coming back")
    flagged = [mail.uid for mail in inbox if "Flagged" in mail.flags]
    expect(back["flagged"], flagged, "flagged messages after coming back")


def _run(story: Story, step: str) -> dict:
    task = {
        "step": step,
        "home": str(story.home),
        "host": story.server.host,
        "port": story.server.imaps_port,
        "user": story.alice.name,
        "password": story.alice.password,
        "messages": MESSAGES,
    }
    task = story.write("task.json", json.dumps(task))
    return json.loads(story.run("/usr/bin/python3", "-B", SCRIPT, task).splitlines()[-1])

"""mutt and neomutt: an hour at the keyboard, pushed as keystrokes."""

import corpus
import maildir
from story import Story, expect, holds

MESSAGES = 40
NEEDLE = "Nadel im Heuhaufen: žluťoučký kůň"
SEARCHED = "Heuhaufen"


def tell(story: Story) -> None:
    messages = corpus.plain(MESSAGES, story.name)
    with story.session() as session:
        session.fill("INBOX", messages)
        session.fill("INBOX", [_needle()])
        session.create("Entwürfe")
    config = story.write("muttrc", _config(story))
    program = (story.name, "-n", "-F", config)
    story.run_on_terminal(*program, "-f", "=INBOX", "-e", f"push '{_keys(story)}'")
    _check(story, messages)
    _resume(story, program, messages)
    _write(story, program)


def _write(story: Story, program: tuple) -> None:
    """Sends a message, of which a copy goes to the server's mailbox for that."""
    text = story.write("text", "Hallo Jörg\n")
    story.run_on_terminal(
        *program, "-s", "Grüße", "-i", text, "--", story.bob.name, shown=b"y:Send", typed=b"y"
    )
    with story.session() as session:
        sent = session.contents("Sent")
    expect(len(sent), 1, "messages in Sent")
    holds("Hallo Jörg".encode() in sent[0].octets, "the text that was sent is in Sent")
    holds(b"subject: =?utf-8?" in sent[0].octets.lower(), "and its subject")


def _resume(story: Story, program: tuple, messages: list[corpus.Message]) -> None:
    """Comes back to a mailbox of which it has the headers, and that changed in the meantime."""
    late = corpus.plain(1, f"{story.name} late")[0]
    with story.session() as session:
        number = {mail.key: mail.uid for mail in session.contents("INBOX")}
        session.select("INBOX")
        session.uid("STORE", str(number[messages[0].key]), "+FLAGS", "(\\Deleted)")
        session.uid("EXPUNGE", str(number[messages[0].key]))
        changed = next(each for each in messages[24:] if "Flagged" not in each.flags)
        session.uid("STORE", str(number[changed.key]), "+FLAGS", "(\\Flagged)")
        session.fill("INBOX", [late])
    keys = (
        # What is flagged, as it remembers or was told.
        "<tag-pattern>~F<enter><tag-prefix><copy-message>=Wichtig<enter><untag-pattern>~A<enter>"
        # The last one, which is new.
        "<last-entry><copy-message>=Letzte<enter><quit>"
    )
    story.run_on_terminal(*program, "-f", "=INBOX", "-e", f"push '{keys}'")
    with story.session() as session:
        inbox = session.contents("INBOX")
        due = [mail.key for mail in inbox if "Flagged" in mail.flags]
        holds(changed.key in due, "the changed message is flagged")
        copied = [mail.key for mail in session.contents("Wichtig")]
        expect(copied, due, "what it takes for flagged")
        last = [mail.key for mail in session.contents("Letzte")]
        expect(last, [late.key], "what it takes for the newest message")
        expect(inbox[-1].key, late.key, "the newest message")


def _needle() -> corpus.Message:
    kind = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8"
    text = f"Subject: Such mich\r\n{kind}\r\n\r\n{NEEDLE}\r\n"
    return corpus.Message(text.encode(), corpus.FIRST_DATE, frozenset())


def _config(story: Story) -> str:
    # This neomutt has no compression.
    deflate = "set imap_deflate=yes" if story.name == "mutt" else ""
    return f"""\
set folder="imaps://{story.server.host}:{story.server.imaps_port}/"
set imap_user="{story.alice.name}" imap_pass="{story.alice.password}"
set imap_condstore=yes imap_qresync=yes
{deflate}
set ssl_ca_certificates_file="{story.server.authority}" ssl_force_tls=yes
set spoolfile="=INBOX" record="=Sent" postponed="=Drafts" copy=yes
set from="{story.alice.name}" realname="Alice" sendmail="/bin/true"
set charset="utf-8" send_charset="utf-8" sort=mailbox-order
set confirmappend=no confirmcreate=no delete=yes move=no quit=yes wait_key=no
set pipe_decode=no sleep_time=0
set editor="/bin/true" autoedit=yes edit_headers=yes abort_unmodified=no
set header_cache="{story.home}/headers" message_cachedir="{story.home}/bodies"
"""


def _keys(story: Story) -> str:
    """Numbers are those of messages; 1 is the first."""
    return (
        # Reading: to the end of a message and back, and another one into a file.
        "<jump>5<enter><display-message><bottom><exit>"
        f"<jump>3<enter><pipe-message>cat > {story.home}/third<enter>"
        # Flags.
        "<jump>7<enter><flag-message>"
        "<jump>8<enter><set-flag>r"
        # One message saved, five copied to a mailbox with a name of its own alphabet.
        "<jump>9<enter><save-message>=Archive<enter>"
        "<tag-pattern>~m 11-15<enter><tag-prefix><copy-message>=Entwürfe<enter>"
        "<untag-pattern>~A<enter>"
        "<jump>20<enter><delete-message>"
        "<tag-pattern>~m 22-24<enter><tag-prefix><delete-message><untag-pattern>~A<enter>"
        # A search that the server does, and what it found saved to a new mailbox.
        f"<limit>=b {SEARCHED}<enter>"
        "<tag-pattern>~A<enter><tag-prefix><save-message>=Fundstücke<enter>"
        "<limit>all<enter>"
        "<sync-mailbox>"
        # Another mailbox: a look, a flag, and back.
        "<change-folder>=Archive<enter><jump>1<enter><flag-message>"
        "<change-folder>=INBOX<enter>"
        "<quit>"
    )


def _check(story: Story, messages: list[corpus.Message]) -> None:
    gone = {9, 20, 22, 23, 24}
    due = {number: each.flags for number, each in enumerate(messages, 1) if number not in gone}
    # A pipe is reading for mutt, not for neomutt.
    for number in (3, 5) if story.name == "mutt" else (5,):
        due[number] |= {"Seen"}
    due[7] ^= {"Flagged"}
    due[8] |= {"Answered"}
    numbers = {_needle().key: 0} | {each.key: number for number, each in enumerate(messages, 1)}
    with story.session() as session:
        inbox = {numbers.get(mail.key): mail.flags for mail in session.contents("INBOX")}
        # Both give unread messages that they have shown the keyword Old.
        unread = [flags for flags in inbox.values() if "Seen" not in flags]
        holds(all("Old" in flags for flags in unread), "unread messages became Old")
        for number in sorted(inbox.keys() | due.keys()):
            here = inbox.get(number, frozenset({"gone"})) - {"Old"}
            expect(here, due.get(number, frozenset({"gone"})), f"flags of message {number}")
        archive = session.contents("Archive")
        expect([mail.key for mail in archive], [messages[8].key], "Archive")
        toggled = archive[0].flags ^ messages[8].flags
        holds("Flagged" in toggled, "the flag in Archive")
        copied = [mail.key for mail in session.contents("Entwürfe")]
        expect(copied, [each.key for each in messages[10:15]], "Entwürfe")
        found = [mail.key for mail in session.contents("Fundstücke")]
        expect(found, [_needle().key], "Fundstücke")
    third = maildir.Entry(story.home / "third")
    expect(third.key, messages[2].key, "the message that was piped")

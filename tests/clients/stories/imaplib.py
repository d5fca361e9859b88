"""imaplib, and the bare wire: one long conversation over everything that a mailbox is for."""

import re

import corpus
from imap import Refused, Session, ok, quoted
from story import Story, expect, holds
from wire import Wire

MESSAGES = 300


def tell(story: Story) -> None:
    _login(story)
    messages = corpus.messages(MESSAGES, "imaplib", large=True)
    with story.session(story.bob) as session:
        session.create("Papierkorb/Älter")
        _append(session, messages)
        _fetch(session, messages)
        _search(session, messages)
        _store(session)
        _copy_move_expunge(session)
        _mailboxes(session)
    with Wire(story.server) as wire, story.session(story.alice) as other:
        login = f"LOGIN {quoted(story.alice.name)} {quoted(story.alice.password)}"
        wire.ok(login.encode())
        _literals(wire, other)
        _pipeline(wire)
        _idle(wire, other)
        _two_sessions(wire, other)
        _nonsense(wire)


def _login(story: Story) -> None:
    with Wire(story.server) as wire:
        holds(wire.greeting.startswith(b"* OK"), "the greeting is OK")
        listed = wire.ok(b"CAPABILITY")[0].split()
        due = {b"IMAP4rev1", b"AUTH=PLAIN", b"SASL-IR"}
        holds(due <= set(listed), f"{due} among the capabilities {listed}")
        holds(wire.command(b"SELECT INBOX")[1].startswith(b"BAD"), "no SELECT before the login")
        refused = wire.command(b"LOGIN alice@example.org wrong")[1]
        holds(refused.startswith(b"NO"), "a wrong password is refused")


def _append(session: Session, messages) -> None:
    session.fill("INBOX", messages)
    expect(session.status("INBOX", "MESSAGES"), len(messages), "MESSAGES")
    unseen = sum("Seen" not in message.flags for message in messages)
    expect(session.status("INBOX", "UNSEEN"), unseen, "UNSEEN")
    try:
        session.fill("Nowhere", messages[:1])
    except Refused as refused:
        holds("[TRYCREATE]" in str(refused), "APPEND to no mailbox says TRYCREATE")
    else:
        raise Refused("APPEND to a mailbox that is not there succeeded")


def _fetch(session: Session, messages) -> None:
    found = session.contents("INBOX")
    expect([mail.octets for mail in found] == [each.octets for each in messages], True, "octets")
    expect([mail.flags for mail in found], [each.flags for each in messages], "flags")
    expect([mail.arrived for mail in found], [each.arrived for each in messages], "dates")
    uids = [mail.uid for mail in found]
    expect(uids, sorted(set(uids)), "UIDs ascend")
    sizes = session.uid("FETCH", "1:*", "(RFC822.SIZE)")
    numbers = [int(re.search(rb"RFC822.SIZE (\d+)", line).group(1)) for line in sizes]
    expect(numbers, [len(each.octets) for each in messages], "RFC822.SIZE")
    _fetch_sections(session, found)


def _fetch_sections(session: Session, found) -> None:
    large = max(found, key=lambda mail: len(mail.octets))
    part = session.uid("FETCH", str(large.uid), "(BODY.PEEK[]<1000000.4096>)")[0][1]
    expect(part, large.octets[1_000_000:1_004_096], "4,096 octets from the middle")
    mime = session.uid("FETCH", str(large.uid), "(BODY.PEEK[2.MIME])")[0][1]
    holds(mime.startswith(b"Content-Type: application/octet-stream\r\n"), "the part's own header")
    encoded = session.uid("FETCH", str(large.uid), "(BODY.PEEK[2])")[0][1]
    holds(encoded in large.octets and len(encoded) > corpus.LARGE_PART, "the large part")
    first = found[0]
    fields = session.uid("FETCH", str(first.uid), "(BODY.PEEK[HEADER.FIELDS (SUBJECT X-NONE)])")
    subject = re.search(rb"(?m)^Subject: .*\r\n", first.octets).group()
    expect(fields[0][1], subject + b"\r\n", "HEADER.FIELDS")
    session.select("INBOX")
    unseen = next(mail.uid for mail in found if "Seen" not in mail.flags)
    session.uid("FETCH", str(unseen), "(BODY[TEXT])")
    expect(session.uids("UID", str(unseen), "SEEN"), [unseen], "reading makes \\Seen")


def _search(session: Session, messages) -> None:
    session.select("INBOX", readonly=True)
    uids = session.uids("ALL")

    def due(test):
        return [uid for uid, each in zip(uids, messages, strict=True) if test(each)]

    flagged = due(lambda each: "Flagged" in each.flags)
    expect(session.uids("FLAGGED"), flagged, "FLAGGED")
    plain = due(lambda each: {"Answered", "Draft"} & each.flags == set())
    expect(session.uids("UNANSWERED", "UNDRAFT"), plain, "UNANSWERED UNDRAFT")
    large = due(lambda each: len(each.octets) > 20_000)
    expect(session.uids("LARGER", "20000"), large, "LARGER")
    subject = due(lambda each: b"\r\nSubject: Long lines\r\n" in each.octets)
    expect(session.uids("SUBJECT", '"LONG lines"'), subject, "SUBJECT")
    identified = due(lambda each: b"<7.imaplib@corpus.example>" in each.octets)
    expect(session.uids("HEADER", "Message-ID", "<7.imaplib@"), identified, "HEADER Message-ID")
    session.raw.literal = "Άρπα".encode()
    expect(session.uids("CHARSET", "UTF-8", "BODY"), [], "BODY with words that nobody wrote")
    session.raw.literal = "ŁÓDŹ".encode()
    # UTF-8 as it is, and Base64 after an encoded word: both are found, whatever the case.
    holds(len(session.uids("CHARSET", "UTF-8", "TEXT")) > 1, "TEXT across case and encodings")
    expect(session.uids(f"1:{len(uids)}", "NOT", "UID", f"{uids[1]}:*"), uids[:1], "sets")


def _store(session: Session) -> None:
    session.select("INBOX")
    uids = session.uids("ALL")
    answer = session.uid("STORE", f"{uids[0]}:{uids[9]}", "FLAGS", "(\\Seen $Forwarded)")
    expect(len(answer), 10, "responses to a STORE of ten")
    expect(session.uids("KEYWORD", "$Forwarded"), uids[:10], "KEYWORD")
    session.uid("STORE", str(uids[0]), "-FLAGS", "($Forwarded)")
    session.uid("STORE", str(uids[0]), "+FLAGS", "(\\Flagged)")
    flags = session.uid("FETCH", str(uids[0]), "(FLAGS)")[0]
    holds(b"$Forwarded" not in flags and b"\\Flagged" in flags, "flags put on and taken off")
    session.select("INBOX", readonly=True)
    session.raw.uid("STORE", str(uids[0]), "+FLAGS", "(\\Deleted)")
    expect(session.uids("DELETED"), [], "what a STORE does to a mailbox that is only examined")


def _copy_move_expunge(session: Session) -> None:
    trash = "Papierkorb/Älter"
    before = session.contents("INBOX")
    session.select("INBOX")
    copied, moved = before[5:25], before[30:50]
    session.uid("COPY", _set(copied), session.wire(trash))
    session.uid("MOVE", _set(moved), session.wire(trash))
    session.uid("STORE", _set(before[60:70]), "+FLAGS.SILENT", "(\\Deleted)")
    session.uid("EXPUNGE", _set(before[60:65]))
    left = before[:30] + before[50:60] + before[65:]
    expect(session.uids("ALL"), [mail.uid for mail in left], "what UID EXPUNGE leaves")
    # imaplib kept the EXPUNGE responses of MOVE and UID EXPUNGE too.
    uids = [mail.uid for mail in before]
    for number in ok(session.raw.expunge()):
        del uids[int(number) - 1]
    expect(uids, session.uids("ALL"), "the mailbox told by sequence numbers of EXPUNGE")
    expect(uids, [mail.uid for mail in left[:40] + left[45:]], "what EXPUNGE leaves")
    there = session.contents(trash)
    due = [(mail.octets, mail.flags, mail.arrived) for mail in copied + moved]
    same = [(mail.octets, mail.flags, mail.arrived) for mail in there] == due
    holds(same, "copies have the octets, flags and dates of their originals")


def _set(mails) -> str:
    return ",".join(str(mail.uid) for mail in mails)


def _mailboxes(session: Session) -> None:
    session.raw.unselect()
    for name in ("Bücher", 'Mit "Anführung"', "Mit \\ Strich", "R&D", "Tief/er/und tiefer"):
        session.create(name)
        holds(name in session.mailboxes(), f"{name} is listed")
        ok(session.raw.subscribe(session.wire(name)))
    session.fill("Bücher", corpus.plain(3, "imaplib mailboxes"))
    ok(session.raw.rename(session.wire("Bücher"), session.wire("Bücher alt")))
    expect(session.status("Bücher alt", "MESSAGES"), 3, "messages after RENAME")
    ok(session.raw.rename(session.wire("Tief/er"), session.wire("Hoch")))
    holds("Hoch/und tiefer" in session.mailboxes(), "what is below moves along")
    ok(session.raw.delete(session.wire("Bücher alt")))
    holds(not {"Bücher", "Bücher alt"} & session.mailboxes(), "DELETE deletes")
    expect(session.raw.create(session.wire("INBOX"))[0], "NO", "CREATE INBOX")
    expect(session.raw.delete(session.wire("Bücher alt"))[0], "NO", "DELETE of nothing")


def _literals(wire: Wire, other: Session) -> None:
    one, two = corpus.plain(2, "imaplib literals")
    tag = wire.start(b"APPEND {5}")
    holds(wire.line().startswith(b"+ "), "a literal is asked for")
    wire.send(b"INBOX (\\Seen) {%d}\r\n" % len(one.octets))
    holds(wire.line().startswith(b"+ "), "and a second one")
    wire.send(one.octets + b"\r\n")
    holds(b"[APPENDUID " in wire.until(tag)[1], "APPEND says which UID it gave")
    # Non-synchronising: nobody asks, nobody waits.
    wire.ok(b"APPEND {5+}\r\nINBOX {%d+}\r\n" % len(two.octets), two.octets)
    stored = [mail.octets for mail in other.contents("INBOX")]
    expect(stored, [one.octets, two.octets], "what came in literals")


def _pipeline(wire: Wire) -> None:
    commands = (b"SELECT INBOX", b"NOOP", b"UID SEARCH ALL", b"STATUS Sent (MESSAGES)", b"CHECK")
    waiting = {wire.start(command): command for command in commands}
    while waiting:
        # In whatever order the server finds right (RFC 9051 §5.5).
        tag, _, ended = wire.line().partition(b" ")
        if command := waiting.pop(tag, None):
            holds(ended.startswith(b"OK"), f"{command} in a pipeline")


def _idle(wire: Wire, other: Session) -> None:
    wire.ok(b"SELECT INBOX")
    tag = wire.start(b"IDLE")
    holds(wire.line().startswith(b"+ "), "IDLE begins")
    other.fill("INBOX", corpus.plain(1, "imaplib idle"))
    _await(wire, rb"\* 3 EXISTS")
    other.select("INBOX")
    other.uid("STORE", str(other.uids("3")[0]), "+FLAGS", "($Work)")
    _await(wire, rb"\* 3 FETCH .*\$Work")
    other.uid("STORE", str(other.uids("1")[0]), "+FLAGS", "(\\Deleted)")
    ok(other.raw.expunge())
    _await(wire, rb"\* 1 EXPUNGE")
    wire.send(b"DONE\r\n")
    holds(wire.until(tag)[1].startswith(b"OK"), "IDLE ends")


def _await(wire: Wire, pattern: bytes) -> None:
    while not re.match(pattern, wire.line()):
        pass


def _two_sessions(wire: Wire, other: Session) -> None:
    """What another session expunged is told at the next command that may tell it."""
    wire.ok(b"SELECT INBOX")
    other.select("INBOX")
    other.uid("STORE", str(other.uids("1")[0]), "+FLAGS", "(\\Deleted)")
    ok(other.raw.expunge())
    during = wire.command(b"FETCH 1:* (UID)")[0]
    holds(not any(b"EXPUNGE" in line for line in during), "no EXPUNGE during a FETCH")
    holds(b"* 1 EXPUNGE" in wire.ok(b"NOOP"), "EXPUNGE at the next NOOP")
    expect(len(wire.ok(b"FETCH 1:* (UID)")), 1, "messages left")


def _nonsense(wire: Wire) -> None:
    for command in (b"NOSUCH", b"FETCH", b"FETCH 1:* (NOSUCH)", b"STORE 1 FLAGS (", b"SEARCH ("):
        holds(wire.command(command)[1].startswith(b"BAD"), f"{command} is BAD")
    holds(wire.command(b"SELECT Nowhere")[1].startswith(b"NO"), "SELECT of nothing is NO")
    untagged = wire.ok(b"LOGOUT")
    holds(any(line.startswith(b"* BYE") for line in untagged), "BYE at LOGOUT")

"""Thunderbird, as Debian has it, without a window: its own services do what its users do."""

import json

import corpus
from marionette import Program
from story import Story, becomes, expect

MESSAGES = 30


def tell(story: Story) -> None:
    messages = corpus.plain(MESSAGES, "thunderbird")
    with story.session() as session:
        session.fill("INBOX", messages)
    profile = _profile(story)
    with Program("thunderbird", profile, story.environment(), story.logs / "program.log") as bird:
        _log_in(story, bird)
        _reads(story, bird, messages)
        _moves(story, bird, messages)
        _folders(story, bird)
        _hears(story, bird)


def _profile(story: Story):
    """Nothing that asks or calls home."""
    values = {
        # Its own copies of messages have fields of its own.
        "mail.server.default.autosync_offline_stores": False,
        "mail.server.default.offline_download": False,
        "mail.server.default.use_condstore": True,
        "mail.provider.suppress_dialog_on_startup": True,
        "mail.spotlight.firstRunDone": True,
        "mail.rights.version": 1,
        "mailnews.start_page.enabled": False,
        "app.update.enabled": False,
        "app.donation.eoy.version.viewed": 999,
        "datareporting.policy.dataSubmissionEnabled": False,
        "toolkit.telemetry.enabled": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "extensions.update.enabled": False,
        "messaging-system.rsexperimentloader.enabled": False,
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
             for name, value in values.items()]
    return story.write("profile/user.js", "".join(lines)).parent


# What every script begins with.
SERVICES = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts[0]?.incomingServer;
const folder = (name) => server.rootFolder.descendants.find(each => each.localizedName === name
    || each.name === name || each.prettyName === name);
const until = async (truth, what) => {
    for (let tries = 0; tries < 1200; tries++) {
        const value = truth();
        if (value) return value;
        await new Promise(resolve => setTimeout(resolve, 50));
    }
    throw new Error(`never: ${what}`);
};
const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const inbox = () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const headers = (where) => [...where.msgDatabase.enumerateMessages()]
    .sort((one, other) => one.messageKey - other.messageKey);
const copied = () => {
    const listener = { onStartCopy() {}, onProgress() {}, setMessageKey() {},
        getMessageId() { return null; }, QueryInterface: ChromeUtils.generateQI(
            ["nsIMsgCopyServiceListener"]) };
    listener.done = new Promise((resolve, reject) => {
        listener.onStopCopy = status =>
            Components.isSuccessCode(status) ? resolve() : reject(new Error(`copying: ${status}`));
    });
    return listener;
};
"""


def run(bird: Program, script: str, *args):
    return bird.run(SERVICES + script, *args)


def _log_in(story: Story, bird: Program) -> None:
    """Adds the account as the assistant does, and sees what is there."""
    authority = story.server.authority.read_text()
    run(bird, """
        const [authority, host, port, user, password] = args;
        Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB)
            .addCertFromBase64(authority, "C,,");
        const login = Cc["@mozilla.org/login-manager/loginInfo;1"]
            .createInstance(Ci.nsILoginInfo);
        login.init(`imap://${host}`, null, `imap://${host}`, user, password, "", "");
        await Services.logins.addLoginAsync(login);
        const made = MailServices.accounts.createIncomingServer(user, host, "imap");
        made.port = port;
        made.socketType = Ci.nsMsgSocketType.SSL;
        made.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
        made.valid = true;
        const identity = MailServices.accounts.createIdentity();
        identity.email = user;
        identity.valid = true;
        const account = MailServices.accounts.createAccount();
        account.addIdentity(identity);
        account.incomingServer = made;
        MailServices.accounts.defaultAccount = account;
    """, "".join(authority.splitlines()[1:-1]), story.server.host, story.server.imaps_port,
        story.alice.name, story.alice.password)
    run(bird, """
        server.getNewMessages(server.rootFolder, null, null);
        await until(() => inbox() && folder("Archive"), "the mailboxes");
        inbox().updateFolder(null);
        await until(() => inbox().getTotalMessages(false) === args[0], "the messages of INBOX");
        await until(() => headers(inbox()).length === args[0], "their headers");
    """, MESSAGES)


def _reads(story: Story, bird: Program, messages) -> None:
    subjects = run(bird, "return headers(inbox()).map(each => each.mime2DecodedSubject);")
    expect(len(subjects), MESSAGES, "messages in the list")
    text = run(bird, """
        const uri = inbox().getUriForMsg(headers(inbox())[4]);
        const text = await new Promise((resolve, reject) => {
            let text = "";
            const listener = { QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
                onStartRequest() {},
                onDataAvailable(request, stream, offset, count) {
                    const reader = Cc["@mozilla.org/binaryinputstream;1"]
                        .createInstance(Ci.nsIBinaryInputStream);
                    reader.setInputStream(stream);
                    text += reader.readBytes(count);
                },
                onStopRequest(request, status) {
                    Components.isSuccessCode(status) ? resolve(text)
                        : reject(new Error(`reading: ${status}`));
                } };
            MailServices.messageServiceFromURI(uri)
                .streamMessage(uri, listener, null, null, false, "", false);
        });
        inbox().markMessagesRead([headers(inbox())[4]], true);
        inbox().markMessagesFlagged([headers(inbox())[5]], true);
        return text;
    """)
    expect(corpus.key_of(text.encode("latin-1")), messages[4].key, "the message that was opened")
    with story.session() as session:
        becomes(lambda: "Seen" in session.contents("INBOX")[4].flags, True, "message 5 is read")
        becomes(lambda: "Flagged" in session.contents("INBOX")[5].flags, True, "6 has a star")


def _moves(story: Story, bird: Program, messages) -> None:
    run(bird, """
        const listener = copied();
        MailServices.copy.copyMessages(inbox(), headers(inbox()).slice(10, 13), folder("Archive"),
            true, listener, null, false);
        await listener.done;
        await until(() => headers(inbox()).length === args[0] - 3, "what moving leaves");
        inbox().deleteMessages([headers(inbox())[0]], null, false, false, null, true);
        await until(() => headers(inbox()).length === args[0] - 4, "what deleting leaves");
    """, MESSAGES)
    left = messages[1:10] + messages[13:]
    for mailbox, due in (("Archive", messages[10:13]), ("Trash", messages[:1]), ("INBOX", left)):
        with story.session() as session:
            keys = [each.key for each in due]
            becomes(lambda: [mail.key for mail in session.contents(mailbox)], keys, mailbox)


def _folders(story: Story, bird: Program) -> None:
    run(bird, """
        server.rootFolder.createSubfolder("Entwürfe & Ideen", null);
        const made = await until(() => folder("Entwürfe & Ideen"), "the new folder");
        made.rename("Skizzen", null);
        await until(() => folder("Skizzen"), "the renamed folder");
    """)
    with story.session() as session:
        names = {"Entwürfe & Ideen", "Skizzen"}
        becomes(lambda: session.mailboxes() & names, {"Skizzen"}, "mailboxes")


def _hears(story: Story, bird: Program) -> None:
    """A message that arrives is told while Thunderbird idles.

    What is told in one breath with `+ idling` it does not look at until the next news.
    """
    becomes(lambda: _idles_in_inbox(story), True, "Thunderbird idles in INBOX")
    late = corpus.plain(1, "thunderbird late")
    with story.session() as session:
        session.fill("INBOX", late)
    run(bird, """await until(() => headers(inbox()).length === args[0] - 3, "what arrived");""",
        MESSAGES)


def _idles_in_inbox(story: Story) -> bool:
    """Whether the last thing said on a connection that has INBOX open is IDLE."""
    mailboxes: dict[int, str] = {}
    last: dict[int, str] = {}
    for port, command in story.server.heard():
        words = command.lower().split()
        if words[:1] == ["select"]:
            mailboxes[port] = words[1].strip('"')
        last[port] = command.rstrip()
    return any(last[port] == "IDLE" for port, name in mailboxes.items() if name == "inbox")

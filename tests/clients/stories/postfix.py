"""Postfix hands mail over: by LMTP over a unix socket and over TCP, and by a program."""

import grp
import imaplib
import os
import pwd
import shutil
import smtplib
import ssl
import subprocess
import time
from pathlib import Path

import bans
import servers
from servers import Broken
from story import Failed, Story, expect, holds

# Far more than a message takes on an idle machine.
PATIENCE = 120
USER = "nobody"
EVE = servers.Account("eve@example.org", servers.ALICE.password, servers.ALICE.verifier)


class Receiving(servers.Pillarbox):
    """A server that takes mail, as a user whom Postfix lets run programs."""

    def __init__(self, story: Story):
        self.user, self.group = pwd.getpwnam(USER), grp.getgrnam("postfix")
        home = Path(f"/tmp/pillarbox-{story.name}-{os.getpid()}")
        home.mkdir(mode=0o755)
        super().__init__(home, story.logs / "receiving.log", story.server.authority, False)
        (self.lmtp_port,) = servers.free_ports(1)
        self.program = home / "pillarbox"
        shutil.copy(os.environ.get("PILLARBOX") or shutil.which("pillarbox"), self.program)
        for name in ("run", "tls"):
            (home / name).mkdir()
        for name in ("server.pem", "server.key"):
            shutil.copy(self.authority.parent / name, home / "tls")
        for each in (home, *home.rglob("*")):
            os.chown(each, self.user.pw_uid, self.group.gr_gid)
        # As the unit for systemd has it: sockets are for the group as well.
        (home / "run").chmod(0o750)

    def command(self) -> list[str]:
        config = self.home / "pillarbox.conf"
        config.write_text(self._config())
        for account in (servers.ALICE, servers.BOB, EVE):
            self._run("imap-acct", "create", account.name)
        return self._as_user("run")

    def _as_user(self, *args: str) -> list[str]:
        """The program's command line, as the user, whose files the group may not read."""
        return ["setpriv", f"--reuid={USER}", f"--regid={self.group.gr_gid}", "--clear-groups",
                "sh", "-c", 'umask 0007; exec "$@"', "sh",
                str(self.program), "--config", str(self.home / "pillarbox.conf"), *args]

    def _run(self, *args: str) -> None:
        with open(self.log, "ab") as log:
            subprocess.run(
                self._as_user(*args), check=True, timeout=PATIENCE, cwd=self.home,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

    def _config(self) -> str:
        config = super()._config().replace(str(self.authority.parent), str(self.home / "tls"))
        entry = f'        entry {EVE.name} "bcrypt:{EVE.verifier}"\n'
        config = config.replace("    table static {\n", "    table static {\n" + entry)
        return config + f"""
lmtp unix://lmtp.sock tcp://127.0.0.1:{self.lmtp_port} {{
    deliver_to &local_mailboxes
}}

dovecot_sasld unix://sasl.sock {{
    auth &local_authdb
}}
log stderr_ts
"""


class Postfix:
    """A Postfix of its own: directories in `home`, SMTP on loopback; a context that ends it."""

    def __init__(self, home: Path, log: Path, receiving: Receiving):
        self.home, self.log, self.receiving = home, log, receiving
        (self.port,) = servers.free_ports(1)

    def __enter__(self):
        for name in ("conf", "queue", "data"):
            (self.home / name).mkdir(mode=0o755, parents=True)
        os.chown(self.home / "data", pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid)
        (self.home / "conf" / "main.cf").write_text(self._main())
        (self.home / "conf" / "master.cf").write_text(self._master())
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["postfix", "-c", str(self.home / "conf"), "start-fg"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Broken(f"postfix ended: {self.log.read_text(errors='replace')[-500:]}")
            try:
                smtplib.SMTP("127.0.0.1", self.port, timeout=5).quit()
                return self
            except OSError:
                time.sleep(0.05)
        raise Broken("postfix gave no greeting")

    def __exit__(self, *_):
        # Ends the daemons as well, and waits for them.
        subprocess.run(["postfix", "-c", str(self.home / "conf"), "stop"], timeout=PATIENCE)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _main(self) -> str:
        run = self.receiving.home / "run"
        tcp = f"lmtp:inet:127.0.0.1:{self.receiving.lmtp_port}"
        tls = self.receiving.home / "tls"
        return f"""\
compatibility_level = 3.6
queue_directory = {self.home}/queue
data_directory = {self.home}/data
maillog_file = /dev/stdout
mail_owner = postfix
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtputf8_enable = yes
virtual_mailbox_domains = example.org
virtual_transport = lmtp:unix:{run}/lmtp.sock
transport_maps = inline:{{ {{ bob@example.org = {tcp} }}, {{ eve@example.org = pillarbox }},
    {{ nobody-pipe@example.org = pillarbox }} }}
pillarbox_destination_recipient_limit = 1
smtpd_tls_security_level = may
smtpd_tls_chain_files = {tls}/server.key, {tls}/server.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {run}/sasl.sock
"""

    def _master(self) -> str:
        program, config = self.receiving.program, self.receiving.home / "pillarbox.conf"
        service = "127.0.0.1:{port} inet n - n - - smtpd\n".format(port=self.port)
        for name, kind, daemon in (
            ("pickup", "unix", "n - n 60 1 pickup"), ("cleanup", "unix", "n - n - 0 cleanup"),
            ("qmgr", "unix", "n - n 300 1 qmgr"), ("rewrite", "unix", "- - n - - trivial-rewrite"),
            ("bounce", "unix", "- - n - 0 bounce"), ("defer", "unix", "- - n - 0 bounce"),
            ("trace", "unix", "- - n - 0 bounce"), ("verify", "unix", "- - n - 1 verify"),
            ("flush", "unix", "n - n 1000? 0 flush"), ("proxymap", "unix", "- - n - - proxymap"),
            ("error", "unix", "- - n - - error"), ("retry", "unix", "- - n - - error"),
            ("lmtp", "unix", "- - n - - lmtp"), ("anvil", "unix", "- - n - 1 anvil"),
            ("scache", "unix", "- - n - 1 scache"), ("postlog", "unix-dgram", "n - n - 1 postlogd"),
            ("tlsmgr", "unix", "- - n 1000? 1 tlsmgr"),
        ):
            service += f"{name} {kind} {daemon}\n"
        return service + f"""\
pillarbox unix - n n - - pipe
  flags=RDXhu user={USER} null_sender=
  argv={program} --config {config} deliver -f ${{sender}} -d ${{recipient}}
"""

    def send(self, sender: str, recipients: list[str], message: bytes) -> dict:
        """Gives Postfix a message; says whom it refused at once."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            return client.sendmail(sender, recipients, message, mail_options=["BODY=8BITMIME"])

    def await_line(self, *texts: str) -> str:
        """The first line of the log with all of these texts."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self.log.read_text(errors="replace").splitlines():
                if all(text in line for text in texts):
                    return line
            time.sleep(0.05)
        raise Failed(f"Postfix did not log {texts} within {PATIENCE} s")


def message(subject: str, body: str = "Hello") -> bytes:
    return f"From: carol@elsewhere.test\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


def tell(story: Story) -> None:
    receiving = Receiving(story)
    try:
        postfix = Postfix(receiving.home / "postfix", story.logs / "postfix.log", receiving)
        with receiving, postfix:
            deliveries(story, receiving, postfix)
            submission(story, receiving, postfix)
        bans.expect_failures(story, receiving.log, 1)
    finally:
        shutil.rmtree(receiving.home)


def deliveries(story: Story, receiving: Receiving, postfix: Postfix) -> None:
    sender = "carol@elsewhere.test"
    large = "0123456789abcdef" * 4 + "\r\n"
    everybody = ["alice@example.org", "bob@example.org", "eve@example.org"]
    dots = "dots:\r\n.\r\n..\r\nend"
    postfix.send(sender, [*everybody, "nobody@example.org", "nobody-pipe@example.org"],
                 message("hello", dots))
    postfix.send(sender, everybody, message("large", large * 20_000))

    # Whom nobody knows: sent back, by its enhanced code; not tried again.
    for name in ("nobody", "nobody-pipe"):
        postfix.await_line(f"to=<{name}@example.org>", "status=bounced", "does not exist")
    for name, how in (("alice", "lmtp.sock"), ("bob", "127.0.0.1"), ("eve", "relay=pillarbox")):
        postfix.await_line(f"to=<{name}@example.org>", how, "status=sent")

    for account, protocol in ((story.alice, "LMTP"), (story.bob, "LMTP"), (EVE, "local")):
        mail = fetch(receiving, account, 2)
        expect(sorted(mail), ["hello", "large"], f"mail of {account.name}")
        hello = mail["hello"]
        holds(f"Delivered-To: {account.name}\r\n" in hello, "it says whose it is")
        expect(hello.count("Return-Path:"), 1, "fields for whom it is from")
        holds("Return-Path: <carol@elsewhere.test>\r\n" in hello, "it says whom it is from")
        holds(f"\r\n with {protocol} id " in hello, "it says how it came")
        holds(hello.endswith(f"\r\n\r\n{dots}\r\n"), "dots are as they were")
        holds(mail["large"].endswith(large * 20_000 + "\r\n"), "a large message is whole")


def submission(story: Story, receiving: Receiving, postfix: Postfix) -> None:
    """Who sends mail through Postfix logs in with the password that opens the mailbox."""
    def login(account: servers.Account, password: str) -> None:
        with smtplib.SMTP("localhost", postfix.port, timeout=60) as client:
            client.ehlo()
            holds("auth" not in client.esmtp_features, "no passwords in clear")
            client.starttls(context=ssl.create_default_context(cafile=str(receiving.authority)))
            client.ehlo()
            expect(client.esmtp_features["auth"].split(), ["PLAIN"], "mechanisms")
            client.login(account.name, password)
            mail = message("submitted")
            client.sendmail(account.name, [story.alice.name], mail)

    login(story.bob, story.bob.password)
    postfix.await_line("sasl_method=PLAIN", f"sasl_username={story.bob.name}")
    mail = fetch(receiving, story.alice, 3)
    holds("submitted" in mail, "what was submitted is delivered")
    try:
        login(story.bob, "wrong")
    except smtplib.SMTPAuthenticationError as refused:
        expect(refused.smtp_code, 535, "the reply to a wrong password")
    else:
        raise Failed("a wrong password was taken")


def fetch(receiving: Receiving, account: servers.Account, count: int) -> dict[str, str]:
    """All messages of INBOX by subject, once there are so many."""
    context = ssl.create_default_context(cafile=str(receiving.authority))
    deadline = time.monotonic() + PATIENCE
    with imaplib.IMAP4_SSL("localhost", receiving.imaps_port, ssl_context=context) as session:
        session.login(account.name, account.password)
        session.select("INBOX", readonly=True)
        while int(session.noop() and session.untagged_responses.get("EXISTS", [b"0"])[-1]) < count:
            if time.monotonic() > deadline:
                raise Failed(f"{account.name} has not {count} messages within {PATIENCE} s")
            session.select("INBOX", readonly=True)
            time.sleep(0.05)
        _, data = session.fetch("1:*", "BODY.PEEK[]")
    texts = [part[1].decode("latin-1") for part in data if isinstance(part, tuple)]
    return {subject(text): text for text in texts}


def subject(text: str) -> str:
    return next(line[9:] for line in text.splitlines() if line.startswith("Subject: "))

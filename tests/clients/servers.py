"""The servers that stories are told to: each on free loopback ports, in a directory of its own."""

import grp
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HOST = "localhost"
READY_SECONDS = 30
STOP_SECONDS = 20
# Below the range from which the kernel takes ports for outgoing connections.
PORTS = range(20_000, 32_000)
SPECIAL_USE = ("Sent", "Trash", "Junk", "Drafts", "Archive")


@dataclass(frozen=True)
class Account:
    """Someone who may log in. `verifier` is the bcrypt hash of `password`."""

    name: str
    password: str
    verifier: str


ALICE = Account(
    "alice@example.org",
    "sesame",
    "$2b$04$jLWIVB3e2BMyXUsFNjYsduSMbZRjw91xquwgN3vxYBkvknSXAxjV.",
)
# What clients must quote, they quote; what servers must unquote, they unquote.
BOB = Account(
    "bob@example.org",
    'pa ss"w\\ord',
    "$2b$04$4dR3cbMTmzrHKRXOrdR67.OBTA7dzz7kgwTjeBhZzCQpPWzko3ZQ.",
)


class Broken(Exception):
    """The server did not start, did not stop, or complained in its log."""


class Server:
    """A running server; a context that ends it, by its pid, and looks at how it ended."""

    name = ""
    # What its log must not have.
    complaints: tuple[bytes, ...] = ()

    def __init__(self, home: Path, log: Path, authority: Path, io_debug: bool):
        self.host = HOST
        self.home, self.log, self.authority, self.io_debug = home, log, authority, io_debug
        self.imap_port, self.imaps_port = free_ports(2)
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        """Writes the configuration; says what starts the server in the foreground."""
        raise NotImplementedError

    def __enter__(self):
        argv = self.command()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._await_greeting()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind, *_):
        status = self._stop()
        if kind is not None:
            return
        if status != 0:
            raise Broken(f"{self.name} ended with status {status} on SIGTERM")
        for line in self._lines():
            if any(word in line for word in self.complaints):
                raise Broken(f"{self.name} logged: {line[:500].decode(errors='replace')}")

    def _lines(self):
        """What it logged; a line may have megabytes."""
        with open(self.log, "rb") as log:
            yield from log

    def heard(self) -> list[tuple[int, str]]:
        """What clients said: the port of who said it, and the command without its tag."""
        return []

    def _await_greeting(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Broken(f"{self.name} ended at once: {self._last_words()}")
            try:
                with socket.create_connection(("127.0.0.1", self.imap_port), 5) as probe:
                    if probe.recv(4) == b"* OK":
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise Broken(f"{self.name} gave no greeting in {READY_SECONDS} s: {self._last_words()}")

    def _last_words(self) -> str:
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])

    def _stop(self) -> int | str:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"none within {STOP_SECONDS} s, killed"


class Pillarbox(Server):
    """The server of this workspace; `PILLARBOX` names the program."""

    name = "pillarbox"
    complaints = (b" panicked at ",)

    def command(self) -> list[str]:
        program = os.environ.get("PILLARBOX") or shutil.which("pillarbox")
        if not program:
            raise Broken("PILLARBOX does not name the program")
        config = self.home / "pillarbox.conf"
        config.write_text(self._config())
        for account in (ALICE, BOB):
            self._admin(program, config, "imap-acct", "create", account.name)
        return [program, "--config", str(config), "run"]

    def heard(self) -> list[tuple[int, str]]:
        said = []
        for line in self._lines():
            if line.startswith(b"imap: C:\t"):
                fields = json.loads(line.partition(b"\t")[2])
                port = int(fields["src_ip"].rpartition(":")[2])
                said.append((port, fields["data"].partition(" ")[2]))
        return said

    def _admin(self, program: str, config: Path, *args: str) -> None:
        with open(self.log, "ab") as log:
            subprocess.run(
                [program, "--config", str(config), *args],
                check=True, timeout=READY_SECONDS, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

    def _config(self) -> str:
        entries = "".join(
            f'        entry {account.name} "bcrypt:{account.verifier}"\n'
            for account in (ALICE, BOB)
        )
        return f"""\
state_dir {self.home}/state
runtime_dir {self.home}/run
hostname localhost
tls file {self.authority.parent}/server.pem {self.authority.parent}/server.key

auth.pass_table local_authdb {{
    table static {{
{entries}    }}
}}

storage.imapsql local_mailboxes {{
    driver sqlite3
    dsn imapsql.db
    quota 1G
}}

imap tcp://127.0.0.1:{self.imap_port} tls://127.0.0.1:{self.imaps_port} {{
    auth &local_authdb
    storage &local_mailboxes
    io_debug {"yes" if self.io_debug else "no"}
}}
"""


class Dovecot(Server):
    """Debian's Dovecot with a configuration of its own: the judge of the stories themselves."""

    name = "dovecot"
    complaints = (b" Panic: ", b" Fatal: ")

    def __init__(self, *args):
        super().__init__(*args)
        self.accounts = [ALICE.name, BOB.name]

    def command(self) -> list[str]:
        for name in self.accounts:
            (self.home / "mail" / name).mkdir(parents=True)
        (self.home / "users").write_text(self._passwords())
        config = self.home / "dovecot.conf"
        config.write_text(self._config())
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        return [program, "-F", "-c", str(config)]

    def _passwords(self) -> str:
        return "".join(f"{each.name}:{{PLAIN}}{each.password}\n" for each in (ALICE, BOB))

    def _config(self) -> str:
        uid, gid, users = self._identity()
        special = "\n".join(
            f"  mailbox {name} {{\n    special_use = \\{name}\n    auto = subscribe\n  }}"
            for name in SPECIAL_USE
        )
        rawlog = f"rawlog_dir = {self._rawlog()}" if self.io_debug else ""
        return f"""\
protocols = imap
listen = 127.0.0.1
base_dir = {self.home}/run
state_dir = {self.home}/state
log_path = {self.log}
{users}
first_valid_uid = 1
first_valid_gid = 1
disable_plaintext_auth = yes
ssl = required
ssl_cert = <{self.authority.parent}/server.pem
ssl_key = <{self.authority.parent}/server.key
auth_mechanisms = plain login
mail_location = sdbox:~/box
mail_plugins = acl quota zlib
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = username_format=%u {self.home}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={self.home}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port}
    ssl = yes
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
{special}
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_acl imap_quota imap_zlib
  {rawlog}
}}
plugin {{
  acl = vfile
  quota = count:User quota
  quota_rule = *:storage=1G
  quota_vsizes = yes
}}
"""

    def _rawlog(self) -> Path:
        """Beside the log, and open to whoever mail belongs to."""
        directory = self.log.parent / "rawlog"
        directory.mkdir(exist_ok=True)
        directory.chmod(0o777)
        return directory

    def _identity(self) -> tuple[int, int, str]:
        """Whose the mail is, and the settings which name the users that daemons run as."""
        if os.geteuid() == 0:
            # Dovecot keeps no mail as root.
            uid, gid = pwd.getpwnam("mail").pw_uid, grp.getgrnam("mail").gr_gid
            for name in self.accounts:
                os.chown(self.home / "mail" / name, uid, gid)
            return uid, gid, ""
        user = pwd.getpwuid(os.geteuid()).pw_name
        group = grp.getgrgid(os.getegid()).gr_name
        return os.geteuid(), os.getegid(), (
            f"default_internal_user = {user}\ndefault_internal_group = {group}\n"
            f"default_login_user = {user}\n"
            "service anvil {\n  chroot =\n}\nservice imap-login {\n  chroot =\n}"
        )


SUBJECTS = {server.name: server for server in (Pillarbox, Dovecot)}


def free_ports(count: int) -> list[int]:
    """`count` loopback ports on which nothing listens now."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def make_certificates(directory: Path) -> Path:
    """An authority of our own and a certificate of its for localhost; says where the authority is.

    Also writes `server.pem` and `server.key` beside it.
    """
    def openssl(*args: str) -> None:
        subprocess.run(
            ["openssl", *args], cwd=directory, check=True, capture_output=True, timeout=60
        )

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "authority.key", "-out", "authority.pem",
            "-days", "30", "-subj", "/CN=Client test authority",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-new", *curve, "-keyout", "server.key", "-out", "server.csr",
            "-subj", f"/CN={HOST}")
    (directory / "extensions").write_text(
        f"subjectAltName=DNS:{HOST},IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n"
        "extendedKeyUsage=serverAuth\n"
    )
    openssl("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey",
            "authority.key", "-CAcreateserial", "-days", "30", "-extfile", "extensions",
            "-out", "server.pem")
    return directory / "authority.pem"

"""Logins that somebody else decides: each provider with the real thing behind it.

Run by scripts/providers, in a mount namespace of its own. Every story has a fresh server, and prints
one line: `ok NAME seconds` or `FAIL NAME reason`. Logs stay in target/providers.
"""

import imaplib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imap
import servers
from story import Failed, expect, holds

LOGS = Path("target/providers").absolute()

# What an answer to LOGIN begins with.
OK = "OK"
DENIED = "[AUTHENTICATIONFAILED]"
UNAVAILABLE = "[UNAVAILABLE]"


class Provided(servers.Pillarbox):
    """A server whose endpoint has this configuration, with `auth` in it."""

    def __init__(self, story, blocks: str, endpoint: str):
        super().__init__(story.home, story.logs / "server.log", story.authority, False)
        self.blocks, self.endpoint = blocks, endpoint

    def command(self) -> list[str]:
        config = self.home / "pillarbox.conf"
        config.write_text(self._config())
        self.admin("verify-config")
        return [os.environ["PILLARBOX"], "--config", str(config), "run"]

    def _config(self) -> str:
        certificates = self.authority.parent
        return f"""\
state_dir {self.home}/state
runtime_dir {self.home}/run
{self.blocks}
storage.imapsql local_mailboxes {{
    driver sqlite3
    dsn imapsql.db
}}

imap tcp://127.0.0.1:{self.imap_port} tls://127.0.0.1:{self.imaps_port} {{
    tls {certificates}/server.pem {certificates}/server.key
    {self.endpoint}
    storage &local_mailboxes
}}
"""

    def admin(self, *args: str) -> str:
        """Runs a command of the program, and gives what it prints."""
        argv = [os.environ["PILLARBOX"], "--config", str(self.home / "pillarbox.conf"), *args]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=servers.READY_SECONDS)
        holds(done.returncode == 0, f"{args} succeeds: {done.stderr}")
        return done.stdout

    def login(self, user: str, password: str) -> str:
        """What is answered to LOGIN over TLS, without OK and NO where more is said."""
        context = ssl.create_default_context(cafile=str(self.authority))
        with imaplib.IMAP4_SSL(self.host, self.imaps_port, ssl_context=context,
                               timeout=60) as client:
            try:
                client.login(imap.quoted(user), password)
            except client.error as error:
                return error.args[0].decode()
            holds(client.select()[0] == "OK", f"{user} has an INBOX")
            return OK

    def logins(self, *cases: tuple[str, str, str]) -> None:
        """Tries user and password each; the answer has to begin as said."""
        for user, password, due in cases:
            answer = self.login(user, password)
            holds(answer.startswith(due), f"{user!r} with {password!r}: {answer!r} is {due!r}")

    def logged(self, text: str) -> None:
        holds(text in self.log.read_text(errors="replace"), f"the log speaks of {text!r}")

    def never_logged(self, text: str) -> None:
        holds(text not in self.log.read_text(errors="replace"), f"{text!r} is not in the log")


class Story:
    """A place for one story, and what it started: ended in the end."""

    def __init__(self, name: str, scratch: Path, authority: Path):
        self.name, self.authority = name, authority
        self.home, self.logs = scratch / name, LOGS / name
        self.home.mkdir()
        self.home.chmod(0o755)
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)
        self.started: list[subprocess.Popen] = []

    def start(self, *argv: str | Path, ready) -> subprocess.Popen:
        """Starts a daemon in the foreground, and waits until `ready()`."""
        with open(self.logs / f"{Path(argv[0]).name}.log", "ab") as log:
            daemon = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, cwd=self.home)
        self.started.append(daemon)
        deadline = time.monotonic() + servers.READY_SECONDS
        while not ready():
            holds(daemon.poll() is None, f"{argv[0]} runs")
            holds(time.monotonic() < deadline, f"{argv[0]} is ready")
            time.sleep(0.02)
        return daemon

    @staticmethod
    def stop(daemon: subprocess.Popen) -> None:
        daemon.terminate()
        daemon.wait(servers.STOP_SECONDS)

    def end(self) -> None:
        for daemon in self.started:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()

    def file(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def mount(self, path: Path, over: str) -> None:
        """Lets `path` be seen as `over` by what this story starts, in this namespace only."""
        subprocess.run(["mount", "--bind", str(path), over], check=True, timeout=60)


def openssl_hash(password: str) -> str:
    done = subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsalt", "-stdin"], check=True,
                          input=password, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()




# Of "pass word", by libxcrypt, as Debian makes them by default.
YESCRYPT = "$y$j9T$UrTVFHt6rRvZ1DBwMJ1k6.$W9ZktFjSXWhn4EcgDVOyQBg7mk7uu3la4zmUYVPuZG."


def users(story: Story) -> None:
    """Makes the system's users: those of the machine are not there in this namespace.

    Days are counted from 1970: 1 is long over, 40000 is in the year 2079.
    """
    shadow = {
        "root": "*:19000:0:99999:7:::",
        "ann": f"{openssl_hash('pass word')}:19000:0:99999:7:::",
        "over": f"{openssl_hash('pass word')}:19000:0:99999:7::1:",
        "aged": f"{openssl_hash('pass word')}:1:0:30:7:5::",
        "must": f"{openssl_hash('pass word')}:0:0:99999:7:::",
        "lock": f"!{openssl_hash('pass word')}:19000:0:99999:7:::",
        "star": "*:19000:0:99999:7:::",
        "open": ":19000:0:99999:7:::",
        "next": f"{openssl_hash('pass word')}:19000:0:99999:7::40000:",
        "yes": f"{YESCRYPT}:19000:0:99999:7:::",
    }
    passwd = "".join(
        f"{name}:x:{0 if name == 'root' else 2000 + nth}:{0 if name == 'root' else 100}::/:/bin/sh\n"
        for nth, name in enumerate(shadow)
    )
    system = "".join(
        line for line in Path("/etc/passwd").read_text().splitlines(keepends=True)
        if line.split(":")[0] not in shadow
    )
    story.mount(story.file("passwd", passwd + system), "/etc/passwd")
    lines = "".join(f"{name}:{rest}\n" for name, rest in shadow.items())
    story.mount(story.file("shadow", lines, 0o600), "/etc/shadow")


def pam(story: Story) -> None:
    """The specification's own example, with the rules of a system that keeps a shadow file."""
    users(story)
    services = story.home / "pam.d"
    services.mkdir()
    rules = services / "pillarbox"
    unix = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
    rules.write_text(unix)
    story.mount(services, "/etc/pam.d")
    example = """io_debug no
    debug no
    insecure_auth no
    sasl_login no
    auth pam
    auth_map identity
    auth_map_normalize auto
    storage_map identity
    storage_map_normalize auto"""
    with Provided(story, "", example) as server:
        _in_clear(server)
        server.logins(
            ("ann", "pass word", OK),
            ("next", "pass word", OK),
            ("ann", "pass", DENIED),
            ("nobody-of-ours", "pass word", DENIED),
            ("over", "pass word", DENIED),
            ("aged", "pass word", DENIED),
            ("must", "pass word", DENIED),
            ("lock", "pass word", DENIED),
            ("star", "*", DENIED),
            ("open", "", DENIED),
        )
        expect(server.admin("imap-acct", "list").split(), ["ann", "next"], "accounts")
        server.logged("pam: service pillarbox, account: User account has expired")
        rules.write_text("auth required pam_none_such.so\naccount required pam_unix.so\n")
        server.logins(("ann", "pass word", UNAVAILABLE))
        rules.write_text("auth required pam_permit.so\naccount required pam_deny.so\n")
        server.logins(("ann", "pass word", DENIED))
        rules.write_text(unix)
        server.logins(("ann", "pass word", OK))
        server.never_logged("pass word")
    _pam_at_a_socket(story, rules)


def _pam_at_a_socket(story: Story, rules: Path) -> None:
    """The helper is started by somebody else, who has the rights that the server lacks."""
    path = story.home / "helper.sock"
    helper = Path(os.environ["PILLARBOX"]).with_name("pillarbox-pam-helper")
    listener = socket.create_server(str(path), family=socket.AF_UNIX)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                subprocess.run([helper], stdin=connection, stdout=connection, timeout=60)

    threading.Thread(target=serve, daemon=True).start()
    block = f"auth pam {{\n helper {path}\n debug yes\n }}"
    with Provided(story, "", block) as server:
        server.logins(("ann", "pass word", OK), ("ann", "pass", DENIED))
        rules.write_text("auth required pam_none_such.so\n")
        server.logins(("ann", "pass word", UNAVAILABLE))
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.logins(("ann", "pass word", UNAVAILABLE))
        server.logged(f"pam: {path}: ")
        server.logged("[debug] pam: PAM has answered")
        server.never_logged("pass word")


def _in_clear(server: Provided) -> None:
    """Before TLS no password is taken; after STARTTLS it is."""
    with imaplib.IMAP4(server.host, server.imap_port, timeout=60) as client:
        holds("LOGINDISABLED" in client.capabilities, "LOGINDISABLED before TLS")
        try:
            client.login("ann", "pass word")
            raise Failed("a password was taken in clear")
        except client.error:
            pass
        client.starttls(ssl.create_default_context(cafile=str(server.authority)))
        expect(client.login("ann", "pass word")[0], "OK", "LOGIN after STARTTLS")


def shadow(story: Story) -> None:
    """The shadow file without PAM; in another block, a table of who there is."""
    users(story)
    blocks = "auth.shadow system {\n    debug yes\n}"
    endpoint = """auth plain_separate {
        user &system
        pass &system
    }
    auth_map email_localpart_optional"""
    with Provided(story, blocks, endpoint) as server:
        server.logins(
            ("ann", "pass word", OK),
            ("ann@example.org", "pass word", OK),
            ("next", "pass word", OK),
            ("yes", "pass word", OK),
            ("ann", "pass", DENIED),
            ("nobody-of-ours", "pass word", DENIED),
            ("over", "pass word", DENIED),
            ("aged", "pass word", DENIED),
            ("must", "pass word", DENIED),
            ("lock", "pass word", DENIED),
            ("star", "*", DENIED),
            ("open", "", DENIED),
        )
        expect(server.admin("imap-acct", "list").split(), ["ann", "ann@example.org", "next", "yes"],
               "accounts")
        server.logged("shadow: the account has expired")
        (story.home / "shadow").write_bytes(b"\xff")
        server.logins(("ann", "pass word", UNAVAILABLE))
        server.logged("shadow: /etc/shadow: ")
        server.never_logged("pass word")


LDIF = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=reader,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: may read

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

"""

PERSON = """\
dn: uid={dn},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
mail: {mail}
"""


class Slapd:
    """OpenLDAP's server: with TLS, over TCP and a socket. Passwords are told over TLS alone."""

    def __init__(self, story: Story):
        self.story = story
        self.port, self.tls_port = servers.free_ports(2)
        self.socket = story.home / "ldapi"
        (story.home / "data").mkdir()
        certificates = story.authority.parent
        self.config = story.file("slapd.conf", f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {story.home}/slapd.pid
TLSCACertificateFile {story.authority}
TLSCertificateFile {certificates}/server.pem
TLSCertificateKeyFile {certificates}/server.key
security simple_bind=64
localSSF 128
database mdb
suffix dc=example,dc=org
directory {story.home}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,dc=example,dc=org" read
    by dn.regex="^gidNumber=[0-9]+[+]uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth$" read
    by * none
""")
        people = [("ann", "ann", "ann@example.org"), ("nopass", "nopass", "nopass@example.org"),
                  ("odd\\2Bname\\2C\\3D*(x)", "odd+name,=*(x)", "odd@example.org"),
                  ("one", "one", "twins@example.org"), ("two", "two", "twins@example.org")]
        ldif = LDIF + "\n".join(
            PERSON.format(dn=dn, uid=uid, mail=mail)
            + ("" if uid == "nopass" else "userPassword: pass word\n")
            for dn, uid, mail in people
        )
        subprocess.run(["/usr/sbin/slapadd", "-f", self.config, "-l", story.file("ldif", ldif)],
                       check=True, capture_output=True, timeout=60)

    def start(self) -> subprocess.Popen:
        where = (f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port} "
                 f"ldaps://127.0.0.2:{self.tls_port} "
                 f"ldapi://{str(self.socket).replace('/', '%2F')}")
        return self.story.start("/usr/sbin/slapd", "-d", "0", "-h", where, "-f", self.config,
                                ready=lambda: listens(self.socket))


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


SEARCH = """base_dn dc=example,dc=org
        filter (|(uid={username})(mail={username}))"""


def ldap(story: Story) -> None:
    """OpenLDAP: searches and templates, over TLS, STARTTLS and a socket; and without it."""
    slapd = Slapd(story)
    daemon = slapd.start()
    tls = f"tls_client {{\n root_ca {story.authority}\n }}"
    names = [
        ("ann", "pass word", OK),
        ("ann", "pass", DENIED),
        ("ann", "", DENIED),
        ("nobody-of-ours", "pass word", DENIED),
        ("*", "pass word", DENIED),
        ("*)(uid=*", "pass word", DENIED),
        ("ann)(objectClass=*", "pass word", DENIED),
        ("nopass", "pass word", DENIED),
        ("odd+name,=*(x)", "pass word", OK),
    ]
    searching = f"""auth ldap {{
        urls ldaps://localhost:{slapd.tls_port}
        bind plain cn=reader,dc=example,dc=org "may read"
        {SEARCH}
        {tls}
        debug
    }}"""
    with Provided(story, "", searching) as server:
        server.logins(*names, ("ann@example.org", "pass word", OK),
                      ("twins@example.org", "pass word", DENIED))
        server.logged("ldap: more than one entry is found")
        server.logged("ldap: unknown user")
        server.logged("ldap: result 49")
        # Connections that are kept do not survive the directory, but nobody has to know.
        story.stop(daemon)
        server.logins(("ann", "pass word", UNAVAILABLE))
        server.logged(f"ldap: ldaps://localhost:{slapd.tls_port}: ")
        slapd.start()
        server.logins(("ann", "pass word", OK))
        server.never_logged("pass word")
        server.never_logged("may read")
    template = f"""auth ldap ldap://localhost:{slapd.port} {{
        dn_template uid={{username}},ou=people,dc=example,dc=org
        starttls
        {tls}
    }}"""
    with Provided(story, "", template) as server:
        server.logins(*names, ("ann,ou=people,dc=example,dc=org", "pass word", DENIED))
    _ldap_socket(story, slapd)
    _ldap_refuses(story, slapd)


def _ldap_socket(story: Story, slapd: Slapd) -> None:
    """Over the socket, where the kernel says who we are; and as a table of who there is."""
    blocks = f"""auth.ldap people {{
    urls ldap://127.0.0.1:1 ldapi://{slapd.socket}
    bind external
    {SEARCH}
}}"""
    separate = """auth plain_separate {
        user &people
        pass dummy
    }
    storage_map chain {
        step &people
        step regexp "uid=([a-z]+),ou=people,dc=example,dc=org" "$1"
    }"""
    with Provided(story, blocks, separate) as server:
        server.logins(("ann@example.org", "whatever", OK), ("bob@example.org", "whatever", DENIED))
        expect(server.admin("imap-acct", "list").split(), ["ann", "odd+name,=*(x)", "ann@example.org"],
               "accounts")
    with Provided(story, blocks, "auth &people") as server:
        server.logins(("ann", "pass word", OK), ("ann", "pass", DENIED))


def _ldap_refuses(story: Story, slapd: Slapd) -> None:
    """Trouble between us and the directory is no wrong password."""
    for url, more, due in (
        # No authority that we know has signed its certificate.
        (f"ldaps://localhost:{slapd.tls_port}", "", "certificate"),
        # The certificate is for another name.
        (f"ldaps://127.0.0.2:{slapd.tls_port}", f"tls_client {{\n root_ca {story.authority}\n }}",
         "not valid for name"),
        # It takes no password in clear.
        (f"ldap://127.0.0.1:{slapd.port}", "", "result 13"),
        (f"ldapi://{slapd.socket}", 'bind plain cn=reader,dc=example,dc=org "wrong"', "our own bind"),
    ):
        name = SEARCH if "bind" in more else "dn_template uid={username},ou=people,dc=example,dc=org"
        block = f"auth ldap {url} {{\n {name}\n {more}\n }}"
        with Provided(story, "", block) as server:
            server.logins(("ann", "pass word", UNAVAILABLE))
            server.logged(due)


class DovecotAuth:
    """Dovecot's authentication service, and nothing else of it."""

    def __init__(self, story: Story, mechanisms: str):
        self.story = story
        (self.port,) = servers.free_ports(1)
        self.base = story.home / "dovecot"
        self.socket = self.base / "auth-client"
        users = story.file("users", "ann:{PLAIN}pass word\nodd\tname:{PLAIN}pass word\n"
                           "moved:{PLAIN}pass word::::::nologin=y reason=moved-away\n"
                           "broken:{SCHEME-OF-NOBODY}x\n")
        story.file("dovecot.conf", f"""\
protocols =
base_dir = {self.base}
state_dir = {story.home}/dovecot-state
log_path = {story.logs}/dovecot-own.log
ssl = no
# In a namespace where there is no other user.
default_internal_user = root
default_internal_group = root
default_login_user = nobody
first_valid_uid = 0
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = passwd-file
  args = username_format=%u {users}
}}
service anvil {{
  chroot =
}}
service auth {{
  user = root
  unix_listener auth-client {{
    mode = 0600
  }}
  inet_listener {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
""")

    def start(self) -> subprocess.Popen:
        return self.story.start("/usr/sbin/dovecot", "-F", "-c", self.story.home / "dovecot.conf",
                                ready=lambda: listens(self.socket))

    def stop(self, daemon: subprocess.Popen) -> None:
        """Ends the master, and the service, which would go on as long as somebody is connected."""
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        self.story.stop(daemon)
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.socket.unlink(missing_ok=True)


def dovecot(story: Story) -> None:
    """Dovecot's users, by PLAIN over its socket and by LOGIN over TCP; and when it is gone."""
    service = DovecotAuth(story, "plain login")
    daemon = service.start()
    names = [
        ("ann", "pass word", OK),
        ("ann", "pass", DENIED),
        ("ann", "", DENIED),
        ("nobody-of-ours", "pass word", DENIED),
        ("moved", "pass word", DENIED),
    ]
    block = f"auth dovecot_sasl unix://{service.socket}"
    with Provided(story, "", block) as server:
        server.logins(*names)
        server.logged("dovecot_sasl: moved-away")
        # What is kept open does not survive the service, but nobody has to know.
        service.stop(daemon)
        server.logins(("ann", "pass word", UNAVAILABLE))
        server.logged(f"dovecot_sasl: unix://{service.socket}: ")
        daemon = service.start()
        server.logins(("ann", "pass word", OK))
        _many(server)
        server.never_logged("pass word")
    service.stop(daemon)
    service = DovecotAuth(story, "login")
    daemon = service.start()
    blocks = f"dovecot_sasl users {{\n endpoint tcp://127.0.0.1:{service.port}\n debug\n}}"
    with Provided(story, blocks, "auth &users") as server:
        server.logins(*names)
    service.stop(daemon)


def _many(server: Provided) -> None:
    """Logins at the same time don't get each other's answers."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.login("ann", "pass word"), range(48)))
    expect(set(answers), {OK}, "answers")


STORIES = {"pam": pam, "shadow": shadow, "ldap": ldap, "dovecot": dovecot}


def main() -> int:
    names = sys.argv[1:] or list(STORIES)
    unknown = [name for name in names if name not in STORIES]
    if unknown:
        print(f"providers: no story {' '.join(unknown)}; there are: {' '.join(STORIES)}")
        return 2
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="providers-"))
    scratch.chmod(0o755)
    try:
        authority = servers.make_certificates(scratch)
        passed = sum(_told(name, scratch, authority) for name in names)
    finally:
        # What is mounted from here goes with the namespace.
        shutil.rmtree(scratch, ignore_errors=True)
    failed = len(names) - passed
    print(f"clients: {passed} passed, {failed} failed, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def _told(name: str, scratch: Path, authority: Path) -> bool:
    story, started = Story(name, scratch, authority), time.monotonic()
    try:
        STORIES[name](story)
    except Exception as error:
        (story.logs / "story.log").write_text(traceback.format_exc())
        print(f"FAIL {name} {' '.join(str(error).split())[:500]} (logs: {story.logs})", flush=True)
        return False
    finally:
        story.end()
    print(f"ok {name} {time.monotonic() - started:.1f}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

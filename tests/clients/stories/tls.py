"""OpenSSL: certificates by name and place, versions, suites, groups, ALPN, reload.

The numbers are those of the requirements on the `tls` directive.
"""

import re
import signal
import subprocess
import time
from pathlib import Path

import servers
from handshake import PATIENCE, Shown, shake
from story import Failed, Story, expect, holds

WEAK = "@SECLEVEL=0"


class Serving(servers.Pillarbox):
    """A server with a `tls` directive at top level and one in its `imap` block, or none."""

    def __init__(self, story: Story, name: str, outer: str, inner: str = ""):
        home = story.home / name
        home.mkdir(exist_ok=True)
        super().__init__(home, story.logs / f"{name}.log", story.server.authority, False)
        self.story, self.outer, self.inner = story, outer, inner

    def _admin(self, *_):
        """Nobody logs in."""

    def _config(self) -> str:
        start = re.sub(r"^tls file .*\n", lambda _: self.outer + "\n", super()._config(), flags=re.M)
        return start.replace("    auth &local_authdb\n", f"    auth &local_authdb\n    {self.inner}\n")

    def shake(self, *options: str, **more) -> Shown | None:
        port = self.imap_port if more.get("starttls") else self.imaps_port
        return shake(port, self.story.logs / "openssl.log", *options, **more)

    def verify(self) -> subprocess.CompletedProcess:
        """What `verify-config` says of the configuration."""
        program, _, config, _ = self.command()
        argv = [program, "--config", config, "verify-config"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)

    def refused(self, text: str) -> None:
        said = self.verify()
        expect(said.returncode, 2, f"status of verify-config, which says {said.stderr}")
        holds(text in said.stderr, f"{text!r} in what verify-config says: {said.stderr}")


class Certificates:
    """Certificates that vouch for themselves, by name."""

    def __init__(self, story: Story):
        self.story, self.directory = story, story.home / "certificates"
        self.directory.mkdir()

    def make(self, file: str, *hosts: str) -> str:
        """Writes `file.pem` and `file.key`, and says the serial number."""
        names = ",".join(f"DNS:{host}" for host in hosts)
        self.story.run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "30", "-subj", "/CN=test", "-addext", f"subjectAltName={names}",
            "-keyout", self.directory / f"{file}.key", "-out", self.directory / f"{file}.pem")
        shown = self.story.run("openssl", "x509", "-noout", "-serial",
                               "-in", self.directory / f"{file}.pem")
        return shown.decode().strip()

    def words(self, *files: str) -> str:
        """The arguments of `tls` for these."""
        paths = (f"{self.directory}/{file}.pem {self.directory}/{file}.key" for file in files)
        return " ".join(paths)


def tell(story: Story) -> None:
    made = Certificates(story)
    a, b = made.make("a", "a.test"), made.make("b", "b.test", "*.b.test")
    paths(story, made, a)
    places(story, made, a, b)
    versions(story, made)
    suites_and_groups(story, made)
    names(story, made, a, b)
    protocols_of_applications(story, made)
    off(story)
    mistakes(story, made)
    reload(story, made, a)


def paths(story: Story, made: Certificates, a: str) -> None:
    """C12, D1: `tls CERT KEY` without a loader's name; relative paths are in the state directory."""
    server = Serving(story, "relative", "", "tls certs/a.pem certs/a.key")
    certs = server.home / "state" / "certs"
    certs.mkdir(parents=True)
    for kind in ("pem", "key"):
        (certs / f"a.{kind}").write_bytes((made.directory / f"a.{kind}").read_bytes())
    with server:
        expect(server.shake().serial(), a, "C12: the certificate")
        expect(server.shake(starttls=True).serial(), a, "C12: the certificate after STARTTLS")


def places(story: Story, made: Certificates, a: str, b: str) -> None:
    """C13: the global value is the default. C14: a local one replaces it. C15: options in a block.
    C17: the forms of loaders."""
    with Serving(story, "global", f"tls {made.words('a')}") as server:
        expect(server.shake().serial(), a, "C13: the certificate")
        expect(server.shake(starttls=True).serial(), a, "C13: the certificate after STARTTLS")
    options = f"tls {made.words('b')} {{\n protocols tls1.2 tls1.3\n}}"
    with Serving(story, "local", f"tls {made.words('a')}", options) as server:
        expect(server.shake().serial(), b, "C14, C15: the certificate")
        expect(server.shake(starttls=True).serial(), b, "C14, C15: after STARTTLS")
    loader = f"tls {{\n loader file {made.words('b')}\n protocols tls1.3\n}}"
    with Serving(story, "loader", loader) as server:
        expect(server.shake().serial(), b, "C17: the certificate of a loader in a block")
    block = (f"tls.loader.file certificates {{\n certs {made.directory}/b.pem\n"
             f" keys {made.directory}/b.key\n}}\ntls &certificates")
    with Serving(story, "referred", block) as server:
        expect(server.shake().serial(), b, "C17: the certificate of a block elsewhere")
    with Serving(story, "self-signed", "tls self_signed mx.test") as server:
        holds(server.shake(), "C17: a self-signed certificate is served")


def versions(story: Story, made: Certificates) -> None:
    """C16: `protocols` sets the lowest and the highest version."""
    old = ("-tls1_1", "-cipher", f"ALL:{WEAK}")
    block = f"tls {made.words('a')} {{\n protocols tls1.2 tls1.3\n}}"
    with Serving(story, "both", block) as server:
        expect(server.shake(*old), None, "C16: TLS 1.1")
        expect(server.shake("-tls1_2").protocol(), "TLSv1.2", "C16: TLS 1.2")
        expect(server.shake("-tls1_3").protocol(), "TLSv1.3", "C16: TLS 1.3")
    with Serving(story, "latest", block.replace("tls1.2 ", "")) as server:
        expect(server.shake("-tls1_2"), None, "C16: TLS 1.2 where only 1.3 is")
        holds(server.shake("-tls1_3"), "C16: TLS 1.3 where only it is")
    with Serving(story, "default", f"tls {made.words('a')}") as server:
        expect(server.shake(*old), None, "TLS 1.1 by default")
        holds(server.shake("-tls1_2"), "TLS 1.2 by default")


def suites_and_groups(story: Story, made: Certificates) -> None:
    """C17: `ciphers` and `curves`."""
    block = (f"tls {made.words('a')} {{\n ciphers ECDHE-ECDSA-WITH-AES256-GCM-SHA384\n"
             " curves p384 p256\n}")
    with Serving(story, "suites", block) as server:
        shown = server.shake("-tls1_2")
        expect(shown.cipher(), "ECDHE-ECDSA-AES256-GCM-SHA384", "C17: the suite")
        expect(server.shake("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), None,
               "C17: a suite that is not named")
        expect(server.shake("-groups", "P-384").group(), "secp384r1", "C17: the group")
        expect(server.shake("-groups", "X25519"), None, "C17: a group that is not named")


def names(story: Story, made: Certificates, a: str, b: str) -> None:
    """Certificates by name; the first is for all others."""
    with Serving(story, "names", f"tls file {made.words('a', 'b')}") as server:
        for name, due in (("a.test", a), ("b.test", b), ("mail.b.test", b), ("c.test", a), (None, a)):
            expect(server.shake(name=name).serial(), due, f"the certificate for {name}")
            expect(server.shake(name=name, starttls=True).serial(), due, f"{name} after STARTTLS")


def protocols_of_applications(story: Story, made: Certificates) -> None:
    """RFC 7301: `imap` and nothing else, so that nobody tricks a browser into speaking to us."""
    with Serving(story, "alpn", f"tls {made.words('a')}") as server:
        expect(server.shake("-alpn", "http/1.1,imap").alpn(), "imap", "the protocol")
        expect(server.shake("-alpn", "http/1.1"), None, "a handshake of a browser")
        expect(server.shake().alpn(), None, "the protocol, if none is offered")


def off(story: Story) -> None:
    """C17: without TLS there is no STARTTLS, and no `tls://`."""
    server = Serving(story, "off", "tls off")
    server.refused("can't bind on IMAPS endpoint without TLS configuration")
    server = Serving(story, "clear", "tls off")
    server._config = lambda: Serving._config(server).replace(f"tls://127.0.0.1:{server.imaps_port}", "")
    with server:
        url = f"imap://127.0.0.1:{server.imap_port}/"
        story.run("curl", "-sv", "--max-time", "60", "--user", "nobody:wrong", url, statuses=(67,))
        heard = (story.logs / "commands.log").read_text(errors="replace").split(url)[-1]
        holds("IMAP4rev1" in heard, f"capabilities in what curl heard: {heard}")
        holds("STARTTLS" not in heard, f"C17: no STARTTLS in {heard}")


def mistakes(story: Story, made: Certificates) -> None:
    """C17, C18: what is wrong is said with its place, and with what would be right."""
    Serving(story, "none", "").refused("missing required directive: tls")
    said = Serving(story, "none-place", "").verify().stderr
    holds(re.search(r"pillarbox\.conf:\d+:\d+: missing required directive: tls", said),
          f"C18: the place of what is missing in {said}")
    a = made.words("a")
    for name, block, text in (
        ("neither", "tls {\n protocols tls1.3\n}", "at least one certificate required"),
        ("old", f"tls {a} {{\n protocols tls1.0\n}}", "write `protocols tls1.2 tls1.3`"),
        ("weak", f"tls {a} {{\n ciphers RSA-WITH-3DES-EDE-CBC-SHA\n}}", "too weak to be available"),
        ("curve", f"tls {a} {{\n curves p521\n}}", "curve p521 is not available"),
        ("mixed", f"tls {made.directory}/a.pem {made.directory}/b.key", "does not belong"),
    ):
        Serving(story, name, block).refused(text)


def reload(story: Story, made: Certificates, a: str) -> None:
    """SIGUSR2 reads certificates again; what can't be used changes nothing."""
    with Serving(story, "reload", f"tls {made.words('a')}") as server:
        expect(server.shake().serial(), a, "the certificate before")
        renewed = made.make("a", "a.test")
        server.process.send_signal(signal.SIGUSR2)
        await_serial(server, renewed)
        (made.directory / "a.pem").write_text("half written")
        server.process.send_signal(signal.SIGUSR2)
        await_line(server.log, "failed to load certificates")
        expect(server.shake().serial(), renewed, "the certificate after a broken one")


def await_serial(server: Serving, serial: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.shake().serial() == serial:
            return
        time.sleep(0.05)
    raise Failed(f"the new certificate was not served within {PATIENCE} s")


def await_line(log: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if text in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise Failed(f"not logged within {PATIENCE} s: {text!r}")

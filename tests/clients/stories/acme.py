"""Certificates from a real authority (pebble): all challenges, renewal, restarts, refusals."""

import re
import signal
import time
from pathlib import Path

import servers
from acme import Advising, Authority
from handshake import shake
from story import Failed, Story, expect, holds

# Far more than an order takes on an idle machine.
PATIENCE = 120
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


class Ordering(servers.Pillarbox):
    """A server that orders the certificate for `mx.example.org`."""

    def __init__(self, story: Story, name: str, challenge: str, **more):
        home = story.home / name
        home.mkdir(exist_ok=True)
        super().__init__(home, story.logs / f"{name}.log", story.server.authority, False)
        self.story, self.challenge, self.more = story, challenge, more

    def _admin(self, *_):
        """Nobody logs in."""

    def _config(self) -> str:
        start = super()._config()
        block = "\n".join(f"        {line}" for line in self.challenge.splitlines())
        tls = f"""\
tls {{
    loader acme {{
        hostname mx.example.org
        agreed yes
        email postmaster@example.org
        ca_root {self.authority}
{block}
    }}
}}
"""
        return re.sub(r"^tls file .*\n", lambda _: tls, start, flags=re.M)

    def stored(self) -> Path:
        return self.home / "state" / "acme" / "mx.example.org.pem"

    def await_line(self, text: str, count: int = 1) -> str:
        """The first line of the log with this text, once there are `count` of them."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = [line for line in self.log.read_text(errors="replace").splitlines()
                     if text in line]
            if len(lines) >= count:
                return lines[0]
            time.sleep(0.05)
        raise Failed(f"not logged within {PATIENCE} s: {text!r}, but {self._last_words()}")

    def serial(self, root: Path | None = None, name="mx.example.org", starttls=False) -> str | None:
        """The serial number of the certificate that clients see, and trust if `root` is said."""
        port = self.imap_port if starttls else self.imaps_port
        log = self.story.logs / "openssl.log"
        shown = shake(port, log, name=name, root=root, starttls=starttls)
        return shown and shown.serial()

    def await_serial(self, root: Path | None, other_than: str | None = None) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            serial = self.serial(root)
            if serial and serial != other_than:
                return serial
            time.sleep(0.1)
        raise Failed(f"no new certificate within {PATIENCE} s: {self._last_words()}")


def tell(story: Story) -> None:
    authority = Authority(story.home / "authority", story.server.authority)
    without_authority(story, authority)
    with authority:
        by_tls(story, authority)
        by_http(story, authority)
        by_dns(story, authority)
        refused(story, authority)
        rehearsing(story, authority)
    renewing(story)
    advised(story)
    external_account(story)


def without_authority(story: Story, authority: Authority) -> None:
    """It starts, says STARTTLS, and refuses handshakes rather than show a makeshift certificate."""
    with Ordering(story, "early", f"challenge tls-alpn-01\nca {authority.url}") as server:
        line = server.await_line("a certificate can't be ordered")
        holds('"certificate":"there is none"' in line, f"what is served is said in {line}")
        expect(server.serial(), None, "a certificate before the first")
        expect(server.serial(starttls=True), None, "a certificate after STARTTLS")
        server.await_line("there is no certificate yet, TLS connections are refused")


def by_tls(story: Story, authority: Authority) -> None:
    """The endpoint's own listener answers, and survives restarts, reloads and damage."""
    # The authority looks at the port for IMAP under TLS.
    server = Ordering(story, "tls", f"challenge tls-alpn-01\nca {authority.url}")
    server.imaps_port = authority.tls_port
    with server:
        root = authority.root_file()
        first = server.await_serial(root)
        expect(server.serial(root, starttls=True), first, "the certificate after STARTTLS")
        expect(server.stored().stat().st_mode & 0o777, 0o600, "mode of the certificate's file")
        accounts = list((server.home / "state" / "acme" / "accounts").iterdir())
        expect([path.stat().st_mode & 0o777 for path in accounts], [0o600], "modes of accounts")
        server.process.send_signal(signal.SIGUSR2)
        server.await_line("new configuration was loaded")
        expect(server.serial(root), first, "the certificate after a reload")
    with server:
        expect(server.serial(root), first, "the certificate after a restart")
        expect(server.log.read_text().count("ordering a certificate"), 1, "orders")
    server.stored().write_text("half written")
    with server:
        server.await_line("the stored certificate can't be used, another one is ordered")
        second = server.await_serial(root, first)
    server.stored().unlink()
    accounts[0].write_text("{")
    with server:
        server.await_line("the account's file is damaged, another one is made")
        server.await_serial(root, second)


def by_http(story: Story, authority: Authority) -> None:
    names = "extra_names imap.example.org"
    http = f"challenge http-01\nhttp_listen tcp://127.0.0.1:{authority.http_port}"
    with Ordering(story, "http", f"{http}\nca {authority.url}\n{names}\nkey_type rsa2048") as server:
        root = authority.root_file()
        serial = server.await_serial(root)
        expect(server.serial(root, "imap.example.org"), serial, "the certificate of the other name")
        url = f"http://127.0.0.1:{authority.http_port}/.well-known/acme-challenge/x"
        status = story.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url)
        expect(status, b"404", "status for an unknown token")
    # Another set of names is ordered, and the old certificate stays until it is there.
    server.challenge = server.challenge.replace(names, "extra_names pop.example.org")
    with server:
        server.await_serial(root, serial)
        holds(server.serial(root, "pop.example.org"), "the new name is served")


def by_dns(story: Story, authority: Authority) -> None:
    dns = f"challenge dns-01\ndns_hook {authority.hook}\ndns_wait 0s\nca {authority.url}"
    with Ordering(story, "dns", f"{dns}\nextra_names *.example.org example.org") as server:
        root = authority.root_file()
        serial = server.await_serial(root)
        expect(server.serial(root, "any.example.org"), serial, "the wildcard's certificate")
    calls = [line.split() for line in authority.hook_log.read_text().splitlines()]
    made = [call[1:] for call in calls if call[0] == "present"]
    removed = [call[1:] for call in calls if call[0] == "cleanup"]
    expect(sorted(removed), sorted(made), "records that were removed")
    # Those of the order that went well: one before may have met too many refused nonces.
    domains = sorted(call[:2] for call in made[-3:])
    apex = ["example.org", "_acme-challenge.example.org"]
    expect(domains, [apex, apex, ["mx.example.org", "_acme-challenge.mx.example.org"]], "records")


def refused(story: Story, authority: Authority) -> None:
    """What the authority says is in the log, with its type."""
    port, = servers.free_ports(1)
    http = f"challenge http-01\nhttp_listen tcp://127.0.0.1:{port}\nca {authority.url}"
    with Ordering(story, "refused", http) as server:
        line = server.await_line("a certificate can't be ordered")
        holds('"problem":"urn:ietf:params:acme:error:' in line, f"the problem's type in {line}")
        holds("mx.example.org: " in line, f"name and detail in {line}")
        holds("next_attempt" in line, f"the next attempt in {line}")


def rehearsing(story: Story, authority: Authority) -> None:
    """A hook that fails at first: after it comes a rehearsal, and then the real certificate."""
    flag = story.home / "works"
    hook = story.write("hook", f"#!/bin/sh\n[ -e {flag} ] || {{ echo no zone >&2; exit 7; }}\n"
                               f'exec {authority.hook} "$@"\n')
    hook.chmod(0o755)
    dns = f"challenge dns-01\ndns_hook {hook}\ndns_wait 0s\nca {authority.url}"
    with Ordering(story, "rehearsing", f"{dns}\ntest_ca {authority.url}") as server:
        line = server.await_line("a certificate can't be ordered")
        holds("exit status: 7: no zone" in line, f"what the hook said in {line}")
        flag.touch()
        server.await_line("the rehearsal went well")
        server.await_serial(authority.root_file())


def renewing(story: Story) -> None:
    """Two thirds of a short life, twice; no connection is lost on the way."""
    with Authority(story.home / "hasty", story.server.authority, lifetime=12) as authority:
        server = Ordering(story, "renewing", f"challenge tls-alpn-01\nca {authority.url}")
        server.imaps_port = authority.tls_port
        with server:
            first = server.await_serial(None)
            second = server.await_serial(None, first)
            server.await_serial(None, second)


def advised(story: Story) -> None:
    """The authority says when to renew (RFC 9773), and is told what is replaced."""
    with Authority(story.home / "wise", story.server.authority) as authority:
        with Advising(authority, renewals=1) as advising:
            server = Ordering(story, "advised", f"challenge tls-alpn-01\nca {advising.url}")
            server.imaps_port = authority.tls_port
            with server:
                server.await_line("a certificate was ordered", count=2)
                server.await_serial(authority.root_file())
                asked, replaced = advising.asked, advising.replaced
                expect(replaced, asked[:1], "the certificate that was replaced")
                holds(re.fullmatch(r"[\w-]+\.[\w-]+", asked[0]), f"{asked[0]} is of RFC 9773 §4.1")


def external_account(story: Story) -> None:
    with Authority(story.home / "closed", story.server.authority, eab=("kid-1", KEY)) as authority:
        tls = f"challenge tls-alpn-01\nca {authority.url}\nlisten tls://127.0.0.1:{authority.tls_port}"
        with Ordering(story, "stranger", tls) as server:
            line = server.await_line("a certificate can't be ordered")
            holds("externalAccountRequired" in line, f"the problem in {line}")
        with Ordering(story, "known", f"{tls}\neab kid-1 {KEY}") as server:
            server.await_serial(authority.root_file())

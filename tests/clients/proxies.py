"""Real proxies between clients and server: does the server know who is there?

Run by scripts/proxies. Every story has a fresh server and a proxy of its own, and prints one line:
`ok NAME seconds` or `FAIL NAME reason`. Logs stay in target/proxies.
"""

import http.server
import imaplib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import servers
from servers import ALICE
from story import expect, holds

LOGS = Path("target/proxies").absolute()
SECONDS = 60
# Connections from one client that the server takes through proxies.
PER_CLIENT = 3


class Proxied(servers.Pillarbox):
    """A server with an endpoint for each way that proxies come, and one without them."""

    def __init__(self, *args):
        super().__init__(*args)
        (self.clear, self.implicit, self.protected, self.stranger, self.behind) = (
            servers.free_ports(5))

    def _config(self) -> str:
        directory = self.authority.parent
        own = f"{directory}/server.pem {directory}/server.key"
        rest = "auth &local_authdb\n    storage &local_mailboxes"
        return super()._config() + f"""
imap tcp://127.0.0.1:{self.clear} tls://127.0.0.1:{self.implicit} {{
    proxy_protocol 127.0.0.1
    max_connections_per_ip {PER_CLIENT}
    {rest}
}}
tls.loader.file proxy_tls {{
    certs {directory}/server.pem
    keys {directory}/server.key
}}
imap tcp://127.0.0.1:{self.protected} {{
    proxy_protocol {{
        trust 127.0.0.1
        tls &proxy_tls
    }}
    {rest}
}}
imap tcp://127.0.0.1:{self.stranger} {{
    proxy_protocol 203.0.113.1
    {rest}
}}
imap tcp://127.0.0.1:{self.behind} {{
    proxy_protocol 127.0.0.1
    insecure_auth yes
    {rest}
}}
"""

    def logged(self, text: str) -> None:
        """Waits until the log has it: lines are written while answers are on their way."""
        deadline = time.monotonic() + SECONDS
        while text not in self.log.read_text(errors="replace"):
            holds(time.monotonic() < deadline, f"the log speaks of {text!r}")
            time.sleep(0.02)


class Client(imaplib.IMAP4):
    """A client at another loopback address than all servers."""

    def __init__(self, address: str, port: int, authority: Path, implicit_tls: bool = False):
        self.address = address
        self.context = ssl.create_default_context(cafile=str(authority))
        self.implicit_tls = implicit_tls
        super().__init__("localhost", port)

    def _create_socket(self, timeout):
        plain = socket.create_connection(("127.0.0.1", self.port), SECONDS, (self.address, 0))
        self.name = "%s:%d" % plain.getsockname()
        if self.implicit_tls:
            return self.context.wrap_socket(plain, server_hostname="localhost")
        return plain


class Story:
    """One proxy's: its server, its place for files, and the proxy itself."""

    def __init__(self, name: str, scratch: Path, authority: Path):
        self.home, self.logs, self.authority = scratch / name, LOGS / name, authority
        (self.home / "server").mkdir(parents=True)
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)
        self.proxy: subprocess.Popen | None = None
        log = self.logs / "server.log"
        self.server = Proxied(self.home / "server", log, authority, False)

    def start(self, *argv: str | Path, port: int) -> None:
        """Starts the proxy, and waits until it listens at its last port."""
        with open(self.logs / "proxy.log", "ab") as log:
            self.proxy = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, cwd=self.home)
        deadline = time.monotonic() + servers.READY_SECONDS
        while True:
            holds(self.proxy.poll() is None, f"{argv[0]} runs")
            holds(time.monotonic() < deadline, f"{argv[0]} is ready")
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return
            except OSError:
                time.sleep(0.02)

    def end(self) -> None:
        if self.proxy and self.proxy.poll() is None:
            self.proxy.terminate()
            self.proxy.wait(servers.STOP_SECONDS)

    def client(self, address: str, port: int, implicit_tls: bool = False) -> Client:
        return Client(address, port, self.authority, implicit_tls)

    def known(self, address: str, port: int, implicit_tls: bool = False) -> None:
        """A client comes by its address into the log, its bytes unharmed, and can log in safely."""
        with self.client(address, port, implicit_tls) as client:
            clear = "STARTTLS" in client.capabilities
            expect(clear, not implicit_tls, f"STARTTLS offered to {address}")
            if clear:
                holds("LOGINDISABLED" in client.capabilities, "no login in clear")
                client.starttls(client.context)
            try:
                client.login(ALICE.name, "wrong")
                holds(False, "a wrong password is refused")
            except client.error:
                pass
            self.server.logged(f'"src_ip":"{client.name}"')
            client.login(ALICE.name, ALICE.password)
            expect(client.select()[0], "OK", "SELECT INBOX")


def haproxy(story: Story) -> None:
    server, directory = story.server, story.authority.parent
    bundle = story.home / "proxy.pem"
    texts = [(directory / name).read_text() for name in ("server.pem", "server.key")]
    bundle.write_text("".join(texts))
    bundle.chmod(0o600)
    checked = f"ssl verify required ca-file {story.authority} verifyhost localhost"
    listeners = [
        # Name, TLS with clients, where to and how.
        ("v1", False, f"{server.clear} send-proxy"),
        ("v2", False, f"{server.clear} send-proxy-v2"),
        ("options", False, f"{server.clear} send-proxy-v2 "
                           "proxy-v2-options ssl,cert-cn,crc32c,unique-id,authority"),
        ("passed_through", False, f"{server.implicit} send-proxy-v2"),
        ("passed_through_v1", False, f"{server.implicit} send-proxy"),
        ("terminated", True, f"{server.clear} send-proxy-v2-ssl"),
        ("terminated_cn", True, f"{server.clear} send-proxy-v2-ssl-cn"),
        ("encrypted_again", True, f"{server.implicit} send-proxy-v2 {checked}"),
        ("protected", True, f"{server.protected} send-proxy-v2 {checked}"),
        ("stranger", False, f"{server.stranger} send-proxy-v2"),
        ("tunnel", False, f"{server.protected} {checked}"),
    ]
    ports = dict(zip([name for name, *_ in listeners] + ["tunnelled"],
                     servers.free_ports(len(listeners) + 1)))
    listeners.append(("tunnelled", True, f"{ports['tunnel']} send-proxy-v2"))
    text = ("global\n    log stderr format raw local0\n"
            "defaults\n    mode tcp\n    timeout connect 60s\n    timeout client 60s\n"
            "    timeout server 60s\n")
    for name, tls, to in listeners:
        bind = f"127.0.0.1:{ports[name]}" + (f" ssl crt {bundle}" if tls else "")
        text += f"listen {name}\n    bind {bind}\n    server pillarbox 127.0.0.1:{to}\n"
        if "option" in name:
            text += "    unique-id-format %[uuid()]\n"
    text += ("listen checks\n    option tcp-check\n    tcp-check expect string \"* OK\"\n"
             f"    server pillarbox 127.0.0.1:{server.clear} check inter 100 send-proxy-v2\n")
    config = story.home / "haproxy.cfg"
    config.write_text(text)
    story.start("haproxy", "-db", "-f", config, port=ports["tunnelled"])

    for number, (name, tls, _) in enumerate(listeners):
        if name in ("stranger", "tunnel"):
            continue
        implicit = tls or name.startswith("passed_through")
        story.known(f"127.0.1.{number + 1}", ports[name], implicit)
    strangers(story, ports["stranger"])
    limits(story, ports["v2"])
    # The proxy looks after the server by itself, far more often than one client may connect.
    log = (story.logs / "proxy.log").read_text()
    holds("DOWN" not in log, "no health check failed")


def strangers(story: Story, port: int) -> None:
    """A proxy that is not believed: its header goes, its own address counts."""
    with story.client("127.0.2.9", port) as client:
        client.starttls(client.context)
        client.login(ALICE.name, ALICE.password)
    story.server.logged('connection from untrusted source\t{"src_ip":"127.0.0.1:')
    holds('"src_ip":"127.0.2.9:' not in story.server.log.read_text(), "the claim is not believed")


def limits(story: Story, port: int) -> None:
    """Every client has its own share of connections, whoever else comes through the proxy."""
    held = [story.client(f"127.0.2.{who}", port) for who in (1, 2, 3) for _ in range(PER_CLIENT)]
    try:
        story.client("127.0.2.1", port)
        holds(False, "one too many is refused")
    except imaplib.IMAP4.error as error:
        holds("Too many connections" in str(error), f"{error} says why")
    story.server.logged('too many connections\t{"limit":"address","src_ip":"127.0.2.1:')
    for client in held:
        client.logout()


def nginx(story: Story) -> None:
    server = story.server
    ports = dict(zip(("clear", "passed_through", "encrypted_again", "protected"),
                     servers.free_ports(4)))
    directory = story.authority.parent
    terminated = (f"ssl_certificate {directory}/server.pem;\n"
                  f"        ssl_certificate_key {directory}/server.key;\n"
                  "        proxy_ssl on;\n        proxy_ssl_verify on;\n"
                  "        proxy_ssl_name localhost;\n"
                  f"        proxy_ssl_trusted_certificate {story.authority};")
    text = (f"pid {story.home}/nginx.pid;\nerror_log {story.logs}/nginx.log;\n"
            "daemon off;\nmaster_process off;\n"
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
            "events {\n}\nstream {\n    proxy_protocol on;\n")
    for name, to, more in (
        ("clear", server.clear, ""), ("passed_through", server.implicit, ""),
        ("encrypted_again", server.implicit, terminated), ("protected", server.protected, terminated),
    ):
        tls = " ssl" if more else ""
        text += (f"    server {{\n        listen 127.0.0.1:{ports[name]}{tls};\n"
                 f"        proxy_pass 127.0.0.1:{to};\n        {more}\n    }}\n")
    config = story.home / "nginx.conf"
    config.write_text(text + "}\n")
    story.start("nginx", "-p", story.home, "-c", config, port=ports["protected"])
    for number, (name, port) in enumerate(ports.items()):
        story.known(f"127.0.3.{number + 1}", port, implicit_tls=name != "clear")


class Directory(http.server.BaseHTTPRequestHandler):
    """Says to nginx's mail module which server everybody's mail is on; passwords are that server's."""

    port = 0

    def do_GET(self):
        self.send_response(200)
        for name, value in (("Auth-Status", "OK"), ("Auth-Server", "127.0.0.1"),
                            ("Auth-Port", str(self.port))):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Nothing of this belongs into the story's output."""


def nginx_mail(story: Story) -> None:
    """nginx's mail module ends TLS, reads the login, and repeats it to the server."""
    handler = type("There", (Directory,), {"port": story.server.behind})
    directory = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=directory.serve_forever, daemon=True).start()
    (port,) = servers.free_ports(1)
    certificates = story.authority.parent
    config = story.home / "nginx.conf"
    config.write_text(f"""\
pid {story.home}/nginx.pid;
error_log {story.logs}/nginx.log;
daemon off;
master_process off;
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
events {{
}}
mail {{
    auth_http http://127.0.0.1:{directory.server_port}/;
    proxy_protocol on;
    proxy_pass_error_message on;
    server {{
        listen 127.0.0.1:{port} ssl;
        protocol imap;
        ssl_certificate {certificates}/server.pem;
        ssl_certificate_key {certificates}/server.key;
    }}
}}
""")
    try:
        story.start("nginx", "-p", story.home, "-c", config, port=port)
        with story.client("127.0.4.1", port, implicit_tls=True) as client:
            client.login(ALICE.name, ALICE.password)
            story.server.logged(f'"src_ip":"{client.name}"')
            expect(client.select()[0], "OK", "SELECT INBOX")
            text = b"Subject: by nginx\r\n\r\nHello\r\n"
            expect(client.append("INBOX", None, None, text)[0], "OK", "APPEND")
            expect(client.fetch("1", "BODY[]")[1][0][1], text, "the message")
        client = story.client("127.0.4.2", port, implicit_tls=True)
        try:
            client.login(ALICE.name, "wrong")
            holds(False, "a wrong password is refused")
        except client.error as error:
            holds("Invalid user name or password" in str(error), f"{error} says why")
        # nginx hangs up after that.
        client.shutdown()
        story.server.logged(f'"src_ip":"{client.name}","username":"{ALICE.name}"')
    finally:
        directory.shutdown()


STORIES = {"haproxy": haproxy, "nginx": nginx, "nginx_mail": nginx_mail}


def main() -> int:
    names = sys.argv[1:] or list(STORIES)
    started, failed = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="proxies-") as scratch:
        authority = servers.make_certificates(Path(scratch))
        for name in names:
            failed += not tell(name, Path(scratch), authority)
    seconds = time.monotonic() - started
    print(f"clients: {len(names) - failed} passed, {failed} failed, {seconds:.0f} s")
    return 1 if failed else 0


def tell(name: str, scratch: Path, authority: Path) -> bool:
    """Tells one story, prints its line, and says whether it ended well."""
    started = time.monotonic()
    story = Story(name, scratch, authority)
    try:
        with story.server:
            try:
                STORIES[name](story)
            finally:
                story.end()
    except Exception as error:
        (story.logs / "story.log").write_text(traceback.format_exc())
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"FAIL {name} {reason[:500]} (logs: {story.logs})", flush=True)
        return False
    print(f"ok {name} {time.monotonic() - started:.1f}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

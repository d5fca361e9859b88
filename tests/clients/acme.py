"""An authority to order certificates from: Debian's pebble, with a DNS server of its own."""

import base64
import http.client
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from servers import STOP_SECONDS, Broken, free_ports

READY_SECONDS = 30


class Program:
    """A program that runs until the context ends; its output goes to a log."""

    def __init__(self, argv: list[str], log: Path, env: dict[str, str] | None = None):
        self.argv, self.log, self.env = argv, log, os.environ | (env or {})
        self.process: subprocess.Popen | None = None

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env
            )
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Authority:
    """pebble, which looks for answers at `http_port` and `tls_port` of this machine.

    `lifetime` is that of certificates, in seconds; `eab` an external account that it insists on.
    Every name has the address 127.0.0.1; `hook` is a program that changes TXT records.
    """

    def __init__(self, home: Path, root: Path, lifetime=7_776_000, eab=None):
        self.home, self.root, self.lifetime, self.eab = home, root, lifetime, eab
        self.port, self.management, self.dns, self.zone = free_ports(4)
        self.http_port, self.tls_port = free_ports(2)
        self.url = f"https://localhost:{self.port}/dir"
        self.hook = home / "hook"
        self.hook_log = home / "hook.log"
        self.running = ExitStack()

    def __enter__(self):
        self.home.mkdir(parents=True, exist_ok=True)
        self._write_hook()
        self.running.enter_context(Program([
            "pebble-challtestsrv", "-dns01", f"127.0.0.1:{self.dns}",
            "-management", f"127.0.0.1:{self.zone}", "-http01", "", "-https01", "",
            "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
        ], self.home / "dns.log"))
        # By itself it refuses good nonces at random: some orders would fail, and be made again, and the
        # stories count them.
        tame = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"}
        self.running.enter_context(Program([
            "pebble", "-strict", "-config", str(self._config()),
            "-dnsserver", f"127.0.0.1:{self.dns}",
        ], self.home / "pebble.log", tame))
        try:
            self._await()
        except BaseException:
            self.running.close()
            raise
        return self

    def __exit__(self, *_):
        self.running.close()

    def root_file(self) -> Path:
        """The root of the certificates that are sold, which is another one at each start."""
        text = self._get(f"https://localhost:{self.management}/roots/0")
        path = self.home / "root.pem"
        path.write_bytes(text)
        return path

    def _config(self) -> Path:
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(self.root.parent / "server.pem"),
            "privateKey": str(self.root.parent / "server.key"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "certificateValidityPeriod": self.lifetime,
            "externalAccountBindingRequired": self.eab is not None,
        }
        if self.eab:
            settings["externalAccountMACKeys"] = dict([self.eab])
        path = self.home / "pebble.json"
        path.write_text(json.dumps({"pebble": settings}))
        return path

    def _write_hook(self) -> None:
        self.hook.write_text(f"""\
#!/bin/sh
# present|cleanup DOMAIN RECORD VALUE
echo "$@" >>{self.hook_log}
case $1 in present) what=set-txt ;; cleanup) what=clear-txt ;; *) exit 1 ;; esac
exec curl -sSf -d "{{\\"host\\": \\"$3.\\", \\"value\\": \\"$4\\"}}" http://127.0.0.1:{self.zone}/$what
""")
        self.hook.chmod(0o755)

    def _await(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                self._get(self.url)
                urllib.request.urlopen(
                    f"http://127.0.0.1:{self.zone}/clear-txt", b'{"host": "nobody."}', timeout=5)
                return
            except OSError:
                time.sleep(0.05)
        raise Broken(f"pebble does not answer: {(self.home / 'pebble.log').read_text()[-500:]}")

    def _get(self, url: str) -> bytes:
        trust = ssl.create_default_context(cafile=self.root)
        with urllib.request.urlopen(url, timeout=5, context=trust) as response:
            return response.read()


class Advising:
    """Stands before an authority and adds what pebble 2.4 does not know: advice on renewal.

    RFC 9773: `renewalInfo` in the directory, windows that are over (so that everything is renewed
    at once, `renewals` times, and after that in the far future), and `replaces` in orders.
    """

    def __init__(self, authority: Authority, renewals: int):
        self.authority, self.left = authority, renewals
        self.asked: list[str] = []
        self.replaced: list[str] = []
        self.port, = free_ports(1)
        self.url = f"https://localhost:{self.port}/dir"
        advising = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                advising.answer(self)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        beside = authority.root.parent
        context.load_cert_chain(beside / "server.pem", beside / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if request.path.startswith("/advice/"):
            self.asked.append(request.path.removeprefix("/advice/"))
            return _reply(request, 200, [("Retry-After", "1")], self._window())
        replaces = _replaces(body)
        if replaces:
            self.replaced.append(replaces)
            self.left -= 1
        status, headers, text = self._forward(request, body)
        if text.startswith(b"{"):
            answer = json.loads(text)
            if request.path == "/dir":
                answer["renewalInfo"] = f"https://localhost:{self.port}/advice"
            if replaces and status == 201:
                answer["replaces"] = replaces
            text = json.dumps(answer).encode()
        _reply(request, status, headers, text)

    def _window(self) -> bytes:
        year = 2020 if self.left > 0 else 2999
        window = {"start": f"{year}-01-01T00:00:00Z", "end": f"{year}-01-03T00:00:00Z"}
        return json.dumps({"suggestedWindow": window}).encode()

    def _forward(self, request, body: bytes):
        trust = ssl.create_default_context(cafile=self.authority.root)
        link = http.client.HTTPSConnection("localhost", self.authority.port, context=trust)
        # The name that the client used is signed (RFC 8555 §6.4).
        headers = {name: value for name, value in request.headers.items()
                   if name.lower() not in ("connection", "content-length", "transfer-encoding")}
        link.request(request.command, request.path, body or None, headers)
        response = link.getresponse()
        text = response.read()
        kept = [(name, value) for name, value in response.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date")]
        link.close()
        return response.status, kept, text


def _replaces(body: bytes) -> str | None:
    """The certificate that an order replaces, out of the signed request."""
    try:
        payload = json.loads(body)["payload"]
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return json.loads(text).get("replaces")
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def _reply(request, status: int, headers, text: bytes) -> None:
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(text)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(text)

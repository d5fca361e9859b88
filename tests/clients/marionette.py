"""A Mozilla program without a window, and its own scripts run in it, by the Marionette protocol."""

import json
import socket
import subprocess
import time
from pathlib import Path

import servers
from story import Failed

SECONDS = 120


class Program:
    """A running program with a profile; a context that ends it."""

    def __init__(self, name: str, profile: Path, environment: dict[str, str], log: Path):
        (port,) = servers.free_ports(1)
        with open(profile / "user.js", "a") as preferences:
            preferences.write(f'user_pref("marionette.port", {port});\n')
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [name, "--headless", "--no-remote", "--profile", profile, "--marionette",
                 "--remote-allow-system-access"],
                env=environment, cwd=profile, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output,
            )
        self.sent = 0
        try:
            self.socket = self._connected(port)
            self._read()
            self._say("WebDriver:NewSession", {"strictFileInteractability": False})
            self._say("Marionette:SetContext", {"value": "chrome"})
            self._say("WebDriver:SetTimeouts", {"script": SECONDS * 1000})
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _connected(self, port: int) -> socket.socket:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", port), SECONDS)
            except ConnectionError:
                time.sleep(0.1)
        raise Failed("the program did not start")

    def run(self, script: str, *args):
        """What an asynchronous function with this body returns; `args` are its arguments."""
        body = f"const done = arguments[arguments.length - 1];\
            (async (...args) => {{ {script} }})(...[...arguments].slice(0, -1)).then(\
            value => done({{ value }}), error => done({{ error: `${{error}} ${{error.stack}}` }}));"
        result = self._say("WebDriver:ExecuteAsyncScript", {
            "script": body, "args": args, "newSandbox": False, "sandbox": "system",
        })["value"]
        if "error" in result:
            raise Failed(f"in the program: {result['error'][:500]}")
        return result.get("value")

    def _say(self, command: str, parameters: dict):
        self.sent += 1
        message = json.dumps([0, self.sent, command, parameters]).encode()
        self.socket.sendall(b"%d:%b" % (len(message), message))
        _, number, error, result = self._read()
        if error or number != self.sent:
            raise Failed(f"{command}: {error['message'][:500] if error else 'another answer'}")
        return result

    def _read(self):
        """The next message: its length in digits, a colon, and JSON."""
        length = b""
        while (byte := self._bytes(1)) != b":":
            length += byte
        return json.loads(self._bytes(int(length)))

    def _bytes(self, count: int) -> bytes:
        read = b""
        while len(read) < count:
            piece = self.socket.recv(count - len(read))
            if not piece:
                raise Failed("the program hung up")
            read += piece
        return read

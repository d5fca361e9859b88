"""A browser: Chromium without a window, driven by WebDriver (W3C), in as few words as stories need."""

import base64
import json
import subprocess
import time
import urllib.request
from pathlib import Path

import servers
from story import Failed

SECONDS = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
WINDOW = (1280, 800)


class Browser:
    """A page of Chromium; a context that ends it and its driver.

    In `logs` is the driver's log, and after a failure how the page was then.
    """

    def __init__(self, home: Path, logs: Path):
        self.logs = logs
        (port,) = servers.free_ports(1)
        self.base = f"http://127.0.0.1:{port}"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}", f"--log-path={logs}/driver.log"],
            env=environment, cwd=home,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            self._await_driver()
            arguments = [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                f"--user-data-dir={home}/chromium", f"--window-size={WINDOW[0]},{WINDOW[1]}",
            ]
            made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"args": arguments}, "unhandledPromptBehavior": "accept",
            }}})
            self.base += f"/session/{made['sessionId']}"
        except BaseException:
            self._end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is not None:
                (self.logs / "failed.png").write_bytes(self.picture())
                (self.logs / "failed.html").write_text(self.run("return document.body.outerHTML"))
            self._call("DELETE", "")
        finally:
            self._end()

    def _end(self) -> None:
        self.driver.terminate()
        self.driver.wait(SECONDS)

    def _await_driver(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if self._call("GET", "/status")["ready"]:
                    return
            except OSError:
                time.sleep(0.05)
        raise Failed("the browser's driver did not start")

    def _call(self, method: str, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=2 * SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Failed(f"the browser: {json.load(error)['value']['message'][:300]}") from None

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *args):
        """The value of a script in the page; `arguments` are its arguments."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def until(self, script: str, what: str, *args):
        """What an expression gives, once it is true; fails the story if it never is."""
        return self._patiently(lambda: self.run(f"return {script}", *args), what)

    def click(self, selector: str) -> None:
        """Clicks on the first element that a CSS selector finds and that is shown."""
        self._patiently(lambda: self._do(selector, "click", {}), f"a click on {selector}")

    def type(self, selector: str, text: str) -> None:
        """Types into an element; U+E007 is the enter key."""
        self._patiently(lambda: self._do(selector, "value", {"text": text}), f"{text!r} typed")

    def _patiently(self, action, what: str):
        """What `action` gives once it succeeds: pages change while they are looked at."""
        deadline, last = time.monotonic() + SECONDS, None
        while time.monotonic() < deadline:
            try:
                if last := action():
                    return last
            except Failed as error:
                last = error
            time.sleep(0.05)
        raise Failed(f"never in the page: {what}; at last {last}")

    def _do(self, selector: str, verb: str, body: dict) -> bool:
        element = self._shown(selector)
        if element:
            self._call("POST", f"/element/{element[ELEMENT]}/{verb}", body)
        return bool(element)

    def _shown(self, selector: str):
        found = "[...document.querySelectorAll(arguments[0])].find(e => e.offsetParent)"
        return self.run(f"return {found}", selector)

    def frame(self, selector: str | None = None) -> None:
        """Goes into a frame, or out of all."""
        where = selector and self.until("document.querySelector(arguments[0])", selector, selector)
        self._call("POST", "/frame", {"id": where})

    def picture(self) -> bytes:
        """The page as a PNG."""
        return base64.b64decode(self._call("GET", "/screenshot"))

"""What a server shows in a TLS handshake, as OpenSSL sees it."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 120


@dataclass(frozen=True)
class Shown:
    """The outcome of a handshake that worked."""

    certificate: bytes
    text: str

    def serial(self) -> str:
        argv = ["openssl", "x509", "-noout", "-serial"]
        said = subprocess.run(argv, input=self.certificate, capture_output=True, check=True)
        return said.stdout.decode().strip()

    def protocol(self) -> str:
        return re.search(r"^New, (\S+), Cipher is", self.text, re.M).group(1)

    def cipher(self) -> str:
        return re.search(r"Cipher is (\S+)", self.text).group(1)

    def group(self) -> str:
        return re.search(r"^Server Temp Key: (?:ECDH, )?([^,]+),", self.text, re.M).group(1)

    def alpn(self) -> str | None:
        found = re.search(r"^ALPN protocol: (\S+)", self.text, re.M)
        return found and found.group(1)


def shake(port: int, log: Path, *options: str, name: str | None = None, root: Path | None = None,
          starttls: bool = False) -> Shown | None:
    """A handshake; nothing if there is none, or if `root` does not vouch for `name`."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
    argv += ["-servername", name] if name else ["-noservername"]
    argv += ["-starttls", "imap"] if starttls else []
    argv += ["-CAfile", str(root), "-verify_return_error", "-verify_hostname", name] if root else []
    said = subprocess.run(argv, input=b"", capture_output=True, timeout=PATIENCE)
    with open(log, "ab") as file:
        file.write(f"$ {' '.join(argv)}\n".encode() + said.stdout + said.stderr)
    found = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said.stdout, re.S)
    if said.returncode != 0 or not found:
        return None
    return Shown(found.group(), said.stdout.decode(errors="replace"))

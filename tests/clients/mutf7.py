"""Modified UTF-7, the writing of mailbox names on an IMAP4rev1 wire (RFC 3501 §5.1.3)."""

import base64
import re


def encode(name: str) -> str:
    """`name` as it stands in a command: `Entwürfe` is `Entw&APw-rfe`, `&` is `&-`."""
    return re.sub(r"&|[^\x20-\x7e]+", lambda run: _shifted(run.group()), name)


def decode(wire: str) -> str:
    """The inverse of `encode`."""
    return re.sub(r"&([^-]*)-", lambda run: _unshifted(run.group(1)), wire)


def _shifted(run: str) -> str:
    if run == "&":
        return "&-"
    coded = base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=")
    return "&" + coded.replace("/", ",") + "-"


def _unshifted(run: str) -> str:
    if not run:
        return "&"
    padded = run.replace(",", "/") + "=" * (-len(run) % 4)
    return base64.b64decode(padded).decode("utf-16-be")

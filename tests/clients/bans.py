"""Whom fail2ban would ban, by the filter of this tree, out of a server's log."""

import re
from pathlib import Path

from story import Story, expect

FILTER = Path(__file__).parents[2] / "dist" / "fail2ban" / "pillarbox.conf"


def expect_failures(story: Story, log: Path, due: int) -> None:
    """fail2ban finds so many failed logins in the log, which has as many, and no other line."""
    failed = log.read_text(errors="replace").count("authentication failed\t")
    expect(failed, due, f"failed logins in {log}")
    told = story.run("fail2ban-regex", log, FILTER).decode()
    matched = re.search(r"^Lines:.* (\d+) matched,", told, re.M)
    expect(int(matched.group(1)), due, "failed logins that fail2ban finds")

"""Real clients against a real server, each in a story of its own.

    run.py [--subject pillarbox|dovecot] [--jobs N] [--keep] [STORY ...]

Every story has a fresh server in a fresh directory, and prints one line: `ok NAME seconds` or
`FAIL NAME reason`. Logs are in LOGS/NAME: `commands.log`, `server.log`, `story.log`, and in
`extensions.log` what its client was seen using.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import extensions
import servers
import stories
from story import Story, holds


def main() -> int:
    # What the server calls UTC, the checks call UTC.
    os.environ["TZ"] = "UTC"
    time.tzset()
    args = arguments()
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="clients-"))
    # Dovecot's mail belongs to another user than its configuration.
    scratch.chmod(0o755)
    try:
        authority = servers.make_certificates(scratch)
        with ThreadPoolExecutor(args.jobs) as pool:
            running = [pool.submit(tell, name, args, scratch, authority) for name in args.story]
            passed = sum(done.result() for done in as_completed(running))
    finally:
        if not args.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    failed = len(args.story) - passed
    seconds = time.monotonic() - started
    print(f"clients: {passed} passed, {failed} failed, {seconds:.0f} s, against {args.subject}")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tests a server with real clients.")
    parser.add_argument("--subject", choices=servers.SUBJECTS, default="pillarbox")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="stories told at a time (one a processor)")
    parser.add_argument("--keep", action="store_true", help="leave the scratch directory")
    parser.add_argument("--tools", type=Path, required=True, help="where node_modules is")
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("story", nargs="*", default=[], help=" ".join(stories.ALL))
    args = parser.parse_args()
    unknown = set(args.story) - set(stories.ALL)
    if unknown:
        parser.error(f"no story {' '.join(unknown)}; there are: {' '.join(stories.ALL)}")
    left_out = stories.LARGE | (stories.OWN if args.subject != "pillarbox" else set())
    args.story = args.story or [name for name in stories.ALL if name not in left_out]
    return args


def tell(name: str, args: argparse.Namespace, scratch: Path, authority: Path) -> bool:
    """Tells one story, prints its line, and says whether it ended well."""
    logs = args.logs.absolute() / name
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    started = time.monotonic()
    try:
        _tell(name, args, scratch / name, logs, authority)
    except Exception as error:
        (logs / "story.log").write_text(traceback.format_exc())
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"FAIL {name} {reason[:500]} (logs: {logs})", flush=True)
        return False
    print(f"ok {name} {time.monotonic() - started:.1f}", flush=True)
    return True


def _tell(name: str, args: argparse.Namespace, scratch: Path, logs: Path, authority: Path) -> None:
    home, data = scratch / "home", scratch / "server"
    home.mkdir(parents=True)
    data.mkdir()
    server = servers.SUBJECTS[args.subject](data, logs / "server.log", authority, True)
    with server:
        story = Story(name, server, home, logs, args.tools.absolute())
        stories.ALL[name](story)
    seen = extensions.seen(story.commands())
    (logs / "extensions.log").write_text("".join(f"{each}\n" for each in sorted(seen)))
    if args.subject == "pillarbox":
        missing = extensions.documented(name) - seen
        holds(not missing, f"{name} uses {' '.join(sorted(missing))}, as the reference says")


if __name__ == "__main__":
    sys.exit(main())

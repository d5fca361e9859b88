"""Sets Pillarbox beside Debian's Dovecot: the same users, work, disk and minute.

    bench.py --program IMAPBENCH --results DIRECTORY [--servers dovecot,pillarbox] [--pair]
             [--lmtp] [--messages N] [-- ARGUMENTS OF imapbench]

Without `--pair` each server is measured by itself, and the reports are set side by side; with it
both are measured in turn, round by round, which is what to believe on a noisy machine.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import servers

USERS = 64
PASSWORD = "pass"
# bcrypt of the password at its lowest cost, for both servers: hashing is not what is compared.
VERIFIER = "$2b$04$PJbY29VRxtoXo3EKdb8HUOiBJjL0JPzG9eNVcyRWgssj5f4.RF8t."
# imapbench says so where operations failed; its report is written all the same.
WITH_ERRORS = 3


class Pillarbox(servers.Pillarbox):
    """The release build, with as many users as the load generator wants."""

    def __init__(self, *args, lmtp: bool):
        super().__init__(*args)
        self.lmtp_port = servers.free_ports(1)[0] if lmtp else None

    def command(self) -> list[str]:
        config = self.home / "pillarbox.conf"
        config.write_text(self._config())
        return [os.environ["PILLARBOX"], "--config", str(config), "run"]

    def _config(self) -> str:
        entries = "".join(
            f'        entry user{number} "bcrypt:{VERIFIER}"\n' for number in range(1, USERS + 1)
        )
        lmtp = f"""
lmtp tcp://127.0.0.1:{self.lmtp_port} {{
    deliver_to &local_mailboxes
}}
""" if self.lmtp_port else ""
        return f"""\
state_dir {self.home}/state
runtime_dir {self.home}/run
hostname localhost
tls file {self.authority.parent}/server.pem {self.authority.parent}/server.key

auth.pass_table local_authdb {{
    table static {{
{entries}    }}
}}

storage.imapsql local_mailboxes {{
    driver sqlite3
    dsn imapsql.db
    delivery_normalize auto
}}

imap tcp://127.0.0.1:{self.imap_port} tls://127.0.0.1:{self.imaps_port} {{
    auth &local_authdb
    storage &local_mailboxes
    insecure_auth yes
    max_connections_per_user 10000
}}
{lmtp}"""


class Dovecot(servers.Dovecot):
    """sdbox with fsync as it comes, and with the login processes of its high-performance mode."""

    def __init__(self, *args, lmtp: bool):
        super().__init__(*args)
        self.lmtp_port = servers.free_ports(1)[0] if lmtp else None
        self.accounts = [f"user{number}" for number in range(1, USERS + 1)]

    def _passwords(self) -> str:
        return "".join(f"{name}:{{BLF-CRYPT}}{VERIFIER}\n" for name in self.accounts)

    def _config(self) -> str:
        lmtp = f"""
protocols = imap lmtp
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp_port}
  }}
}}
""" if self.lmtp_port else ""
        return super()._config() + f"""
ssl = yes
disable_plaintext_auth = no
mail_max_userip_connections = 0
default_client_limit = 20000
service imap-login {{
  service_count = 0
  process_min_avail = {os.cpu_count()}
}}
service imap {{
  process_limit = 10000
}}
{lmtp}"""


SERVERS = {"dovecot": Dovecot, "pillarbox": Pillarbox}


def main() -> int:
    args = arguments()
    args.results.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="bench-"))
    scratch.chmod(0o755)
    try:
        return bench(args, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures IMAP servers side by side.")
    parser.add_argument("--program", type=Path, required=True, help="the load generator")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--servers", type=lambda text: text.split(","),
                        default=["dovecot", "pillarbox"], metavar="NAME,...")
    parser.add_argument("--pair", action="store_true", help="measure both in turn")
    parser.add_argument("--rounds", default="5", help="of --pair")
    parser.add_argument("--scenario", default="all", help="names with commas between them")
    parser.add_argument("--messages", default="20000", help="in the mailbox that is read")
    parser.add_argument("--lmtp", action="store_true", help="measure LMTP as well")
    parser.add_argument("more", nargs="*", help="more arguments of the load generator")
    args = parser.parse_args()
    if unknown := set(args.servers) - set(SERVERS):
        parser.error(f"no server {' '.join(unknown)}; there are: {' '.join(SERVERS)}")
    if args.pair and len(args.servers) != 2:
        parser.error("--pair takes two servers")
    return args


def bench(args: argparse.Namespace, scratch: Path) -> int:
    authority = servers.make_certificates(scratch)
    with ExitStack() as running:
        sides = {}
        for name in args.servers:
            home = scratch / name
            home.mkdir()
            log = args.results / f"{name}.log"
            log.unlink(missing_ok=True)
            server = SERVERS[name](home, log.absolute(), authority, False, lmtp=args.lmtp)
            sides[name] = running.enter_context(server)
        for name, server in sides.items():
            print(f"preparing {name}", flush=True)
            call(args, *target(args, server), "--prepare")
        return pair(args, sides) if args.pair else alone(args, sides)


def target(args: argparse.Namespace, server: servers.Server) -> list[str]:
    """Which server, and what is the same for all of them."""
    lmtp = ["--lmtp", f"127.0.0.1:{server.lmtp_port}"] if server.lmtp_port else []
    return [
        "--imap", f"127.0.0.1:{server.imap_port}", "--imaps", f"127.0.0.1:{server.imaps_port}",
        *lmtp, "--user", "user%d", "--pass", PASSWORD, "--users", str(USERS),
        "--messages", args.messages, "--pid", str(server.process.pid), *args.more,
    ]


def alone(args: argparse.Namespace, sides: dict[str, servers.Server]) -> int:
    """Measures one after the other; writes NAME.json each, and table.txt."""
    reports, worst = [], 0
    for name, server in sides.items():
        report = args.results / f"{name}.json"
        worst = max(worst, call(
            args, *target(args, server), "--scenario", args.scenario, "--label", name,
            "--json", str(report),
        ))
        reports.append(str(report))
    table = capture(args, "compare", *reports)
    (args.results / "table.txt").write_text(table)
    print(table)
    return worst


def pair(args: argparse.Namespace, sides: dict[str, servers.Server]) -> int:
    """Measures both in turn; writes pair.txt and pair.json."""
    a, b = (" ".join(target(args, server)) for server in sides.values())
    table = capture(args, "run-pair", "--a", a, "--b", b, "--scenario", args.scenario,
                    "--rounds", args.rounds)
    names = " is a, ".join(sides) + " is b"
    (args.results / "pair.txt").write_text(f"{names}\n{table}")
    lines = [line for line in table.splitlines() if line]
    (args.results / "pair.json").write_text(json.dumps({"sides": list(sides), "table": lines}))
    print(f"{names}\n{table}")
    return WITH_ERRORS if "ERRORS" in table else 0


def call(args: argparse.Namespace, *argv: str) -> int:
    """Runs the load generator, with its output as ours."""
    status = subprocess.run([args.program, *argv]).returncode
    if status not in (0, WITH_ERRORS):
        raise SystemExit(f"{args.program.name} ended with {status}")
    return status


def capture(args: argparse.Namespace, *argv: str) -> str:
    done = subprocess.run([args.program, *argv], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, WITH_ERRORS):
        raise SystemExit(f"{args.program.name} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

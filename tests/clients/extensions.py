"""Which extensions a client uses: what it said is looked at, whatever it was asked to do.

The reference says with which clients an extension was seen; every story's client has to use what is
said of it there. After stories were told, `extensions.py LOGS` brings the reference up to date.
"""

import re
import sys
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs/reference/extensions.md"

# What only those who use an extension say. Not here: extensions that change only answers.
SIGNS = {
    name: re.compile(sign, re.IGNORECASE)
    for name, sign in {
        "ACL": r"(?:GETACL|SETACL|DELETEACL|LISTRIGHTS|MYRIGHTS) ",
        "BINARY": r"(?:UID )?FETCH .*BINARY|APPEND .*~\{",
        "CATENATE": r"APPEND .* CATENATE \(",
        "CHILDREN": r"LIST .*RETURN \([^)]*CHILDREN",
        "COMPRESS=DEFLATE": r"COMPRESS DEFLATE$",
        "CONDSTORE": r".*\((?:[^()]* )?(?:CONDSTORE|CHANGEDSINCE|UNCHANGEDSINCE|HIGHESTMODSEQ)\b"
                     r"|(?:UID )?FETCH .*MODSEQ|ENABLE .*CONDSTORE",
        "CREATE-SPECIAL-USE": r"CREATE .* \(USE ",
        "ENABLE": r"ENABLE ",
        "ESEARCH": r"(?:UID )?SEARCH RETURN ",
        "ESORT": r"(?:UID )?SORT RETURN ",
        "ID": r"ID ",
        "IDLE": r"IDLE$",
        "IMAP4rev2": r"ENABLE .*IMAP4rev2",
        "LIST-EXTENDED": r"LIST \(|LIST .* RETURN \(",
        "LIST-METADATA": r"LIST .* RETURN \([^)]*METADATA",
        "LIST-MYRIGHTS": r"LIST .* RETURN \([^)]*MYRIGHTS",
        "LIST-STATUS": r"LIST .* RETURN \([^)]*STATUS \(",
        "METADATA": r"(?:GETMETADATA|SETMETADATA) ",
        "MOVE": r"(?:UID )?MOVE ",
        "MULTIAPPEND": r"APPEND .*\}.* \{\d+\+?\}$",
        "MULTISEARCH": r"ESEARCH IN ",
        "NAMESPACE": r"NAMESPACE$",
        "NOTIFY": r"NOTIFY SET ",
        "OBJECTID": r"(?:UID )?FETCH .*(?:EMAILID|THREADID)|(?:STATUS|LIST) .*MAILBOXID",
        "PREVIEW": r"(?:UID )?FETCH .*PREVIEW",
        "QRESYNC": r"(?:SELECT|EXAMINE) .*\(QRESYNC \(|UID FETCH .* VANISHED\)$",
        "QUOTA": r"(?:GETQUOTA|GETQUOTAROOT|SETQUOTA) ",
        "REPLACE": r"(?:UID )?REPLACE ",
        "SASL-IR": r"AUTHENTICATE \S+ \S",
        "SEARCHRES": r"(?:UID )?SEARCH RETURN \([^)]*SAVE",
        "SORT": r"(?:UID )?SORT ",
        "SORT=DISPLAY": r"(?:UID )?SORT .*\bDISPLAY(?:FROM|TO)\b",
        "SPECIAL-USE": r"LIST .*SPECIAL-USE",
        "STATUS=SIZE": r"(?:STATUS|LIST) .*\([^()]*\bSIZE\b",
        "THREAD=ORDEREDSUBJECT": r"(?:UID )?THREAD ORDEREDSUBJECT ",
        "THREAD=REFERENCES": r"(?:UID )?THREAD REFERENCES ",
        "THREAD=REFS": r"(?:UID )?THREAD REFS ",
        "UIDPLUS": r"UID EXPUNGE ",
        "UNSELECT": r"UNSELECT$",
        "UTF8=ACCEPT": r"ENABLE .*UTF8=ACCEPT",
        "WITHIN": r"(?:UID )?SEARCH .*(?:OLDER|YOUNGER) ",
        "XLIST": r"XLIST ",
    }.items()
}


def seen(commands: list[str]) -> set[str]:
    """The extensions that are used by these commands, which are without tags."""
    return {
        name for name, sign in SIGNS.items()
        if any(sign.match(command.rstrip()) for command in commands)
    }


def documented(client: str) -> set[str]:
    """The extensions that the reference says were seen with `client`."""
    rows = (line.split("|") for line in REFERENCE.read_text().splitlines() if line.count("|") == 6)
    found = {row[1].strip() for row in rows if client in row[5].strip().split(", ")}
    unknown = found - SIGNS.keys()
    if unknown:
        raise ValueError(f"nothing tells whether a client uses {' '.join(sorted(unknown))}")
    return found


def note(logs: Path) -> None:
    """Writes into the reference what the stories' logs say; other stories' entries stay."""
    told = {log.parent.name: set(log.read_text().split()) for log in logs.glob("*/extensions.log")}
    lines = REFERENCE.read_text().splitlines(keepends=True)
    REFERENCE.write_text("".join(_noted(line, told) for line in lines))


def _noted(line: str, told: dict[str, set[str]]) -> str:
    row = line.split("|")
    if len(row) != 7 or row[1].strip() not in SIGNS:
        return line
    clients = set(row[5].strip().split(", ")) - {""} - told.keys()
    clients |= {client for client, seen in told.items() if row[1].strip() in seen}
    row[5] = f" {', '.join(sorted(clients))} " if clients else " "
    return "|".join(row)


if __name__ == "__main__":
    note(Path(sys.argv[1]))

"""All stories by name; the longest first, so that the others fit beside it."""

from . import (
    curl, fetchmail, getmail, imapclient, imapflow, imaplib, mbsync, mutt, offlineimap,
)

ALL = {
    "mbsync": mbsync.tell,
    "offlineimap": offlineimap.tell,
    "imaplib": imaplib.tell,
    "mutt": mutt.tell,
    "neomutt": mutt.tell,
    "fetchmail": fetchmail.tell,
    "getmail": getmail.tell,
    "imapflow": imapflow.tell,
    "imapclient": imapclient.tell,
    "curl": curl.tell,
}

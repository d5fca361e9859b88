"""All stories by name; the longest first, so that the others fit beside it."""

from . import (
    acme, aerc, curl, evolution, exim, fetchmail, getmail, imapclient, imapflow, imaplib, logins,
    mbsync, mutt, offlineimap, postfix, roundcube, thunderbird, tls,
)

ALL = {
    "acme": acme.tell,
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
    "aerc": aerc.tell,
    "tls": tls.tell,
    "postfix": postfix.tell,
    "exim": exim.tell,
    "roundcube": roundcube.tell,
    "thunderbird": thunderbird.tell,
    "evolution": evolution.tell,
    "logins": logins.tell,
}

# Those about what only this server does; they are told to no other.
OWN = {"acme", "exim", "logins", "postfix", "tls"}

# Those whose programs are large; they are told when they are named.
LARGE = {"evolution", "roundcube", "thunderbird"}

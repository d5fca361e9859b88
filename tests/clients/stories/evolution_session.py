"""What Evolution's mail library is asked to do; the story in evolution.py starts it and checks.

Runs in Debian's Python, which has the library's bindings.
"""

import json
import sys
from pathlib import Path

import gi

gi.require_version("Camel", "1.2")
from gi.repository import Camel  # noqa: E402

task = json.loads(Path(sys.argv[1]).read_text())


class Session(Camel.Session):
    """A session that knows the password, and the server's certificate."""

    def do_authenticate_sync(self, service, mechanism, cancellable):
        service.set_password(task["password"])
        result = service.authenticate_sync(mechanism, cancellable)
        return result == Camel.AuthenticationResult.ACCEPTED

    def do_trust_prompt(self, service, certificate, errors):
        return Camel.CertTrust.FULLY


def connected() -> Camel.Store:
    home = task["home"]
    session = Session(user_data_dir=f"{home}/data", user_cache_dir=f"{home}/cache")
    session.set_online(True)
    store = session.add_service("test", "imapx", Camel.ProviderType.STORE)
    settings = store.ref_settings()
    for name, value in {
        "host": task["host"], "port": task["port"], "user": task["user"],
        "security-method": Camel.NetworkSecurityMethod.SSL_ON_ALTERNATE_PORT,
        "use-qresync": True, "use-idle": False, "send-client-id": True,
    }.items():
        settings.set_property(name, value)
    store.set_online_sync(True, None)
    assert store.connect_sync(None)
    # The store does not keep its session alive.
    store.session = session
    return store


def ordered(folder: Camel.Folder) -> list[str]:
    return sorted(folder.get_uids(), key=int)


def works(store: Camel.Store) -> dict:
    inbox = store.get_folder_sync("INBOX", 0, None)
    assert inbox.refresh_info_sync(None)
    uids = ordered(inbox)
    assert len(uids) == task["messages"], uids
    subject = inbox.get_message_sync(uids[1], None).get_subject()
    seen = Camel.MessageFlags.SEEN
    inbox.set_message_flags(uids[1], seen, seen)
    flagged = Camel.MessageFlags.FLAGGED
    inbox.set_message_flags(uids[2], flagged, flagged)
    assert inbox.synchronize_sync(False, None)
    made = store.create_folder_sync(None, "Entwürfe", None)
    assert made.full_name == "Entwürfe"
    target = store.get_folder_sync("Entwürfe", 0, None)
    assert inbox.transfer_messages_to_sync(uids[3:5], target, True, None)[0]
    assert inbox.refresh_info_sync(None)
    assert store.rename_folder_sync("Entwürfe", "Skizzen", None)
    quota = inbox.get_quota_info_sync(None)
    return {"subject": subject, "quota": [quota.name, quota.total] if quota else None}


def comes_back(store: Camel.Store) -> dict:
    """The mailbox has changed meanwhile; the summary on disk has not."""
    inbox = store.get_folder_sync("INBOX", 0, None)
    assert inbox.refresh_info_sync(None)
    flagged = Camel.MessageFlags.FLAGGED
    uids = ordered(inbox)
    return {
        "uids": [int(uid) for uid in uids],
        "flagged": [int(uid) for uid in uids if inbox.get_message_flags(uid) & flagged],
    }


Camel.init(task["home"], True)
Camel.provider_init()
store = connected()
answer = works(store) if task["step"] == "works" else comes_back(store)
store.disconnect_sync(True, None)
print(json.dumps(answer))

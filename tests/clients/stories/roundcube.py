"""Roundcube, as Debian has it, in a browser: the page shows what the server has, and the other way."""

import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import corpus
import servers
from story import Failed, Story, becomes, expect, holds
from webdriver import SECONDS, Browser

INSTALLED = Path("/var/lib/roundcube")
DEFAULTS = Path("/etc/roundcube")
MESSAGES = 24
ENTER = "\ue007"


def tell(story: Story) -> None:
    messages = [corpus.threaded(number) for number in range(MESSAGES)]
    with story.session() as session:
        session.fill("INBOX", messages)
    with Webmail(story) as webmail, Browser(story.home, story.logs) as page:
        page.open(webmail.url)
        page.type("#rcmloginuser", story.alice.name)
        page.type("#rcmloginpwd", story.alice.password + ENTER)
        _lists(story, page)
        _reads(story, page)
        _flags(story, page)
        _moves(story, page)
        _searches(page)
        _folders(story, page, webmail)
        _shares(story, page, webmail)


class Webmail:
    """Roundcube under PHP's own server, with a database and a configuration of its own."""

    def __init__(self, story: Story):
        self.story = story
        (port,) = servers.free_ports(1)
        self.url = f"http://127.0.0.1:{port}/"
        self.address = f"127.0.0.1:{port}"

    def __enter__(self):
        environment = self.story.environment() | {
            "ROUNDCUBE_CONFIG_DIR": str(self._configured()), "PHP_CLI_SERVER_WORKERS": "4",
        }
        log = open(self.story.logs / "php.log", "ab")
        # The workers are ended with their parent, as its group.
        self.process = subprocess.Popen(
            ["php", "-d", "date.timezone=UTC", "-S", self.address, "-t", INSTALLED / "public_html"],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
        )
        log.close()
        try:
            self._await()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, 15)
        self.process.wait(SECONDS)

    def _await(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.url, timeout=SECONDS):
                    return
            except ConnectionError:
                time.sleep(0.05)
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionError):
                    raise
                time.sleep(0.05)
        raise Failed("Roundcube did not answer")

    def _configured(self) -> Path:
        home = self.story.home / "roundcube"
        for name in ("temp", "logs"):
            (home / name).mkdir(parents=True)
        for name in ("defaults.inc.php", "mimetypes.php"):
            shutil.copy(DEFAULTS / name, home)
        server = self.story.server
        self.story.write("roundcube/config.inc.php", f"""<?php
$config['db_dsnw'] = 'sqlite:///{home}/roundcube.db?mode=0600';
$config['imap_host'] = 'ssl://{server.host}:{server.imaps_port}';
$config['imap_conn_options'] = ['ssl' => ['cafile' => '{server.authority}']];
$config['des_key'] = 'twenty-four-characters-!';
$config['temp_dir'] = '{home}/temp';
$config['log_dir'] = '{home}/logs';
$config['plugins'] = ['acl'];
$config['skin'] = 'elastic';
$config['language'] = 'en_US';
$config['product_name'] = 'Pillarbox';
$config['sent_mbox'] = 'Sent';
$config['trash_mbox'] = 'Trash';
$config['drafts_mbox'] = 'Drafts';
$config['junk_mbox'] = 'Junk';
$config['message_sort_col'] = 'arrival';
$config['message_sort_order'] = 'ASC';
$config['imap_cache'] = 'db';
$config['messages_cache'] = 'db';
$config['quota_zero_as_unlimited'] = true;
""")
        return home


ROWS = "[...document.querySelectorAll('#messagelist tbody tr.message')].filter(e => e.offsetParent)"
SENDERS = f"{ROWS}.map(e => e.querySelector('.rcmContactAddress').textContent)"


def _lists(story: Story, page: Browser) -> None:
    """The list as the server sorts it, and as it threads it."""
    page.until(f"{ROWS}.length === {MESSAGES}", "the list of messages")
    arrived = [f"Sender {(7 * number) % 24:02}" for number in range(MESSAGES)]
    expect(page.run(f"return {SENDERS}"), arrived, "messages as they arrived")
    quota = page.until("document.querySelector('#quotadisplay .count')?.textContent", "the quota")
    expect(quota, "0%", "how much of the quota is used")
    _as_listed(page, "from", "DESC", 0)
    page.until(f"{SENDERS}[0] === 'Sender {MESSAGES - 1:02}'", "the list by sender")
    expect(page.run(f"return {SENDERS}"), sorted(arrived, reverse=True), "messages by sender")
    _as_listed(page, "arrival", "ASC", 1)
    page.until(f"{ROWS}.length === 4", "four threads")
    page.run("rcmail.command('expand-all')")
    page.until(f"{ROWS}.length === {MESSAGES}", "the threads' messages")
    subjects = page.run(f"return {ROWS}.map(e => e.querySelector('.subject a').textContent)")
    each = MESSAGES // 4
    due = [name for name in ("Plan", "Bridge", "Übersicht", "Accounts") for _ in range(each)]
    expect([text.removeprefix("Re: ") for text in subjects], due, "messages by thread")
    shown = "document.querySelector('#messagelist-content').innerText"
    page.until(f"!{shown}.includes('The list is empty')", "the list alone")
    _picture(story, page, "threads")
    _as_listed(page, "arrival", "ASC", 0)
    page.until(f"{SENDERS}[1] === 'Sender 07'", "the list as they arrived")


def _as_listed(page: Browser, column: str, order: str, threads: int) -> None:
    page.run("rcmail.set_list_options(null, ...arguments)", column, order, threads)


def _select(page: Browser, *numbers: int) -> None:
    """Selects the messages in these rows, from 0; the list then holds nothing else selected."""
    page.run(
        "rcmail.message_list.clear_selection();"
        f"for (const n of arguments) rcmail.message_list.select_row({ROWS}[n].uid, CONTROL_KEY, true);",
        *numbers,
    )
    selected = "rcmail.message_list.get_selection().length === arguments[0]"
    page.until(selected, "the selection", len(numbers))


def _reads(story: Story, page: Browser) -> None:
    page.click("#messagelist tbody tr.message:nth-of-type(3) .subject")
    page.frame("#messagecontframe")
    text = page.until("document.querySelector('#messagebody')?.innerText", "the opened message")
    holds("Number 2: Grüße aus Köln." in text, f"the message's text in {text!r}")
    page.frame()
    _picture(story, page, "message")
    page.until("rcmail.env.unread_counts?.INBOX === arguments[0]", "unread", MESSAGES - 1)
    _server(story, 2, {"Seen"})


def _flags(story: Story, page: Browser) -> None:
    page.click("#messagelist tbody tr.message:nth-of-type(5) .flags .flag")
    page.until("document.querySelector('#messagelist tr:nth-of-type(5).flagged')", "the flag")
    _server(story, 4, {"Flagged"})


def _moves(story: Story, page: Browser) -> None:
    _select(page, 5, 6, 7)
    page.run("rcmail.command('move', 'Archive')")
    page.until(f"{ROWS}.length === {MESSAGES - 3}", "what moving leaves")
    _select(page, 0)
    page.click("#toolbar-menu a.delete")
    page.until(f"{ROWS}.length === {MESSAGES - 4}", "what deleting leaves")
    left = [number for number in range(MESSAGES) if number not in (0, 5, 6, 7)]
    for mailbox, numbers in (("Archive", [5, 6, 7]), ("Trash", [0]), ("INBOX", left)):
        with story.session() as session:
            keys = [corpus.threaded(number).key for number in numbers]
            becomes(lambda: [mail.key for mail in session.contents(mailbox)], keys, mailbox)


def _searches(page: Browser) -> None:
    page.type("#mailsearchform", "Übersicht" + ENTER)
    page.until(f"{ROWS}.length === 5", "what was searched for")
    page.run("rcmail.command('reset-search')")
    page.until(f"{ROWS}.length === {MESSAGES - 4}", "everything again")


def _folders(story: Story, page: Browser, webmail: Webmail) -> None:
    page.open(f"{webmail.url}?_task=settings&_action=folders")
    page.click("a.create")
    _named(page, "Entwürfe & Ideen")
    _mailboxes(story, {"Entwürfe & Ideen"}, set())
    _open_folder(page, webmail, "Entw&APw-rfe &- Ideen")
    _named(page, "Skizzen")
    _mailboxes(story, {"Skizzen"}, {"Entwürfe & Ideen"})
    _open_folder(page, webmail, "Skizzen")
    page.frame()
    _picture(story, page, "folders")
    page.click("a.delete")
    page.click(".ui-dialog-buttonpane .delete")
    _mailboxes(story, set(), {"Skizzen"})


def _open_folder(page: Browser, webmail: Webmail, name: str) -> None:
    """Opens a mailbox's settings, and goes into their frame."""
    page.open(f"{webmail.url}?_task=settings&_action=folders")
    page.until("!!rcmail.subscription_list", "the list of folders")
    page.run("rcmail.subscription_list.select(arguments[0])", name)
    page.frame("#preferences-frame")
    page.until("document.querySelector('input[name=_mbox]')?.value === arguments[0]", name, name)


def _named(page: Browser, name: str) -> None:
    page.frame()
    page.frame("#preferences-frame")
    page.until("!(document.querySelector('input[name=_name]').value = '')", "the folder's name")
    page.type("input[name=_name]", name)
    page.click(".formbuttons .submit")
    page.frame()


def _shares(story: Story, page: Browser, webmail: Webmail) -> None:
    """Gives bob rights on a mailbox, changes them, and takes them away again."""
    def rights() -> str | None:
        with story.session() as session:
            return session.rights("Archive").get(story.bob.name)

    row = "#acltable tbody tr[data-userid^=bob] td"
    _open_folder(page, webmail, "Archive")
    page.click("#acllist-footer a.create")
    page.frame()
    page.type("#acluser", story.bob.name)
    page.click(".ui-dialog-buttonpane .submit")
    becomes(lambda: set("lrs") <= set(rights() or ""), True, "bob may read")
    page.frame("#preferences-frame")
    page.click(row)
    page.run("rcmail.command('acl-edit')")
    page.frame()
    page.click("#aclwrite")
    page.click(".ui-dialog-buttonpane .submit")
    becomes(lambda: set("lrsi") <= set(rights() or ""), True, "bob may write")
    _picture(story, page, "sharing")
    page.frame("#preferences-frame")
    page.click(row)
    page.run("rcmail.command('acl-delete')")
    page.frame()
    page.click(".ui-dialog-buttonpane .delete")
    becomes(rights, None, "bob's rights")


def _mailboxes(story: Story, there: set[str], gone: set[str]) -> None:
    """The server has the first and not the second."""
    with story.session() as session:
        becomes(lambda: session.mailboxes() & (there | gone), there, "mailboxes")


def _server(story: Story, number: int, flags: set[str]) -> None:
    """A message of INBOX has these flags."""
    key = corpus.threaded(number).key
    with story.session() as session:
        def ask():
            return next(mail.flags for mail in session.contents("INBOX") if mail.key == key)
        becomes(ask, flags, f"flags of message {number}")


def _picture(story: Story, page: Browser, name: str) -> None:
    """Keeps a picture in the logs; the documentation has some of them."""
    (story.logs / f"{name}.png").write_bytes(page.picture())

// What ImapFlow is asked to do; the story in imapflow.py starts it and checks the mailboxes.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// Through NODE_PATH, which `import` does not look at.
const { ImapFlow } = createRequire(import.meta.url)('imapflow');

const ARRIVAL_MS = 30_000;
const task = JSON.parse(readFileSync(process.argv[2], 'utf8'));

function client(options) {
    return new ImapFlow({
        host: task.host,
        port: task.port,
        secure: true,
        auth: { user: task.user, pass: task.password },
        tls: { ca: readFileSync(task.authority) },
        logger: { debug() {}, info() {}, warn: console.error, error: console.error },
        ...options,
    });
}

// The same as key_of in corpus.py, for messages without an X-TUID.
function keyOf(octets) {
    const text = octets.toString('latin1').replaceAll('\r\n', '\n');
    return createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 24);
}

async function locked(session, mailbox, work) {
    const lock = await session.getMailboxLock(mailbox);
    try {
        return await work();
    } finally {
        lock.release();
    }
}

async function lists(session) {
    const created = await session.mailboxCreate('Entwürfe');
    assert.equal(created.created, true);
    const listed = await session.list({ statusQuery: { messages: true, uidNext: true } });
    const bySpecialUse = new Map(listed.map((each) => [each.specialUse, each.path]));
    assert.equal(bySpecialUse.get('\\Sent'), 'Sent');
    assert.equal(bySpecialUse.get('\\Trash'), 'Trash');
    assert.ok(listed.some((each) => each.path === 'Entwürfe'));
    const inbox = listed.find((each) => each.path === 'INBOX');
    assert.equal(inbox.status.messages, task.messages.length);
}

async function fetches(session) {
    const keys = [];
    const query = {
        uid: true, envelope: true, bodyStructure: true, flags: true, source: true, threadId: true,
    };
    const ids = new Set();
    for await (const message of session.fetch('1:*', query)) {
        assert.ok(message.envelope && message.bodyStructure);
        assert.ok(message.emailId && message.threadId);
        ids.add(message.emailId);
        keys.push(keyOf(message.source));
    }
    assert.equal(ids.size, task.messages.length);
    assert.deepEqual(keys, task.messages);
    const { content } = await session.download('1');
    const parts = [];
    for await (const part of content) {
        parts.push(part);
    }
    assert.equal(keyOf(Buffer.concat(parts)), task.messages[0]);
}

async function changes(session) {
    const flagged = await session.search({ seen: true, not: { flagged: true } }, { uid: true });
    assert.ok(Array.isArray(flagged));
    const moved = await session.messageMove('1:5', 'Archive');
    assert.equal(moved.uidMap.size, 5);
    assert.equal(await session.messageFlagsAdd('1', ['\\Flagged', '$Important']), true);
    const found = await session.search({ keyword: '$Important' });
    assert.deepEqual(found, [1]);
    const flags = ['\\Draft', '\\Seen'];
    const appended = await session.append('Entwürfe', task.late, flags, new Date());
    assert.ok(appended.uid > 0 && appended.uidValidity > 0n);
}

// ImapFlow idles by itself; another session delivers, and this one must hear of it.
async function hears(session) {
    const count = session.mailbox.exists;
    let timer;
    const heard = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error('the arrival was not told')), ARRIVAL_MS);
        session.on('exists', (event) => resolve(event));
    });
    // The end of the wait is reported where it is awaited.
    heard.catch(() => {});
    const idling = session.idle();
    const other = client({ port: task.plainPort, secure: false });
    await other.connect();
    await other.append('INBOX', task.late);
    await other.logout();
    const event = await heard;
    clearTimeout(timer);
    assert.equal(event.count, count + 1);
    await session.noop();
    await idling;
}

// Comes back to a mailbox that changed in the meantime, and is told how (RFC 7162 §3.2.5).
async function resumes(known) {
    const other = client({});
    await other.connect();
    await locked(other, 'INBOX', async () => {
        assert.equal(await other.messageDelete('2:3'), true);
        assert.equal(await other.messageFlagsAdd('4', ['$Resumed']), true);
    });
    await other.logout();

    const session = client({ qresync: true });
    const gone = [];
    const changed = [];
    session.on('expunge', (event) => gone.push(event));
    session.on('flags', (event) => changed.push(event));
    await session.connect();
    const mailbox = await session.mailboxOpen('INBOX', {
        changedSince: known.modseq, uidValidity: known.uidValidity,
    });
    assert.equal(mailbox.qresync, true);
    assert.equal(mailbox.exists, known.uids.length - 2);
    assert.deepEqual(gone.map((event) => event.uid), known.uids.slice(1, 3));
    assert.ok(gone.every((event) => event.vanished && event.earlier));
    const flagged = changed.filter((event) => event.flags.has('$Resumed'));
    assert.deepEqual(flagged.map((event) => event.uid), [known.uids[5]]);
    await session.logout();
}

const session = client({});
const known = {};
await session.connect();
await lists(session);
await locked(session, 'INBOX', async () => {
    await fetches(session);
    await changes(session);
    await hears(session);
    await session.noop();
    known.modseq = session.mailbox.highestModseq;
    known.uidValidity = session.mailbox.uidValidity;
    known.uids = await session.search({ all: true }, { uid: true });
});
await session.logout();
await resumes(known);

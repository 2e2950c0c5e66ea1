// Drives ImapFlow against the server; every check is an assertion, the last line on success is "done".
'use strict';
const assert = require('assert');
const fs = require('fs');
const { ImapFlow } = require(process.argv[2]);

const options = { host: 'localhost', port: Number(process.env.IMAPS_PORT), secure: true, qresync: true, logger: false,
    auth: { user: 'alice', pass: process.env.PASSWORD }, tls: { ca: fs.readFileSync(process.env.CA) } };

const event = (client, name, seconds = 30) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no event ' + name)), seconds * 1000);
    client.once(name, value => { clearTimeout(timer); resolve(value); });
});

async function collect(iterator) {
    const all = [];
    for await (const item of iterator) all.push(item);
    return all;
}

async function connected() {
    const client = new ImapFlow(options);
    client.on('error', error => { throw error; });
    await client.connect();
    return client;
}

async function messages(client) {
    for (const name of ['CONDSTORE', 'QRESYNC']) assert(client.enabled.has(name), name + ' is enabled');
    for (const name of ['IDLE', 'MOVE', 'UIDPLUS', 'OBJECTID']) assert(client.capabilities.has(name), name + ' is offered');
    const all = await collect(client.fetch('1:*', { uid: true, flags: true, envelope: true, bodyStructure: true, size: true, threadId: true, internalDate: true }));
    assert.strictEqual(all.length, 20);
    assert(all.every(m => m.emailId && m.threadId && m.modseq && m.envelope.subject && m.bodyStructure.type === 'text/plain'), JSON.stringify(all[0].emailId));
    assert.strictEqual(new Set(all.map(m => m.emailId)).size, 20);
    assert.deepStrictEqual(await client.search({ subject: 'Message 7' }, { uid: true }), [7]);
    assert.deepStrictEqual(await client.search({ emailId: all[4].emailId }, { uid: true }), [all[4].uid]);
    const one = await client.download('3', undefined, { uid: true });
    const text = (await collect(one.content)).join('');
    assert(text.includes('This is the text of message 3.'), text);
    return all;
}

async function changes(client, all) {
    assert(await client.messageFlagsAdd({ uid: 2 }, ['\\Flagged', '$Forwarded'], { uid: true }));
    const flagged = await client.fetchOne('2', { flags: true }, { uid: true });
    assert(flagged.flags.has('\\Flagged') && flagged.flags.has('$Forwarded'));
    assert(flagged.modseq > all[1].modseq, 'a change raises the modseq');
    const newer = await collect(client.fetch('1:*', { flags: true }, { changedSince: client.mailbox.highestModseq - 0n, uid: true }));
    assert(newer.length <= 1, 'CHANGEDSINCE');

    const appended = await client.append('INBOX', Buffer.from('Subject: Appended\r\n\r\ntext\r\n'), ['\\Seen']);
    assert.strictEqual(appended.uid, 21);
    const moved = await client.messageMove('5', 'Archive', { uid: true });
    assert.strictEqual(moved.uidMap.get(5), 1);
    const copied = await client.messageCopy('6', 'Archive', { uid: true });
    assert.strictEqual(copied.uidMap.get(6), 2);
    assert(await client.messageDelete('8', { uid: true }));
}

async function archive(client, all) {
    const lock = await client.getMailboxLock('Archive');
    const there = await collect(client.fetch('1:*', { uid: true, threadId: true }));
    assert.deepStrictEqual(there.map(m => m.emailId), [all[4].emailId, all[5].emailId], 'EMAILID follows a message');
    lock.release();
}

async function mailboxes(client) {
    const before = await client.status('Archive', { messages: true, uidNext: true, highestModseq: true });
    assert.strictEqual(before.messages, 2);
    const open = await client.mailboxOpen('Archive');
    const id = open.mailboxId;
    assert(id, 'MAILBOXID');
    await client.mailboxOpen('INBOX');
    await client.mailboxRename('Archive', 'Archive 2025');
    assert.strictEqual((await client.mailboxOpen('Archive 2025')).mailboxId, id, 'MAILBOXID stays over a rename');
    await client.mailboxOpen('INBOX');
    await client.mailboxRename('Archive 2025', 'Archive');
    const made = await client.mailboxCreate('日本語');
    assert(made.created);
    assert((await client.list()).some(m => m.path === '日本語'));
    assert((await client.mailboxDelete('日本語')).path);
}

async function pushed(client) {
    await client.mailboxOpen('INBOX');
    const other = await connected();
    await other.mailboxOpen('INBOX');
    await collect(other.fetch('1:*', { flags: true }));
    other.idle().catch(() => {});
    const exists = event(other, 'exists');
    const uid = (await client.append('INBOX', Buffer.from('Subject: Pushed\r\n\r\ntext\r\n'))).uid;
    assert.strictEqual((await exists).path, 'INBOX');
    const flags = event(other, 'flags');
    await client.messageFlagsAdd(String(uid), ['\\Answered'], { uid: true });
    assert((await flags).flags.has('\\Answered'));
    const gone = event(other, 'expunge');
    await client.messageDelete(String(uid), { uid: true });
    const vanished = await gone;
    assert(vanished.vanished, 'by VANISHED');
    assert.strictEqual(vanished.uid, uid);
    await other.logout();
}

async function resync() {
    const first = await connected();
    const { uidValidity, highestModseq } = await first.mailboxOpen('INBOX');
    const second = await connected();
    await second.mailboxOpen('INBOX');
    await first.mailboxClose();
    await second.messageDelete('12', { uid: true });
    await second.messageFlagsAdd('13', ['\\Flagged'], { uid: true });
    const vanished = [], changed = [];
    first.on('expunge', e => vanished.push(e.uid));
    first.on('flags', e => changed.push(e.uid));
    await first.mailboxOpen('INBOX', { changedSince: highestModseq.toString(), uidValidity });
    assert.deepStrictEqual([vanished, changed], [[12], [13]], 'QRESYNC tells what changed, and nothing else');
    await first.logout();
    await second.logout();
}

(async () => {
    const client = await connected();
    await client.mailboxOpen('INBOX');
    const all = await messages(client);
    await changes(client, all);
    await archive(client, all);
    await mailboxes(client);
    await pushed(client);
    await resync();
    await client.logout();
    console.log('done');
})().catch(error => { console.error(error.stack, error.responseText || '', error.executedCommand || ''); process.exit(1); });

"""restante and the distribution's Dovecot over one Maildir: in turns, every kind of change by each and at random, and at the same time.

RESTANTE_STEPS steps (150) for RESTANTE_SEED (1); each is followed by a comparison of both servers with a model of what
must be there (turns.py). A failure prints the seed and the steps: the same variables play the same steps again.
"""
import os
import threading
import time

import harness
from at_once import Place, randomly
from harness import Failed, Server, check, equal
from journal import Journal
from peers import Dovecot, Restante, dovecot_is_here
from turns import LETTERS

STEPS = int(os.environ.get("RESTANTE_STEPS", "150"))
SEED = int(os.environ.get("RESTANTE_SEED", "1"))
STEPS_AT_ONCE = 250
SECONDS_AT_ONCE = 3


class Both(Place):
    """Dovecot's index is where it is by default, in the Maildir. Elsewhere (INDEX=) it would stay when restante renames or
    deletes a mailbox, and one that Dovecot makes under the old name would get the old UIDVALIDITY from it."""

    def __init__(self, machine):
        super().__init__(machine, SEED)

    def servers(self):
        return [Restante("restante", Server(self.machine)), Dovecot(self.machine, self.mail)]


def test_random(machine):
    randomly(Both(machine), STEPS, STEPS_AT_ONCE, SECONDS_AT_ONCE)


def test_every_change(machine):
    with Both(machine) as turns:
        for name in ("a", "a/y", "a/z", "b", "b/x", "b/y", "c", "c/x"):
            turns.create(turns.peers[0], name)
            turns.append(turns.peers[1], turns.mailboxes[name], 3)
        for _ in range(2):
            turns.every_kind()
        for name in sorted(turns.mailboxes):
            turns.append(turns.peers[0], turns.mailboxes[name], 2)
        turns.compare(everything=True)
        turns.every_kind()


MANY = 1500  # the directory takes several pieces to read


def test_uids_stay(machine):
    """While one changes flags, which renames files, another reads the directory: it misses none."""
    with Both(machine) as turns:
        for _ in range(MANY):
            turns.put_in_new("INBOX", turns.text(), crlf=True)
        ours, theirs = turns.peers
        for changes, looks in ((ours, theirs), (theirs, ours), (None, ours)):
            look_while_flags_change(turns, changes, looks)


def look_while_flags_change(turns, changes, looks):
    clients = [peer.imap() for peer in turns.peers]
    for client in clients:
        client.select("INBOX")
    before = sorted(clients[0].messages())
    journal = Journal({"INBOX": turns.mail})
    ended, errors = threading.Event(), []

    def change():
        one_or_all = 0
        while not ended.is_set():
            one_or_all += 1
            uids = turns.rng.choice(before) if one_or_all % 50 else f"{before[0]}:*"
            if changes:
                clients[turns.peers.index(changes)].must(f"UID STORE {uids} {turns.rng.choice('+-')}FLAGS.SILENT (\\Flagged)")
            else:
                rename_some(os.path.join(turns.mail, "cur"), turns.rng)

    def run():
        try:
            change()
        except Exception as e:  # noqa: BLE001 - told below
            errors.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    looker = clients[turns.peers.index(looks)]
    end = time.monotonic() + SECONDS_AT_ONCE
    while time.monotonic() < end:
        looker.must("NOOP")
    ended.set()
    thread.join()
    time.sleep(2.5)  # as long as Dovecot may be late
    try:
        check(not errors, "changing flags", errors)
        for client in clients:
            client.must("NOOP")
            equal(sorted(client.messages()), before, f"{client.name}: UIDs after flags changed under it")
            client.close()
    except Exception as e:
        raise Failed(f"{e}\n{journal.told_of(set())}") from e
    finally:
        journal.close()


def rename_some(cur, rng):
    """As a mail reader on the host does, without any lock."""
    names = os.listdir(cur)
    for name in rng.sample(names, min(len(names), 100)):
        try:
            os.rename(os.path.join(cur, name), os.path.join(cur, name[:-1] if name.endswith("F") else name + "F"))
        except FileNotFoundError:
            pass  # another was faster


def keywords(first, last):
    return {f"kw{number}" for number in range(first, last)}


def test_keywords_without_letters(machine):
    """What each can know of them; turns.py says it."""
    place = Both(machine)
    with place as turns:
        ours, theirs = turns.peers
        box = turns.mailboxes["INBOX"]
        turns.create(ours, "a")
        turns.create(theirs, "b")
        turns.append(ours, box, 2)
        turns.compare()
        a, b = sorted(box.messages)
        with_all, message = box.messages[a], box.messages[b]
        turns.store(theirs, turns.client(theirs, box), (box, [a, b]), "", set())

        def store(peer, uid, words):
            client = turns.client(peer, box)
            client.must("NOOP")
            turns.store(peer, client, (box, [uid]), "+", words)
            turns.compare()

        free = LETTERS - len(turns.read_letters(box))
        store(theirs, a, keywords(100, 100 + free // 2))
        store(ours, a, keywords(100 + free // 2, 100 + free))
        check(with_all.flags == keywords(100, 100 + free) and not with_all.ours and not with_all.theirs, "all have letters", with_all.flags)
        store(ours, b, {"more0", "more1"})
        store(theirs, b, {"more2"})
        equal((message.flags, message.ours, message.theirs), (set(), {"more0", "more1"}, {"more2"}), "none has a letter")
        equal(what_it_says(ours, "INBOX")[b], {"more0", "more1"}, "of ours, restante")
        equal(what_it_says(theirs, "INBOX")[b], {"more2"}, "of its own, Dovecot")
        store(theirs, b, {"\\flagged"})
        turns.copy(ours, "COPY", box, turns.mailboxes["a"], [b])
        turns.copy(theirs, "COPY", box, turns.mailboxes["b"], [b])
        turns.compare()
        for peer in turns.peers:
            equal(list(what_it_says(peer, "a").values()), [{"more0", "more1", "\\flagged"}], f"a copy of ours, {peer.name}")
            equal(list(what_it_says(peer, "b").values()), [{"more2", "\\flagged"}], f"a copy of its own, {peer.name}")
        for peer in turns.peers:
            peer.close()
        ours.server.stop()
        ours.server.start()
        equal(what_it_says(ours, "INBOX")[b], {"more0", "more1", "\\flagged"}, "after a restart")
        equal(what_it_says(theirs, "INBOX")[a], keywords(100, 100 + free), "letters")


def what_it_says(peer, mailbox):
    client = peer.imap()
    client.select(mailbox)
    found = {uid: set(values[0]) for uid, values in client.messages().items()}
    client.close()
    return found


TESTS = [test_every_change, test_keywords_without_letters, test_uids_stay, test_random]
if __name__ == "__main__":
    if dovecot_is_here():
        harness.main("turns_dovecot", TESTS)
    else:
        print("no Dovecot here: nothing to compare with\nturns_dovecot: 0 passed, 0 failed")

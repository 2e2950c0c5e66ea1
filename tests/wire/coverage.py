"""Which commands the scripts show in which state, and how they are answered there.

Every command of the table in server/imap/command.c must be shown right where it is allowed, malformed where it has a
grammar of its own, and refused where it is not allowed; authenticated, with a mailbox selected, and with one examined.
Prints the table; what no script shows is a failure. States are followed by the tagged responses of each script.
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STATES = ("authenticated", "selected", "examined")
FRONT = {"STARTTLS", "AUTHENTICATE", "LOGIN"}  # commands of the front: it has tests of its own
ENDS = {"CLOSE", "UNSELECT"}
NO_HERE = {"GETQUOTA", "SETQUOTA"}  # no quota is set, and nobody may set one
SWITCHES = {"COMPRESS"}  # an OK would end what a script can read: tests/e2e
READ_WRITE = {"STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE", "MOVE", "UID MOVE", "REPLACE", "UID REPLACE"}


def commands():
    """Names of the table, and whether each needs a mailbox."""
    table = open(os.path.join(HERE, "..", "..", "server", "imap", "command.c"), encoding="utf-8").read()
    return re.findall(r'^\t\{ "([A-Z ]+)", ([A-Z_]+),', table, re.M)


def sent_commands(line, names):
    """Tags and names of the commands in a C: line, which may hold several."""
    for part in line.replace("\\x0d", "").split("\\x0a"):
        word = re.match(r"\s*([^ ]+) ((?:UID )?[A-Za-z]+)", part)
        if word and word.group(2).upper() in names:
            yield word.group(1), word.group(2).upper()


class Connection:
    def __init__(self):
        self.state = "authenticated"
        self.sent = {}

    def answered(self, tag, result, seen):
        name = self.sent.pop(tag, None)
        if not name:
            return
        seen.setdefault((name, self.state), set()).add(result)
        if name in ("SELECT", "EXAMINE") and result != "BAD":
            self.state = "authenticated" if result == "NO" else "selected" if name == "SELECT" else "examined"
        if name in ENDS and result == "OK":
            self.state = "authenticated"


def without_code(path):
    """Tagged NO that do not say why by a response code (RFC 5530)."""
    answers = re.findall(r"^2?S: ([^ *+]+ NO [^\[\n].*)$", open(path, encoding="utf-8", errors="replace").read(), re.M)
    return [f"{os.path.basename(path)}: {answer}" for answer in answers]


def read_script(path, names, seen):
    connections = {"": Connection(), "2": Connection()}
    for line in open(path, encoding="utf-8", errors="replace"):
        found = re.match(r"(2?)([CS])(\S*) (.*)", line)
        if not found:
            continue
        which, side, _, text = found.groups()
        if side == "C":
            connections[which].sent.update(sent_commands(text, names))
        else:
            answer = re.match(r"([^ *+]+) (OK|NO|BAD)\b", text)
            if answer:
                connections[which].answered(answer.group(1), answer.group(2), seen)


def wanted(name, states, state):
    if name in FRONT or (states == "SELECTED" and state == "authenticated"):
        return {"BAD"}
    if name in SWITCHES:
        return {"BAD"}
    if name in NO_HERE:
        return {"NO", "BAD"}
    if name == "LOGOUT":
        return {"OK"}
    if name in READ_WRITE and state == "examined":
        return {"NO"}
    return {"OK", "BAD"}


def undocumented():
    """Capabilities that restante-imap(7) does not list, or lists without there being such."""
    root = os.path.join(HERE, "..", "..")
    table = open(os.path.join(root, "server", "imap", "capability.c"), encoding="utf-8").read()
    manual = open(os.path.join(root, "man", "restante-imap.7"), encoding="utf-8").read().replace("\\-", "-")
    rows = {re.sub(r"=\d{3,}$", "", row) for row in re.findall(r"^\.It (\S+) Ta ", manual, re.M)}
    return rows ^ set(re.findall(r'\.name = "([^"]+)"', table))


def main():
    table = commands()
    names = {name for name, _ in table}
    seen = {}
    scripts = glob.glob(os.path.join(HERE, "imap_*.txt"))
    for path in scripts:
        read_script(path, names, seen)
    bare = [answer for path in scripts for answer in without_code(path)]
    passed = failed = 0
    print(f"{'':16}" + "".join(f"{state:18}" for state in STATES))
    for name, states in table:
        row = f"{name:16}"
        for state in STATES:
            results = seen.get((name, state), set())
            missing = wanted(name, states, state) - results
            row += f"{' '.join(sorted(results)) + (' no ' + ' '.join(sorted(missing)) + '!' if missing else ''):18}"
            passed, failed = (passed, failed + 1) if missing else (passed + 1, failed)
        print(row.rstrip())
    print(f"{len(scripts)} scripts")
    for answer in bare:
        print("without a response code:", answer)
    passed, failed = passed + (not bare), failed + bool(bare)
    wrong = undocumented()
    if wrong:
        print("capability.c and restante-imap(7) differ in:", *sorted(wrong))
    passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"coverage: {passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())

"""ImapFlow, a client library of Node: CONDSTORE, QRESYNC, IDLE, OBJECTID, by drive.js beside its lock file."""
import os
import shutil

from clients import HERE, fresh, harness, message, on_disk
from harness import BUILD, check, equal, run


def installed():
    """ImapFlow in the versions of the lock file, in the build directory."""
    place = os.path.join(BUILD, "clients", "imapflow")
    os.makedirs(place, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(HERE, "imapflow", name), place)
    package = os.path.join(place, "node_modules", "imapflow")
    if not os.path.exists(os.path.join(package, "package.json")):
        run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=place, timeout=300)
    return package


def test_imapflow(machine):
    check(shutil.which("npm"), "npm is there: `make check-clients` installs it")
    package = installed()
    server = fresh(machine, [message(n) for n in range(1, 21)], ["Archive"])
    out = run("node", os.path.join(HERE, "imapflow", "drive.js"), package, timeout=200,
              env={**os.environ, "IMAPS_PORT": str(server.ports["imaps"]), "CA": machine.ca, "PASSWORD": server.password("alice")})
    equal(out.stdout.decode().strip().splitlines()[-1:], ["done"], "the script ran to its end")
    left = on_disk(machine)
    want = {f"Message {n}" for n in range(1, 21)} - {"Message 5", "Message 8", "Message 12"} | {"Appended"}
    equal(sorted(left), sorted(want), "what is left on the server's disk")
    check("F" in left["Message 2"] and "F" in left["Message 13"] and left["Appended"] == "S", "flags on the server's disk", left)
    equal(sorted(on_disk(machine, "Archive")), ["Message 5", "Message 6"], "moved and copied")


if __name__ == "__main__":
    harness.main("imapflow", [test_imapflow])

"""What the running roles may do: uid, chroot, no_new_privs, seccomp, libraries; and that it holds."""
import os
import re
import subprocess

import harness
from harness import BUILD, SAMPLES, SANITIZED, Server, check, equal, run
from test_kill import logged_in_as, uid_of
from test_reload import logged_in


def status_of(pid):
    return dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":" in line)


def field(pid, name):
    return status_of(pid)[name].split()


def test_roles_in_proc(machine):
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    held = [logged_in(server), logged_in_as(server, "bob")]
    roles = server.processes()
    equal(field(server.process.pid, "Uid"), ["0"] * 4, "the master is root")
    for pid in roles["front"]:
        equal(field(pid, "Uid"), [str(harness.FRONT_UID)] * 4, "front: uid")
        equal(field(pid, "Gid"), [str(harness.FRONT_UID)] * 4, "front: gid")
        check(field(pid, "Groups") in ([], [str(harness.FRONT_UID)]), "front: groups", field(pid, "Groups"))
        equal(field(pid, "NoNewPrivs"), ["1"], "front")
        equal(field(pid, "Seccomp"), ["2"], "front: a filter")
        equal(field(pid, "CapEff"), ["0" * 16], "front")
        equal(field(pid, "CapPrm"), ["0" * 16], "front")
        root = os.readlink(f"/proc/{pid}/root")
        equal(root, server.settings["front"]["chroot"], "front: chroot")
        equal(os.listdir(root), [], "front: its root is empty")
        check(os.stat(root).st_uid == 0 and not os.stat(root).st_mode & 0o222, "front: nor can it write there")
    for pid in roles["auth worker"]:
        equal(field(pid, "Uid"), ["0"] * 4, "worker")
        equal(field(pid, "Seccomp"), ["2"], "worker: a filter")
    sessions = {uid_of(pid): pid for pid in roles["session"]}
    for user in ("alice", "bob"):
        uid = harness.USERS[user][0]
        pid = sessions[uid]
        equal(field(pid, "Uid"), [str(uid)] * 4, user)
        equal(field(pid, "Gid"), [str(uid)] * 4, user)
        want = ["20001", "20950"] if user == "alice" else ["20002"]
        check(sorted(field(pid, "Groups")) in (want, [g for g in want if g != str(uid)]), f"{user}: groups", field(pid, "Groups"))
        equal(field(pid, "NoNewPrivs"), ["1"], user)
        equal(field(pid, "Seccomp"), ["2"], user)
        equal(field(pid, "CapEff"), ["0" * 16], user)
    for pool in ("front pool", "auth pool", "session pool"):
        equal(field(roles[pool][0], "Uid"), ["0"] * 4, pool)
    del held


def test_no_descriptor_leaks(machine):
    """A process has its own line and what its work needs, nothing inherited."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    before = {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in [server.process.pid] + [p for p, _, _ in server.descendants()]}
    for _ in range(30):
        s = logged_in(server)
        s.sendall(b"x LOGOUT\r\n")
        harness.recv_all(s)
    held = logged_in(server)
    session = [p for p in server.processes()["session"] if uid_of(p) == harness.USERS["alice"][0]][0]
    for fd in os.listdir(f"/proc/{session}/fd"):
        target = os.readlink(f"/proc/{session}/fd/{fd}")
        check(not target.startswith("/etc") and ".log" not in target or fd in "012", "a session's descriptor", fd, target)
    check(len(os.listdir(f"/proc/{session}/fd")) < 20, "a session has few descriptors", os.listdir(f"/proc/{session}/fd"))

    def settled():
        # A session keeps the Maildir and the four of its index.
        return all(len(os.listdir(f"/proc/{pid}/fd")) <= n + 6 for pid, n in before.items() if os.path.exists(f"/proc/{pid}/fd"))
    held.close()
    harness.wait_for(settled, "descriptors to be closed after 30 logins")


def dynamic(program):
    text = run("objdump", "-p", os.path.join(BUILD, program)).stdout.decode()
    return re.findall(r"NEEDED\s+(\S+)", text)


def test_linked_libraries(machine):
    forbidden = {
        "restante-session": ("libssl", "libcrypto", "libpam", "libsystemd"),
        "restante-front": ("libpam", "liblmdb"),
        "restanted": ("libssl", "libcrypto", "libpam", "liblmdb"),
        "restante-auth": ("libssl", "liblmdb"),
        "restantectl": ("libssl", "libcrypto", "libpam"),
    }
    for program, names in forbidden.items():
        needed = dynamic(program)
        check(any(n.startswith("libc.") for n in needed), program, needed)
        for name in names:
            check(not any(n.startswith(name + ".") for n in needed), f"{program} is linked with {name}", needed)
    if not SANITIZED:
        for program in forbidden:
            text = run("readelf", "-d", "-l", os.path.join(BUILD, program)).stdout.decode()
            check("PIE" in text and "BIND_NOW" in text or "NOW" in text, f"{program}: PIE and RELRO", text[:500])


def test_other_users_mail(machine):
    """From inside the sandbox of a running session: its own mail opens, others' and sockets do not (gdb makes the calls)."""
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
        os.chmod(machine.path("home", user), 0o755)
        run("chmod", "-R", "a+rX", machine.path("home", user))  # only Landlock stands between them now
    server = Server(machine)
    held = logged_in(server)
    session = [p for p in server.processes()["session"] if uid_of(p) == harness.USERS["alice"][0]][0]
    own = machine.path("home/alice/Maildir/new")
    other = machine.path("home/bob/Maildir/new")
    for expression, want in ((f'(int)open("{own}", 0)', "own"), (f'(int)open("{other}", 0)', "other"), ('(int)open("/etc/passwd", 0)', "other"),
                             ("(int)socket(2, 1, 0)", "socket"), ("(int)socket(1, 1, 0)", "socket")):
        out = subprocess.run(["gdb", "-p", str(session), "-batch", "-ex", f"print $fd = {expression}", "-ex", "print *(int *)__errno_location()"],
                             capture_output=True, text=True, timeout=120).stdout
        values = re.findall(r"\$\d+ = (-?\d+)", out)
        check(len(values) >= 2, "gdb made the call", expression, out[-2000:])
        result, errno = int(values[0]), int(values[1])
        if want == "own":
            check(result >= 0, "own mail opens", expression, errno)
        elif want == "other":
            check(result == -1 and errno == 13, "EACCES", expression, result, errno)
        else:
            check(result == -1 and errno == 97, "EAFNOSUPPORT", expression, result, errno)
    held.sendall(b"n NOOP\r\n")
    check(harness.recv_line(held).startswith(b"n OK"), "the session lives on")


TESTS = [test_roles_in_proc, test_no_descriptor_leaks, test_linked_libraries, test_other_users_mail]
if __name__ == "__main__":
    harness.main("sandbox", TESTS)

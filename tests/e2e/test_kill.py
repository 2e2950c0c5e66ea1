"""kill -9 of everything, one by one and a whole role at once: the others go on, what died comes back, nothing spins."""
import os
import signal
import time

import harness
from harness import SAMPLES, Server, check, equal, recv_line, wait_for
from test_reload import logged_in, noop


def cpu_ticks(server):
    total = 0
    for pid in [server.process.pid] + [p for p, _, _ in server.descendants()]:
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total


def check_quiet(server):
    """Nothing spins: over a second in which nobody asks for anything hardly any CPU is used."""
    time.sleep(0.5)
    before = cpu_ticks(server)
    time.sleep(1)
    used = cpu_ticks(server) - before
    check(used <= 30, f"{used} ticks of CPU in a second of nothing")


def works(server, user="bob"):
    s = logged_in_as(server, user)
    s.sendall(b"s SELECT INBOX\r\n")
    line = recv_line(s)
    while not line.startswith(b"s "):
        line = recv_line(s)
    check(line.startswith(b"s OK"), "SELECT", line)
    s.sendall(b"l LOGOUT\r\n")
    recv_line(s)
    s.close()


def logged_in_as(server, user):
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(s)
    password = server.password(user).replace("\\", "\\\\").replace('"', '\\"')
    s.sendall(f'a LOGIN {user} "{password}"\r\n'.encode())
    line = recv_line(s)
    check(line.startswith(b"a OK"), "login", line)
    return s


def fronts_by_connection(server, s):
    """Which front serves this client: the one that has a socket whose peer is ours."""
    port = s.getsockname()[1]
    inode = None
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) == port and int(fields[1].split(":")[1], 16) == server.ports["imaps"]:
            inode = fields[9]
    for pid in server.processes()["front"]:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                    return pid
            except OSError:
                pass
    return None


def kill(*pids):
    """Returns when they are dead: a login that is given to a session while the kernel tears that down is [UNAVAILABLE]."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(alive(p) for p in pids), "what was killed to be dead")


def settled(server, role, dead, want):
    wait_for(lambda: len(set(server.processes().get(role, [])) - set(dead)) >= want, f"{role} to come back ({want})")


def test_kill_each(machine):
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    works(server)
    held = logged_in(server)
    for role, keep_held in (("auth worker", True), ("auth pool", True), ("session pool", True), ("front pool", True)):
        before = server.processes()[role]
        kill(before[0])
        settled(server, role, before[:1], min(2, len(before)))
        noop(held)
        works(server)
    mine = fronts_by_connection(server, held)
    check(mine, "the front of the held connection")
    other = [p for p in server.processes()["front"] if p != mine]
    kill(other[0])
    settled(server, "front", other[:1], 2)
    noop(held)
    works(server)
    check_quiet(server)


def test_kill_a_spare(machine):
    machine.maildir("bob", SAMPLES)
    server = Server(machine)
    spares = server.processes()["session"]
    kill(spares[0])
    settled(server, "session", spares[:1], len(spares))
    works(server)


def test_kill_a_session(machine):
    """The death of an adopted session is its user's affair: others notice nothing, the user logs in again."""
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    alice, bob = logged_in(server), logged_in_as(server, "bob")
    session = [p for p in server.processes()["session"] if uid_of(p) == harness.USERS["alice"][0]]
    equal(len(session), 1, "one process a user")
    kill(session[0])
    alice.settimeout(20)
    text = harness.recv_all(alice)
    check(text == b"" or b"BYE" in text, "the client is told or cut", text)
    noop(bob)
    works(server, "alice")
    for _ in range(6):
        s = logged_in(server)
        kill(*[p for p in server.processes()["session"] if uid_of(p) == harness.USERS["alice"][0]])
        s.close()
    works(server, "alice")
    check_quiet(server)


def uid_of(pid):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("Uid:"):
                return int(line.split()[1])
    except OSError:
        return None


def test_kick_of_a_hung_session(machine):
    """A session that does not answer is ended when the admin closes a connection of it."""
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    alice, bob = logged_in(server), logged_in_as(server, "bob")
    session = [p for p in server.processes()["session"] if uid_of(p) == harness.USERS["alice"][0]][0]
    os.kill(session, signal.SIGSTOP)
    server.ctl("kick", "alice")
    alice.settimeout(60)
    equal(harness.recv_all(alice), b"", "cut, for nobody is there to say goodbye")
    wait_for(lambda: not alive(session), "the hung session to end")
    noop(bob)
    works(server, "alice")
    server.wait_log("did not close")


def test_kill_a_whole_role(machine):
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    works(server)
    for role in ("auth worker", "session", "front", "auth pool", "session pool", "front pool"):
        before = server.processes()[role]
        kill(*before)
        settled(server, role, before, 1)
        wait_for(lambda: tolerant(lambda: works(server)), f"service after all of role {role} died")
    check_quiet(server)
    for row in server.status()["pools"]:
        check(row, "status after it all")


def tolerant(work):
    try:
        work()
        return True
    except (OSError, harness.Failed):
        return False


def test_kill_pool_and_children(machine):
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    held = logged_in(server)
    alice = [p for p in server.processes()["session"] if uid_of(p) == harness.USERS["alice"][0]]
    processes = server.processes()
    kill(*processes["session pool"], *[p for p in processes["session"] if p not in alice], *processes["auth pool"], *processes["auth worker"])
    settled(server, "session pool", processes["session pool"], 1)
    wait_for(lambda: tolerant(lambda: works(server)), "service after pools and spares died")
    noop(held)
    check_quiet(server)


def test_master_dies(machine):
    """kill -9 of the master: nothing of it stays behind, and a new one takes over the ports."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    held = logged_in(server)
    pids = [p for p, _, _ in server.descendants()]
    server.process.kill()
    server.process.wait()
    wait_for(lambda: not any(alive(p) for p in pids), "all processes to end after the master")
    held.settimeout(10)
    harness.recv_all(held)
    server.start()
    works(server, "alice")


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_stop_tells_clients(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    imap = logged_in(server)
    pop3 = server.pop3("alice")
    fresh = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(fresh)
    fresh_pop3 = server.connect("pop3")
    recv_line(fresh_pop3)
    pids = [p for p, _, _ in server.descendants()]
    server.process.send_signal(signal.SIGTERM)
    check(b"* BYE" in recv_line(imap), "IMAP, logged in")
    check(b"-ERR [SYS/TEMP]" in pop3.sock.recv(1000), "POP3, logged in")
    check(b"* BYE" in recv_line(fresh), "IMAP, not logged in")
    check(b"-ERR [SYS/TEMP]" in recv_line(fresh_pop3), "POP3, not logged in")
    equal(server.process.wait(30), 0, "exit status")
    wait_for(lambda: not any(alive(p) for p in pids), "all processes to end")
    check("STOPPING=1" in server.read_notifications(), "systemd is told")


def test_second_instance(machine):
    server = Server(machine)
    second = Server(machine, start=False)
    second.settings["listen"] = server.settings["listen"]
    second.write_config()
    second.start(wait=False)
    check(second.process.wait(30) != 0, "the second one gives up")
    log = second.log_text()
    for service in harness.SERVICES:
        check(f"127.0.0.1:{server.ports[service]}" in log, f"the error names the address of {service}", log)
    check("in use" in log, "and the cause", log)
    works_without_mail(server)


def works_without_mail(server):
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    check(recv_line(s).startswith(b"* OK"), "the first one goes on")


def test_watchdog(machine):
    server = Server(machine, start=False, env={"WATCHDOG_USEC": "2000000"})
    server.start()
    server.wait_notified("WATCHDOG=1")
    pool = server.processes()["auth pool"][0]
    os.kill(pool, signal.SIGSTOP)
    time.sleep(3)
    server.read_notifications()
    del server.notifications[:]
    time.sleep(2.5)
    check("WATCHDOG=1" not in server.read_notifications(), "a pool that does not answer: no keep-alive for systemd")
    os.kill(pool, signal.SIGCONT)
    server.wait_notified("WATCHDOG=1")


TESTS = [test_kill_each, test_kill_a_spare, test_kill_a_session, test_kick_of_a_hung_session, test_kill_a_whole_role, test_kill_pool_and_children, test_master_dies,
         test_stop_tells_clients, test_second_instance, test_watchdog]
if __name__ == "__main__":
    harness.main("kill", TESTS)

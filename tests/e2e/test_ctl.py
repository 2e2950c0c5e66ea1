"""restantectl against a running server: what it shows is so, what it is told is done, and nobody disturbs the server by it."""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import time

import harness
from harness import BUILD, SAMPLES, Server, check, equal, recv_line, run, wait_for
from test_reload import logged_in, noop

TABLES = {
    "server": "version pid since config generation last_reload last_failed last_error",
    "problems": None,
    "listeners": "service address systemd",
    "pools": "pool pid state running generation",
    "generations": "generation state since fronts connections",
    "processes": "role all starting ready busy ending",
    "connections": "service open",
    "counters": "counter value",
    "logins": "queued verifying waiting_for_session logged_in users total queue_full timeouts",
    "certificates": "name subject key expires days_left file",
}
WHO = "user address service tls cipher idle commands doing pid id"


def rows(server, table, key):
    return {row[key]: row for row in server.status()[table]}


def counter(server, name):
    return rows(server, "counters", "counter")[name]["value"]


def ctl(*args, **kwargs):
    return run(os.path.join(BUILD, "restantectl"), *args, check_status=False, **kwargs)


def as_alice(machine, *args):
    """The program where anybody can read it, run by an ordinary user."""
    program = machine.path("restantectl")
    if not os.path.exists(program):
        shutil.copy(os.path.join(BUILD, "restantectl"), program)
    return run("setpriv", "--reuid=20001", "--regid=20001", "--clear-groups", "--", program, *args, check_status=False, cwd="/")


def control_client(server):
    s = socket.socket(socket.AF_UNIX)
    s.connect(server.settings["control"]["socket"])  # by a blocking socket, which waits where many do
    s.settimeout(30)
    return s


def mail_of(machine, user):
    return [name for d in ("cur", "new") for name in os.listdir(machine.path("home", user, "Maildir", d))]


def ask(s, line):
    s.sendall(line + b"\r\n")
    answer = recv_line(s)
    while answer.startswith(b"* ") or answer.startswith(b"+"):
        if answer.startswith(b"+"):
            return answer
        answer = recv_line(s)
    return answer


def login(server, user, password, service="imaps"):
    s = server.tls().wrap_socket(server.connect(service), server_hostname="localhost")
    recv_line(s)
    s.sendall(f'a LOGIN {user} "{password}"\r\n'.encode())
    return s, recv_line(s)


def test_status(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine, front={"processes": "3"}, session={"spares": "2"}, auth={"workers-min": "2"})
    wait_for(lambda: rows(server, "processes", "role")["session"]["ready"] == 2, "two spares")
    status = server.status()
    equal(sorted(status), sorted(TABLES), "tables of status")
    for table, columns in TABLES.items():
        for row in status[table]:
            equal(list(row), columns.split() if columns else ["problem"], f"columns of {table}")
    equal(status["problems"], [], "problems")
    equal(status["server"][0]["pid"], server.process.pid, "the master")
    equal(status["server"][0]["config"], server.config, "the configuration")
    equal(status["server"][0]["generation"], 1, "the generation")
    equal({row["service"]: (row["address"], row["systemd"]) for row in status["listeners"]},
          {service: (f"127.0.0.1:{port}", False) for service, port in server.ports.items()}, "listeners")
    equal({row["pool"] for row in status["pools"]}, {"front-pool", "auth-pool", "session-pool"}, "pools")
    equal({row["pid"] for row in status["pools"]}, {pids[0] for role, pids in server.processes().items() if role.endswith("pool")}, "their pids")
    check(all(row["state"] == "ready" for row in status["pools"]), "pools are ready", status["pools"])
    equal(rows(server, "processes", "role")["front"]["all"], 3, "fronts")
    equal(status["generations"][0]["fronts"], 3, "fronts of the generation")


def test_counters(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    names = ("accepted", "handshakes", "handshakes-failed", "clear-attempts", "verified-ok", "verified-failed", "commands",
             "bytes-from-clients", "bytes-to-clients")
    equal([counter(server, name) for name in names[:7]], [0] * 7, "counters of a new server")
    alice = logged_in(server)
    equal([counter(server, n) for n in ("accepted", "handshakes", "verified-ok", "verified-failed")], [1, 1, 1, 0], "after one login")
    check(counter(server, "bytes-from-clients") > 0 and counter(server, "bytes-to-clients") > 0, "bytes count")
    wrong, answer = login(server, "alice", "wrong")
    check(answer.startswith(b"a NO"), "a wrong password", answer)
    equal([counter(server, n) for n in ("accepted", "verified-ok", "verified-failed")], [2, 1, 1], "after a failure")
    for service, line in (("imap", b'a LOGIN alice "correct horse"\r\n'), ("pop3", b"USER alice\r\n")):
        clear = server.connect(service)
        recv_line(clear)
        clear.sendall(line)
        recv_line(clear)
        clear.close()
    equal(counter(server, "clear-attempts"), 2, "attempts in the clear")
    equal(counter(server, "verified-failed"), 1, "which nobody verifies")
    junk = server.connect("imaps")
    junk.sendall(b"GET / HTTP/1.0\r\n\r\n")
    harness.recv_all(junk)
    wait_for(lambda: counter(server, "handshakes-failed") == 1, "a failed handshake to be counted")
    before = counter(server, "commands")
    for _ in range(5):
        noop(alice)
    equal(counter(server, "commands") - before, 5, "commands")
    equal(rows(server, "connections", "service")["imaps"]["open"], 2, "open connections")
    status = server.status()["logins"][0]
    equal((status["logged_in"], status["users"], status["total"]), (1, 1, 2), "logins")
    for s in (alice, wrong):
        s.close()
    wait_for(lambda: rows(server, "connections", "service")["imaps"]["open"] == 0, "the connections to be closed")
    wait_for(lambda: server.status()["logins"][0]["logged_in"] == 0, "nobody to be logged in")
    equal(counter(server, "verified-ok"), 1, "counters never go back")


def test_counters_outlive_processes(machine):
    """What a process counted stays counted when it ends, killed or not."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    s = logged_in(server)
    for _ in range(7):
        noop(s)
    before = {name: counter(server, name) for name in ("accepted", "verified-ok", "commands", "handshakes")}
    s.close()
    wait_for(lambda: server.status()["logins"][0]["logged_in"] == 0, "the connection to end")
    processes = server.processes()
    for pid in processes["front"] + processes["auth worker"] + processes["session"]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(sum(processes.values(), [])) & set(sum((p for r, p in server.processes().items() if "pool" not in r), [])),
             "the killed processes to be gone")
    for name, value in before.items():
        equal(counter(server, name), value, name)


def test_certificates(machine):
    machine.make_certificates("other-certs", "mail.example.net")
    server = Server(machine, **{"tls mail.example.net": {"certificate": machine.path("other-certs", "server.pem"),
                                                         "private-key": machine.path("other-certs", "server.key")}})
    certificates = rows(server, "certificates", "name")
    equal(sorted(certificates), ["(default)", "mail.example.net"], "certificates")
    for name, row in certificates.items():
        text = run("openssl", "x509", "-in", row["file"], "-noout", "-enddate", "-subject", "-dateopt", "iso_8601").stdout.decode()
        end = re.search(r"notAfter=(\S+) (\S+)", text)
        equal(row["expires"], f"{end.group(1)}T{end.group(2).rstrip('Z')}Z", "when it expires")
        seconds = time.mktime(time.strptime(row["expires"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()
        check(abs(row["days_left"] - seconds / 86400) <= 1, "days left", row)
    text = server.ctl("status").stdout.decode()
    days = certificates["mail.example.net"]["days_left"]
    check(f"({days} days left)" in text, "for people, too", text)


def test_who(machine):
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    equal(server.who()["who"], [], "nobody")
    check("who: none" in server.ctl("who").stdout.decode(), "for people")
    idle = logged_in(server)
    check(ask(idle, b"b SELECT INBOX").startswith(b"b OK"), "SELECT")
    check(ask(idle, b"c IDLE").startswith(b"+"), "IDLE")
    quiet = logged_in(server)
    pop3 = server.pop3("bob", service="pop3", maximum_version=harness.ssl.TLSVersion.TLSv1_2)
    who = sorted(server.who()["who"], key=lambda row: row["id"])
    equal(len(who), 3, "connections")
    for row in who:
        equal(list(row), WHO.split(), "columns of who")
        equal(row["address"], "127.0.0.1", "address")
    equal([row["user"] for row in who], ["alice", "alice", "bob"], "users")
    equal([row["service"] for row in who], ["imaps", "imaps", "pop3"], "services")
    equal([row["tls"] for row in who], ["TLSv1.3", "TLSv1.3", "TLSv1.2"], "TLS versions")
    equal([row["cipher"] for row in who], [idle.cipher()[0], quiet.cipher()[0], pop3.sock.cipher()[0]], "ciphers")
    check("INBOX" in who[0]["doing"] and "idle" in who[0]["doing"].lower(), "what it does", who[0])
    equal(who[1]["doing"], "", "nothing selected, nothing asked")
    equal(len({row["id"] for row in who}), 3, "ids differ")
    equal(who[0]["pid"], who[1]["pid"], "one session a user")
    check(who[2]["pid"] != who[0]["pid"] and {who[0]["pid"], who[2]["pid"]} <= set(server.processes()["session"]), "pids of sessions", who)
    before = {row["id"]: row for row in who}
    time.sleep(0.3)
    for _ in range(4):
        noop(quiet)
    after = {row["id"]: row for row in server.who()["who"]}
    grown = {id: after[id]["commands"] - before[id]["commands"] for id in before}
    equal(list(grown.values()), [0, 4, 0], "commands grow where there were some")
    check(after[who[0]["id"]]["idle"] >= 0.3 > after[who[1]["id"]]["idle"], "idle time", after)
    text = server.ctl("who").stdout.decode().splitlines()
    equal(text[0].split(), WHO.upper().split(), "headings for people")
    equal(len(text), 4, "rows for people")
    for row in who:
        check(any(str(row["id"]) == line.split()[-1] and row["cipher"] in line for line in text), "a row for people", row, text)
    pop3.quit()
    wait_for(lambda: len(server.who()["who"]) == 2, "who left is not shown")


def test_who_with_a_stopped_session(machine):
    """A session that does not answer is shown all the same, and holds nobody up."""
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    server = Server(machine)
    alice, _ = logged_in(server), logged_in(server, "alice")
    pid = server.who()["who"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        bob, answer = login(server, "bob", 'b\\"o\\\\b pass')
        check(answer.startswith(b"a OK"), "others log in", answer)
        who = server.who()["who"]
        equal(sorted(row["user"] for row in who), ["alice", "alice", "bob"], "all are shown")
        noop(bob)
    finally:
        os.kill(pid, signal.SIGCONT)
    noop(alice)


def test_kick(machine):
    for user in ("alice", "bob"):
        machine.maildir(user, SAMPLES)
    mail = len(mail_of(machine, "bob"))
    server = Server(machine)
    alices = [logged_in(server) for _ in range(3)]
    ids = [row["id"] for row in sorted(server.who()["who"], key=lambda row: row["id"])]
    bob = server.pop3("bob")
    bob_id = next(row["id"] for row in server.who()["who"] if row["user"] == "bob")
    check(ask(alices[1], b"i IDLE").startswith(b"+"), "IDLE")
    equal(server.ctl("kick", "--id", str(ids[1])).returncode, 0, "kick by id")
    check(recv_line(alices[1]).startswith(b"* BYE "), "the one is told")
    equal(harness.recv_all(alices[1]), b"", "and cut")
    noop(alices[0])
    noop(alices[2])
    bob.noop()
    equal(json.loads(server.ctl("--json", "kick", "alice").stdout), {"messages": ["2 connections of alice closed"]}, "kick by user")
    for s in (alices[0], alices[2]):
        check(recv_line(s).startswith(b"* BYE "), "all are told")
        equal(harness.recv_all(s), b"", "and cut")
    bob.noop()
    equal(server.ctl("kick", "--id", str(bob_id)).returncode, 0, "kick a POP3 client")
    line = recv_line(bob.sock)
    check(line.startswith(b"-ERR"), "which is told", line)
    wait_for(lambda: server.who()["who"] == [], "nobody is left")
    for args, errors in ((("kick", "alice"), "alice has no connection"), (("kick", "--id", str(ids[0])), f"there is no connection {ids[0]}")):
        done = server.ctl("--json", *args, check_status=False)
        equal((done.returncode, json.loads(done.stdout)), (1, {"errors": [errors]}), "nobody to kick")
        done = server.ctl(*args, check_status=False)
        check(done.returncode == 1 and errors in done.stderr.decode(), "for people", done)
    noop(logged_in(server))
    equal(len(mail_of(machine, "bob")), mail, "no mail is lost")


def test_kick_in_the_middle(machine):
    """Kicked while it is sent a large message: no goodbye inside a literal, no end that looks complete."""
    machine.maildir("carol", [b"Subject: large\n\n" + b"x" * 70 * 400000])
    server = Server(machine)
    s = logged_in(server, "carol")
    check(ask(s, b"b SELECT INBOX").startswith(b"b OK"), "SELECT")
    s.sendall(b"c FETCH 1 BODY.PEEK[]\r\n")
    first = recv_line(s)
    size = int(re.search(rb"\{(\d+)\}", first).group(1))
    server.ctl("kick", "carol")
    text = harness.recv_all(s, 1 << 26)
    check(len(text) < size, "cut short", len(text))
    check(b"BYE" not in text[-1000:], "nothing but the message", text[-200:])


def test_reload(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    s = logged_in(server)
    done = server.ctl("reload")
    check("generation 2" in done.stdout.decode(), "a reload", done)
    equal(json.loads(server.ctl("--json", "reload").stdout), {"messages": ["configuration taken: generation 3 accepts connections"]}, "again")
    noop(s)
    good = server.settings["tls"]["certificate"]
    server.settings["tls"]["certificate"] = "/nonexistent/server.pem"
    server.settings["auth"]["workers-max"] = "many"
    server.write_config()
    done = server.ctl("--json", "reload", check_status=False)
    equal(done.returncode, 1, "a reload of a broken configuration")
    errors = json.loads(done.stdout)["errors"]
    check(any("workers-max" in e and re.search(r"\.conf:\d+: ", e) for e in errors), "with file and line", errors)
    status = server.status()
    equal(status["server"][0]["generation"], 3, "everything as before")
    check(status["problems"] and status["server"][0]["last_failed"] and status["server"][0]["last_error"], "status says so", status["server"])
    noop(s)
    noop(logged_in(server))
    server.settings["tls"]["certificate"] = good
    del server.settings["auth"]["workers-max"]
    server.write_config()
    server.ctl("reload")
    status = server.status()
    check(not status["problems"] and not status["server"][0]["last_error"], "and forgets it", status["server"])


def test_command_lines(machine):
    server = Server(machine)
    socket_path = server.settings["control"]["socket"]
    for args in ((), ("nonsense",), ("status", "more"), ("who", "alice"), ("kick",), ("kick", "alice", "bob"), ("kick", "alice", "--id", "3"),
                 ("kick", "--id", "x"), ("kick", "--id", "-1"), ("kick", "--id", "99999999999999999999999"), ("status", "--id", "1"),
                 ("--nonsense", "status"), ("-x", "status"), ("reload", "now"), ("-s",)):
        done = ctl("-s", socket_path, *args) if args != ("-s",) else ctl(*args)
        equal(done.returncode, 2, f"exit status of {args}")
        check(done.stderr and not done.stdout, f"{args}: the error is on the standard error output", done)
    for args in (("help",), ("-h",), ("--help",)):
        done = ctl(*args)
        equal(done.returncode, 0, f"exit status of {args}")
        check(all(verb in done.stdout.decode() for verb in ("status", "who", "kick", "reload", "check")), "all verbs", done.stdout)
    check(re.fullmatch(rb"restantectl \S+\n", ctl("--version").stdout), "--version")
    for verb in ("status", "who", "reload"):
        for args in (("--json", verb), (verb, "--json")):
            json.loads(server.ctl(*args).stdout)
    done = ctl("--json", "-c", server.config, "check")
    equal((done.returncode, json.loads(done.stdout)), (0, {"problems": [], "messages": [server.config + ": configuration OK"]}), "check")
    with open(server.config, "a") as f:
        f.write("[nonsense]\n")
    done = ctl("--json", "-c", server.config, "check")
    problems = json.loads(done.stdout)["problems"]
    equal((done.returncode, len(problems), problems[0]["file"]), (1, 1, server.config), "check of a mistake")
    equal(problems[0]["line"], open(server.config).read().count("\n"), "its line")
    for name in ("a\tb", "a\nstatus", "", "x" * 500):
        done = server.ctl("--json", "kick", name, check_status=False)
        equal(done.returncode, 1, f"kick {name!r:.20}")
        check("has no connection" in json.loads(done.stdout)["errors"][0], "such a user", done)
    done = server.ctl("--json", "kick", "x" * 10000, check_status=False)
    equal((done.returncode, list(json.loads(done.stdout))), (1, ["errors"]), "a name that is too long")


def test_finding_the_socket(machine):
    server = Server(machine)
    equal(json.loads(ctl("-c", server.config, "--json", "status").stdout)["server"][0]["pid"], server.process.pid, "-c FILE")
    with open(server.config, "a") as f:
        f.write("[nonsense]\nkey = value\n")
    equal(ctl("-c", server.config, "status").returncode, 0, "a configuration with mistakes elsewhere")
    for args, words in ((("-c", "/nonexistent/restante.conf"), "/nonexistent/restante.conf"), (("-s", "/nonexistent/sock"), "no server"),
                        (("-s", server.config), "no server"), (("-s", "/" + "x" * 200), "too long")):
        for json_too in ((), ("--json",)):
            done = ctl(*args, *json_too, "status")
            equal(done.returncode, 1, f"{args}: exit status")
            text = json.loads(done.stdout)["errors"][0] if json_too else done.stderr.decode()
            check(words in text and args[1] in text, f"{args}: what is wrong", text)
    server.write_config()
    path = server.settings["control"]["socket"]
    equal(os.stat(path).st_mode & 0o777, 0o600, "mode of the socket")
    done = as_alice(machine, "-s", path, "status")
    check(done.returncode == 1 and b"permission denied" in done.stderr, "an ordinary user", done)
    os.chmod(path, 0o666)  # even so the master asks who it is
    done = as_alice(machine, "-s", path, "status")
    check(done.returncode == 1 and not done.stdout and done.stderr, "an ordinary user who can connect", done)
    done = as_alice(machine, "-s", path, "--json", "kick", "alice")
    equal((done.returncode, list(json.loads(done.stdout))), (1, ["errors"]), "an ordinary user who can connect")
    server.stop()
    check(not os.path.exists(path), "the socket goes with the server")
    done = ctl("-s", path, "status")
    check(done.returncode == 1 and b"no server" in done.stderr, "no server", done)


def test_killed_server(machine):
    """A socket that a crash left behind: restantectl says so, and the next server takes it over."""
    server = Server(machine)
    server.kill()
    path = server.settings["control"]["socket"]
    check(os.path.exists(path), "it is still there")
    done = ctl("-s", path, "status")
    check(done.returncode == 1 and b"no server" in done.stderr, "nobody listens", done)
    server.start()
    equal(server.ctl("status").returncode, 0, "a new server")


def test_several_at_once(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    s = logged_in(server)
    verbs = [("status",), ("who",), ("--json", "status"), ("--json", "who"), ("reload",), ("kick", "nobody")] * 5
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda args: (args, server.ctl(*args, check_status=False)), verbs))
    for args, done in outcomes:
        equal(done.returncode, 1 if args[0] == "kick" else 0, f"{args}: {done.stderr}")
    noop(s)


def test_strange_clients(machine):
    """Of the control socket: silent ones, garbage, too much, and those that go away or do not read."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    s = logged_in(server)
    silent = [control_client(server) for _ in range(3)]
    for data in (b"\n", b"\0" * 100 + b"\n", b"nonsense\n", b"kick\n", b"kick\tuser\n", b"kick\tid\tx\n", b"kick\tid\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\n",
                 b"\xff\xfe" * 1000 + b"\n", b"status\tmore\n", b"\t\t\t\t\n"):
        c = control_client(server)
        c.sendall(data)
        answer = harness.recv_all(c)
        check(answer.startswith(b"E"), f"{data!r:.40}: an error", answer)
        c.close()
    for size in (4095, 4096, 4097, 1 << 20):
        c = control_client(server)
        try:
            c.sendall(b"x" * size)
            c.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        equal(harness.recv_all(c), b"", f"{size} bytes without a line end")
        c.close()
    for _ in range(50):
        c = control_client(server)
        c.sendall(b"status\n")
        c.close()
    for _ in range(5):
        c = control_client(server)
        c.sendall(b"reload\n")
        c.close()
    gone = control_client(server)
    gone.sendall(b"sta")
    gone.close()
    wait_for(lambda: server.ctl("status", check_status=False).returncode == 0, "an answer with silent clients about")
    # As many silent ones as there is room for: others are turned away at once, not kept waiting; then their time is up.
    refused = []

    def crowded():  # reloads of above may still be leaving
        silent.extend(control_client(server) for _ in range(20))
        refused.append(server.ctl("status", check_status=False))
        return refused[-1].returncode == 1
    wait_for(crowded, "no room")
    check(refused[-1].stderr, "and restantectl says something", refused[-1])
    noop(s)
    noop(logged_in(server))
    for c in silent:
        check(harness.recv_all(c) == b"", "a silent client is closed")
        c.close()
    equal(server.ctl("status").returncode, 0, "room again")


def test_no_descriptors_left(machine):
    """What restantectl opens in the master is closed again."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    s = logged_in(server)

    def descriptors():
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))
    server.ctl("status")
    before = descriptors()
    for _ in range(20):
        server.ctl("status")
        server.ctl("who")
    wait_for(lambda: descriptors() <= before, "descriptors to be closed again")
    noop(s)


TESTS = [test_status, test_counters, test_counters_outlive_processes, test_certificates, test_who, test_who_with_a_stopped_session, test_kick,
         test_kick_in_the_middle, test_reload, test_command_lines, test_finding_the_socket, test_killed_server, test_several_at_once,
         test_strange_clients, test_no_descriptors_left]
if __name__ == "__main__":
    harness.main("ctl", TESTS)

"""Sockets from systemd: all four services, by FileDescriptorName."""
import os

import harness
from harness import BUILD, SAMPLES, Server, check, equal


def activated(machine, names, **kwargs):
    server = Server(machine, listen=False, start=False, **kwargs)
    args = ["systemd-socket-activate"]
    for name in names:
        args += ["-l", f"127.0.0.1:{server.ports[name]}"]
    # -E hands variables on; the program is started at the first connection.
    server.args = args + ["--fdname=" + ":".join(names), "-E", "NOTIFY_SOCKET=" + server.notify_path, "-E", "PATH=" + os.environ["PATH"],
                          "-E", "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", ""),
                          os.path.join(BUILD, "restanted"), "-c", server.config]
    server.start(wait=False)
    harness.wait_for(lambda: "Listening on" in server.log_text(), "systemd-socket-activate to listen")
    server.connect(names[0]).close()
    server.wait_notified("READY=1")
    return server


def test_all_four(machine):
    machine.maildir("alice", SAMPLES)
    server = activated(machine, harness.SERVICES)
    for service in ("imaps", "imap"):
        m = server.imap("alice", service)
        equal(m.select()[1], [str(len(SAMPLES)).encode()], service)
        m.logout()
    for service in ("pop3s", "pop3"):
        p = server.pop3("alice", service)
        equal(p.stat()[0], len(SAMPLES), service)
        p.quit()


def test_names_decide(machine):
    """In another order than usual, and only some: the name says which service a socket is."""
    machine.maildir("alice", SAMPLES)
    server = activated(machine, ("pop3", "imaps"))
    server.imap("alice", "imaps").logout()
    server.pop3("alice", "pop3").quit()
    server.ctl("reload")
    server.imap("alice", "imaps").logout()


def test_unknown_name(machine):
    server = Server(machine, listen=False, start=False)
    server.args = ["systemd-socket-activate", "-l", f"127.0.0.1:{server.ports['imaps']}", "--fdname=imapz",
                   os.path.join(BUILD, "restanted"), "-c", server.config]
    server.start(wait=False)
    harness.wait_for(lambda: "Listening on" in server.log_text(), "systemd-socket-activate to listen")
    server.connect("imaps").close()
    check(server.process.wait(30) != 0, "refuses to start")
    check("imapz" in server.log_text() and "FileDescriptorName" in server.log_text(), "and says what to mend", server.log_text())


TESTS = [test_all_four, test_names_decide, test_unknown_name]
if __name__ == "__main__":
    harness.main("activation", TESTS)

"""restanted --try, as root and as an ordinary user: what it prints can be pasted, and the mail comes."""
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import harness
from harness import BUILD, check, equal, wait_for


class Try:
    def __init__(self, machine, *args, user=None):
        command = [os.path.join(machine.programs, "restanted"), "--try", *args]
        if user:
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"] + command
        env = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd="/tmp",
                                        start_new_session=True)
        machine.cleanups.append(self.end)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()
        try:
            wait_for(lambda: len(self.curl_lines()) >= 3 and "Ctrl-C" in self.text() or self.process.poll() is not None, "the settings", 60)
            check(self.process.poll() is None, "--try serves", self.text())
        except harness.Failed as e:
            self.process.kill()
            raise harness.Failed(f"{e}\n{self.text()}") from None

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace"))

    def text(self):
        return "".join(self.lines)

    def curl_lines(self):
        return [line.strip() for line in self.lines if line.strip().startswith("curl ")]

    def end(self):
        """For a test that failed: nothing stays behind."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        equal(self.process.wait(30), 0, "exit status after Ctrl-C")


def prepare(machine):
    """Programs where any user can read them."""
    machine.programs = machine.path("programs")
    if not os.path.exists(machine.programs):
        os.makedirs(machine.programs)
        for name in ("restanted", "restante-front", "restante-auth", "restante-session", "restantectl"):
            shutil.copy(os.path.join(BUILD, name), machine.programs)


def exercise(machine, server):
    text = server.text()
    outputs = []
    for line in server.curl_lines()[:3]:
        done = subprocess.run(line, shell=True, capture_output=True, timeout=60, cwd="/tmp")
        equal(done.returncode, 0, f"{line}\n{done.stderr.decode()}")
        check(done.stdout, "it prints something: " + line)
        outputs.append(done.stdout)
    ca = re.search(r"\S+\.pem", text).group(0)
    check(os.path.exists(ca), "the CA certificate is where it says", ca)
    for word in ("127.0.0.1", "localhost"):
        if word in text:
            break
    else:
        check(False, "the host", text)
    user, password = re.search(r"(?:-u|--user)\s+'?([^':\s]+):([^'\s]+)'?", server.curl_lines()[0]).groups()
    port = int(re.search(r"imaps://[^/:]+:(\d+)", text).group(1))
    check(text.count(str(port)) >= 2, "the port is named for a mail program, too", text)

    import imaplib
    import ssl
    m = imaplib.IMAP4_SSL("localhost", port, ssl_context=ssl.create_default_context(cafile=ca))
    m.login(user, password)
    count = int(m.select()[1][0])
    check(count >= 5, "sample mail", count)
    mail = b"".join(part[1] for part in m.fetch(f"1:{count}", "BODY.PEEK[]")[1] if isinstance(part, tuple))
    for wanted in (b"ISO-2022-JP", b"UTF-8", b"text/html", b"attachment"):
        check(wanted.lower() in mail.lower(), f"sample mail with {wanted}")
    check(len(mail) > 5 << 20, "a 5 MB attachment", len(mail))
    structure = m.fetch(f"1:{count}", "(ENVELOPE BODYSTRUCTURE)")[1]
    check(len([s for s in structure if s]) >= count, "structure of all")
    m.logout()

    clear = int(re.search(r"\b(\d{4,5})\b(?=[^\n]*STARTTLS)|STARTTLS[^\n]*?\b(\d{4,5})\b", text).group(0).split()[-1]) \
        if re.search(r"\b(\d{4,5})\b(?=[^\n]*STARTTLS)", text) else None
    if clear:
        s = socket.create_connection(("127.0.0.1", clear))
        s.recv(1000)
        s.sendall(f"a LOGIN {user} {password}\r\n".encode())
        answer = s.recv(1000)
        check(answer.startswith(b"a NO [PRIVACYREQUIRED]") or answer.startswith(b"-ERR"), "in the clear", answer)


def test_as_root(machine):
    prepare(machine)
    server = Try(machine)
    exercise(machine, server)
    directory = os.path.dirname(re.search(r"\S+\.pem", server.text()).group(0))
    server.stop()
    check(not os.path.exists(directory), "a temporary directory is removed at the end", directory)


def test_as_ordinary_user(machine):
    prepare(machine)
    directory = machine.path("try")
    os.makedirs(directory)
    os.chown(directory, 20003, 20003)
    server = Try(machine, directory, user=20003)
    exercise(machine, server)
    for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
        try:
            if "restante" in os.readlink(f"/proc/{pid}/exe") and machine.programs in os.readlink(f"/proc/{pid}/exe"):
                uid = re.search(r"Uid:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)
                equal(uid, "20003", "no privilege anywhere")
        except OSError:
            pass
    server.stop()
    server = Try(machine, directory, user=20003)  # the same directory again: the same mail, the same passwords
    exercise(machine, server)
    server.stop()


def test_directory_of_another(machine):
    """Root writes nothing where somebody else decides what the names there mean."""
    prepare(machine)
    for name, owner, mode in ("theirs", 20003, 0o755), ("anybodys", 0, 0o777):
        directory = machine.path(name)
        os.makedirs(directory)
        os.symlink("/etc", os.path.join(directory, ".hidden"))
        os.chown(directory, owner, owner)
        os.chmod(directory, mode)
        done = subprocess.run([os.path.join(machine.programs, "restanted"), "--try", directory], capture_output=True, timeout=60, cwd="/tmp",
                              env={k: v for k, v in os.environ.items() if not k.startswith("SUDO_")})
        equal(done.returncode, 1, f"exit status with a directory {name}\n{done.stderr.decode()}")
        check(b"choose another directory" in done.stderr, "what to do", done.stderr)
        equal(os.listdir(directory), [".hidden"], "nothing was written")


def test_two_at_once(machine):
    prepare(machine)
    first, second = Try(machine), Try(machine)
    exercise(machine, first)
    exercise(machine, second)
    first.stop()
    second.stop()


TESTS = [test_as_root, test_as_ordinary_user, test_directory_of_another, test_two_at_once]
if __name__ == "__main__":
    harness.main("try", TESTS)

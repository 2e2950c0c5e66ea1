"""What is installed beside the programs: units, sample configuration, PAM, sysusers, tmpfiles and fail2ban files, man pages."""
import configparser
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
MAX_EXPOSURE = 4.0
SERVICES = {"imaps": "993", "imap": "143", "pop3s": "995", "pop3": "110"}
UNITS = ["restante.service"] + [f"restante-{s}.socket" for s in SERVICES]
MAN = {"restanted.8": 8, "restantectl.8": 8, "restante.conf.5": 5, "restante-internals.7": 7,
       "restante-imap.7": 7}


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


def run(*args, **kwargs):
    return subprocess.run(args, capture_output=True, text=True, timeout=120, **kwargs)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def install(**variables):
    # -o all: what is tested is what the tests were built with.
    done = run("make", "-s", "-o", "all", "B=" + BUILD, *[f"{k}={v}" for k, v in variables.items()], "install", cwd=ROOT,
               env={k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"})
    check(done.returncode == 0, f"make install: {done.stdout}{done.stderr}")


class Installed:
    """An installation under a directory of its own, whose units therefore name programs that exist."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="restante-units-")
        self.units = os.path.join(self.dir, "units")
        install(PREFIX=os.path.join(self.dir, "usr"), SYSCONFDIR=os.path.join(self.dir, "etc"), UNITDIR=self.units)


def files_below(top):
    return sorted(os.path.relpath(os.path.join(d, f), top) for d, _, files in os.walk(top) for f in files)


def test_destdir(installed):
    """A packager's installation: everything in its place below DESTDIR, and no placeholder left."""
    dest = os.path.join(installed.dir, "dest")
    install(DESTDIR=dest, PREFIX="/usr", SYSCONFDIR="/etc")
    want = sorted(["usr/sbin/restanted", "usr/sbin/restantectl", "usr/libexec/restante/restante-front",
                   "usr/libexec/restante/restante-auth", "usr/libexec/restante/restante-session", "etc/restante/restante.conf",
                   "etc/pam.d/restante", "usr/lib/sysusers.d/restante.conf", "usr/lib/tmpfiles.d/restante.conf"]
                  + ["lib/systemd/system/" + u for u in UNITS] + [f"usr/share/man/man{n}/{p}" for p, n in MAN.items()])
    have = files_below(dest)
    check(have == want, f"installed files: more {set(have) - set(want)}, fewer {set(want) - set(have)}")
    for name in have:
        if not name.startswith("usr/sbin") and not name.startswith("usr/libexec"):
            with open(os.path.join(dest, name), encoding="utf-8") as f:
                text = f.read()
            check(not re.search(r"@[A-Z]+@", text), f"{name}: a placeholder is left")
            check(installed.dir not in text, f"{name}: names DESTDIR")
    with open(os.path.join(dest, "lib/systemd/system/restante.service"), encoding="utf-8") as f:
        check("ExecStart=/usr/sbin/restanted -c /etc/restante/restante.conf\n" in f.read(), "ExecStart")


def test_keeps_settings(installed):
    """Installing again leaves what the administrator wrote."""
    dest = os.path.join(installed.dir, "again")
    install(DESTDIR=dest)
    for name in ("etc/restante/restante.conf", "etc/pam.d/restante"):
        with open(os.path.join(dest, name), "w", encoding="utf-8") as f:
            f.write("mine\n")
    install(DESTDIR=dest)
    for name in ("etc/restante/restante.conf", "etc/pam.d/restante"):
        with open(os.path.join(dest, name), encoding="utf-8") as f:
            check(f.read() == "mine\n", name + " was written over")


def test_verify(installed):
    done = run("systemd-analyze", "verify", "--man=no", *[os.path.join(installed.units, u) for u in UNITS])
    check(done.returncode == 0 and installed.dir not in done.stderr and "restante" not in done.stderr, done.stdout + done.stderr)


def test_exposure(installed):
    done = run("systemd-analyze", "security", "--no-pager", "--offline=yes", os.path.join(installed.units, "restante.service"))
    found = re.search(r"Overall exposure level for restante.service: ([0-9.]+)", done.stdout)
    check(found, done.stdout + done.stderr)
    check(float(found.group(1)) < MAX_EXPOSURE, "exposure " + found.group(1))


def test_sockets(installed):
    for service, port in SERVICES.items():
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str
        unit.read(os.path.join(installed.units, f"restante-{service}.socket"))
        socket = unit["Socket"]
        check((socket["ListenStream"], socket["FileDescriptorName"], socket["Service"], socket["Accept"])
              == (port, service, "restante.service", "no"), service)
        check(unit["Install"]["WantedBy"] == "sockets.target", service)


def syscall_sets():
    """The sets of system calls of this systemd, taken apart down to calls."""
    sets, name = {}, None
    for line in run("systemd-analyze", "syscall-filter", "--no-pager").stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif line.startswith("    ") and name and not line.strip().startswith("#"):
            sets[name].append(line.strip())
        elif line.startswith("#"):
            name = None
    return sets


def expand(sets, names):
    calls = set()
    for name in names:
        calls |= expand(sets, sets[name]) if name.startswith("@") else {name}
    return calls


def test_syscalls(installed):
    """The unit allows every call that the roles' own filters allow: none is weaker for being started by systemd."""
    with open(os.path.join(installed.units, "restante.service"), encoding="utf-8") as f:
        filters = re.findall(r"^SystemCallFilter=(.*)$", f.read(), re.M)
    allowed = expand(syscall_sets(), " ".join(filters).split())
    for path in ("server/session/user_sandbox.c", "server/front/sandbox.c"):
        text = re.sub(r"#if.*?#endif", "", read(path), flags=re.S)
        arrays = re.findall(r"static const char \*const \w*calls\w*\[\] = \{(.*?)\};", text, re.S)
        check(arrays, path + ": no list of system calls found")
        calls = set(re.findall(r'"(\w+)"', re.sub(r"/\*.*?\*/", "", " ".join(arrays), flags=re.S)))
        check(len(calls) > 20, f"{path}: {len(calls)} calls found")
        check(calls <= allowed, f"{path}: not allowed by restante.service: {sorted(calls - allowed)}")
    check({"seccomp", "landlock_create_ruleset", "chroot", "setresuid", "setgroups", "capset"} <= allowed, "calls to lock in")


def key_table():
    rows = re.findall(r'^\t\{ "(\w+)", "([\w-]+)", (CONF_\w+),\s+AT(?:_TLS)?\([^)]*\)(?:,\s+"([^"]*)")?', read("conf", "keys.c"), re.M)
    check(len(rows) > 40, f"{len(rows)} keys found in conf/keys.c")
    return [(section, name, kind, standard) for section, name, kind, standard in rows]


def sample_settings():
    """Of the sample configuration: (section, key) -> (value, whether it is commented out)."""
    settings, section = {}, None
    for line in read("conf", "restante.conf").splitlines():
        header = re.match(r"\[(\w+)\]", line)
        setting = re.match(r"(; )?([\w-]+) *= ?(.*?)(?:\s+[;#].*)?$", line)
        if header:
            section = header.group(1)
        elif setting and section and not line.startswith("#") and (section, setting.group(2)) not in settings:
            settings[section, setting.group(2)] = (setting.group(3).strip(), bool(setting.group(1)))
    return settings


def test_sample_names_every_key(_):
    settings, table = sample_settings(), key_table()
    for section, name, _kind, standard in table:
        check((section, name) in settings, f"restante.conf: [{section}] {name} is missing")
        value, commented = settings[section, name]
        if section != "listen" and name not in ("certificate", "private-key"):
            check(commented, f"restante.conf: {name} is a default and should be commented out")
            check(value == standard, f"restante.conf: {name} = {value}, but the default is {standard}")
    extra = set(settings) - {(s, n) for s, n, _, _ in table}
    check(not extra, f"restante.conf: unknown keys {extra}")


def man_keys():
    """Of restante.conf(5): (section, key) -> the text up to the next key."""
    keys, section = {}, None
    parts = re.split(r"^(\.Ss .*|\.It Cm .*|\.S[hs] .*)$", read("man", "restante.conf.5"), flags=re.M)
    for head, text in zip(parts[1::2], parts[2::2]):
        found = re.match(r"\.Ss \[(\w+)", head)
        if found:
            section = found.group(1)
        elif head.startswith(".S"):
            section = None
        elif section:
            keys[section, head.split()[2]] = text
    return keys


def test_man_names_every_key(_):
    keys = man_keys()
    for section, name, _kind, standard in key_table():
        check((section, name) in keys, f"restante.conf(5): [{section}] {name} is missing")
        if standard:
            plain = keys[section, name].replace("\\(ti", "~").replace("\\&", "").replace('"', "")
            check(standard in plain, f"restante.conf(5): {name}: the default {standard} is not named")
    extra = set(keys) - {(s, n) for s, n, _, _ in key_table()}
    check(not extra, f"restante.conf(5): unknown keys {extra}")


def capability_table():
    rows = re.findall(r'\.name = "([^"]+)", \.rfc = "([^"]+)"', read("server", "imap", "capability.c"))
    check(len(rows) > 40, f"only {len(rows)} capabilities found")
    return {name: rfc for name, rfc in rows}


def test_capabilities_are_documented(_):
    """README and restante-imap(7) list what the server announces, each with its RFC, and nothing else."""
    def plain(rfc):
        return rfc.removeprefix("RFC ")
    man = {}
    for name, rfc in re.findall(r"^\.It (\S+) Ta (.+)$", read("man", "restante-imap.7"), flags=re.M):
        man[name.replace("\\-", "-")] = plain(rfc)
    readme = {}
    for names, rfc in re.findall(r"^\| (.+) \| (RFC \d+|draft-\S+) \|$", read("README.md"), flags=re.M):
        readme.update({name: plain(rfc) for name in names.split(", ")})
    table = capability_table()
    equal_without_values = {re.sub(r"^(MESSAGELIMIT|APPENDLIMIT)=\d+$", r"\1", name): rfc for name, rfc in man.items()}
    check(equal_without_values == table, f"restante-imap(7) differs: {sorted(set(equal_without_values.items()) ^ set(table.items()))}")
    check(readme == table, f"README differs: {sorted(set(readme.items()) ^ set(table.items()))}")


def test_man_lint(_):
    for page in MAN:
        done = run("mandoc", "-Tlint", "-Wwarning", os.path.join(ROOT, "man", page))
        check(done.returncode == 0, done.stdout + done.stderr)


def test_help_is_documented(_):
    for program, page in (("restanted", "restanted.8"), ("restantectl", "restantectl.8")):
        done = run(os.path.join(BUILD, program), "--help")
        check(done.returncode == 0 and done.stdout, f"{program} --help: status {done.returncode}\n{done.stderr}")
        # In mdoc, words behind Fl have lost their first "-": "Fl c Ar file", "Fl h , \\-help".
        words = set(re.findall(r"[\w-]+", " ".join(re.findall(r"\bFl\b.*", read("man", page))).replace("\\-", "-")))
        for option in sorted(set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", done.stdout))):
            check(option[1:] in words, f"{page}: {option} is missing")
    done = run(os.path.join(BUILD, "restantectl"), "help")
    verbs = re.findall(r"^  ([a-z]+)\b", done.stdout.split("Verbs:")[1].split("Options:")[0], re.M)
    check(len(verbs) >= 6, f"verbs: {verbs}")
    for verb in verbs:
        check(re.search(rf"^\.It Cm {verb}\b", read("man", "restantectl.8"), re.M), f"restantectl.8: {verb} is missing")


def test_ctl_without_server(installed):
    """A person learns which socket was tried, and what to do; a program gets JSON."""
    missing = os.path.join(installed.dir, "none.sock")
    ctl = os.path.join(BUILD, "restantectl")
    for verb in ("status", "who", "reload"):
        done = run(ctl, "-s", missing, verb)
        check(done.returncode == 1 and missing in done.stderr and "no server" in done.stderr, verb + ": " + done.stderr)
    done = run(ctl, "-s", missing, "--json", "status")
    check(done.returncode == 1 and '"errors"' in done.stdout, done.stdout)
    for wrong in (["kick"], ["kick", "a", "b"], ["kick", "--id", "x"], ["status", "x"], ["nonsense"], []):
        check(run(ctl, "-s", missing, *wrong).returncode == 2, f"usage: {wrong}")


def test_sysusers_and_tmpfiles(installed):
    if os.geteuid() != 0:
        return
    top = os.path.join(installed.dir, "root")
    install(DESTDIR=top, PREFIX="/usr", SYSCONFDIR="/etc")
    done = run("systemd-sysusers", "--root=" + top)
    check(done.returncode == 0, done.stderr)
    with open(os.path.join(top, "etc/passwd"), encoding="utf-8") as f:
        check(re.search(r"^restante:.*:/run/restante/empty:.*nologin$", f.read(), re.M), "the user restante")
    done = run("systemd-tmpfiles", "--root=" + top, "--create", "restante.conf")
    check(done.returncode == 0, done.stderr)
    for name, mode in (("run/restante", 0o755), ("run/restante/empty", 0o555)):
        st = os.stat(os.path.join(top, name))
        check(stat.S_IMODE(st.st_mode) == mode and st.st_uid == 0, f"{name}: {oct(st.st_mode)}")


def fail2ban_regex(mode):
    """The filter, put together as fail2ban does: %(name)s first, then <name>."""
    text = read("conf", "fail2ban", "filter.d", "restante.conf")
    values = {"__prefix_line": r"(?:\S+ )?restanted(?:\[\d+\])?: "}
    for name, value in re.findall(r"^([\w-]+) = (.*(?:\n +\S.*)*)$", text, re.M):
        values[name] = value
    pattern = values["mdre-" + mode]
    while re.search(r"%\((\w+)\)s", pattern):
        pattern = re.sub(r"%\((\w+)\)s", lambda m: values[m.group(1)], pattern)
    return [re.compile(p.strip().replace("<ADDR>", r"(?P<addr>[0-9a-fA-F:.]+)")) for p in pattern.splitlines()]


def test_fail2ban(_):
    failed = "mail restanted[7]: auth[12]: login failed: user=anna addr=192.0.2.7 service=imaps cause=authentication: pam_authenticate: Authentication failure"
    clear = "mail restanted[7]: front[12]: clear-text attempt: user=anna addr=2001:db8::7 service=pop3 command=USER"
    rows = [
        ("normal", failed, "192.0.2.7"),
        ("aggressive", failed, "192.0.2.7"),
        ("normal", clear, None),
        ("aggressive", clear, "2001:db8::7"),
        ("normal", failed.replace("cause=authentication", "cause=unavailable"), None),
        ("normal", failed.replace("user=anna", "user=x\\x20addr\\x3d198.51.100.1"), "192.0.2.7"),
        ("normal", "mail restanted[7]: session[1]: something " + failed, None),
    ]
    for mode, line, want in rows:
        found = [m.group("addr") for p in fail2ban_regex(mode) for m in [p.search(line)] if m]
        check(found == ([want] if want else []), f"{mode}: {line}: {found}")


TESTS = [test_destdir, test_keeps_settings, test_verify, test_exposure, test_sockets, test_syscalls, test_sample_names_every_key,
         test_man_names_every_key,
         test_capabilities_are_documented, test_man_lint, test_help_is_documented, test_ctl_without_server, test_sysusers_and_tmpfiles,
         test_fail2ban]


def main():
    passed = failed = 0
    installed = Installed()
    try:
        for test in TESTS:
            try:
                test(installed)
                passed += 1
            except Exception as e:  # pylint: disable=broad-except
                failed += 1
                print(f"{test.__name__}: {type(e).__name__}: {e}")
    finally:
        shutil.rmtree(installed.dir, ignore_errors=True)
    print(f"units: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

"""Thunderbird, without a screen, over imaps: its profile is prepared, then its own code is driven through Marionette."""
import contextlib
import json
import os
import shutil
import subprocess

from clients import ARTEFACTS, fresh, harness, home_of, message, on_disk, wait_for, write_private
from harness import check, equal
from marionette import Marionette

MESSAGES = 30

PREFS = {
    "mail.accountmanager.accounts": "account1",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.account.account1.identities": "id1",
    "mail.account.account1.server": "server1",
    "mail.identity.id1.fullName": "Alice",
    "mail.identity.id1.useremail": "alice@example.org",
    "mail.identity.id1.valid": True,
    "mail.identity.id1.draft_folder": "imap://alice@localhost/Drafts",
    "mail.server.server1.type": "imap",
    "mail.server.server1.hostname": "localhost",
    "mail.server.server1.userName": "alice",
    "mail.server.server1.name": "alice at restante",
    "mail.server.server1.socketType": 3,  # TLS from the first byte
    "mail.server.server1.authMethod": 3,  # password
    "mail.server.server1.check_new_mail": False,
    "mail.server.server1.login_at_startup": False,
    # Nothing that asks a person, and nothing that calls home.
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "extensions.update.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.inappnotifications.enabled": False,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "network.manage-offline-status": False,  # a machine with nothing but a loopback is not offline
    "offline.autoDetect": False,
    "offline.startup_state": 2,
}

# The account's root folder, and a folder of it by name (once it has been discovered). INBOX is found by
# its URI, since its name is translated.
FOLDERS = """
const server = MailServices.accounts.findServer("alice", "localhost", "imap");
const folder = name => name == "INBOX" ? server.rootFolder.subFolders.find(f => f.URI.endsWith("/INBOX"))
    : server.rootFolder.getChildNamed(name);
const update = name => new Promise((resolve, reject) => folder(name).QueryInterface(Ci.nsIMsgImapMailFolder)
    .updateFolderWithListener(null, { OnStartRunningUrl() {}, OnStopRunningUrl(url, code) {
        Components.isSuccessCode(code) ? resolve() : reject(new Error("update of " + name + ": " + code)); } }));
const copied = start => new Promise((resolve, reject) => start({ onStartCopy() {}, onProgress() {}, setMessageKey() {},
    getMessageId() { return null; }, onStopCopy(code) { Components.isSuccessCode(code) ? resolve() : reject(new Error("copy: " + code)); },
    QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]) }));
const bySubject = (name, subject) => [...folder(name).messages].find(m => m.mime2DecodedSubject == subject);
"""

TRUST = """
const [pem, password] = arguments;
const der = pem.replace(/-----[^-]*-----/g, "").replace(/\\s/g, "");
Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(der, "C,,");
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
login.init("imap://localhost", null, "imap://localhost", "alice", password, "", "");
await Services.logins.addLoginAsync(login);
"""

OPEN = FOLDERS + """
await update("INBOX");
const open = () => folder("INBOX") && folder("Archive") && folder("Drafts") && [...folder("INBOX").messages].length >= arguments[0];
while (!open())
    await new Promise(r => setTimeout(r, 200));
return { subjects: [...folder("INBOX").messages].map(m => m.mime2DecodedSubject),
         folders: server.rootFolder.subFolders.map(f => f.name) };
"""

# Show INBOX in the window unless it is shown; how many rows its list has.
LISTED = FOLDERS + """
const pane = Services.wm.getMostRecentWindow("mail:3pane").document.getElementById("tabmail").currentAbout3Pane;
if (pane.gFolder?.URI != folder("INBOX").URI || !pane.gDBView)
    pane.displayFolder(folder("INBOX").URI);
return pane.gDBView ? pane.gDBView.rowCount : 0;
"""

SHOW_MESSAGE = """
const pane = Services.wm.getMostRecentWindow("mail:3pane").document.getElementById("tabmail").currentAbout3Pane;
pane.threadTree.selectedIndex = arguments[0];
"""


class Thunderbird:
    """One run of the program on one profile."""

    def __init__(self, machine, server):
        self.home, self.env = home_of(machine, "thunderbird")
        self.profile = os.path.join(self.home, "profile")
        self.log_path = os.path.join(self.home, "log")
        self.port = harness.free_port()
        os.makedirs(self.profile)
        prefs = {**PREFS, "mail.server.server1.port": server.ports["imaps"], "marionette.port": self.port}
        write_private(os.path.join(self.profile, "user.js"),
                      "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items()))
        self.process = None
        machine.cleanups.append(self.kill)

    def start(self):
        env = {**self.env, "MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_LOG": "IMAP:4,timestamp", "MOZ_LOG_FILE": self.log_path}
        self.process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote",
                                         "--width", "1200", "--height", "800", "--profile", self.profile],
                                        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.remote = Marionette(self.port)
        self.run = self.remote.run

    def log(self):
        text = ""
        for name in os.listdir(self.home):
            if name.startswith("log"):
                with open(os.path.join(self.home, name), errors="replace") as f:
                    text += f.read()
        return text

    def quit(self):
        self.run("setTimeout(() => Services.startup.quit(Ci.nsIAppStartup.eForceQuit), 100);")
        self.remote.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            shutil.copy(self.log_path + ".moz_log", os.path.join(ARTEFACTS, "thunderbird-imap.log"))


def test_thunderbird(machine):
    server = fresh(machine, [message(n) for n in range(1, MESSAGES + 1)], ["Archive", "Drafts"])
    t = Thunderbird(machine, server)
    t.start()
    with open(machine.ca) as f:
        t.run(TRUST, f.read(), server.password("alice"))

    found = t.run(OPEN, MESSAGES)
    equal(sorted(found["subjects"]), sorted(f"Message {n}" for n in range(1, MESSAGES + 1)), "the account opens, its messages are there")
    check({"Archive", "Drafts"} <= set(found["folders"]), "its mailboxes are listed", found)
    wait_for(lambda: t.run(LISTED) == MESSAGES, "all messages to be shown in the window", 60, 0.5)

    t.run(FOLDERS + "folder('INBOX').markMessagesFlagged([bySubject('INBOX', 'Message 3')], true);")
    wait_for(lambda: "F" in on_disk(machine)["Message 3"], "the flag on the server's disk", 60)
    t.run(FOLDERS + "folder('INBOX').markMessagesRead([bySubject('INBOX', 'Message 4')], true);")
    wait_for(lambda: "S" in on_disk(machine)["Message 4"], "the seen mark on the server's disk", 60)

    t.run(FOLDERS + """await copied(listener => MailServices.copy.copyMessages(folder("INBOX"), [bySubject("INBOX", "Message 5")],
        folder("Archive"), true, listener, null, false));""")
    wait_for(lambda: "Message 5" in on_disk(machine, "Archive"), "the moved message in its new mailbox", 60)

    t.run(FOLDERS + """
        const file = Services.dirsvc.get("TmpD", Ci.nsIFile);
        file.append("draft.eml");
        await IOUtils.writeUTF8(file.path, arguments[0]);
        await copied(listener => MailServices.copy.copyFileMessage(file, folder("Drafts"), null, true, Ci.nsMsgMessageFlags.Read, "",
            listener, null));""", message(100, "A draft").decode().replace("\n", "\r\n"))
    wait_for(lambda: "D" in on_disk(machine, "Drafts").get("A draft", ""), "the draft on the server's disk, marked as one", 60)

    t.run(SHOW_MESSAGE, 2)
    os.makedirs(ARTEFACTS, exist_ok=True)
    t.remote.screenshot(os.path.join(ARTEFACTS, "thunderbird.png"))
    t.quit()
    left = on_disk(machine)
    check("Message 5" not in left or "T" in left["Message 5"], "the moved message is no longer in INBOX", left)
    log = t.log()
    check("ENABLE" in log, "its log of IMAP", log[:3000])


if __name__ == "__main__":
    harness.main("thunderbird", [test_thunderbird])

"""A client of Marionette, the remote control built into Mozilla's programs: JSON frames over a local TCP port."""
import base64
import json
import socket

import harness


class Marionette:
    """One session in the context of the program itself ("chrome"), so scripts reach the same objects as its own code."""

    def __init__(self, port, seconds=120):
        self.socket = harness.wait_for(lambda: self.connect(port), "Marionette's port", seconds, 0.5)
        self.waiting = b""
        self.number = 0
        greeting = self.read()
        harness.equal(greeting.get("marionetteProtocol"), 3, "Marionette's protocol")
        self.command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})
        self.command("Marionette:SetContext", {"value": "chrome"})

    @staticmethod
    def connect(port):
        try:
            s = socket.create_connection(("127.0.0.1", port), timeout=5)
        except OSError:
            return None
        s.settimeout(180)
        return s

    def read(self):
        while True:
            length, colon, rest = self.waiting.partition(b":")
            if colon and len(rest) >= int(length):
                self.waiting = rest[int(length):]
                return json.loads(rest[:int(length)])
            data = self.socket.recv(1 << 16)
            harness.check(data, "Marionette is still there")
            self.waiting += data

    def command(self, name, parameters):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        while True:
            kind, number, error, result = self.read()
            if kind == 1 and number == self.number:
                break
        harness.check(not error, f"{name}: {error and error.get('message')}", error and error.get("stacktrace"))
        return result

    def run(self, script, *args, seconds=90):
        """Run the body of an async function in the program; what it returns."""
        self.command("WebDriver:SetTimeouts", {"script": seconds * 1000})
        wrapped = ("const done = arguments[arguments.length - 1]; const given = Array.from(arguments).slice(0, -1);"
                   "(async function () { const { MailServices } = ChromeUtils.importESModule('resource:///modules/MailServices.sys.mjs');"
                   + script + "}).apply(null, given).then(value => done({ value }), error => done({ error: String(error) + '\\n' + error.stack }));")
        result = self.command("WebDriver:ExecuteAsyncScript",
                              {"script": wrapped, "args": list(args), "newSandbox": False, "sandbox": "system"})["value"]
        harness.check("error" not in result, "script in the program: " + str(result.get("error")), script[:300])
        return result.get("value")

    def screenshot(self, path):
        data = base64.b64decode(self.command("WebDriver:TakeScreenshot", {"full": True})["value"])
        with open(path, "wb") as f:
            f.write(data)

    def close(self):
        self.socket.close()

"""A headless Chromium, driven by the DevTools protocol over pipes: no port, no library."""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-quic", "--no-first-run", "--remote-debugging-pipe"]


def check(good, text):
    if not good:
        sys.exit(f"FAILED: {text}")


def find():
    """The browser; without one the test is skipped."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: needs Chromium (Debian package chromium)")
        sys.exit(77)
    return browser


class Chrome:
    """One page. `console` has the messages, warnings and errors of the page."""

    def __init__(self):
        self.profile = tempfile.mkdtemp()
        there, self.to = os.pipe()
        self.back, here = os.pipe()
        script = f'exec 3<&{there} 4>&{here}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "chrome", find(), *FLAGS, f"--user-data-dir={self.profile}",
             "about:blank"], pass_fds=(there, here), stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(here)
        self.buffer, self.number, self.session = b"", 0, None
        self.console, self.events = [], []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(domain + ".enable")

    def close(self):
        self.number += 1
        os.write(self.to, json.dumps({"id": self.number, "method": "Browser.close"}).encode() + b"\0")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self, seconds):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.back], [], [], seconds)
            check(ready, "the browser does not answer")
            data = os.read(self.back, 1 << 20)
            check(data, "the browser is gone")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(line)
        method, given = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.console.append(json.dumps(given["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.console.append(json.dumps(given["args"]))
        elif method == "Log.entryAdded":
            self.console.append(given["entry"]["text"] + " " + given["entry"].get("url", ""))
        elif method:
            self.events.append(method)
        return message

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive(120)
            if answer.get("id") == self.number:
                check("error" not in answer, f"{method}: {answer.get('error')}")
                return answer["result"]

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self.events:
            self.receive(120)

    def run(self, script):
        """The value of an expression; a promise is awaited."""
        got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        check("exceptionDetails" not in got, f"{script[:80]}: {got.get('exceptionDetails')}")
        return got["result"].get("value")

    def wait(self, script, what):
        end = time.monotonic() + 120
        while not self.run(script):
            check(time.monotonic() < end, f"it never happens that {what}: {self.console}")
            time.sleep(0.02)

    def look(self, width, height, dark, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path, whole=False):
        got = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(got["data"]))

    def mouse(self, kind, x, y):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1,
                  buttons=1 if kind != "mouseReleased" else 0)

    def drag(self, points):
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1])

    def key(self, key, text=None):
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, " ": 32,
                 "Delete": 46, "Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key,
                      windowsVirtualKeyCode=codes[key], **extra)

    def choose(self, selector, path):
        """Puts a file into an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[path])

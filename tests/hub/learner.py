"""A learner as the hub sees one: logs in, starts a server, runs cells through the proxy."""

import contextlib
import json
import time
import uuid

import hub as hubs
import nbformat
import requests
import systemd
import websocket

PATIENCE = 200  # seconds that a server may take to start, or one cell to run, on a busy machine
DEAD = ("restarting", "autorestarting", "dead")


class Learner:
    """One account of the hub, with a token of its own."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name
        self.home = hub.home(name)
        self.url = f"{hub.url}/user/{name}"
        self.unit, self.token = f"jupyter-{name}-singleuser", None

    def log_in(self, password=None):
        """Log in by the page's form, and take a token; raises requests.HTTPError if refused."""
        with requests.Session() as browser:
            browser.get(f"{self.hub.url}/hub/login", timeout=30).raise_for_status()
            guard = {"_xsrf": browser.cookies.get("_xsrf", path="/hub/")}
            form = {"username": self.name, "password": password or self.hub.password}
            page = browser.post(
                f"{self.hub.url}/hub/login?next=/hub/home", data=form | guard, timeout=30
            )
            page.raise_for_status()
            guard = {"X-XSRFToken": browser.cookies.get("_xsrf", path="/hub/")}
            place = f"{self.hub.url}/hub/api/users/{self.name}/tokens"
            made = browser.post(place, headers=guard, json={"expires_in": 3600}, timeout=30)
            made.raise_for_status()
            self.token = made.json()["token"]
        return self

    def call(self, method, path, at=None, **kwargs):
        """Return the answer of this learner's server, or of `at`, to this learner's token."""
        headers = {"Authorization": f"token {self.token}"}
        place = f"{at or self.url}/{path}"
        return requests.request(method, place, headers=headers, timeout=60, **kwargs)

    def ask(self, method, path, **kwargs):
        """As `call`, but the answer must be a good one; returns what it says."""
        answer = self.call(method, path, **kwargs)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self):
        """Start this learner's server and wait until it can be used."""
        api = f"{self.hub.url}/hub/api"
        self.ask("POST", f"users/{self.name}/server", at=api)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            server = self.ask("GET", f"users/{self.name}", at=api)["servers"].get("")
            if server and server["ready"]:
                return self
            if server and server["pending"] is None:
                break
            time.sleep(0.5)
        unit = self.hub.units / f"{self.unit}.log"
        said = unit.read_text(errors="replace") if unit.exists() else self.hub.log()
        raise RuntimeError(f"{self.name}'s server does not start:\n{said[-3000:]}")

    def kernel(self, folder="course/notebooks"):
        """Start a kernel in a folder of this learner's, and return it."""
        asked = {"name": "python3", "path": f"{folder}/x.ipynb"}
        made = self.ask("POST", "api/kernels", json=asked)
        return Kernel(self, made["id"])

    def memory(self):
        """Return gigabytes that the learner's server has to itself, and those of its kernels."""
        first = int((self.hub.units / f"{self.unit}.pid").read_text())
        rest = set(systemd.processes(f"{self.hub.units}/{self.unit}")) - {first}
        return hubs.own_memory(first), sum(hubs.own_memory(one) for one in rest)


class Kernel:
    """A learner's kernel, spoken to as JupyterLab does, by a websocket through the proxy."""

    def __init__(self, learner, number):
        self.learner, self.number = learner, number
        self.socket = None
        self.connect()

    def connect(self):
        """Connect, again if need be."""
        self.close()
        place = self.learner.url.replace("http", "ws", 1)
        place = f"{place}/api/kernels/{self.number}/channels?session_id=test"
        header = {"Authorization": f"token {self.learner.token}"}
        self.socket = websocket.create_connection(place, header=header, timeout=PATIENCE)

    def connect_to_restarted(self):
        """Connect to a kernel that Jupyter starts again, once it hears and is heard."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self.connect()
            self.socket.settimeout(5)  # what is said while it starts may be lost
            with contextlib.suppress(websocket.WebSocketTimeoutException):
                if self.run("print('here')") == ("ok", "here\n"):
                    self.socket.settimeout(PATIENCE)
                    return
        raise TimeoutError(f"{self.learner.name}: the kernel has not come back")

    def run(self, source):
        """Run one cell; return (what became of it, what it printed or its error).

        What became of it: "ok", "error", or "died", if the kernel did.
        """
        number = uuid.uuid4().hex
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        head = {
            "msg_id": number,
            "msg_type": "execute_request",
            "session": "test",
            "version": "5.3",
        }
        message = {"header": head, "parent_header": {}, "metadata": {}, "channel": "shell"}
        self.socket.send(json.dumps(message | {"content": content, "buffers": []}))
        text, outcome, idle = [], None, False
        until = time.monotonic() + PATIENCE
        while outcome is None or not idle:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.learner.name}: {PATIENCE} s and no answer: {source}")
            received = self.socket.recv()
            if isinstance(received, bytes):  # pictures of widgets
                continue
            got = json.loads(received)
            kind, says = got["msg_type"], got["content"]
            if kind == "status" and says["execution_state"] in DEAD:
                return "died", "".join(text)
            if got["parent_header"].get("msg_id") != number:
                continue
            if kind == "stream":
                text.append(says["text"])
            elif kind == "error":
                text.append(f"{says['ename']}: {says['evalue']}")
            elif kind == "execute_reply":
                outcome = says["status"]
            elif kind == "status":
                idle |= says["execution_state"] == "idle"
        return outcome, "".join(text)

    def run_lesson(self, path):
        """Run a lesson's code cells; return their count; AssertionError at the first error."""
        cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        for place, cell in enumerate(cells, 1):
            outcome, text = self.run(cell.source)
            expected = "raises-exception" in cell.metadata.get("tags", [])
            assert outcome == "ok" or (expected and outcome == "error"), (
                f"{self.learner.name}, {path.name}, code cell {place}: {outcome}: {text}"
            )
        return len(cells)

    def close(self):
        """Close the connection; the kernel goes on."""
        if self.socket:
            self.socket.close()

    def end(self):
        """End the kernel."""
        self.close()
        self.learner.ask("DELETE", f"api/kernels/{self.number}")

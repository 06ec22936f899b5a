"""A real JupyterHub with its proxy, as .ci/hub/jupyterhub_config.py sets it up, on loopback alone.

Three things are not as on a server: ports, folders and passwords are the test's own; systemd is a
stand-in (systemd.py); and learners are no accounts of this machine, but numbers above 47,000 where
we are root and such a number can read the course, else all one account.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
import systemd

ROOT = Path(__file__).resolve().parents[2]
START = 60  # seconds that the hub may take to answer, on a busy machine
FIRST = 47_001  # the first learner's account
CONFIG = """
from types import SimpleNamespace

import systemdspawner.systemd
import systemdspawner.systemdspawner

load_subconfig({real!r})
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{ports[1]}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.Spawner.args += {root!r}
c.Spawner.environment = dict(c.Spawner.environment, **{environment!r})
for service in c.JupyterHub.services:
    service["environment"][{mark!r}] = {units!r} + "/hub"
systemdspawner.systemd.RUN_ROOT = {run!r}


def account(name):
    number = {first} + int(name.removeprefix("learner"))
    uid, gid = (number, number) if {apart} else {own}
    return SimpleNamespace(pw_uid=uid, pw_gid=gid, pw_dir={homes!r} + "/" + name)


systemdspawner.systemdspawner.pwd = SimpleNamespace(getpwnam=account)
"""


def apart(folder):
    """Return whether each learner can be an account of its own here: root can see to that."""
    if os.geteuid():
        return False
    code = f"import sys; sys.path += [{str(ROOT)!r}]; import helpers, tornado"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", code], cwd="/", env={"PATH": os.defpath}, capture_output=True,
            preexec_fn=lambda: systemd.become(FIRST, FIRST, folder),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return tried.returncode == 0


class Hub:
    """A hub that can be started, killed and started again; `url` is its proxy's address."""

    def __init__(self, folder):
        self.folder, self.apart = folder, apart(folder)
        self.units, self.homes = folder / "units", folder / "homes"
        self.downloads, self.password = folder / "downloads", secrets.token_hex(8)
        for place in (self.units, self.homes, self.downloads, folder / "state", folder / "bin"):
            place.mkdir()
        os.chmod(folder / "state", 0o700)
        os.chmod(folder, 0o755)
        (self.downloads / "photos.txt").write_text("for everyone")
        for name in ("systemd-run", "systemctl"):
            script = folder / "bin" / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {systemd.__file__} "$0" "$@"\n')
            script.chmod(0o755)
        self.ports = free_ports(3)
        self.url = f"http://127.0.0.1:{self.ports[0]}"
        self.process = None
        settings = CONFIG.format(
            real=str(ROOT / ".ci/hub/jupyterhub_config.py"),
            ports=self.ports,
            password=self.password,
            run=str(folder / "run"),
            mark=systemd.MARK,
            units=str(self.units),
            first=FIRST,
            apart=self.apart,
            homes=str(self.homes),
            own=(os.getuid(), os.getgid()),
            root=["--allow-root"] if os.geteuid() == 0 and not self.apart else [],
            environment={"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        (folder / "test_config.py").write_text(settings)

    def home(self, name):
        """Return a learner's folder, made with a copy of the course and closed to all others."""
        home = self.homes / name
        for part in ("notebooks", "helpers", "data"):
            shutil.copytree(
                ROOT / part, home / "course" / part,
                ignore=shutil.ignore_patterns("__pycache__", ".*", "networks/.work"),
            )  # fmt: skip
        if self.apart:
            number = FIRST + int(name.removeprefix("learner"))
            for path in (home, *home.rglob("*")):
                os.chown(path, number, number)
        home.chmod(0o700)
        return home

    def start(self):
        """Start the hub and its proxy; return once it answers."""
        environment = os.environ | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "UNITS": str(self.units),
            "STATE_DIRECTORY": str(self.folder / "state"),
            "COURSE_CACHE": str(self.downloads),
            systemd.MARK: f"{self.units}/hub",
        }
        with open(self.folder / "hub.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", f"--config={self.folder / 'test_config.py'}"],
                cwd=self.folder / "state", env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=lambda: signal.alarm(systemd.LIMIT),
            )  # fmt: skip
        until = time.monotonic() + START
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/hub/health", timeout=5).status_code == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the hub does not answer:\n{self.log()[-3000:]}")

    def kill(self):
        """Kill the hub's own process at once, as a crash would; its proxy and servers stay."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def log(self):
        """Return what the hub has written."""
        return (self.folder / "hub.log").read_text(errors="replace")

    def memory(self):
        """Return gigabytes that the hub, its proxy and its culler have to themselves."""
        ids = systemd.processes(f"{self.units}/hub")
        return sum(own_memory(one) for one in ids)

    def end(self):
        """End everything that was started, whether or not it answers."""
        systemd.kill_all(str(self.units))
        if self.process:
            self.process.wait()
        systemd.lift(f"{self.folder.name}-*")


def own_memory(process):
    """Return gigabytes that a process has to itself: not the files that it shares with others."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("RssAnon"))


def free_ports(count):
    """Return ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def running():
    """Yield a started `Hub`, and end it and all that it has started."""
    with tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True) as folder:
        hub = Hub(Path(folder))
        try:
            hub.start()
            yield hub
        finally:
            hub.end()

"""A real JupyterLab and a real Chromium, both started empty and ended without a trace.

Selenium, and not Playwright: it speaks WebDriver to the chromedriver that Debian builds along with
its Chromium, so that both are always of one version, and it is pure Python. Playwright's package
brings a driver of 40 MB that is made for the one Chromium of its own download.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ARTEFACTS = Path(__file__).parent / "artefacts"
# A folder with other versions of the widgets' packages, which go before those installed: Colab's.
WIDGETS = os.environ.get("COURSE_WIDGETS")
START = 120  # seconds that JupyterLab may take until it answers, on a busy machine
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# No Chromium of a test calls home, and pages that are not on this machine cannot be reached.
FLAGS = (
    "--headless=new", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--window-size=1280,800",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


def programs():
    """Return the paths of Chromium and chromedriver, or None where one of them is missing."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextlib.contextmanager
def chromium():
    """Yield a driver of a headless Chromium with an empty profile.

    Raises FileNotFoundError where Chromium or its driver is not installed.
    """
    found = programs()
    if not found:
        raise FileNotFoundError("chromium and chromedriver are not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = found[0]
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        if os.name == "posix" and os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # its sandbox refuses to work for root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(found[1]))
        try:
            driver.set_script_timeout(60)
            driver.set_page_load_timeout(START)
            yield driver
        finally:
            driver.quit()


@contextlib.contextmanager
def jupyterlab():
    """Yield a `Lab` that runs on copies of the notebooks, without settings or kernels of yours."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = Path(folder)
        shutil.copytree(
            ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*")
        )
        token = secrets.token_hex(16)
        with open(folder / "log.txt", "wb") as log:
            process = subprocess.Popen(
                _command(folder, token), cwd=folder, env=_environment(folder), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                yield Lab(_wait_until_it_answers(process, folder), token, folder)
            finally:
                _end(process)


class Lab:
    """A running JupyterLab: its address, its token, the folder with the copied notebooks."""

    def __init__(self, url, token, folder):
        self.url, self.token, self.folder = url, token, folder

    def page(self, name):
        """Return the address at which a notebook opens, in a layout that has forgotten others."""
        return f"{self.url}lab/tree/notebooks/{name}?token={self.token}&reset"

    def write(self, name, sources):
        """Write a notebook of code cells beside the lessons, and return its page's address."""
        cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.folder / "notebooks" / name)
        return self.page(name)

    def call(self, path, method="GET"):
        """Return the answer of the server's own interface, from JSON."""
        request = urllib.request.Request(f"{self.url}api/{path}", method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def end_kernels(self):
        """End all kernels, so that the next lesson has the memory for itself."""
        for session in self.call("sessions"):
            self.call(f"sessions/{session['id']}", "DELETE")


def _command(folder, token):
    """JupyterLab as `make lab` starts it: the same options against calls to the internet."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    quiet = re.findall(
        r"--LabApp\.(?:news_url|check_for_updates_class|extension_manager)=\S+", makefile
    )
    # Parallel workers, gw0 and gw1, begin to look for a port in places of their own: two servers
    # that start at once would find the same one free.
    port = 8888 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *quiet,
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip


def _environment(folder):
    """As a learner's, with progress bars; the course is this checkout, settings are empty."""
    kept = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    widgets = Path(WIDGETS).absolute() if WIDGETS else ""
    paths = filter(None, [str(widgets), str(ROOT), os.environ.get("PYTHONPATH")])
    return kept | {
        "JUPYTER_PATH": str(widgets and widgets / "share" / "jupyter"),
        "PYTHONPATH": os.pathsep.join(paths),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def _wait_until_it_answers(process, folder):
    """Return the address that the server wrote down; it takes the first port that is free."""
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        for path in (folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, OSError):
                url = json.loads(path.read_text(encoding="utf-8"))["url"]
                urllib.request.urlopen(f"{url}login", timeout=5).close()
                return url
        time.sleep(0.1)
    log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"JupyterLab did not start; it said:\n{log[-3000:]}")


def _end(process):
    """End the server and the kernels that it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return

"""A stand-in for systemd-run and systemctl, for a hub's tests where systemd does not run.

It starts a service as the account that it is given, with its environment and folder, and holds its
memory: by a control group where this machine lets us make one, else by watching it and killing the
largest process, as the system would. It writes down what else it was asked for. Started by its two
names; UNITS is the folder of the services' files.
"""

import contextlib
import ctypes
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "COURSE_TEST_UNIT"
LIMIT = 1200  # seconds that a hub or a learner's server lives
# Of control groups, version 1 and 2: their folder, the limit, and the one with swap or of swap.
GROUPS = Path("/sys/fs/cgroup")
VERSIONS = (
    ("memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ("", "memory.max", "memory.swap.max"),
)


def main(name, words):
    units = Path(os.environ["UNITS"])
    if name == "systemd-run":
        return run(units, words)
    if words == ["--version"]:
        print("systemd 252 (a stand-in)")
        return 0
    command, unit = words
    if command == "is-active":
        return 0 if active(units, unit) else 3
    if command == "is-failed":
        return 1
    if command == "stop":
        stop(units, unit)
    return 0


def run(units, words):
    """Start a service: systemd-run's own words, then the command; return before it has ended."""
    asked, properties = {}, {}
    while words[0].startswith("--"):
        word = words.pop(0)
        key, _, value = word.removeprefix("--").partition("=")
        if key == "property":
            key, _, value = value.partition("=")
            properties.setdefault(key, []).append(value)
        else:
            asked[key] = value or words.pop(0)
    unit = asked["unit"]
    (environment_file,) = properties["EnvironmentFile"]
    lines = Path(environment_file).read_text().splitlines()
    environment = {line.partition("=")[0]: shlex.split(line.partition("=")[2])[0] for line in lines}
    home = asked["working-directory"]
    environment |= {"HOME": home, "USER": unit, "LOGNAME": unit, MARK: f"{units}/{unit}"}
    (most,) = properties["MemoryMax"]
    group = make_group(f"{units.parent.name}-{unit}", int(most))
    told = {"asked": asked, "properties": properties, "held": "group" if group else "watched"}
    (units / f"{unit}.json").write_text(json.dumps(told))
    if os.fork():  # systemd-run's own process
        while not (units / f"{unit}.pid").exists():
            time.sleep(0.01)
        return 0
    os.setsid()
    log = os.open(units / f"{unit}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    if not group:
        service = os.fork()
        if service:
            write_pid(units, unit, service)
            return watch(units, unit, service, int(most))
    else:
        (group / "cgroup.procs").write_text(str(os.getpid()))
        write_pid(units, unit, os.getpid())
    os.chdir(home)
    if os.geteuid() == 0:
        become(int(asked["uid"]), int(asked["gid"]), units)
    os.umask(int(properties["UMask"][0], 8))
    signal.alarm(LIMIT)  # whatever becomes of the tests
    os.execve(words[0], words, environment)


def become(uid, gid, folder):
    """Become another account, for which Python and the course can be reached."""
    if uid:
        open_up([Path(sys.base_prefix), ROOT], folder)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def open_up(targets, folder):
    """Let every account reach folders that lie in closed ones, such as a home: in our view alone.

    As systemd's ProtectHome=tmpfs and BindReadOnlyPaths= do. Needs root, and
    a folder to work in.
    """
    closed = {one for path in targets for one in path.parents if not one.stat().st_mode & 1}
    outermost = [one for one in closed if not closed & set(one.parents)]
    if not outermost:
        return
    new_namespace = 0x20000  # CLONE_NEWNS; os.unshare comes with Python 3.12
    if ctypes.CDLL(None, use_errno=True).unshare(new_namespace):
        raise OSError(ctypes.get_errno(), "no view of one's own on the folders of this machine")

    def mount(*words):
        subprocess.run(["mount", *words], check=True)

    mount("--make-rslave", "/")
    for one in outermost:
        stage = Path(tempfile.mkdtemp(dir=folder))
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(stage))
        for path in targets:
            if path.is_relative_to(one):
                (stage / path.relative_to(one)).mkdir(parents=True)
                mount("--bind", str(path), str(stage / path.relative_to(one)))
        mount("--rbind", str(stage), str(one))


def write_pid(units, unit, pid):
    """Write a service's process id, whole or not at all."""
    (units / f".{unit}.pid").write_text(str(pid))
    os.replace(units / f".{unit}.pid", units / f"{unit}.pid")


def make_group(name, most):
    """Return a new control group that holds `most` bytes, no swap; None where we may not."""
    for folder, memory, swap in VERSIONS:
        group = GROUPS / folder / name
        try:
            group.mkdir(exist_ok=True)
            (group / memory).write_text(str(most))
            if (group / swap).exists():
                (group / swap).write_text(str(most if "memsw" in swap else 0))
            return group
        except OSError:  # not root, or another version
            if group.is_dir():
                group.rmdir()
    return None


def watch(units, unit, service, most):
    """Kill the largest process of a service whenever all together have too much memory."""
    import psutil

    while not os.waitpid(service, os.WNOHANG)[0]:
        sizes = {}
        for process in processes(f"{units}/{unit}"):
            with contextlib.suppress(psutil.Error):
                sizes[process] = psutil.Process(process).memory_info().rss
        if sum(sizes.values()) > most:
            kill([max(sizes, key=sizes.get)])
        time.sleep(0.1)
    return 0


def processes(mark):
    """Return the ids of all processes that a service, or all of a folder, have started."""
    wanted = f"{MARK}={mark}"
    return [
        process
        for process, words in environments()
        if any(word == wanted or word.startswith(wanted + "/") for word in words)
    ]


def speaking_of(text):
    """Return the ids of all processes with a text in their environment."""
    return [process for process, words in environments() if any(text in word for word in words)]


def environments():
    """Yield the id of each process, and the words of its environment, where we may read them."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            yield int(folder.name), words


def kill(ids):
    """Kill processes by their ids; those that have just ended are no matter."""
    for one in ids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def kill_all(mark):
    """Kill all processes with a mark, and those that they start meanwhile, until none is left."""
    for _ in range(100):
        ids = processes(mark)
        if not ids:
            break
        kill(ids)
        time.sleep(0.05)


def active(units, unit):
    """Return whether a service's first process runs."""
    try:
        pid = (units / f"{unit}.pid").read_text()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def stop(units, unit):
    """End everything that a service has started."""
    kill_all(f"{units}/{unit}")
    (units / f"{unit}.pid").unlink(missing_ok=True)
    lift(f"{units.parent.name}-{unit}")


def lift(pattern):
    """Take away control groups whose processes are gone, by their name or a pattern."""
    for folder, _, _ in VERSIONS:
        for group in (GROUPS / folder).glob(pattern):
            for _ in range(50):
                try:
                    group.rmdir()
                    break
                except OSError:  # the last process is still going
                    time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).name, sys.argv[2:]))

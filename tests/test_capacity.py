"""How many learners a machine holds, on machines made by hand: large, small, and in containers."""

import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from helpers import check
from helpers.core import capacity

ROOT = Path(__file__).resolve().parent.parent
GB = 1e9


def machine(memory=64.0, cores=32, disk=100.0):
    return capacity.Machine(memory * GB, cores, disk * GB, "/home")


@pytest.fixture
def around(monkeypatch, tmp_path):
    """A computer of 64 GB and 32 cores; returns a function that writes its /proc and /sys."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GB))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=100 * GB))
    monkeypatch.setattr(capacity, "_cores", lambda: 32)
    (tmp_path / "home").mkdir()

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return capacity.machine(tmp_path)

    return write


def test_the_figures_are_those_of_the_tables():
    text = (ROOT / "tests/benchmarks/README.md").read_text(encoding="utf-8")
    lessons = text.partition("<!-- lessons -->")[2].partition("<!-- /lessons -->")[0]
    rows = re.findall(r"\| ([\d.]+) GB +\| ([\d.]+) GB", lessons)
    assert len(rows) >= 8
    assert capacity.KERNEL_GB == max(float(own) for _, own in rows)
    shared = max(float(peak) - float(own) for peak, own in rows)
    assert capacity.SHARED_GB == pytest.approx(shared, abs=0.005)
    assert f"{capacity.PER_CORE:g} learners for each core" in lessons
    page = (ROOT / "notebooks/workshops.md").read_text(encoding="utf-8")
    said = " ".join(page.split())
    assert f"A learner takes {capacity.LEARNER_GB:.2f} GB: {capacity.KERNEL_GB:g} GB for" in said
    assert f"{capacity.SERVER_GB:g} GB for the server" in said
    hub = page.partition("<!-- hub -->")[2].partition("<!-- /hub -->")[0]
    (server,) = re.findall(r"server has at most ([\d.]+) GB to itself", hub)
    (rest,) = re.findall(r"its culler have ([\d.]+) GB", hub)
    assert (float(server), float(rest)) == (capacity.SERVER_GB, capacity.HUB_GB)


def test_a_copy_of_the_course_has_room():
    """A clone has every file twice, once of them packed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing says which files belong to it")
    size = sum((ROOT / n).stat().st_size for n in listed.stdout.split("\0") if (ROOT / n).is_file())
    assert 20e6 < 2 * size < capacity.COPY_GB * GB


def test_thirty_learners_take_twenty_cores():
    needed = capacity.HUB_GB + capacity.SHARED_GB + 30 * capacity.LEARNER_GB
    exact = machine(needed, 20, 30 * capacity.COPY_GB)
    assert capacity.holds(exact) == {"memory": 30, "cores": 30, "disk": 30}
    assert all(enough for _, enough, _, _ in capacity.needs(30, exact))
    assert not any(enough for _, enough, _, _ in capacity.needs(31, exact))


@pytest.mark.parametrize(
    ("small", "wrong", "says"),
    [
        (dict(memory=16), "memory", "30 learners take 34.2 GB"),
        (dict(cores=8), "cores", "take 20 cores"),
        (dict(cores=8), "cores", "it takes 5 times as long as alone"),
        (dict(disk=2), "disk", "free 6.0 GB"),
    ],
)
def test_what_is_short_is_named_with_what_would_do(small, wrong, says):
    rows = {
        subject: (enough, fix) for subject, enough, _, fix in capacity.needs(30, machine(**small))
    }
    assert [subject for subject, (enough, _) in rows.items() if not enough] == [wrong]
    assert says in rows[wrong][1]
    assert f"by its {wrong}." in capacity.summary(machine(**small))


def test_an_empty_machine_holds_nobody_and_a_figure_is_never_negative():
    assert capacity.holds(machine(0.1, 0.5, 0.01)) == {"memory": 0, "cores": 0, "disk": 0}


def test_a_computer_without_groups_has_all_its_memory_and_cores(around, tmp_path):
    expected = capacity.Machine(64 * GB, 32.0, 100 * GB, str(tmp_path / "home"))
    assert around() == expected
    assert around(proc__self__cgroup="0::/\n") == expected


def test_a_group_of_version_2_has_less_and_so_has_what_is_around_it(around):
    found = around(
        proc__self__cgroup="0::/hub/learner\n",
        sys__fs__cgroup__hub__memory_DOT_max="8000000000\n",
        sys__fs__cgroup__hub__memory_DOT_current="3000000000\n",
        sys__fs__cgroup__hub__memory_DOT_stat="anon 5\ninactive_file 1000000000\n",
        sys__fs__cgroup__hub__learner__memory_DOT_max="max\n",
        sys__fs__cgroup__hub__learner__cpu_DOT_max="250000 100000\n",
        sys__fs__cgroup__hub__cpu_DOT_max="max 100000\n",
    )
    assert (found.memory, found.cores) == (6 * GB, 2.5)


def test_a_group_of_version_1_has_less_even_where_its_path_is_that_of_another_computer(around):
    found = around(
        proc__self__cgroup="5:cpu,cpuacct:/docker/0a1b\n4:memory:/docker/0a1b\n0::/\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes="4000000000\n",
        sys__fs__cgroup__memory__memory_DOT_usage_in_bytes="5000000000\n",
        sys__fs__cgroup__memory__memory_DOT_stat="total_inactive_file 1500000000\n",
        sys__fs__cgroup__cpu__cpu_DOT_cfs_quota_us="400000\n",
        sys__fs__cgroup__cpu__cpu_DOT_cfs_period_us="100000\n",
    )
    assert (found.memory, found.cores) == (0.5 * GB, 4.0)


def test_no_limit_is_no_limit(around):
    found = around(
        proc__self__cgroup="5:cpu:/\n4:memory:/\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes="9223372036854771712\n",
        sys__fs__cgroup__memory__memory_DOT_usage_in_bytes="5000000000\n",
        sys__fs__cgroup__cpu__cpu_DOT_cfs_quota_us="-1\n",
        sys__fs__cgroup__cpu__cpu_DOT_cfs_period_us="100000\n",
    )
    assert (found.memory, found.cores) == (64 * GB, 32.0)


@pytest.mark.parametrize("bad", ["0", "-3", "thirty", "2.5", "1001", "", "٣"])
def test_a_bad_number_of_learners_is_an_error_before_anything_is_looked_at(
    bad, capsys, monkeypatch
):
    monkeypatch.setattr(capacity, "machine", lambda: pytest.fail("looked at the machine"))
    with pytest.raises(ValueError, match="whole number from 1 to 1000, not"):
        capacity.learners(bad)
    with pytest.raises(SystemExit) as ended:
        check.main([f"--server={bad}"])
    assert ended.value.code == 2
    assert "argument --server: a number of learners is a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [(["--server"], 1), (["--server", "12"], 0)])
def test_the_command_says_what_this_machine_holds(arguments, code, capsys, monkeypatch):
    monkeypatch.setattr(capacity, "machine", lambda: machine(cores=8))
    assert check.main(arguments) == code
    said = capsys.readouterr().out.splitlines()
    assert [line[:14] for line in said[:3]] == [
        "ok    memory: ", ("FIX   " if code else "ok    ") + "cores: 8", "ok    disk: 10",
    ]  # fmt: skip
    assert said[3].startswith(
        "This machine holds 12 learners at once, by its cores. A learner takes"
    )
    assert said[4] == ("1 to fix, see above." if code else "Everything is ready.")


def test_this_machine_is_read(capsys):
    result = subprocess.run(
        [sys.executable, "-m", "helpers.check", "--server", "1"], cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    here = capacity.machine()
    assert 0 < here.memory < math.inf and 0 < here.cores < 4096 and here.disk > 0

"""Eight learners on one hub: each for oneself, and what breaks, breaks for one alone."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import hub as hubs
import nbformat
import psutil
import pytest
import requests
import systemd
import websocket

LESSONS = ("00_start_here", "05_grad_cam")


def unit(learner):
    return json.loads((learner.hub.units / f"{learner.unit}.json").read_text())


def pid(learner):
    return int((learner.hub.units / f"{learner.unit}.pid").read_text())


def test_each_of_eight_learners_has_a_server_with_the_limits_of_the_settings(hub, learners):
    assert len({one.ask("GET", "api/status")["started"] for one in learners}) == 8
    assert len(list(hub.units.glob("*.pid"))) == 8
    for one in learners:
        asked = unit(one)["properties"]
        assert asked["MemoryMax"] == [str(1700 * 2**20)] and asked["MemoryLow"] == ["1100M"]
        assert asked["CPUQuota"] == ["200%"] and asked["NoNewPrivileges"] == ["yes"]
        assert asked["ReadOnlyDirectories"] == [str(hubs.ROOT), f"-{hub.downloads}"]
    if hub.apart:
        assert len({unit(one)["asked"]["uid"] for one in learners}) == 8


def test_all_listen_on_this_machine_alone(hub, learners):
    ids = systemd.processes(str(hub.units))
    listening = [
        one.laddr.ip for process in ids for one in psutil.Process(process).net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    ]  # fmt: skip
    assert len(listening) >= 3 + 8
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_a_wrong_password_is_refused(learners):
    with pytest.raises(requests.HTTPError, match="403"):
        learners[0].log_in("a guess")


def test_a_token_opens_no_other_server(learners, two):
    one, other = learners[0], learners[1]
    listening = psutil.Process(pid(other)).net_connections("tcp")
    (port,) = {c.laddr.port for c in listening if c.status == psutil.CONN_LISTEN}
    past_the_proxy = f"http://127.0.0.1:{port}/user/{other.name}"
    for place in (other.url, past_the_proxy):
        for method, path in (
            ("GET", "api/contents/course/notebooks"),
            ("GET", "api/kernels"),
            ("POST", "api/kernels"),
            ("DELETE", f"api/kernels/{two[1].number}"),
            ("GET", "files/course/notebooks/00_start_here.ipynb"),
        ):
            answer = one.call(method, path, at=place, allow_redirects=False)
            assert answer.status_code in (302, 403), f"{method} {path}: {answer.status_code}"
            assert "cells" not in answer.text and two[1].number not in answer.text
        address = f"{place.replace('http', 'ws', 1)}/api/kernels/{two[1].number}/channels"
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(address, header={"Authorization": f"token {one.token}"})
    api = f"{one.hub.url}/hub/api"
    assert one.call("DELETE", f"users/{other.name}/server", at=api).status_code in (403, 404)
    assert one.call("GET", "users", at=api).status_code == 403
    assert [k["id"] for k in other.ask("GET", "api/kernels")] == [two[1].number]


def test_a_kernel_cannot_read_what_others_have(apart, learners, two):
    other = learners[1].home
    lesson = other / "course" / "notebooks" / "00_start_here.ipynb"
    for code in (f"import os\nos.listdir({str(other)!r})", f"open({str(lesson)!r}).read()"):
        outcome, text = two[0].run(code)
        assert outcome == "error" and text.startswith("PermissionError"), text
    outcome, text = two[0].run(f"import os, signal\nos.kill({pid(learners[1])}, signal.SIGTERM)")
    assert outcome == "error" and text.startswith("PermissionError"), text


def test_downloads_are_shared_and_only_read(hub, apart, two):
    read = "import os, pathlib\nhere = pathlib.Path(os.environ['COURSE_CACHE'])\n"
    for kernel in two:
        assert kernel.run(read + "print((here / 'photos.txt').read_text())") == (
            "ok", "for everyone\n",
        )  # fmt: skip
        outcome, text = kernel.run("(here / 'photos.txt').write_text('mine')")
        assert outcome == "error" and text.startswith("PermissionError"), text


def test_one_kernel_at_a_time_and_it_says_so(learners, two):
    answer = learners[0].call("POST", "api/kernels", json={"name": "python3"})
    assert answer.status_code == 409
    assert "Shut down the one that runs" in answer.json()["message"]
    two[0].end()
    two[0] = learners[0].kernel()
    assert two[0].run("print(1)") == ("ok", "1\n")


def test_kernels_outlive_a_hub_that_is_killed(hub, learners, two):
    for number, kernel in enumerate(two):
        assert kernel.run(f"kept = {number} + 40")[0] == "ok"
    hub.kill()
    assert two[0].run("kept += 1; print(kept)") == ("ok", "41\n")  # by the proxy alone
    hub.start()
    for number, kernel in enumerate(two):
        kernel.connect()
        assert kernel.run("print(kept)") == ("ok", "41\n"), number
    for one in learners:
        server = one.ask("GET", f"users/{one.name}", at=f"{hub.url}/hub/api")["servers"][""]
        assert server["ready"]
        one.ask("GET", "api/status")


def test_who_asks_for_too_much_memory_loses_their_kernel_alone(learners, two):
    greedy, other = two
    for kernel in two:
        assert kernel.run("import numpy as np; kept = 7")[0] == "ok"
    before, units = pid(learners[0]), learners[0].hub.units
    outcome, _ = greedy.run("taken = [np.ones(2**24) for _ in range(40)]")  # 5 GB
    assert outcome == "died"
    assert pid(learners[0]) == before and systemd.active(units, learners[0].unit)
    assert other.run("print(kept)") == ("ok", "7\n")
    greedy.connect_to_restarted()  # Jupyter starts it again, empty
    outcome, text = greedy.run("kept")
    assert outcome == "error" and text.startswith("NameError")


def test_a_full_disk_is_named_and_costs_nothing_that_was_saved(apart, learners, two):
    one = learners[0]
    place = one.home / "full"
    place.mkdir()
    within = ["nsenter", "-t", str(pid(one)), "-m"]  # in the server's own view of the disks
    owner = f"uid={hubs.FIRST},gid={hubs.FIRST},mode=700,size=1m"
    subprocess.run([*within, "mount", "-t", "tmpfs", "-o", owner, "tmpfs", str(place)], check=True)
    try:
        small = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("saved")])
        large = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("x" * 3_000_000)])
        path = "api/contents/full/mine.ipynb"
        one.ask("PUT", path, json={"type": "notebook", "content": small})
        answer = one.call("PUT", path, json={"type": "notebook", "content": large})
        assert answer.status_code == 500 and "No space left on device" in answer.json()["message"]
        kept = one.ask("GET", path)["content"]["cells"]
        assert [cell["source"] for cell in kept] == ["saved"]
        write = (
            f"import os, sys\nsys.path += ['..']\nfrom helpers.core import paths\n"
            f"with paths.whole({str(place / 'table.txt')!r}) as new:\n"
            "    new.write_text('x' * 3_000_000)"
        )
        outcome, text = two[0].run(write)
        assert outcome == "error" and "No space left on device" in text
        left = two[0].run(f"print(os.listdir({str(place)!r}))")[1]
        assert "table" not in left and "mine.ipynb" in left
    finally:
        subprocess.run([*within, "umount", "--lazy", str(place)], check=True)


def test_the_link_of_the_workshop_brings_a_learner_the_course(hub, learners):
    source = hub.folder / "course.git"
    work = hub.folder / "work"
    work.mkdir()
    (work / "lesson.txt").write_text("the newest lesson")
    who = ["-c", "user.name=teacher", "-c", "user.email=teacher@example.org"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        [*who, "commit", "-q", "-m", "a lesson"],
        ["clone", "-q", "--bare", str(work), str(source)],
    ):
        subprocess.run(["git", *words], cwd=work, check=True)
    # The repository is not the learner's own, which git minds on the same disk.
    (learners[2].home / ".gitconfig").write_text("[safe]\n    directory = *\n")
    query = {"repo": f"file://{source}", "branch": "main", "targetpath": "pulled"}
    with learners[2].call("GET", "git-pull/api", params=query, stream=True) as answer:
        assert "finished" in answer.text, answer.text
    assert (learners[2].home / "pulled" / "lesson.txt").read_text() == "the newest lesson"


def test_idle_servers_may_be_ended_and_used_ones_stay(hub, learners):
    lines = [line for line in hub.log().splitlines() if "idle-culler@" in line]
    assert lines and not [line for line in lines if " 403 " in line]
    assert not [line for line in lines if "DELETE" in line]


def test_lessons_run_for_several_learners_at_once(hub, learners, count):
    def run(one):
        cells = 0
        for name in LESSONS:
            kernel = one.kernel()
            cells += kernel.run_lesson(one.home / "course" / "notebooks" / f"{name}.ipynb")
            kernel.end()
        return cells

    with ThreadPoolExecutor(count) as pool:
        done = list(pool.map(run, learners[:count]))
    assert len(set(done)) == 1 and done[0] > 30

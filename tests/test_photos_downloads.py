"""Downloads: whole and verified through every fault of a network, or one error that helps."""

import dataclasses
import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from helpers.core import cache
from helpers.photos import downloads

CONTENT = np.random.default_rng(0).bytes(3_000_000)  # more than a socket swallows unread
ROOT = Path(downloads.__file__).parent.parent
UNFINISHED = ".pets.tar.gz.unfinished"
pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def source(server):
    return server.source("pets.tar.gz", CONTENT)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def assert_fetched(source, folder, **options):
    path = downloads.fetch(source, folder, **options)
    assert path == folder / source.name and path.read_bytes() == CONTENT
    assert names(folder) == ["pets.tar.gz"]


def error_of(source, folder, **options):
    """Return the words of the one error, and see that nothing took the file's name."""
    with pytest.raises(downloads.DownloadError) as caught:
        downloads.fetch(source, folder, **options)
    assert not (folder / source.name).exists()
    return str(caught.value)


def test_a_file_is_fetched_once_into_a_folder_made_for_it(server, source, tmp_path):
    assert_fetched(source, tmp_path / "deep" / "folder")
    assert_fetched(source, tmp_path / "deep" / "folder")
    assert server.asked == [("/pets.tar.gz", 0)]


def test_md5_will_do_where_a_publisher_gives_no_other(source, tmp_path):
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    assert_fetched(dataclasses.replace(source, digest=md5), tmp_path)
    wrong = dataclasses.replace(source, digest=md5[::-1])
    assert not downloads.is_whole(wrong, tmp_path / "pets.tar.gz")


# Faults that pass


@pytest.mark.parametrize("fault", [500, 503, 429, "half", "unannounced half", "silence", "slow"])
def test_a_passing_fault_is_got_over(server, source, tmp_path, monkeypatch, fault):
    if fault == "silence":
        monkeypatch.setattr(downloads, "TIMEOUT", (10.0, 1.0))
    server.faults = [fault]
    assert_fetched(source, tmp_path)
    first, *then = [start for _, start in server.asked]
    assert first == 0
    if isinstance(fault, int):
        assert then == [0]
    elif fault == "slow":
        assert then == []
    else:  # what was received is not asked for again
        assert len(then) == 1 and 0 <= len(CONTENT) // 2 - then[0] < downloads.CHUNK


@pytest.mark.parametrize("fault", ["wrong", "endless"])
def test_what_is_not_the_file_is_had_anew(server, source, tmp_path, fault):
    server.faults = [fault]
    assert_fetched(source, tmp_path)
    assert [start for _, start in server.asked] == [0, 0]


def test_a_wrong_file_that_also_breaks_off_comes_to_an_end(server, source, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PROGRESS", 1)
    server.files[source.name] = CONTENT[::-1]
    server.faults = ["half", None] * 20
    assert "wrong checksum" in error_of(source, tmp_path)
    assert len(server.asked) == 4


def test_a_redirect_is_followed(server, source, tmp_path):
    server.faults = ["redirect"]
    assert_fetched(source, tmp_path)
    assert [path for path, _ in server.asked] == ["/pets.tar.gz", "/moved/pets.tar.gz"]


def test_a_server_that_cannot_go_on_begins_anew(server, source, tmp_path):
    server.faults, server.ranges = ["half"], False
    assert_fetched(source, tmp_path)


def test_attempts_are_counted_anew_while_the_file_grows(server, source, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PROGRESS", 1)
    server.faults = ["half"] * 12
    assert_fetched(source, tmp_path)
    assert len(server.asked) == 13


def test_another_address_is_tried_where_the_first_will_not_do(server, source, tmp_path):
    server.faults = [404]
    both = dataclasses.replace(source, urls=source.urls * 2)
    assert_fetched(both, tmp_path)
    assert len(server.asked) == 2


# Faults that stay: one error


@pytest.mark.parametrize(
    ("fault", "requests", "says"),
    [
        (404, 1, "answers 404 Not Found"),
        (403, 1, "answers 403 Forbidden"),
        (500, 5, "answers 500 Internal Server Error"),
        ("loop", 31, "Exceeded 30 redirects"),
        ("wrong", 2, "the wrong checksum"),
        ("endless", 2, "more bytes than the file has"),
        ("login", 1, "36 bytes of text/html, .*: perhaps a Wi-Fi login page"),
        ("silence", None, r"no data for 0.4 s \(timed out\)"),
        ("half", None, "IncompleteRead"),
        ("unannounced half", None, r"ended after [\d,]+ of 3,000,000 bytes"),
    ],
)  # fmt: skip
def test_a_lasting_fault_is_one_error_that_says_what_helps(
    server, source, tmp_path, monkeypatch, fault, requests, says
):
    monkeypatch.setattr(downloads, "PROGRESS", len(CONTENT))
    if fault == "silence":
        monkeypatch.setattr(downloads, "TIMEOUT", (10.0, 0.4))
    server.always = fault
    said = error_of(source, tmp_path)
    assert re.search(says, said), said
    assert (
        source.urls[0] in said and "COURSE_MIRROR" in said and str(tmp_path / source.name) in said
    )
    assert requests is None or len(server.asked) == requests
    assert ("MB are kept" in said) == (fault in ("silence", "half", "unannounced half"))
    server.always = None  # the network is mended: the next call succeeds
    monkeypatch.setattr(downloads, "TIMEOUT", (10.0, 10.0))
    assert_fetched(source, tmp_path)


def test_refused_connections_are_one_error(server, source, tmp_path):
    with socket.socket() as taken:  # a port that nobody listens on
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = error_of(source, tmp_path, mirror=closed)
    assert re.search(rf"{closed}/pets\.tar\.gz: \[Errno \d+\] Connection refused", said)
    assert server.asked == [] and names(tmp_path) == []


def test_an_address_that_is_none_is_named(source, tmp_path):
    assert "ftp://here/pets.tar.gz: No connection adapters" in error_of(
        source, tmp_path, mirror="ftp://here"
    )


# Half a file


@pytest.mark.parametrize("share", [0, 0.3, 0.999])
def test_half_a_file_under_the_final_name_is_not_believed(source, tmp_path, share):
    (tmp_path / source.name).write_bytes(CONTENT[: int(share * len(CONTENT))])
    with pytest.warns(UserWarning, match="pets.tar.gz is damaged; downloading it again"):
        assert_fetched(source, tmp_path)


def test_a_flipped_byte_is_noticed(source, tmp_path):
    (tmp_path / source.name).write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.warns(UserWarning, match="is damaged"):
        assert_fetched(source, tmp_path)


@pytest.mark.parametrize("length", [1000, 2_999_999, 3_000_000, 3_000_001])
def test_an_unfinished_file_of_something_else_is_found_out(server, source, tmp_path, length):
    (tmp_path / UNFINISHED).write_bytes(bytes(length))
    assert_fetched(source, tmp_path)


def test_an_unfinished_file_longer_than_the_servers_is_begun_anew(server, source, tmp_path):
    server.files[source.name] = CONTENT[:1000]
    (tmp_path / UNFINISHED).write_bytes(CONTENT[:2000])
    said = error_of(source, tmp_path)
    assert "sends 1000 bytes of application/gzip, not 3,000,000 of pets.tar.gz" in said


def test_a_file_that_lies_elsewhere_is_used_where_it_is_whole(server, source, tmp_path):
    (tmp_path / "theirs").write_bytes(CONTENT)
    (tmp_path / "half").write_bytes(CONTENT[:1000])
    also = [tmp_path / "nowhere", tmp_path / "half", tmp_path / "theirs"]
    assert downloads.fetch(source, tmp_path / "mine", also=also) == tmp_path / "theirs"
    assert server.asked == []
    assert_fetched(source, tmp_path / "mine", also=also[:2])


# Mirrors


def test_a_mirror_is_taken_in_place_of_the_addresses(server, source, tmp_path, monkeypatch):
    far = dataclasses.replace(source, urls=("http://127.0.0.1:1/pets.tar.gz",))
    assert_fetched(far, tmp_path / "a", mirror=f"{server.url}/workshop/")
    monkeypatch.setenv("COURSE_MIRROR", server.url)
    assert_fetched(far, tmp_path / "b")
    assert [path for path, _ in server.asked] == ["/workshop/pets.tar.gz", "/pets.tar.gz"]


def test_a_folder_can_be_the_mirror(server, source, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    assert "stick/pets.tar.gz: No such file or directory" in error_of(
        source, tmp_path / "mine", mirror=stick
    )
    (stick / source.name).write_bytes(CONTENT[:5])
    assert "has 5 bytes instead of 3,000,000" in error_of(source, tmp_path / "mine", mirror=stick)
    (stick / source.name).write_bytes(bytes(len(CONTENT)))
    assert "wrong checksum" in error_of(source, tmp_path / "mine", mirror=stick)
    (stick / source.name).write_bytes(CONTENT)
    (tmp_path / "mine" / UNFINISHED).write_bytes(CONTENT[:1000])
    assert_fetched(source, tmp_path / "mine", mirror=str(stick))
    assert (stick / source.name).read_bytes() == CONTENT and server.asked == []


# The disk


def test_a_full_disk_is_found_out_before(server, source, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage(9e9, 8.9e9, 2_000_000))
    said = error_of(source, tmp_path)
    assert "needs 3 MB and cannot be saved" in said and "2 MB are free" in said
    assert "COURSE_CACHE" in said and server.asked == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_is_one_error_and_gets_its_room_back(source, tmp_path):
    (tmp_path / UNFINISHED).symlink_to("/dev/full")
    said = error_of(source, tmp_path)
    assert "(No space left on device): free some space, or set COURSE_CACHE" in said
    assert names(tmp_path) == []
    assert_fetched(source, tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(source, tmp_path):
    (tmp_path / "taken").write_text("in the way")
    with pytest.raises(OSError, match="taken cannot be written to .*set COURSE_CACHE"):
        downloads.fetch(source, tmp_path / "taken")


# Several programs

PROGRAM = """
import ast, logging, sys
logging.basicConfig(level="INFO", format="%(message)s")
from pathlib import Path
from helpers.photos import downloads
path = downloads.fetch(downloads.Source(*ast.literal_eval(sys.argv[1])), Path(sys.argv[2]))
print(len(path.read_bytes()))
"""
WAITING = "Another program is fetching pets.tar.gz: waiting for it.\n"


def program(source, folder):
    arguments = [sys.executable, "-c", PROGRAM, repr(dataclasses.astuple(source)), str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(arguments, cwd=ROOT, **pipes)


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_killed_program_leaves_no_half_file_and_the_next_goes_on(server, source, tmp_path):
    server.faults = ["silence"]
    half, unfinished = len(CONTENT) // 2, tmp_path / UNFINISHED
    with program(source, tmp_path) as killed:
        until(lambda: unfinished.exists() and unfinished.stat().st_size > half - downloads.CHUNK)
        waiting = program(source, tmp_path)  # a second one waits for the first
        assert waiting.stderr.readline() == WAITING
        assert len(server.asked) == 1 and not (tmp_path / source.name).exists()
        killed.kill()
    with waiting:
        assert waiting.communicate(timeout=60) == ("3000000\n", "")
    (_, first), (_, second) = server.asked
    assert first == 0 and half - downloads.CHUNK < second <= half
    assert_fetched(source, tmp_path)


def test_two_programs_at_once_download_once(server, source, tmp_path):
    server.always = "slow"
    pair = [program(source, tmp_path) for _ in range(2)]
    said = [one.communicate(timeout=60) for one in pair]
    assert sorted(said) == [("3000000\n", ""), ("3000000\n", WAITING)]
    assert len(server.asked) == 1
    assert_fetched(source, tmp_path)


@pytest.mark.parametrize("lacking", ["module", "on this folder"])
def test_without_locks_each_works_by_itself(server, source, tmp_path, monkeypatch, lacking):
    def none(*_):
        raise OSError(95, "Operation not supported")

    if lacking == "module":
        monkeypatch.setattr(cache, "fcntl", None)
    else:
        monkeypatch.setattr(cache.fcntl, "flock", none)
    server.always, found = "slow", []

    def fetch():
        found.append(downloads.fetch(source, tmp_path).read_bytes() == CONTENT)

    pair = [threading.Thread(target=fetch) for _ in range(2)]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert found == [True, True] and len(server.asked) == 2 and names(tmp_path) == ["pets.tar.gz"]


# The bar


BAR = """
from helpers.photos import downloads
with downloads.bar(800_000_000, "images.tar.gz", initial=200_000_000) as shown:
    shown.start_t -= 10
    shown.update(100_000_000)
    print(shown)
"""


def test_the_bar_tells_size_speed_and_time_left():
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    said = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", BAR], cwd=ROOT, env=environment, text=True
    )
    assert "images.tar.gz:  38%" in said and "300M/800M" in said
    assert "00:10<00:50" in said and "MB/s" in said

"""One hub for all tests, with eight learners whose servers run."""

import os
from concurrent.futures import ThreadPoolExecutor

import hub as hubs
import psutil
import pytest
import systemd
from learner import Learner

LEARNERS = 8


@pytest.fixture(scope="session")
def hub():
    """A hub; in the end nothing of it is left."""
    with hubs.running() as hub:
        yield hub
    assert not systemd.processes(str(hub.units))
    assert not systemd.speaking_of(f":{hub.ports[1]}/hub/api")
    taken = {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert not taken & set(hub.ports)


@pytest.fixture(scope="session")
def learners(hub):
    """Eight learners, logged in, each with a server."""
    everyone = [Learner(hub, f"learner{number}").log_in() for number in range(LEARNERS)]
    with ThreadPoolExecutor(LEARNERS) as pool:
        list(pool.map(Learner.start, everyone))
    return everyone


@pytest.fixture
def two(learners):
    """Two learners, each with a kernel, which ends with the test."""
    kernels = [one.kernel() for one in learners[:2]]
    yield kernels
    for kernel in kernels:
        kernel.end()


@pytest.fixture
def apart(hub):
    """Skip where all learners are one account of this machine."""
    if not hub.apart:
        pytest.skip("needs root, to give each learner an account of their own")


@pytest.fixture(scope="session")
def count():
    """How many learners run lessons at once: COURSE_LEARNERS, else two."""
    number = int(os.environ.get("COURSE_LEARNERS", "2"))
    assert 1 <= number <= LEARNERS, f"COURSE_LEARNERS must be from 1 to {LEARNERS}, not {number}"
    return number

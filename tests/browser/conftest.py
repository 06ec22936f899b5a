"""One JupyterLab and one Chromium for all tests of a worker, and a screenshot of what failed."""

import os

import lab
import pytest
from lesson_page import LessonPage
from xdist.scheduler import LoadScopeScheduling


class OnePageOneWorker(LoadScopeScheduling):
    """Parallel workers: all tests of a lesson, or of a file about another page, stay together."""

    def _split_scope(self, nodeid):
        lessons = (path.stem for path in lab.NOTEBOOKS if f"[{path.stem}" in nodeid)
        return next(lessons, nodeid.split("::")[0])


def pytest_xdist_make_scheduler(config, log):
    return OnePageOneWorker(config, log)


@pytest.fixture(scope="session")
def driver():
    """A Chromium; without one the tests are skipped, but not in CI."""
    if not lab.programs():
        say = pytest.fail if os.environ.get("CI", "").lower() in ("true", "1") else pytest.skip
        say("needs Chromium and chromedriver (on Debian: apt install chromium chromium-driver)")
    with lab.chromium() as driver:
        yield driver


@pytest.fixture(scope="session")
def server(driver):
    """A JupyterLab on copies of the notebooks."""
    with lab.jupyterlab() as server:
        yield server


@pytest.fixture(scope="module", params=lab.NOTEBOOKS, ids=lambda path: path.stem)
def lesson(request, driver, server):
    """A lesson, open and run from its first cell to its last, once for all tests of it."""
    page = LessonPage(driver)
    page.name = request.param.stem
    page.resize(1280, 800)
    page.open(server.page(request.param.name))
    page.ran = page.run_all()
    yield page
    driver.get("about:blank")
    server.end_kernels()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep what the browser showed when a test, or the opening of its lesson, failed."""
    report = yield
    driver = item.funcargs.get("driver")
    if report.failed and driver is not None:
        lab.ARTEFACTS.mkdir(exist_ok=True)
        name = item.name.replace("/", "_")
        driver.save_screenshot(str(lab.ARTEFACTS / f"{name}.png"))
        log = "\n".join(f"{line['level']} {line['message']}" for line in driver.get_log("browser"))
        (lab.ARTEFACTS / f"{name}.txt").write_text(log, encoding="utf-8")
    return report

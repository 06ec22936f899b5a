"""The slides of all lessons, opened as files in Chromium, as large as a projector shows them."""

import re
from pathlib import Path

import made
import pytest
from lesson_page import REACT
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PLAYED = ["01_regularization.2", "10_more_regularizers.1"]  # quick ones
WIDE, HIGH, EDGE = 1024, 768, 12  # pixels; nothing comes nearer to the edge
EXPLORERS = {
    "01_regularization": "Penalty explorer",
    "10_more_regularizers": "Regularizer explorer",
}
SECONDS = 60  # of CPU, to make all
PLACE = "return Reveal.getSlides().indexOf(Reveal.getCurrentSlide())"
SHOWN = """
const slide = document.querySelector(arguments[0]).closest('section');
const at = Reveal.getIndices(slide);
Reveal.slide(at.h, at.v);
"""
FETCHED = "return performance.getEntriesByType('resource').map(entry => entry.name)"
# Turn to each slide as the space bar does; return what of it is cut off, and how many there are.
TURN = """
const [wide, high, edge] = arguments, found = [];
let count = 0;
Reveal.slide(0, 0);
for (let at = null; at !== Reveal.getCurrentSlide(); Reveal.next()) {
  at = Reveal.getCurrentSlide();
  count += 1;
  let most = 0;
  for (const node of at.querySelectorAll('*:not(aside, aside *, script, option)')) {
    const box = node.getBoundingClientRect();
    const out = box.left < edge || box.right > wide - edge || box.bottom > high - edge;
    if (box.width && box.height && (out || node.scrollWidth > node.clientWidth + 1
        && node.clientWidth && getComputedStyle(node).display !== 'inline'))
      most = Math.max(most, box.bottom, box.right);
  }
  const small = [...at.querySelectorAll('p, li, td, code, pre')].some(node =>
    !node.closest('aside') && parseFloat(getComputedStyle(node).fontSize) < 15);
  if (most || small)
    found.push([count, Math.round(most), at.textContent.trim().replace(/\\s+/g, ' ').slice(0, 80)]);
}
return [count, found];
"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """Slides with some of their explorers played: (folder, what the command printed)."""
    folder = tmp_path_factory.mktemp("decks") / "slides"
    return folder, made.pages(folder, "slides", "sphinx_revealjs", PLAYED)


@pytest.fixture
def visit(decks, driver):
    """A function that opens a lesson's slides in a window of a projector's size."""

    def opened(name, query=""):
        made.resize(driver, WIDE, HIGH)
        driver.get("about:blank")  # the same file with another #place would not be loaded anew
        driver.get((decks[0] / f"{name}.html").as_uri() + query)
        WebDriverWait(driver, REACT).until(lambda d: d.execute_script("return Reveal.isReady()"))
        return driver

    yield opened
    made.restore(driver)


def press(driver, key):
    """Press a key on the page; return the number of the slide after that."""
    driver.switch_to.active_element.send_keys(key)
    return driver.execute_script(PLACE)


def played(driver, selector=""):
    """Turn to the slide of an explorer; return its element, or one inside it."""
    name = next(name for name in EXPLORERS if name in driver.current_url)
    figure = f'figure[aria-label="{EXPLORERS[name]}"]'
    driver.execute_script(SHOWN, figure)
    return driver.find_element(By.CSS_SELECTOR, f"{figure} {selector}")


def test_the_slides_are_whole_small_and_quickly_made(decks):
    folder, printed = decks
    size, seconds = re.search(r"([\d.]+) MB, made in (\d+) s of CPU", printed).groups()
    assert float(size) < 60 and int(seconds) < SECONDS
    assert sorted(path.stem for path in folder.glob("*.html")) == [*LESSONS, "index"]
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<a href="(\w+)\.html">', index) == LESSONS
    assert max(path.stat().st_size for path in folder.glob("*.html")) < 10_000_000
    assert [path.name for path in folder.parent.iterdir()] == ["slides"]


@pytest.mark.parametrize("name", LESSONS, ids=lambda name: f"deck-{name[:2]}")
def test_every_slide_fits_a_projector_and_asks_nothing_of_a_server(visit, name):
    driver = visit(name)
    count, wrong = driver.execute_script(TURN, WIDE, HIGH, EDGE)
    assert wrong == [], "cut off, or too small"
    assert count == driver.execute_script("return Reveal.getTotalSlides()") > 40
    pictures = "return [...document.images].filter(image => !image.alt.trim()).length"
    assert driver.execute_script(pictures) == 0
    fetched = driver.execute_script(FETCHED)
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_a_slide_that_is_too_full_is_found(visit):
    driver = visit("00_start_here")
    more = "Reveal.getSlides()[3].insertAdjacentHTML('beforeend', arguments[0])"
    driver.execute_script(more, "<p>high</p>" * 20)
    assert [place for place, *_ in driver.execute_script(TURN, WIDE, HIGH, EDGE)[1]] == [4]


def test_keys_turn_the_slides_in_both_directions(visit):
    driver = visit("05_grad_cam")
    assert driver.execute_script(PLACE) == 0
    there = [
        press(driver, k) for k in (Keys.SPACE, Keys.ARROW_RIGHT, Keys.PAGE_DOWN, Keys.ARROW_RIGHT)
    ]
    assert there == [1, 2, 3, 4]
    assert [press(driver, key) for key in (Keys.ARROW_LEFT, Keys.PAGE_UP)] == [3, 2]
    assert press(driver, Keys.END) > 40 and press(driver, Keys.HOME) == 0


def test_an_explorer_answers_and_its_keys_do_not_turn_the_slide(visit):
    driver = visit("01_regularization")
    slider = played(driver, "[type=range]")
    place, picture = driver.execute_script(PLACE), played(driver, "img").get_attribute("src")
    slider.send_keys(Keys.ARROW_RIGHT)
    WebDriverWait(driver, REACT).until(lambda d: played(d, "img").get_attribute("src") != picture)
    slider.send_keys(Keys.SPACE, Keys.PAGE_DOWN, Keys.ARROW_DOWN)
    assert driver.execute_script(PLACE) == place
    driver.execute_script("document.activeElement.blur()")
    assert press(driver, Keys.ARROW_RIGHT) == place + 1


def test_lists_and_check_boxes_answer_too(visit):
    driver = visit("10_more_regularizers")
    box, text = played(driver, "[type=checkbox]"), played(driver, "figcaption").text
    place = driver.execute_script(PLACE)
    box.send_keys(Keys.SPACE)
    WebDriverWait(driver, REACT).until(lambda d: played(d, "figcaption").text != text)
    text = played(driver, "figcaption").text
    Select(played(driver, "select")).select_by_index(0)
    WebDriverWait(driver, REACT).until(lambda d: played(d, "figcaption").text != text)
    played(driver, "select").send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert driver.execute_script(PLACE) == place


def test_the_speaker_sees_what_a_slide_leaves_out(visit):
    driver = visit("01_regularization")
    driver.execute_script(SHOWN, "aside.notes")
    note = driver.execute_script(
        "return Reveal.getCurrentSlide().querySelector('aside.notes').textContent"
    )
    # The speaker's window never ends loading, which a driver would wait for: look from this one.
    keep = "const open = window.open; window.open = (...all) => window.speaker = open(...all)"
    driver.execute_script(keep)
    driver.switch_to.active_element.send_keys("s")
    shown = "return window.speaker?.document.querySelector('.speaker-controls-notes .value')"
    try:
        WebDriverWait(driver, REACT).until(
            lambda d: d.execute_script(f"{shown}?.textContent.trim()")
        )
        said = driver.execute_script(f"{shown}.textContent")
        assert said.split() == note.split()
    finally:
        driver.execute_script("window.speaker?.close()")


def test_slides_are_printed_one_on_a_page(visit):
    driver = visit("00_start_here", "?print-pdf")
    both = "return [document.querySelectorAll('.pdf-page').length, Reveal.getTotalSlides()]"

    def whole(driver):  # slides are moved to pages one by one, and not counted meanwhile
        pages, slides = driver.execute_script(both)
        return pages == slides > 40

    WebDriverWait(driver, REACT).until(whole)

"""The course as a website, opened as files in Chromium: on a desk, on a phone, without scripts."""

import re
from pathlib import Path

import made
import pytest
from lesson_page import REACT
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
PLAYED = ["00_start_here.1", "01_regularization.2", "10_more_regularizers.1"]  # quick ones
DESK, PHONE = 1280, 390
SIZES = [DESK, PHONE]
SECONDS = 120  # to build, on a busy machine: twice the limit of a quiet one
PENALTIES = 'figure[aria-label="Penalty explorer"]'
SLIDER, LIST, BOX = "[type=range]", ".course-played select", "[type=checkbox]"
# What the browser fetched, beside the page itself.
FETCHED = "return performance.getEntriesByType('resource').map(entry => entry.name)"
WIDE = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
END = """
const box = arguments[0].getBoundingClientRect();
return [box.right - 8, box.top + box.height / 2];
"""
# The first words of each cell of code that must be scrolled sideways.
CUT = """
return [...document.querySelectorAll('div.cell_input pre')]
    .filter(code => code.scrollWidth > code.clientWidth).map(code => code.innerText.slice(0, 40));
"""
SHOWN = "return arguments[0].complete && arguments[0].naturalWidth > 0"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book with some of its explorers played: (folder, what the command printed)."""
    folder = tmp_path_factory.mktemp("site") / "book"
    return folder, made.pages(folder, "book", "sphinx", PLAYED)


@pytest.fixture
def visit(book, driver):
    """A function that opens a page of the book in a window as wide as this."""

    def opened(name, wide=DESK, scripts=True):
        made.resize(driver, wide, 900, mobile=wide == PHONE)
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        driver.get((book[0] / f"{name}.html").as_uri())
        return driver

    yield opened
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    made.restore(driver)


def one(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def state(driver, figure=".course-played"):
    """The picture and the text of an explorer, by default of the page's first one."""
    return one(driver, f"{figure} img").get_attribute("src"), one(
        driver, f"{figure} figcaption"
    ).text


def changed(driver, before, figure=".course-played"):
    """Wait until an explorer shows another picture and another text, and return them."""
    WebDriverWait(driver, REACT).until(
        lambda d: all(new != old for new, old in zip(state(d, figure), before, strict=True))
    )
    return state(driver, figure)


def focus(driver, selector):
    element = one(driver, selector)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    driver.execute_script("arguments[0].focus()", element)
    return element


def test_the_book_is_whole_small_and_quickly_built(book):
    folder, printed = book
    size, seconds = re.search(r"index\.html: ([\d.]+) MB, built in (\d+) s", printed).groups()
    assert float(size) < 60 and int(seconds) < SECONDS
    lessons = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    pages = {path.stem for path in folder.glob("*.html")}
    assert lessons | {"index", "glossary", "credits", "search", "reference_cam"} <= pages
    assert lessons == {path.stem for path in folder.glob("*.ipynb")}
    assert [path.name for path in folder.parent.iterdir()] == ["book"]


@pytest.mark.parametrize("name", ["index", "00_start_here", "01_regularization",
                                  "08_relevance", "glossary", "reference_explorers"])  # fmt: skip
@pytest.mark.parametrize("wide", SIZES)
def test_no_page_asks_anything_of_a_server_or_is_wider_than_its_window(visit, wide, name):
    driver = visit(name, wide)
    fetched = driver.execute_script(FETCHED)
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
    content, window = driver.execute_script(WIDE)
    assert content <= window
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


@pytest.mark.parametrize("name", ["04_saliency", "09_style_transfer"])
def test_code_is_seen_from_end_to_end_on_a_desk(visit, name):
    cut = visit(name).execute_script(CUT)
    assert all("import sys" in words for words in cut), cut  # its long line is for Colab


@pytest.mark.parametrize("wide", SIZES)
def test_a_slider_is_moved_by_keys_and_told_to_those_who_do_not_see(visit, wide):
    driver = visit("01_regularization", wide)
    before = state(driver, PENALTIES)
    slider = focus(driver, f"{PENALTIES} {SLIDER}")
    assert slider.get_attribute("aria-label") == slider.accessible_name == "lambda"
    value = slider.get_attribute("aria-valuetext")
    slider.send_keys(Keys.ARROW_RIGHT)
    after = changed(driver, before, PENALTIES)
    assert slider.get_attribute("aria-valuetext") != value
    picture = one(driver, f"{PENALTIES} img")
    assert driver.execute_script(SHOWN, picture)
    assert picture.get_attribute("alt") == f"Penalty explorer: {after[1]}"
    assert one(driver, f"{PENALTIES} figcaption").get_attribute("aria-live") == "polite"
    slider.send_keys(Keys.ARROW_LEFT)
    assert changed(driver, after, PENALTIES) == before


def test_a_slider_is_moved_by_mouse_and_by_touch(visit):
    for wide in SIZES:
        driver = visit("01_regularization", wide)
        slider = focus(driver, f"{PENALTIES} {SLIDER}")
        before = state(driver, PENALTIES)
        if wide == DESK:
            reach = int(slider.rect["width"] // 2 - 8)
            ActionChains(driver).move_to_element_with_offset(slider, reach, 0).click().perform()
        else:
            x, y = driver.execute_script(END, slider)
            for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
                touch = {"type": kind, "touchPoints": points}
                driver.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
        changed(driver, before, PENALTIES)


def test_lists_and_check_boxes_answer(visit):
    driver = visit("10_more_regularizers")
    before = state(driver)
    box = focus(driver, BOX)
    assert box.accessible_name == "dropout" and box.is_selected()
    box.send_keys(Keys.SPACE)
    after = changed(driver, before)
    assert "dropout" in before[1] and "dropout" not in after[1]
    Select(one(driver, LIST)).select_by_index(0)
    assert changed(driver, after)[1].startswith("true labels")


@pytest.mark.parametrize("wide", SIZES)
def test_without_scripts_the_picture_and_its_text_are_there(visit, wide):
    driver = visit("00_start_here", wide, scripts=False)
    picture = one(driver, ".course-played img")
    assert picture.get_attribute("src").startswith("data:image/webp;base64,")
    assert picture.size["width"] > 200 and picture.size["height"] > 100
    assert one(driver, "figcaption").text.startswith("block5_conv3 for cat")
    assert "With JavaScript" in one(driver, ".course-played noscript").text
    assert not driver.find_elements(By.CSS_SELECTOR, ".course-played [type=range]")


def test_hints_unfold(visit):
    driver = visit("01_regularization", PHONE)
    hint = focus(driver, ".course-exercise summary")
    assert not one(driver, ".course-exercise p").is_displayed()
    hint.send_keys(Keys.ENTER)
    assert one(driver, ".course-exercise p").is_displayed()


def test_formulas_have_a_shape_and_the_glossary_is_reached(visit):
    driver = visit("01_regularization")
    sizes = [m.size for m in driver.find_elements(By.TAG_NAME, "math")]
    assert len(sizes) > 20 and all(s["height"] > 5 and s["width"] > 3 for s in sizes)
    link = one(driver, 'main a[href^="glossary.html#"]')
    spot = link.get_attribute("href").partition("#")[2]
    driver.get(link.get_attribute("href"))
    top = driver.execute_script(
        "return document.getElementById(arguments[0]).getBoundingClientRect().top", spot
    )
    assert 0 <= top < 900


def test_search_finds_pages_without_a_server(visit):
    driver = visit("search")
    driver.get(f"{driver.current_url}?q=saliency")
    found = "#search-results li a"
    WebDriverWait(driver, REACT).until(lambda d: d.find_elements(By.CSS_SELECTOR, found))
    pages = {a.get_attribute("href") for a in driver.find_elements(By.CSS_SELECTOR, found)}
    assert any("04_saliency.html" in page for page in pages)


def test_a_dark_page_is_readable(visit):
    driver = visit("00_start_here")
    driver.execute_script("document.documentElement.dataset.theme = 'dark'")
    text = one(driver, "figcaption").value_of_css_property("color")
    red, green, blue = map(int, re.findall(r"\d+", text)[:3])
    assert min(red, green, blue) > 150, f"dark text on a dark page: {text}"
    assert "255, 255, 255" in one(driver, ".course-played img").value_of_css_property(
        "background-color"
    )

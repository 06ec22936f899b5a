"""What stands around a picture: alt texts, names, keys and clicks, a dark page, a lost kernel."""

import lab
import lesson_page
import pytest
from lesson_page import REACT
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CELLS = (
    """
import numpy as np
from helpers import plotting
from helpers.core.progress import progress
from helpers.explorers.explorer import Explorer, dropdown, layer_slider, slider

plotting.show(np.full((90, 90, 3), 200, np.uint8), "a grey square");
""",
    """
import time

for _ in progress(range(4), label="counting"):
    time.sleep(0.3)
""",
    """
def draw(layer, kind, number):
    return np.full((300, 700, 3), 20 * number, np.uint8), f"{layer}, {kind}, {number}"

def clicked(x, y):
    explorer.set(number=round(10 * x))

controls = {
    "layer": layer_slider(["block1_conv1", "block2_conv2_with_a_long_name"]),
    "kind": dropdown("kind", ["cat", "dog"]), "number": slider("number", most=10),
}
explorer = Explorer("Test explorer", draw, controls, clicked)
explorer
""",
    "print('the end')",
)
IMAGES = """
return Array.from(notebook.node.querySelectorAll('.jp-OutputArea-output img'))
    .filter(image => image.offsetWidth > 20).map(image => image.alt);
"""
HANDLES = """
return Array.from(notebook.node.querySelectorAll('.noUi-handle, .ui-slider-handle'), handle =>
    ['role', 'aria-label', 'aria-valuetext'].map(name => handle.getAttribute(name)));
"""
# What cannot be read to its end, and how long it is.
CUT = """
return Array.from(notebook.node.querySelectorAll('.widget-readout, .widget-label'))
    .filter(node => node.offsetWidth && node.scrollWidth > node.clientWidth + 1)
    .map(node => [node.textContent, node.scrollWidth, node.clientWidth]);
"""
FRAMES = """
const images = notebook.node.querySelectorAll('.jp-OutputArea-output img');
return Array.from(images).filter(image => image.offsetWidth > 20).map(image => {
    const style = getComputedStyle(image);
    return [style.backgroundColor, parseFloat(style.borderRadius), parseFloat(style.paddingLeft)];
});
"""
THEME = "await window.jupyterapp.commands.execute('apputils:change-theme', {theme: arguments[0]})"
ALT = "Test explorer: block2_conv2_with_a_long_name, cat, 0"


@pytest.fixture(scope="module")
def page(driver, server):
    page = lesson_page.LessonPage(driver)
    page.resize(1280, 1000)
    page.open(server.write("page.ipynb", CELLS))
    assert not page.run_all()["errors"]
    yield page
    driver.get("about:blank")
    server.end_kernels()


@pytest.fixture
def explorer(page):
    (explorer,) = page.explorers()
    explorer.show()
    explorer.settled()
    return explorer


def wait(page, wanted, code):
    page.until(lambda: page.js(code) == wanted, REACT, lambda: page.js(code))


def test_pictures_and_sliders_have_names_that_follow_what_they_show(page, explorer):
    wait(page, ["a grey square", ALT], IMAGES)
    layer = ["slider", "layer", "block2_conv2_with_a_long_name"]
    wait(page, [layer, ["slider", "number", "0"]], HANDLES)
    explorer.sliders()[0].send_keys(Keys.ARROW_LEFT)
    wait(page, [[*layer[:2], "block1_conv1"], ["slider", "number", "0"]], HANDLES)
    wait(page, ["a grey square", "Test explorer: block1_conv1, cat, 0"], IMAGES)
    explorer.sliders()[0].send_keys(Keys.ARROW_RIGHT)
    wait(page, ["a grey square", ALT], IMAGES)


def test_letters_go_to_the_control_and_delete_no_cell(page, explorer):
    cells = page.js("return notebook.widgets.length")
    (choice,) = explorer.find("select")
    for control in (choice, explorer.sliders()[0]):
        page.driver.execute_script("arguments[0].focus()", control)
        ActionChains(page.driver).send_keys("dd").perform()
    page.until(lambda: "dog" in explorer.says().splitlines()[-1], REACT, explorer.says)
    assert page.js("return notebook.widgets.length") == cells
    page.driver.execute_script("arguments[0].focus()", choice)
    ActionChains(page.driver).send_keys("c").perform()
    wait(page, ["a grey square", ALT], IMAGES)


def test_a_click_on_the_picture_is_told_where_it_was(page, explorer):
    width = explorer.image.size["width"]
    for share in (0.3, 0.0):
        reach = round((share - 0.5) * width) + 2
        ActionChains(page.driver).move_to_element_with_offset(
            explorer.image, reach, 0
        ).click().perform()
        number = f"{round(10 * share)}"
        page.until(lambda n=number: explorer.says().endswith(f", {n}"), REACT, explorer.says)


def test_on_a_dark_page_pictures_are_framed_cards(page, explorer):
    page.js(THEME, "JupyterLab Dark")
    wait(page, "false", "return document.body.dataset.jpThemeLight")
    try:
        wait(page, [["rgb(255, 255, 255)", 8, 8]] * 2, FRAMES)
        (choice,) = explorer.find("select")
        assert "8a8a8a" in choice.value_of_css_property("background-image")
    finally:
        page.js(THEME, "JupyterLab Light")
        wait(page, "true", "return document.body.dataset.jpThemeLight")


@pytest.mark.parametrize("size", [(1280, 1000), (1024, 768)])
def test_nothing_is_cut(page, explorer, size):
    page.resize(*size)
    wait(page, [], CUT)
    page.until(lambda: not page.too_wide(), REACT, page.too_wide)
    shown = explorer.image.size
    assert abs(shown["width"] / shown["height"] - 7 / 3) < 0.03


def test_a_kernel_that_is_gone_and_a_notebook_that_is_opened_again_say_what_to_do(page, server):
    page.js("await window.jupyterapp.commands.execute('docmanager:save')")
    page.js("await session.kernel.restart()")
    lost = page.driver.find_element(By.CSS_SELECTOR, ".course-lost")
    page.until(lost.is_displayed, REACT, lambda: "the kernel is lost, and nothing says so")
    page.driver.get("about:blank")
    server.end_kernels()
    page.open(server.page("page.ipynb"))
    outputs = page.driver.find_elements(By.CSS_SELECTOR, lesson_page.OUTPUT)
    wait(page, ["a grey square", ALT], IMAGES)
    seen = " ".join(output.text for output in outputs)
    assert "Run this cell to move the controls." in seen and "the end" in seen
    assert "widget" not in seen and "counting" not in seen, f"ipywidgets {lab.WIDGETS}"

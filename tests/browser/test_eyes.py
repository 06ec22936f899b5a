"""Would these tests see it? A page that is wrong in several ways, and what is said of it."""

import lab
import lesson_page
import pytest

CELLS = (
    """
import ipywidgets as widgets
import numpy as np
from helpers.explorers.explorer import Explorer, slider

print(f"widgets {widgets.__version__}")

def grey(value):
    return np.full((300, 400, 3), value, np.uint8)

def number(name):
    return slider(name, most=99)
""",
    "Explorer('good', lambda shown: (grey(shown), f'grey {shown}'), {'shown': number('n')})",
    "Explorer('deaf', lambda shown: (grey(7), 'grey'), {'shown': number('n')})",
    """
kind = widgets.Dropdown(options=['black', 'white'], description='kind')
Explorer('list', lambda kind: (grey(255 * (kind == 'white')), kind), {'kind': kind})
""",
    """
slow = Explorer('slow', lambda shown: (grey(shown), f'grey {shown}'), {'shown': number('n')})
wanted, start = number('wanted'), widgets.Button(description='Start')
start.on_click(lambda _: slow.set(shown=wanted.value))
slow.box.children[0].children = [wanted, start]
slow
""",
    "from IPython.display import HTML\nHTML('<div style=\"width: 3000px\">wide</div>')",
    "HTML('<div style=\"height: 3000px\">tall</div>')",
    "1 / 0",
)


@pytest.fixture(scope="module")
def page(driver, server):
    page = lesson_page.LessonPage(driver)
    page.resize(1280, 800)
    page.open(server.write("wrong.ipynb", CELLS))
    page.ran = page.run_all()
    yield page
    driver.get("about:blank")
    server.end_kernels()


def move(explorer):
    """Do the first thing that a hand can do, and wait until it is seen."""
    explorer.show()
    before = explorer.settled()
    how, act = explorer.moves()[0]
    act()
    if button := explorer.button("start"):
        before = explorer.settled()
        button.click()
    return explorer.changed(before, how)


def test_the_widgets_are_of_the_version_that_is_to_be_tested(page):
    assert f"widgets {7 if lab.WIDGETS else 8}." in page.words()


def test_an_error_is_seen(page):
    (error,) = page.ran["errors"]
    assert "1 / 0" in error and error.endswith("ZeroDivisionError: division by zero")


def test_a_slider_that_changes_nothing_is_seen(page, monkeypatch):
    good, deaf, choice, slow = page.explorers()
    for explorer in (good, choice, slow):
        move(explorer)
    monkeypatch.setattr(lesson_page, "REACT", 2)
    with pytest.raises(AssertionError, match="dragging the slider leaves the picture of"):
        move(deaf)


def test_what_is_too_wide_is_seen_from_far_away(page):
    page.js("notebook.widgets.at(-1).node.scrollIntoView()")
    assert page.too_wide() and all("cell 5: " in line for line in page.too_wide())


def test_what_a_script_complains_about_is_seen(page):
    page.complaints()
    page.driver.execute_script("console.error('no view')")
    assert "no view" in "".join(page.complaints())

"""The dream machine while it dreams, in a real page: which buttons can be pressed, what it says."""

import pytest
from lesson_page import REACT, LessonPage
from selenium.webdriver.common.keys import Keys

CELLS = (
    """
import time
import numpy as np
from helpers import drawn, dreaming, explorers, networks

# A frame takes long enough for a hand, whatever the machine.
def frames(network, image, *_settings, **_choices):
    for number in range(10):
        time.sleep(1.5)
        yield np.full(image.shape, 20.0 * (number + 1))

dreaming.ascend_octaves = frames
network = networks.build(2, size=32, widths=(4, 4, 4, 4, 4))
""",
    """
machine = explorers.deep_dream(network, drawn.draw("dog", 2).image, "block2_conv1")
machine.set(octaves=1, steps=40, moment=0)
machine
""",
)


@pytest.fixture(scope="module")
def machine(driver, server):
    page = LessonPage(driver)
    page.resize(1280, 800)
    page.open(server.write("machine.ipynb", CELLS))
    ran = page.run_all()
    assert not ran["errors"], ran["errors"]
    (explorer,) = page.explorers()
    explorer.show()
    explorer.settled()
    yield explorer
    driver.get("about:blank")
    server.end_kernels()


def pressable(machine):
    """Which of the three buttons can be pressed."""
    names = {"dream", "stop", "save film"}
    buttons = [b for b in machine.find("button.widget-button") if b.text in names]
    assert {button.text for button in buttons} == names
    return {button.text for button in buttons if button.is_enabled()}


def until(machine, condition, what):
    machine.page.until(condition, REACT, lambda: f"{what}: {pressable(machine)}, {machine.says()}")


def press(machine, name):
    (button,) = [b for b in machine.find("button.widget-button") if b.text == name]
    machine.show(button)
    button.click()


def test_a_dream_is_seen_and_the_buttons_say_what_can_be_done(machine):
    photo = machine.picture()
    assert pressable(machine) == {"dream"}
    press(machine, "dream")
    until(machine, lambda: pressable(machine) == {"stop"}, "it dreams")
    until(
        machine, lambda: machine.picture() not in (photo, None), "a frame is shown, not the photo"
    )

    layer = machine.sliders()[0]
    layer.send_keys(Keys.ARROW_RIGHT)
    until(machine, lambda: "Still dreaming: block2_conv1" in machine.says(), "what goes on is said")
    assert pressable(machine) == {"dream", "stop"}

    press(machine, "stop")
    until(machine, lambda: pressable(machine) == {"dream"}, "it has stopped")
    assert "Still dreaming" not in machine.says()

    layer.send_keys(Keys.ARROW_LEFT)
    until(machine, lambda: "stopped, " in machine.says(), "the stopped dream is shown again")
    assert pressable(machine) == {"dream", "save film"}
    press(machine, "save film")
    until(machine, lambda: "(stopped: 11 were wanted)" in machine.says(), "a part is called a part")


def test_a_finished_dream_can_be_saved_and_not_be_dreamt_twice(machine):
    press(machine, "dream")
    until(machine, lambda: "dreamt, 10 of 10 frames" in machine.says(), "it ends")
    assert pressable(machine) == {"save film"}
    press(machine, "save film")
    until(machine, lambda: "dream_2.gif" in machine.says(), "the film before is kept")

"""What a learner does with an open lesson: run all cells, look at explorers, move controls."""

import re

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

OPEN, RUN, REACT = 120, 600, 60  # seconds that a step may take on a busy machine
STILL = 5  # looks in a row, a tenth of a second apart, that find an element in one place
OUTPUT = ".jp-OutputArea-output"
CONTROLS = ".jupyter-widgets.widget-inline-hbox, button.jupyter-button"
START_WORDS, STOP_WORD = ("start", "dream", "paint", "run", "go"), "stop"
# The widgets of ipywidgets 7 ask for a formula setter that JupyterLab 4 no longer has.
HARMLESS = r"reading 'Queue'"
# The open notebook, as JavaScript sees it.
NOTEBOOK = """
const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
const notebook = panel && panel.context && panel.context.path.endsWith('.ipynb') && panel.content;
const session = notebook && panel.sessionContext.session;
const status = session && session.kernel && session.kernel.status;
const code = notebook ? notebook.widgets.filter(
    c => c.model.type === 'code' && c.model.sharedModel.getSource().trim()) : [];
"""
STATE = r"""
const plain = lines => lines.join('\n').replace(/\x1b\[[0-9;]*m/g, '').slice(-1500);
const errors = code.flatMap(c => c.model.outputs.toJSON()).filter(o => o.output_type === 'error');
return {
    status: status,
    cells: code.length,
    counted: code.filter(c => c.model.executionCount).length,
    errors: errors.map(o => plain(o.traceback)),
};
"""
CLEAR_AND_RUN = """
const commands = window.jupyterapp.commands;
await commands.execute('editmenu:clear-all');
commands.execute('runmenu:run-all');
"""
WORDS = """
const outputs = notebook.node.querySelectorAll('.jp-OutputArea-output');
return Array.from(outputs, output => output.textContent).join('\\n');
"""
# The models of the explorers, the only widgets that lessons show.
MODELS = """
const kind = 'application/vnd.jupyter.widget-view+json';
return code.flatMap(c => c.model.outputs.toJSON()).map(o => o.data || {})
    .filter(data => data[kind]).map(data => data[kind].model_id);
"""
# A picture's bytes as a number in hexadecimal, or nothing while another one is on its way.
PICTURE = """
const [image] = arguments;
if (!image.complete || !image.naturalWidth) return null;
try {
    const bytes = await (await fetch(image.src)).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(digest, b => b.toString(16).padStart(2, '0')).join('');
} catch (gone) { return null; }
"""
# Is this the handle of a slider with one value only, or of one that is disabled?
NOWHERE = """
if (arguments[0].closest('[disabled], .ui-state-disabled')) return true;
const [least, most] = ['min', 'max'].map(end => arguments[0].getAttribute(`aria-value${end}`));
return least !== null && least === most;
"""
# Where does an element lie once it is in the middle of the screen, and what would a click meet?
PLACE = """
arguments[0].scrollIntoView({block: 'center', behavior: 'instant'});
const {left, top, width, height} = arguments[0].getBoundingClientRect();
const met = document.elementFromPoint(left + width / 2, top + height / 2);
return [left, top, width, height, arguments[0].contains(met)];
"""
SLIDER_NAME = "return arguments[0].closest('.widget-inline-hbox').querySelector('label').innerText"
# What stands out of the lesson's column, so that one would have to scroll sideways to see it.
TOO_WIDE = """
const found = [], page = document.scrollingElement;
if (page.scrollWidth > window.innerWidth) found.push(`the page, ${page.scrollWidth} px`);
const edge = notebook.viewportNode || notebook.node;
const right = Math.min(window.innerWidth, edge.getBoundingClientRect().right) + 1;
const say = (cell, what, width) => found.push(`cell ${cell}: ${what}, ${Math.round(width)} px`);
notebook.widgets.forEach((cell, number) => {
    for (const output of cell.node.querySelectorAll('.jp-OutputArea-output')) {
        for (const node of [output, ...output.querySelectorAll('*')]) {
            const box = node.getBoundingClientRect(), style = getComputedStyle(node);
            if (!box.width || !box.height) continue;
            const scrolls = ['auto', 'scroll'].includes(style.overflowX);
            if (scrolls && node.scrollWidth > node.clientWidth + 1)
                say(number, `${node.className} scrolls`, node.scrollWidth);
            if (box.right > right || box.left < 0)
                say(number, `${node.tagName} ${node.className}`, box.right);
        }
    }
});
return found;
"""


# The field behind an upload button, which only exists for a moment; no window for files opens.
CATCH_UPLOAD = """
const usual = HTMLInputElement.prototype.click;
HTMLInputElement.prototype.click = function () {
    HTMLInputElement.prototype.click = usual;
    this.style.display = '';
    document.body.append(window.courseField = this);
};
"""


class LessonPage:
    """A lesson that is open in JupyterLab."""

    def __init__(self, driver):
        self.driver = driver

    def js(self, code, *arguments):
        """Return what JavaScript returns, which may await; it knows `notebook` and `status`."""
        return self.driver.execute_script(
            f"return (async function() {{ {NOTEBOOK} {code} }}).apply(null, arguments)", *arguments
        )

    def until(self, condition, seconds, what):
        """Return the first true value of a function; after too long, say what did not happen."""
        try:
            return WebDriverWait(self.driver, seconds, 0.1).until(lambda _: condition())
        except TimeoutException as late:
            raise AssertionError(f"not within {seconds} s: {what()}") from late

    def open(self, address):
        """Open a lesson and wait for its kernel."""
        self.complaints()  # those of pages before
        self.driver.get(address)
        self.until(lambda: self.state()["status"] == "idle", OPEN, self.state)
        return self

    def state(self):
        """Return the kernel's status, how many cells have code, a count, and what errors say."""
        return self.js(STATE)

    def run_all(self):
        """Clear all outputs, run all cells as the menu does, wait for the end or an error."""
        self.js(CLEAR_AND_RUN)

        def ended():
            now = self.state()
            return now["errors"] or (now["counted"] == now["cells"] and now["status"] == "idle")

        self.until(ended, RUN, self.state)
        return self.state()

    def resize(self, width, height):
        """Give the window a size and wait until the page has it."""
        self.driver.set_window_size(width, height)
        self.until(
            lambda: self.driver.execute_script("return window.innerWidth") == width,
            REACT, lambda: f"a window of {width} px",
        )  # fmt: skip

    def too_wide(self):
        """Return what a learner would have to scroll sideways for."""
        return self.js(TOO_WIDE)

    def complaints(self):
        """Return what scripts of the page complained about since the last call; no files missed."""
        severe = [line for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]
        said = [line["message"] for line in severe if line["source"] != "network"]
        return [words for words in said if not re.search(HARMLESS, words)]

    def words(self):
        """Return all text of the outputs."""
        return self.js(WORDS)

    def models(self):
        """Return the names of the explorers' models, in the order of the explorers."""
        return self.js(MODELS)

    def explorers(self):
        """Return the explorers of the lesson once all show, a little after the kernel is idle."""
        wanted = len(self.models())
        self.until(
            lambda: len(self._shown()) >= wanted,
            REACT, lambda: f"{len(self._shown())} of {wanted} explorers show",
        )  # fmt: skip
        return [Explorer(self, *shown) for shown in self._shown()]

    def _shown(self):
        """Outputs that hold controls and a picture, and the picture."""
        found = []
        for output in self.driver.find_elements(By.CSS_SELECTOR, OUTPUT):
            pictures = output.find_elements(By.CSS_SELECTOR, "img.widget-image")
            if pictures and output.find_elements(By.CSS_SELECTOR, CONTROLS):
                found.append((output, pictures[0]))
        return found


class Explorer:
    """An explorer as it stands in the page: its picture, what it says, its controls."""

    def __init__(self, page, output, image):
        self.page, self.output, self.image = page, output, image

    def find(self, selector):
        """Return the elements of this explorer, those that can be seen."""
        found = self.output.find_elements(By.CSS_SELECTOR, selector)
        return [element for element in found if element.is_displayed()]

    def show(self, element=None):
        """Scroll the explorer, or an element of it, into view, and wait until it lies still.

        JupyterLab lays out what comes into view only then, and that moves what lies below.
        """
        element, places = element or self.output, []

        def still():
            places.append(self.page.driver.execute_script(PLACE, element))
            quiet = places[-STILL:] == [places[-1]] * STILL
            return quiet and places[-1][-1]  # nothing else lies above it

        self.page.until(still, REACT, lambda: f"lies still on the screen: {places[-STILL:]}")

    def picture(self):
        """Return a digest of the picture's bytes, or None while it loads."""
        return self.page.js(PICTURE, self.image)

    def says(self):
        """Return all that the explorer says: labels, numbers beside sliders."""
        return self.output.text

    def settled(self):
        """Return picture and words once nothing more happens."""
        seen = [None]

        def still():
            now = (self.picture(), self.says())
            quiet = now[0] and now == seen[0] and self.page.state()["status"] == "idle"
            seen[0] = now
            return quiet and now

        return self.page.until(still, REACT, lambda: f"the explorer is still: {self.says()}")

    def changed(self, before, how):
        """Wait until picture and words are others than before, and still; return these.

        What runs and can be stopped is stopped as soon as there is something to see.
        """

        def other():
            return self.picture() not in (before[0], None) and self.says() != before[1]

        def what():
            kept = "the picture" if self.picture() == before[0] else "the words"
            return f"{how} leaves {kept} of the explorer that says: {self.says()}"

        self.page.until(other, REACT, what)
        if stop := self.button(STOP_WORD):
            stop.click()
        return self.settled()

    def sliders(self):
        """Return the handles of the sliders, but for those with nowhere to go."""
        handles = self.find(".noUi-handle, .ui-slider-handle")
        return [h for h in handles if not self.page.driver.execute_script(NOWHERE, h)]

    def drag(self, handle):
        """Drag a slider's handle by more than half of its way, to where there is more room."""
        self.show(handle)
        room = self.room(handle)
        way = 0.6 * room["width"] * (1 if room["share"] < 0.5 else -1)
        mouse = ActionChains(self.page.driver, duration=50).click_and_hold(handle)
        for _ in range(4):
            mouse.move_by_offset(round(way / 4), 0)
        mouse.release().perform()

    def press_arrow(self, handle):
        """Move a slider by one with the keyboard, to where there is more room."""
        handle.send_keys(Keys.ARROW_RIGHT if self.room(handle)["share"] < 0.5 else Keys.ARROW_LEFT)

    def to_the_end(self, name):
        """Move the slider with this name to its end."""
        for handle in self.sliders():
            if self.page.driver.execute_script(SLIDER_NAME, handle) == name:
                handle.send_keys(Keys.END)

    def room(self, handle):
        """Return a slider's width and the share of it that lies left of the handle."""
        return self.page.driver.execute_script(
            """
            const handle = arguments[0].getBoundingClientRect();
            const base = arguments[0].closest('.noUi-base, .ui-slider').getBoundingClientRect();
            const middle = (handle.left + handle.right) / 2;
            return {width: base.width, share: (middle - base.left) / base.width};
            """,
            handle,
        )

    def upload(self, path):
        """Give a file to the upload button; return whether there is one."""
        buttons = self.find("button.widget-upload")
        if buttons:
            self.page.driver.execute_script(CATCH_UPLOAD)
            buttons[0].click()
            field = self.page.driver.execute_script("return window.courseField")
            field.send_keys(str(path))
            self.page.driver.execute_script("arguments[0].remove()", field)
        return bool(buttons)

    def moves(self):
        """Return (how, function) of what a hand can do here: a slider if there is one, or a choice.

        Each function changes one control. Beside a slider, another network is chosen where one can.
        """
        sliders, moves = self.sliders(), []
        if sliders:
            moves.append(("dragging the slider", lambda: self.drag(sliders[0])))
            moves.append(("an arrow key", lambda: self.press_arrow(sliders[0])))
            for choice in self.find(".widget-dropdown select"):
                if self.page.driver.execute_script(SLIDER_NAME, choice) == "network":
                    moves.append(("another network", lambda choice=choice: choose_next(choice)))
            return moves
        for box in self.find(".widget-checkbox input"):
            moves.append(("a click on the check box", box.click))
        for choice in self.find(".widget-dropdown select"):
            moves.append(("another choice in the list", lambda choice=choice: choose_next(choice)))
        for button in self.find(".widget-toggle-buttons button:not(.mod-active)")[:1]:
            moves.append(("a click on another button", button.click))
        return moves

    def button(self, *words):
        """Return the button that begins with one of these words and can be pressed, if any."""
        for button in self.find("button.widget-button"):
            first = (button.text.split() or [""])[0].lower()
            if first in words and button.is_enabled():
                return button
        return None


def choose_next(element):
    """Choose the entry of a drop-down list after the one that is chosen."""
    choice = Select(element)
    chosen = choice.options.index(choice.first_selected_option)
    choice.select_by_index((chosen + 1) % len(choice.options))

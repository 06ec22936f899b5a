"""How long a slider's move takes: in the kernel, and in a browser until the new picture is seen."""

import contextlib
import functools
import json
import sys
from pathlib import Path

import harness
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "browser"))

import lab  # noqa: E402
from lesson_page import SLIDER_NAME, START_WORDS, LessonPage  # noqa: E402

MOVES = 30  # of each slider
SAME = 3  # seconds after which a picture is taken to be the same as before
KERNEL, BROWSER = 100, 150  # milliseconds that 95 of 100 moves may take at most
HEAD = ["slowest slider", "lesson", "slowest at first", "in the kernel", "until it is seen"]
# From the key's event to the first frame that has the new picture.
WATCH = """
const [handle, image] = arguments;
const seen = window.courseSeen = [];
let pressed = null;
const after = () => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => seen.push(performance.now() - pressed);
    channel.port2.postMessage(null);
};
if (window.courseStop) window.courseStop();
const press = event => { pressed = event.timeStamp; };
handle.addEventListener('keydown', press, true);
const observer = new MutationObserver(
    () => image.decode().then(() => requestAnimationFrame(after), () => {}));
observer.observe(image, {attributes: true, attributeFilter: ['src']});
window.courseStop = () => {
    observer.disconnect();
    handle.removeEventListener('keydown', press, true);
};
"""
# For the lesson's kernel: move every slider of every explorer; none remembers pictures meanwhile.
IN_KERNEL = f"""
def _measure():
    import gc, json, time
    from helpers.explorers import explorer as shared
    shared.KEPT = 1
    found = {{}}
    for explorer in gc.get_objects():
        if not isinstance(explorer, shared.Explorer):
            continue
        sliders = found[explorer.box.model_id] = {{"": explorer.title}}
        for control in explorer.controls.values():
            if not type(control).__name__.endswith("Slider") or isinstance(control.value, tuple):
                continue
            if hasattr(control, "options"):
                name, values = "index", range(len(control.options))
            else:
                name, steps = "value", round((control.max - control.min) / control.step)
                values = [control.min + step * control.step for step in range(steps + 1)]
            way, times = [*values, *reversed(values)], []
            for number in range(2 * {MOVES} * (len(values) > 1)):
                value = way[(number + 1) % len(way)]
                begun, before = time.perf_counter(), getattr(control, name)
                setattr(control, name, value)
                if value != before:
                    times.append((time.perf_counter() - begun) * 1000)
            half = len(times) // 2
            sliders[control.description] = times[:half], times[half:]
    print(json.dumps(found))
_measure()
"""
EXECUTE = """
const said = [];
const future = session.kernel.requestExecute({code: arguments[0], store_history: false});
future.onIOPub = message => {
    if (message.header.msg_type === 'stream') said.push(message.content.text);
    if (message.header.msg_type === 'error') said.push(message.content.evalue);
};
await future.done;
return said.join('');
"""


def report():
    """Measure every lesson's sliders and return (lines of text, whether all were quick enough)."""
    if not lab.programs():
        return ["Sliders were not tried: no Chromium here.", ""], True
    rows, met = [HEAD], True
    with lab.jupyterlab() as server, lab.chromium() as driver:
        for path in lab.NOTEBOOKS:
            page = LessonPage(driver)
            page.resize(1280, 800)
            page.open(server.page(path.name)).run_all()
            for title, name, first, kernel, browser in measure(page):
                times = [f"{time:.0f} ms" for time in (first, kernel, browser)]
                rows.append([f"{title}: {name}", path.stem[:2], *times])
                met &= kernel <= KERNEL and browser <= BROWSER
            driver.get("about:blank")
            server.end_kernels()
    what = (
        f"A slider moved by one, 95 of 100 moves take at most (wanted: {KERNEL} ms in the kernel, "
        f"{BROWSER} ms from the key to the new picture in Chromium):"
    )
    return [what, "", harness.table(rows), ""], met


def measure(page):
    """Return what is known of each explorer's slowest slider.

    Its explorer's title, its name; in milliseconds: the slowest of the first moves, when TensorFlow
    may have to compile; 95 of 100 later moves in the kernel; 95 of 100 in the browser, until seen.
    """
    kernel = json.loads(page.js(EXECUTE, IN_KERNEL))
    found = []
    for explorer, model in zip(page.explorers(), page.models(), strict=True):
        explorer.show()
        times = kernel[model]
        title = times.pop("")
        handles = [] if explorer.button(*START_WORDS) else explorer.sliders()
        sliders = []
        for handle in handles:
            name = page.driver.execute_script(SLIDER_NAME, handle)
            first, later = times.get(name, ((), ()))
            if later:
                shown = percentile(seen(page, explorer, handle))
                sliders.append((title, name, max(first), percentile(later), shown))
        if sliders:
            found.append(max(sliders, key=lambda row: row[-1]))
    return found


def seen(page, explorer, handle):
    """Return the milliseconds until each of some moves by arrow key was seen.

    A move to a picture of the same bytes shows nothing new; at most half may be such.
    """
    explorer.settled()
    page.driver.execute_script(WATCH, handle, explorer.image)
    times = []
    for _ in range(MOVES):
        explorer.press_arrow(handle)
        with contextlib.suppress(AssertionError):
            times = page.until(functools.partial(longer, page, times), SAME, explorer.says)
    assert len(times) >= MOVES / 2, f"only {len(times)} new pictures from {explorer.says()}"
    return times


def longer(page, times):
    """Return the times that the page has noted if there are more than these."""
    now = page.driver.execute_script("return window.courseSeen")
    return now if len(now) > len(times) else None


def percentile(times):
    """Return what 95 of 100 times stay below."""
    return float(np.percentile(times, 95))

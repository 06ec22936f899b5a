"""Record an explorer for the README, `explorer.gif`: python data/film.py, or `make gif`.

A real JupyterLab shows the Grad-CAM explorer in headless Chromium. Keys and lists move its
controls; each new picture becomes a frame, and a mouse pointer is drawn on the control in use. A
drawn scene comes first, then four photographs in one and the network that knows photographs. In
these two pictures the maps of the last layer are clear; lesson 05 counts how often they are.
"""

import io
import sys
from pathlib import Path

import numpy as np
from nbformat import v4, write
from PIL import Image, ImageDraw
from scipy.spatial import KDTree
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

import lab  # noqa: E402
from lesson_page import SLIDER_NAME, LessonPage  # noqa: E402

CODE = """
import numpy as np
from helpers import drawn, explorers, load_world, photos, plotting, runtime
runtime.setup(seed=0)
world = load_world("drawn")
shots = photos.samples(224)
pairs = ("chelsea", "coffee"), ("temple", "flower")
four = np.vstack([np.hstack([shots[name] for name in pair]) for pair in pairs])
scene = plotting.resize(drawn.scene(37, "cat", "dog").image[None], *four.shape[:2])[0]
both = {"pets": world.network, "imagenet": world.load_network("imagenet")}
explorers.grad_cam(world, [np.uint8(np.round(scene)), four], both)
"""
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
SCALE = 1.25  # pixels of the film per pixel of the page, for readable text
WINDOW = {"width": 1280, "height": 800, "deviceScaleFactor": SCALE, "mobile": False}
STYLE = "box-sizing: border-box; flex: none; width: 640px; padding: 6.4px; background: white"
POINTER = np.array([(0, 0), (0, 20), (5, 16), (8, 23), (12, 22), (9, 15), (15, 14)])
STEP, SHORT, LONG = 40, 110, 1000  # durations of frames in milliseconds
MOVES = [
    ("class", "dog", LONG), ("layer", Keys.HOME, LONG),
    *[("layer", Keys.ARROW_RIGHT, SHORT)] * 11, ("layer", Keys.ARROW_RIGHT, LONG),
    ("image", Keys.ARROW_RIGHT, SHORT), ("network", "imagenet", LONG),
    ("class", "Egyptian cat", LONG), ("class", "daisy", LONG),
    ("network", "pets", SHORT), ("image", Keys.HOME, SHORT),  # back, for a smooth loop
]  # fmt: skip


class Film:
    """The frames of an explorer, and their durations in milliseconds."""

    def __init__(self, explorer):
        script = explorer.page.driver.execute_script
        script("arguments[0].style = arguments[1]", explorer.output, STYLE)
        explorer.show()
        self.controls = {script(SLIDER_NAME, c): c for c in explorer.find(".noUi-handle, select")}
        self.explorer, self.frames, self.times = explorer, [], []
        self.now, self.pointer = explorer.settled(), self.place("image")
        self.shoot(LONG)

    def move(self, name, to, time):
        """Bring the pointer to a control, choose a class or press a key, and take the result."""
        way = np.linspace(self.pointer, self.place(name), 6)
        for self.pointer in way[1:] if np.ptp(way, axis=0).any() else ():
            self.shoot(STEP)
        control = self.controls[name]
        if control.tag_name == "select":
            Select(control).select_by_visible_text(to)
        else:
            control.send_keys(to)
        self.now = self.explorer.changed(self.now, f"moving {name}")
        self.pointer = self.place(name)
        self.shoot(time)

    def place(self, name):
        """Return the center (x, y) of a control, in pixels of the film."""
        box, frame = self.controls[name].rect, self.explorer.output.rect
        ways = (("x", "width"), ("y", "height"))
        return SCALE * np.array([box[way] + box[size] / 2 - frame[way] for way, size in ways])

    def shoot(self, time):
        """Take a frame, with the pointer."""
        frame = Image.open(io.BytesIO(self.explorer.output.screenshot_as_png)).convert("RGB")
        shape = (self.pointer.round() + POINTER).ravel().tolist()
        ImageDraw.Draw(frame).polygon(shape, "black", "white")
        self.frames.append(np.asarray(frame))
        self.times.append(time)


def main():
    """Record the explorer and write the GIF."""
    if not lab.programs():
        sys.exit("make gif needs a browser: install chromium and chromedriver, then try again")
    with lab.jupyterlab() as server, lab.chromium() as driver:
        notebook = v4.new_notebook(cells=[v4.new_code_cell(CODE)], metadata=KERNEL)
        write(notebook, server.folder / "notebooks" / "film.ipynb")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", WINDOW)
        page = LessonPage(driver).open(server.page("film.ipynb"))
        if errors := page.run_all()["errors"]:
            sys.exit(errors[0])
        film = Film(page.explorers()[0])
        for move in MOVES:
            film.move(*move)
    tall = max(map(len, film.frames))  # the label may take a line more
    sizes = (((0, tall - len(frame)), (0, 0), (0, 0)) for frame in film.frames)
    frames = [
        np.pad(f, size, constant_values=255) for f, size in zip(film.frames, sizes, strict=True)
    ]
    first, *others = map(coded, frames, [255 - frames[0], *frames])
    partial = Path(__file__).with_name(".explorer.gif")
    first.save(partial, "GIF", save_all=True, append_images=others, duration=film.times, loop=0)
    path = partial.replace(partial.with_name("explorer.gif"))
    print(f"{len(frames)} frames, {sum(film.times) / 1000} s, {path.stat().st_size:,} bytes")


def coded(frame, before):
    """Return what differs from the frame before, in 255 colors of its own; the rest transparent."""
    changed = (frame != before).any(axis=2)
    exact = [c for _, c in sorted(Image.fromarray(frame).getcolors(frame.size))[-8:]]  # as white
    colors, counts = np.unique(frame[changed] // 4 * 4 + 2, axis=0, return_counts=True)
    weighted = np.repeat(colors, np.sqrt(counts).astype(int), axis=0)  # favors the heat
    found = Image.fromarray(weighted[None]).quantize(255 - len(exact), kmeans=2).getpalette()
    palette = np.vstack([exact, np.reshape(found, (-1, 3))]).astype(np.uint8)
    codes = np.full(changed.shape, 255, np.uint8)
    codes[changed] = KDTree(palette).query(frame[changed])[1]
    image = Image.fromarray(codes)
    image.putpalette(palette.tobytes())
    image.info["transparency"] = 255
    return image


if __name__ == "__main__":
    main()

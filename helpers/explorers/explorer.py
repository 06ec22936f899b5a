"""The pattern of all explorers: draw one image and one line of text from the controls' values.

An `Explorer` has controls, a function `draw(**values)` that returns an RGB image and a label, and
one `widgets.Image` that shows it as PNG. It does not compute anything itself.
"""

import base64
import html
import io
from collections import OrderedDict

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import plotting
from helpers.plotting.points import write

KEPT = 256  # images that an explorer caches
HEIGHT = 384  # of an image, in pixels
GAP = 8  # pixels between panels
TITLE = 26  # pixels above a panel, for its title
COLUMN = "1 1 270px"  # of controls: two fit side by side on a small screen


class Line(widgets.HTML):
    """A line of plain text that wraps, unlike a Label in ipywidgets 7."""

    @property
    def text(self):
        """The text as displayed."""
        return html.unescape(self.value)

    def say(self, text):
        """Show another text."""
        self.value = html.escape(text, quote=False)


class Explorer:
    """Controls on the left, one image and its label on the right.

    Arguments:
        draw: `function(**values)` that returns an image, uint8 (H, W, 3) or PNG bytes, and a text.
        controls: widgets by name; `explorer.set(image=3)` moves them from code.

    Where widgets cannot be displayed (GitHub, PDF), the image alone is shown.
    """

    def __init__(self, title, draw, controls):
        self.title, self._draw, self.controls = title, draw, controls
        self._kept = OrderedDict()
        self.label = Line()
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        # The controls form one column beside the image. On a narrow screen they come first, in as
        # many columns as there is room for.
        wrapped = dict(display="flex", flex_flow="row wrap", align_items="flex-start")
        knobs = widgets.Box(
            list(controls.values()),
            layout=widgets.Layout(**wrapped, flex=COLUMN, padding="0 12px 0 0"),
        )
        view = widgets.VBox([self.image, self.label], layout=widgets.Layout(max_width="100%"))
        self.box = widgets.Box([knobs, view], layout=widgets.Layout(**wrapped))
        for control in controls.values():
            _tip(control, control.description)
            control.layout.flex, control.layout.width = COLUMN, "auto"
            control.layout.max_width = "320px"
            control.observe(self._update, "value")
        self._update()

    def values(self):
        """Return the controls' values by name; for an upload, its bytes or None."""
        return {
            name: _content(c.value) if isinstance(c, widgets.FileUpload) else c.value
            for name, c in self.controls.items()
        }

    def set(self, **values):
        """Move controls from code and return the new label's text.

        Raises ValueError for an unknown control, or a value that it cannot take.
        """
        for name, value in values.items():
            if name not in self.controls:
                known = ", ".join(self.controls)
                raise ValueError(f"unknown control {name!r}; choose from {known}")
            control = self.controls[name]
            try:
                control.value = value
            except Exception as error:
                raise ValueError(f"{name} cannot be {value!r}: {error}") from error
            if control.value != value:
                raise ValueError(f"{name} cannot be {value!r}; the limit is {control.value!r}")
        return self.label.text

    def _update(self, _change=None):
        values = self.values()
        key = tuple(values.items())
        if key not in self._kept:
            picture, text = self._draw(**values)
            self._kept[key] = picture if isinstance(picture, bytes) else png(picture), text
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.image.value, text = self._kept[key]
        self.label.say(text)

    def _repr_mimebundle_(self, include=None, exclude=None):
        kind, picture = plotting.smallest(bytes(self.image.value))
        data = {
            "text/plain": f"{self.title}: {', '.join(self.controls)}",
            kind: base64.b64encode(picture).decode("ascii"),
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.box.model_id,
            },
        }
        return data, {kind: {"alt": f"{self.title}: {self.label.text}"}}


def png(picture):
    """Return an RGB image uint8 (H, W, 3) as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def enlarge(picture, height=HEIGHT):
    """Return an image uint8 (H, W, 3) smoothly enlarged to about `height` by a whole factor."""
    times = max(1, round(height / picture.shape[0]))
    size = (picture.shape[1] * times, picture.shape[0] * times)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def slider(name, *, most, value=0, least=0, step=1):
    """Return a slider for integers that reacts while it is dragged."""
    return widgets.IntSlider(value=value, min=least, max=most, step=step, description=name)


def layer_slider(layers, value=None):
    """Return a slider over layer names, set to `value` or by default to the last."""
    value = layers[-1] if value is None else value
    return widgets.SelectionSlider(options=layers, value=value, description="layer", readout=False)


def dropdown(name, options):
    """Return a drop-down list of options."""
    return widgets.Dropdown(options=options, value=options[0], description=name)


def _tip(control, text):
    """Set a control's tooltip, which ipywidgets 8 would show as "null"."""
    if control.has_trait("tooltip") and not control.tooltip:
        control.tooltip = text


def _content(upload):
    """Return an upload's bytes or None, for ipywidgets 7 (a dict) and 8 (a tuple)."""
    files = list(upload.values()) if isinstance(upload, dict) else list(upload)
    return bytes(files[-1]["content"]) if files else None


def in_words(names, probabilities):
    """Return a network's prediction for one image in words: "cat 97%, dog 3%"."""
    return ", ".join(f"{name} {p:.0%}" for name, p in zip(names, probabilities, strict=True))


def side_by_side(panels, height=HEIGHT):
    """Return images of equal size as one, enlarged, each under its title.

    `panels` are {title: uint8 (H, W, 3)}, from left to right; `height` is a panel's, in pixels.
    """
    large = [enlarge(picture, height) for picture in panels.values()]
    high, wide = large[0].shape[:2]
    sheet = Image.new("RGB", (len(large) * (wide + GAP) - GAP, high + TITLE), "white")
    for number, (title, picture) in enumerate(zip(panels, large, strict=True)):
        left = number * (wide + GAP)
        write(sheet, (left + wide / 2, TITLE / 2), title, anchor="mm")
        sheet.paste(Image.fromarray(picture), (left, TITLE))
    return np.asarray(sheet)

"""Sliders for looking around: an explorer draws one picture and one line of text from its controls.

There is one pattern. An `Explorer` has controls, a function `draw(**values)` that returns an RGB
picture and a label, and one `widgets.Image` that shows it as PNG. No maths happens here.
"""

import base64
import html
import io
from collections import OrderedDict

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import plotting

KEPT = 256  # pictures that an explorer remembers
HEIGHT = 384  # of the picture, in pixels


class Line(widgets.HTML):
    """A line of plain text that wraps: a Label does not, in ipywidgets 7."""

    @property
    def text(self):
        """The text, as it is read."""
        return html.unescape(self.value)

    def say(self, text):
        """Show another text."""
        self.value = html.escape(text, quote=False)


class Explorer:
    """Controls on the left, one picture and its label on the right.

    draw: a function of the controls' values that returns a picture, RGB uint8 (H, W, 3) or the
    bytes of a PNG, and a text.
    controls: widgets by name. `explorer.set(image=3)` moves them from code. Where no widget can
    show (GitHub, PDF), the picture alone is shown.
    """

    def __init__(self, title, draw, controls):
        self.title, self._draw, self.controls = title, draw, controls
        self._kept = OrderedDict()
        self.label = Line()
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        knobs = widgets.VBox(list(controls.values()), layout=widgets.Layout(min_width="320px"))
        view = widgets.VBox([self.image, self.label])
        row = widgets.Layout(display="flex", flex_flow="row wrap", align_items="flex-start")
        self.box = widgets.Box([knobs, view], layout=row)
        for control in controls.values():
            _tip(control, control.description)
            control.observe(self._update, "value")
        self._update()

    def values(self):
        """Return the controls' values by name; of an upload, its bytes or None."""
        return {
            name: _content(c.value) if isinstance(c, widgets.FileUpload) else c.value
            for name, c in self.controls.items()
        }

    def set(self, **values):
        """Move controls from code and return the new label's text.

        Raises ValueError for a control that there is not, or a value that it cannot take.
        """
        for name, value in values.items():
            if name not in self.controls:
                raise ValueError(
                    f"no control is called {name!r}; there are {', '.join(self.controls)}"
                )
            control = self.controls[name]
            try:
                control.value = value
            except Exception as error:
                raise ValueError(f"{name} cannot be {value!r}: {error}") from error
            if control.value != value:
                raise ValueError(f"{name} cannot be {value!r}; it goes to {control.value!r}")
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
    """Return an RGB picture uint8 (H, W, 3) as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def enlarge(picture, height=HEIGHT):
    """Return a picture uint8 (H, W, 3) smoothly enlarged, a whole number of times, to `height`."""
    times = max(1, round(height / picture.shape[0]))
    size = (picture.shape[1] * times, picture.shape[0] * times)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def slider(name, most, value=0):
    """Return a slider over 0 to `most` that reacts while it is dragged."""
    return widgets.IntSlider(value, 0, most, description=name, continuous_update=True)


def dropdown(name, options):
    """Return a drop-down list of options."""
    return widgets.Dropdown(options=options, value=options[0], description=name)


def _tip(control, text):
    """Show a text when the mouse rests on a control, where ipywidgets 8 would show "null"."""
    if control.has_trait("tooltip") and not control.tooltip:
        control.tooltip = text


def _content(upload):
    """Return an upload's bytes or None, from the form of ipywidgets 7 (a dict) or 8 (a tuple)."""
    files = list(upload.values()) if isinstance(upload, dict) else list(upload)
    return bytes(files[-1]["content"]) if files else None


def side_by_side(left, right):
    """Return two pictures of equal size as one, enlarged, with a white gap between them."""
    left, right = enlarge(left), enlarge(right)
    return np.concatenate([left, np.full_like(left[:, :8], 255), right], axis=1)

"""The pattern of all explorers: draw one image and one line of text from the controls' values.

An `Explorer` has controls, a function `draw(**values)` that returns an RGB image and a label, and
one `widgets.Image` that shows it as PNG. It does not compute anything itself. What goes wrong while
a control moves is said above the image, which stays.
"""

import base64
import contextlib
import html
import io
import warnings
from collections import Counter, OrderedDict
from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers import gradients, networks, photos, plotting
from helpers.core import front_end, page
from helpers.explorers import pages
from helpers.plotting.points import write

VIEW = "application/vnd.jupyter.widget-view+json"
KEPT = 256  # images that an explorer caches
HEIGHT = 384  # of an image, in pixels
GAP = 8  # pixels between panels
TITLE = 30  # pixels above a panel, for its title
LETTERS = 22  # pixels of a title; on a small screen, images are shown at two thirds of their size
NAMED = 3  # classes that a prediction names at most
MANY, TOP = 20, 10  # of more classes than this, so many come first in a list
AGAINST = {"score": None, "margin": "rest"}  # what a method explains, and its argument for that
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

        clicked: `function(x, y)` for a click on the image, in 0-1 from its upper left corner.

    Where widgets cannot be displayed (GitHub, PDF), the image alone is shown; in a notebook that is
    opened again, the image and a sentence. `notice` is a line above the image, empty at first.
    """

    def __init__(self, title, draw, controls, clicked=None):
        self.title, self._draw, self.controls = title, draw, controls
        self._kept, self._error, self._held = OrderedDict(), None, False
        self.notice, self.label = Line(), Line()
        self.notice.layout.display = "none"
        self.label.add_class("course-label")
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self.image.add_class("course-picture")
        # The controls form one column beside the image. On a narrow screen they come first, in as
        # many columns as there is room for.
        wrapped = dict(display="flex", flex_flow="row wrap", align_items="flex-start")
        knobs = widgets.Box(
            list(controls.values()),
            layout=widgets.Layout(**wrapped, flex=COLUMN, padding="0 12px 0 0"),
        )
        view = widgets.VBox(
            [self.notice, self.image, self.label], layout=widgets.Layout(max_width="100%")
        )
        self.box = widgets.Box([knobs, view], layout=widgets.Layout(**wrapped))
        self.box.add_class("course-explorer")
        view.children = (page.mark(self.box, title), *view.children)
        if clicked:
            view.children += (page.clicks(clicked),)
        for control in controls.values():
            _tip(control, control.description)
            control.layout.flex, control.layout.width = COLUMN, "auto"
            control.layout.max_width = "320px"
            control.observe(self._update, "value")
        self._update()

    def values(self):
        """Return the controls' values by name; for an upload, its bytes or None."""
        return {
            name: uploaded(c.value)[1] if isinstance(c, widgets.FileUpload) else c.value
            for name, c in self.controls.items()
        }

    def set(self, **values):
        """Move controls from code and return the new label's text.

        Raises ValueError for an unknown control, for a value that it cannot take, and where there
        is no image for it.
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
            if self._error:
                raise ValueError(f"{name} cannot be {value!r}: {self._error}") from self._error
        return self.label.text

    def warn(self, text):
        """Show a line above the image, or take it away again with an empty text."""
        self.notice.say(text)
        self.notice.layout.display = "" if text else "none"

    @contextlib.contextmanager
    def held(self):
        """Draw nothing while controls are moved within this block."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before

    def to_html(self, path=None, controls=None, **limits):
        """Return the explorer as one element of HTML that needs no Python and no network.

        Arguments:
            path: a file for it as a page of its own, written whole or not at all.
            controls: what can be moved there, by name: ["image"], or {"image": 5} for five values,
                evenly spread, or {"layer": ["block3_conv"]} for these; by default all but uploads.
                The others stay where they are now.
            limits: `most` bytes (3,000,000), `pictures` drawn (600), `quality` of WebP (82).

        The explorer draws each combination once. Where that would be too much, the control with
        the most values gets fewer of them, and a sentence says so. Raises ValueError for controls
        and values that it has not, and for a limit that nothing fits in.
        """
        return pages.to_html(self, path, controls, **limits)

    def _update(self, change=None):
        if self._held:
            return
        values = self.values()
        key, self._error = tuple(values.items()), None
        if key not in self._kept:
            try:
                self._kept[key] = self._drawn(values)
            except Exception as error:
                if change is None:
                    raise
                self._error = error  # a moved control has no caller, so the page says it
                self.warn(f"Not drawn: {first_line(error)}")
                return
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.image.value, text, notice = self._kept[key]
        self.label.say(text)
        self.warn(notice)

    def _drawn(self, values):
        """Return the image as PNG, its label, and what a warning said."""
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            picture, text = self._draw(**values)
        notices = dict.fromkeys(str(found.message) for found in said)
        return picture if isinstance(picture, bytes) else png(picture), text, " ".join(notices)

    def _ipython_display_(self):
        """Show the explorer in JupyterLab, and before it the picture for when it is not live."""
        if not front_end.is_lab():
            raise NotImplementedError  # for IPython: show what _repr_mimebundle_ returns
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        ((kind, about),) = metadata.items()
        picture = data.pop(kind)
        html = page.still(self.box, kind, base64.b64decode(picture), about["alt"])
        named = {"text/html": html, kind: picture, "text/plain": about["alt"]}
        display(named, raw=True, metadata=metadata)
        display(data, raw=True)

    def _repr_mimebundle_(self, include=None, exclude=None):
        kind, picture = plotting.smallest(bytes(self.image.value))
        data = {
            "text/plain": f"{self.title}: {', '.join(self.controls)}",
            kind: base64.b64encode(picture).decode("ascii"),
            VIEW: {
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
    """Return an image uint8 (H, W, 3) smoothly enlarged to about `height` by a whole factor.

    One that is more than twice as high as `height` is reduced to it.
    """
    high, wide = picture.shape[:2]
    times = max(1, round(height / high)) if high <= 2 * height else height / high
    size = (max(1, round(wide * times)), round(high * times))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def slider(name, *, most, value=0, least=0, step=1):
    """Return a slider for integers that reacts while it is dragged."""
    return widgets.IntSlider(value=value, min=least, max=most, step=step, description=name)


def layer_slider(layers, value=None):
    """Return a slider over layer names, set to `value` or by default to the last."""
    value = layers[-1] if value is None else value
    return widgets.SelectionSlider(options=layers, value=value, description="layer")


def dropdown(name, options):
    """Return a drop-down list of options."""
    return widgets.Dropdown(options=options, value=options[0], description=name)


def by_name(network):
    """Return {name: network} of a network, or of several as they are; ValueError for none."""
    several = dict(network) if isinstance(network, Mapping) else {network.name: network}
    if not several:
        raise ValueError("There is nothing to look at: give at least one network.")
    return several


def class_list(names, network, image):
    """Return a drop-down list of classes, set to the network's prediction where there are many."""
    chances = networks.predict(network, image)[0]
    control = dropdown("class", in_order(names, chances))
    if len(names) > NAMED:
        control.value = names[int(chances.argmax())]
    return control


def in_order(names, chances):
    """Return class names, of many the most probable ones first, then all others by the alphabet."""
    if len(names) <= MANY:
        return names
    first = [names[k] for k in np.argsort(-chances)[:TOP]]
    return first + sorted(set(names) - set(first), key=str.casefold)


def explains_list(names, target):
    """Return a drop-down list of what is explained: how much of a class, or why no other one.

    A network of one class has no other. See `follow_class`.
    """
    offered = [(_question(names, target, kind), kind) for kind in list(AGAINST)[: len(names)]]
    return widgets.Dropdown(options=offered, value="score", description="explains")


def follow_class(explorer, names, control="target"):
    """Let an explorer's list of what is explained name the class that is chosen."""
    target, explains = explorer.controls[control], explorer.controls["explains"]

    def follow(change):
        with explorer.held():
            kept = explains.value
            explains.options = explains_list(names, change["new"]).options
            explains.value = kept

    target.observe(follow, "value")
    return explorer


def explained(names, network, picture, target, explains):
    """Return in words what is explained and its value: "why cat and not dog: margin +3.1"."""
    asked = names.index(target)
    value = gradients.quantity(network, picture, asked, against=AGAINST[explains])
    unit = "log-odds" if explains == "margin" and len(names) > 2 else explains
    return f"{_question(names, target, explains)}: {unit} {value:+.1f}"


def evidence(names, target, explains):
    """Return the title of a map: "evidence for cat", or "cat, not dog"."""
    if explains == "score":
        return f"evidence for {target}"
    return f"{target}, not {_rival(names, target)}"


def _question(names, target, explains):
    return (
        f"how much {target}"
        if explains == "score"
        else f"why {target} and not {_rival(names, target)}"
    )


def _rival(names, target):
    return next(name for name in names if name != target) if len(names) == 2 else "another"


def _tip(control, text):
    """Set a control's tooltip, which ipywidgets 8 would show as "null"."""
    if control.has_trait("tooltip") and not control.tooltip:
        control.tooltip = text


def uploaded(upload):
    """Return an upload's file name and bytes, or ("", None), in ipywidgets 7 (a dict) and 8."""
    files = list(upload.items()) if isinstance(upload, dict) else [(f["name"], f) for f in upload]
    return (files[-1][0], bytes(files[-1][1]["content"])) if files else ("", None)


def first_line(error):
    """Return the first line of what an error says, or its type where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def checked(images):
    """Return images as an array uint8 (N, H, W, 3); ValueError for what an explorer cannot show."""
    shapes = list(dict.fromkeys(np.shape(image) for image in images))
    if len(shapes) > 1:
        sizes = " and ".join(map(str, shapes[:2]))
        raise ValueError(f"the images have shapes {sizes}: resize them to one size (photos.read)")
    images = np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    if len(images) == 0:
        raise ValueError("there are no images to show: give at least one")
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        given = f"{images.dtype} {images.shape}"
        raise ValueError(f"images must be uint8 (N, H, W, 3) with values 0 to 255, not {given}")
    return images


def class_names(names, network, images):
    """Return names of a network's classes, all different; ValueError for another number of them.

    A network of 1,000 classes that has other names than these knows ImageNet's.
    """
    outputs = networks.predict(network, images[:1]).shape[1]
    if outputs == 1000 != len(names):
        names = photos.imagenet.names().values()
    if outputs != len(names):
        raise ValueError(
            f"the network tells {outputs} classes apart, but there are {len(names)} class names "
            f"({', '.join(map(str, names[:NAMED]))}{', ...' if len(names) > NAMED else ''})"
        )
    names = [str(name) for name in names]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name} ({k})" if name in twice else name for k, name in enumerate(names)]


def in_words(names, probabilities):
    """Return a network's prediction for one image in words: "cat 97%, dog 3%".

    Of more than three classes, the three most probable ones are named.
    """
    order = range(len(names)) if len(names) <= NAMED else np.argsort(-probabilities)[:NAMED]
    said = ", ".join(f"{names[k]} {probabilities[k]:.0%}" for k in order)
    others = len(names) - NAMED
    return said if others <= 0 else f"{said}, and {others:,} other{'s' * (others > 1)}"


def side_by_side(panels, height=HEIGHT):
    """Return images of equal size as one, enlarged, each under its title.

    `panels` are {title: uint8 (H, W, 3)}, from left to right; `height` is a panel's, in pixels.
    """
    large = [enlarge(picture, height) for picture in panels.values()]
    high, wide = large[0].shape[:2]
    sheet = Image.new("RGB", (len(large) * (wide + GAP) - GAP, high + TITLE), "white")
    for number, (title, picture) in enumerate(zip(panels, large, strict=True)):
        left = number * (wide + GAP)
        write(sheet, (left + wide / 2, TITLE / 2), title, "mm", most=wide, size=LETTERS)
        sheet.paste(Image.fromarray(picture), (left, TITLE))
    return np.asarray(sheet)

"""Explorers for web pages, without Python: every picture of a grid is drawn in advance.

A tour moves the real controls through all combinations of the chosen values, in the order in which
they stand, so that a list that depends on another control is played as it is offered. Equal
pictures are kept once. The page's script (`pages.js`) walks the same tree of values.
"""

import base64
import contextlib
import html
import io
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from helpers.core import paths
from helpers.core.arguments import check_count
from helpers.core.progress import progress

MOST = 3_000_000  # bytes of an element
LEAST = 20_000  # of which script and style take half
PICTURES = 600
QUALITY = 82  # of WebP, 0 to 100
COLOURS, FAINT = 32, 1.0  # of a chart, and how far they may be from it on average, in 0-255
TEXT = 250  # bytes below a picture
SAMPLED = 8  # pictures that tell how large the others will be
SLIDERS = widgets.IntSlider, widgets.FloatSlider, widgets.SelectionSlider
LISTS = widgets.Dropdown, widgets.RadioButtons, widgets.ToggleButtons
BOXES = (widgets.Checkbox,)
KINDS = {"slider": SLIDERS, "list": LISTS, "box": BOXES}
HERE = Path(__file__).parent
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body style="font: 16px/1.4 system-ui, sans-serif; margin: 16px">
{element}
</body>
</html>
"""
ELEMENT = """<figure class="course-played" aria-label="{title}">
<style>{style}</style>
<div class="course-knobs" role="group" aria-label="controls of {title}"></div>
<div class="course-view">
<p class="course-notice" role="status" hidden></p>
<img alt="{title}: {text}" width="{wide}" height="{high}" src="data:image/webp;base64,{picture}">
<figcaption role="status" aria-live="polite">{text}</figcaption>
<noscript><p>With JavaScript, the controls of this picture can be moved.</p></noscript>
{note}</div>
<script type="application/json">{data}</script>
<script>{script}</script>
</figure>
"""


def to_html(explorer, path=None, controls=None, most=MOST, pictures=PICTURES, quality=QUALITY):
    """Return an explorer as one element of HTML that needs no Python; see `Explorer.to_html`."""
    wanted = _wanted(explorer, controls)
    check_count("most", most, LEAST, why="bytes")
    check_count("pictures", pictures, 1)
    check_count("quality", quality, 1, 100, "as Pillow counts for WebP")
    if path is not None and not Path(path).parent.is_dir():
        raise FileNotFoundError(f"There is no folder {Path(path).parent} to write in.")
    tour = Tour(explorer, wanted, quality)
    try:
        tour.explore(wanted)
        element = _played(tour, most, pictures)
    finally:
        tour.back()
    if path is not None:
        page = PAGE.format(title=html.escape(explorer.title), element=element)
        with paths.whole(path) as unfinished:
            unfinished.write_text(page, encoding="utf-8")
    return element


def _played(tour, most, pictures):
    """Return an element of at most so many bytes; the tour is made coarser until it fits."""
    count = tour.coarsened(pictures)
    if count is None:
        raise ValueError(
            f"pictures={pictures} is too little: two values for each of {', '.join(tour.counts)} "
            "are more; choose fewer controls"
        )
    each = tour.sampled(count)
    while True:
        room = int((most - LEAST / 2) / each)
        count = tour.coarsened(min(pictures, room)) if room else None
        if count is None:
            raise ValueError(
                f"most={most:,} bytes is too little: a picture of {tour.explorer.title!r} takes "
                f"about {each:,.0f}; choose fewer controls"
            )
        tree = tour.drawn(count)
        element = _element(tour, tree)
        size = len(element.encode())
        if size <= most:
            return element
        each = max(1.02 * each, size / count)


class _TooMany(Exception):
    """There are more combinations than wanted."""


class Tour:
    """A walk through all combinations of some controls' values.

    `counts` are {control: how many of its values are played at most}, and `fixed` the values
    themselves of controls for which the caller has named them.
    """

    def __init__(self, explorer, wanted, quality):
        self.explorer, self.quality = explorer, quality
        self.start = {name: control.value for name, control in explorer.controls.items()}
        self.fixed = {name: values for name, values in wanted.items() if isinstance(values, list)}
        self.all = {name: len(_options(explorer.controls[name])) for name in wanted}
        self.counts = dict.fromkeys(wanted, 3)
        self.labels, self.sets, self.chart = {n: self._label(n) for n in wanted}, {}, False
        self.frames, self._seen = {}, {}

    def explore(self, wanted):
        """Find out how many values there are: some lists are longer for other values than now."""
        self.count(1000)
        for name, values in wanted.items():
            most = len(values) if name in self.fixed else values or self.all[name]
            self.counts[name] = min(most, self.all[name])

    def back(self):
        """Move all controls to where they stood before."""
        with self.explorer.held():
            for name, value in self.start.items():
                if not isinstance(self.explorer.controls[name], widgets.FileUpload):
                    self.explorer.controls[name].value = value
        self.explorer._update()

    def coarsened(self, most):
        """Take values away until at most so many pictures are left; return how many, or None."""
        while True:
            product = np.prod(list(self.counts.values()), dtype=float)
            count = self.count(most) if product <= 40 * most else None
            if count is not None:
                return count
            if not self._coarser():
                return None

    def _coarser(self):
        """Take one value or more from the control with the most: lists and given values last."""

        def rank(name):
            slider = isinstance(self.explorer.controls[name], SLIDERS)
            return name not in self.fixed, slider, self.counts[name]

        left = [name for name, count in self.counts.items() if count > 2]
        if left:
            name = max(left, key=rank)
            self.counts[name] -= max(1, self.counts[name] // 8)
        return bool(left)

    def count(self, most):
        """Return how many combinations there are, or None for more than `most`."""
        leaves = itertools.count(1)

        def leaf():
            if (number := next(leaves)) > most:
                raise _TooMany
            return number

        try:
            self._walk(leaf)
        except _TooMany:
            return None
        return next(leaves) - 1

    def sampled(self, count):
        """Draw a few pictures; return how many bytes one takes on the page, on average."""
        chosen = {*np.linspace(0, count - 1, min(count, SAMPLED)).astype(int).tolist()}
        self.back()  # there is a picture, whatever the others say
        leaves, pngs = itertools.count(), [self._shown()[0]]

        def leaf():
            if next(leaves) in chosen:
                with contextlib.suppress(ValueError):  # said on the page, see `_look`
                    pngs.append(self._shown()[0])

        self._walk(leaf)
        as_photo = [len(_webp(png, self.quality, False)) for png in pngs]
        as_chart = [len(_webp(png, self.quality, True)) for png in pngs]
        self.chart = sum(as_chart) < sum(as_photo) and max(map(_loss, pngs)) < FAINT
        return 4 / 3 * np.mean(as_chart if self.chart else as_photo) + TEXT

    def drawn(self, count):
        """Draw all pictures, and return the tree of what belongs to each combination."""
        self.sets, self.frames = {}, {}
        with progress(None, count, self.explorer.title) as bar:

            def leaf():
                bar.update()
                picture, text, notice = self._look()
                frame = -1
                if picture is not None:
                    frame = self.frames.setdefault(picture, len(self.frames))
                return [frame, text, notice] if notice else [frame, text]

            return self._walk(leaf)

    def first(self):
        """Return the picture from which the page starts, its width and height, and its text."""
        self.back()
        picture, text, _ = self._look()
        return picture, Image.open(io.BytesIO(picture)).size, text

    def _look(self):
        """Return the picture for the current values (WebP, or None), its text and a notice."""
        key = tuple(self.explorer.values().items())
        if key not in self._seen:
            try:
                png, *words = self._shown()
                self._seen[key] = (_webp(png, self.quality, self.chart), *words)
            except ValueError as error:
                said = str(error).strip().partition("\n")[0]
                self._seen[key] = None, "", f"Not drawn: {said}"
        return self._seen[key]

    def _shown(self):
        """Draw, and return the picture as PNG, its text and a notice."""
        self.explorer._update()
        words = self.explorer.label.text, self.explorer.notice.text
        return bytes(self.explorer.image.value), *words

    def _walk(self, leaf, names=None):
        """Return [number of the set of labels, is it disabled, subtrees] of the controls left."""
        names = list(self.counts) if names is None else names
        if not names:
            return leaf()
        name, *others = names
        control = self.explorer.controls[name]
        offered, disabled = self._offered(name), bool(control.disabled)
        labels = tuple(label for label, _ in offered)
        number = self.sets.setdefault(labels, len(self.sets))
        if disabled:  # it changes nothing here, so one value stands for all
            offered = [o for o in offered if o[1] == self.start[name]][:1] or offered[:1]
        below = []
        for _, value in offered:
            with self.explorer.held():
                control.value = value
            below.append(self._walk(leaf, others))
        return [number, int(disabled), below]

    def _offered(self, name):
        """Return the (label, value) pairs of a control that are played, evenly spread."""
        options, start = _options(self.explorer.controls[name]), self.start[name]
        self.all[name] = max(self.all[name], len(options))
        if name in self.fixed:
            options = [pair for pair in options if pair[1] in self.fixed[name]] or options
        count = min(len(options), self.counts[name])
        spread = np.unique(np.linspace(0, len(options) - 1, count).round().astype(int))
        here = [k for k, (_, value) in enumerate(options) if value == start]
        if here and here[0] not in spread:
            spread[np.abs(spread - here[0]).argmin()] = here[0]
        return [options[k] for k in spread]

    def _label(self, name):
        control = self.explorer.controls[name]
        return next(text for text, value in _options(control) if value == control.value)

    def note(self):
        """Return one sentence about what the notebook has and the page has not, or nothing."""
        controls = self.explorer.controls
        names = {name: control.description or name for name, control in controls.items()}
        said = [
            f"{names[name]} has {self.all[name]} values instead of {played}"
            for name, played in self.counts.items() if played < self.all[name]
        ]  # fmt: skip
        others = [names[name] for name in controls if name not in self.counts]
        said += [f"there are more controls ({', '.join(others)})"] if others else []
        return f"In the notebook, {_listed(said)}." if said else ""


def _wanted(explorer, controls):
    """Return {control: None for all, how many, or a list of values}; ValueError for what is not."""
    known = explorer.controls
    playable = [name for name, control in known.items() if _kind(control)]
    chosen = playable if controls is None else controls
    chosen = chosen if isinstance(chosen, Mapping) else dict.fromkeys(
        [chosen] if isinstance(chosen, str) else chosen)  # fmt: skip
    if not chosen:
        raise ValueError(f"choose at least one control to play from {', '.join(playable)}")
    for name, values in chosen.items():
        if name not in playable:
            problem = "cannot be played on a page" if name in known else "is unknown"
            raise ValueError(f"the control {name!r} {problem}; choose from {', '.join(playable)}")
        if isinstance(values, int):
            check_count(name, values, 2)
    played = {name: chosen[name] for name in known if name in chosen}
    for name, values in played.items():
        if values is None or isinstance(values, int):
            continue
        offered = [value for _, value in _options(known[name])]
        played[name] = values = [values] if isinstance(values, str) else list(values)
        for value in values:
            if value not in offered:
                some = ", ".join(map(repr, offered[:12]))
                raise ValueError(f"{name} cannot be {value!r}; choose from {some}")
        if not values:
            raise ValueError(f"{name} needs at least one value")
    return played


def _kind(control):
    """Return "slider", "list" or "box", or None for a control that cannot be played."""
    return next((kind for kind, types in KINDS.items() if isinstance(control, types)), None)


def _options(control):
    """Return a control's (label, value) pairs, as it offers them now."""
    if isinstance(control, widgets.Checkbox):
        return [("no", False), ("yes", True)]
    if isinstance(control, widgets.IntSlider | widgets.FloatSlider):
        count = int(np.floor((control.max - control.min) / control.step + 1e-6)) + 1
        values = {round(control.min + k * control.step, 10) for k in range(count)}
        values = [v for v in values if abs(v - control.value) > 1e-9] + [control.value]
        whole = isinstance(control, widgets.IntSlider)
        return [(f"{v}" if whole else format(v, control.readout_format), v) for v in sorted(values)]
    pairs = [one for one in control.options if isinstance(one, tuple) and len(one) == 2]
    whole = len(pairs) == len(control.options)
    options = pairs if whole else [(one, one) for one in control.options]
    return [(str(label), value) for label, value in options]


def _listed(said):
    """Return clauses as a list in words."""
    *before, last = said
    return f"{', '.join(before)}, and {last}" if before else last


def _webp(png, quality, chart):
    """Return a picture as WebP: a photo lossy, lines and letters in a few colours."""
    file, picture = io.BytesIO(), Image.open(io.BytesIO(png)).convert("RGB")
    if chart:
        _few(picture).save(file, "WEBP", lossless=True, quality=60, method=4)
    else:
        picture.save(file, "WEBP", quality=quality, method=4)
    return file.getvalue()


def _few(picture):
    """Return a picture in a few colours."""
    return picture.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=0).convert("RGB")


def _loss(png):
    """Return how far a picture in a few colours is from the whole one, in 0-255 on average."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    return np.abs(np.subtract(_few(picture), picture, dtype=np.float32)).mean()


def _element(tour, tree):
    """Return the element of a tour's pictures."""
    first, (wide, high), text = tour.first()
    coded = [base64.b64encode(frame).decode("ascii") for frame in tour.frames if frame != first]
    if first in tour.frames:
        coded.insert(tour.frames[first], "")  # the page has it already
    controls = tour.explorer.controls
    data = {
        "title": tour.explorer.title,
        "controls": [
            [controls[name].description or name, _kind(controls[name]), label]
            for name, label in tour.labels.items()
        ],
        "sets": list(tour.sets),
        "tree": tree,
        "frames": coded,
    }
    note = html.escape(tour.note())
    return ELEMENT.format(
        title=html.escape(tour.explorer.title),
        text=html.escape(text),
        wide=wide,
        high=high,
        picture=base64.b64encode(first).decode("ascii"),
        note=f'<p class="course-note">{note}</p>\n' if note else "",
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        style=(HERE / "pages.css").read_text(encoding="utf-8"),
        script=(HERE / "pages.js").read_text(encoding="utf-8"),
    )

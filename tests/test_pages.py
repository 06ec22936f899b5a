"""Explorers on web pages: the grid, what depends on what, sizes, and what the page is made of."""

import base64
import html.parser
import io
import json
import re

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from helpers import explorers
from helpers.explorers.explorer import Explorer, dropdown, slider
from helpers.explorers.pages import LEAST

EMPTY = {"br", "hr", "img", "input", "link", "meta"}


@pytest.fixture(autouse=True)
def no_bars(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")


def made(calls=None, noise=False):
    """An explorer with a slider, a list and a check box, and a file to upload."""

    def draw(level, kind, upside, upload):
        if calls is not None:
            calls.append((level, kind, upside))
        shade = np.linspace(0, 20 * level, 60, dtype=np.uint8)
        picture = np.full((40, 60, 3), shade[:, None])
        if noise:
            random = np.random.default_rng([level, upside, len(kind)])
            picture = random.integers(0, 256, (64, 64, 3), np.uint8)
        picture = picture[:, ::-1] if upside else picture
        return np.ascontiguousarray(picture), f"level {level} <{kind}> {upside}"

    controls = {
        "level": slider("how much", most=10, value=4),
        "kind": dropdown("kind", ["cat", "the dog"]),
        "upside": widgets.Checkbox(value=False, description="mirrored"),
        "upload": widgets.FileUpload(description="your photo"),
    }
    return Explorer('A "test" explorer', draw, controls)


def data_of(element):
    (code,) = re.findall(r'<script type="application/json">(.*?)</script>', element, re.DOTALL)
    return json.loads(code)


def leaves(node, labels=()):
    """Every (labels, leaf) of a page's tree, as its script walks them."""
    if isinstance(node[-1], list):
        number, _, below = node
        for position, one in enumerate(below):
            yield from leaves(one, (*labels, (number, position)))
    else:
        yield labels, node


def played(element):
    """{labels of the controls: (picture, text)} of a page."""
    data = data_of(element)
    (first,) = re.findall(r'src="data:image/webp;base64,([^"]+)"', element)
    frames = [code or first for code in data["frames"]]
    return {
        tuple(data["sets"][number][at] for number, at in place): (frames[leaf[0]], leaf[1])
        for place, leaf in leaves(data["tree"])
    }


def pixels(code):
    picture = Image.open(io.BytesIO(base64.b64decode(code)))
    assert picture.format == "WEBP"
    return np.asarray(picture.convert("RGB"), np.float32)


def note(element):
    found = re.findall(r'<p class="course-note">(.*?)</p>', element)
    return html.unescape(found[0]) if found else ""


def test_every_combination_has_the_picture_and_the_text_of_the_real_explorer():
    explorer = made()
    element = explorer.to_html()
    pages = played(element)
    assert len(pages) == 11 * 2 * 2
    for level, kind, upside in ((0, "cat", False), (10, "the dog", True), (4, "cat", True)):
        explorer.set(level=level, kind=kind, upside=upside)
        code, text = pages[str(level), kind, "yes" if upside else "no"]
        assert text == explorer.label.text
        shown = np.asarray(Image.open(io.BytesIO(explorer.image.value)), np.float32)
        assert np.abs(pixels(code) - shown).mean() < 3
    assert note(element) == "In the notebook, there are more controls (your photo)."


def test_each_picture_is_drawn_once_and_kept_once():
    calls = []
    element = made(calls).to_html()
    assert len(calls) == len(set(calls)) == 44
    frames = data_of(element)["frames"]
    assert len(set(frames)) == len(frames)
    # The kind changes nothing in the picture, and at level 0 the mirror changes nothing, either.
    assert len(frames) <= 21
    assert frames.count("") == 1, "the first picture is in the page twice"


def test_the_controls_are_left_as_they_were():
    explorer = made()
    explorer.set(level=7, kind="the dog")
    before = explorer.values(), explorer.label.text, bytes(explorer.image.value)
    element = explorer.to_html(controls={"level": 3})
    assert (explorer.values(), explorer.label.text, bytes(explorer.image.value)) == before
    assert data_of(element)["controls"] == [["how much", "slider", "7"]]
    assert f'<figcaption role="status" aria-live="polite">{before[1].split("<")[0]}' in element
    assert set(played(element)) == {("0",), ("7",), ("10",)}  # the middle one gave way to the 7


@pytest.mark.parametrize("controls", ["upside", ["upside"], {"upside": None}, {"upside": [1, 0]}])
def test_controls_can_be_chosen_in_several_ways(controls):
    assert set(played(made().to_html(controls=controls))) == {("no",), ("yes",)}


def test_values_can_be_chosen():
    element = made().to_html(controls={"kind": ["cat", "the dog"], "level": [1, 4, 9]})
    assert set(played(element)) == {(n, kind) for n in "149" for kind in ("cat", "the dog")}
    assert "how much has 11 values instead of 3, and there are more controls (mirrored," in note(
        element
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"controls": ["levle"]},
            "the control 'levle' is unknown; choose from level, kind, upside",
        ),
        ({"controls": ["upload"]}, "'upload' cannot be played on a page; choose from level"),
        ({"controls": []}, "choose at least one control to play from level, kind, upside"),
        ({"controls": {"level": [3, 77]}}, "level cannot be 77; choose from 0, 1, 2"),
        ({"controls": {"kind": "cow"}}, "kind cannot be 'cow'; choose from 'cat', 'the dog'"),
        ({"controls": {"kind": []}}, "kind needs at least one value"),
        ({"controls": {"level": 1}}, "level must be a whole number, 2 or more, not 1"),
        ({"most": 100}, "most must be a whole number, 20000 or more"),
        ({"most": 1e6}, "most must be a whole number"),
        ({"pictures": 0}, "pictures must be a whole number, 1 or more, not 0"),
        ({"pictures": 7}, "pictures=7 is too little: two values for each of level, kind, upside"),
        ({"quality": 101}, "quality must be a whole number, 1 to 100"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_drawn(given, says):
    calls = []
    explorer = made(calls)
    del calls[:]
    with pytest.raises(ValueError, match=re.escape(says)):
        explorer.to_html(**given)
    assert len(calls) == 0


def test_a_limit_that_nothing_fits_in_is_refused_after_a_few_pictures():
    calls = []
    with pytest.raises(ValueError, match="is too little: a picture of .* takes about"):
        made(calls, noise=True).to_html(most=LEAST)
    assert len(calls) < 12


def test_where_it_would_be_too_large_the_longest_slider_is_coarser_and_a_sentence_says_so():
    whole = made(noise=True).to_html()
    assert "values instead of" not in note(whole)
    for most in (len(whole) // 2, len(whole) // 3):
        element = made(noise=True).to_html(most=most)
        assert LEAST < len(element.encode()) <= most
        levels = {labels[0] for labels in played(element)}
        assert len(levels) < 11 and {"0", "4", "10"} <= levels
        assert f"how much has 11 values instead of {len(levels)}" in note(element)
        assert {labels[1:] for labels in played(element)} == {
            (kind, box) for kind in ("cat", "the dog") for box in ("no", "yes")
        }


def test_at_most_so_many_pictures_are_drawn():
    calls = []
    element = made(calls).to_html(pictures=20)
    assert len(played(element)) == len(set(calls)) == 20


def test_a_list_that_follows_another_control_and_one_that_is_disabled_are_played_as_offered():
    def draw(layer, channel, knob):
        return np.full((8, 8, 3), 50 * int(channel[-1]), np.uint8), f"{layer} {channel} {knob}"

    names = {"first": ["a0", "a1"], "second": ["b0", "b1", "b2"]}
    controls = {
        "layer": dropdown("layer", list(names)),
        "channel": dropdown("channel", names["first"]),
        "knob": slider("knob", most=3),
    }

    def follow(change):
        controls["channel"].options = names[change["new"]]

    def disable(change=None):
        controls["knob"].disabled = controls["channel"].value != "b2"

    controls["layer"].observe(follow, "value")
    controls["channel"].observe(disable, "value")
    disable()
    explorer = Explorer("Dependent", draw, controls)
    data = data_of(element := explorer.to_html())
    said = {text for _, text in played(element).values()}
    assert said == {
        "first a0 0", "first a1 0", "second b0 0", "second b1 0",
        *(f"second b2 {knob}" for knob in range(4)),
    }  # fmt: skip
    assert data["sets"][data["tree"][2][1][0]] == ["b0", "b1", "b2"]
    off, on = data["tree"][2][0][2][0], data["tree"][2][1][2][2]
    assert (off[1], len(off[2])) == (1, 1) and (on[1], len(on[2])) == (0, 4)
    assert controls["channel"].value == "a0"


def test_what_is_not_drawn_says_why_and_other_faults_stop_it():
    def draw(number):
        if number == 2:
            raise ValueError("two <is> too many\nreally")
        if number == 4:
            raise ZeroDivisionError
        return np.zeros((9, 9, 3), np.uint8), "fine"

    explorer = Explorer("Refusing", draw, {"number": slider("number", most=4)})
    tree = data_of(explorer.to_html(controls={"number": [0, 1, 2, 3]}))["tree"]
    assert tree[2][1] == [0, "fine"]
    assert tree[2][2] == [-1, "", "Not drawn: two <is> too many"]
    with pytest.raises(ZeroDivisionError):
        explorer.to_html()
    assert explorer.values() == {"number": 0} and explorer.label.text == "fine"


def test_floats_and_named_steps_read_as_in_the_notebook():
    def draw(rate, power):
        return np.zeros((9, 9, 3), np.uint8), f"{rate} {power}"

    controls = {
        "rate": widgets.FloatSlider(value=0.3, min=0, max=0.5, step=0.1, readout_format=".1f"),
        "power": widgets.SelectionSlider(options=[("none", 0.0), ("ten", 10.0)], value=0.0),
    }
    pages = played(Explorer("Numbers", draw, controls).to_html())
    assert set(pages) == {(f"0.{k}", name) for k in range(6) for name in ("none", "ten")}
    assert pages["0.3", "ten"][1] == "0.3 10.0"


class Balanced(html.parser.HTMLParser):
    """Every tag that is opened is closed in turn; collects addresses, ids and roles."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.traits = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in EMPTY:
            self.open.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag}: {names}"
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]
        self.traits.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_whole_and_asks_nothing_of_any_server(tmp_path):
    path = tmp_path / "page.html"
    element = made().to_html(path, controls=["level"])
    text = path.read_text(encoding="utf-8")
    assert element in text and list(tmp_path.iterdir()) == [path]
    page = Balanced()
    page.feed(text)
    page.close()
    assert page.open == []
    assert all(source.startswith("data:image/webp;base64,") for source in page.sources)
    words = re.sub(r"[\w+/]{80,}=*", "", element)  # without the pictures
    assert not re.search(r"https?:|//\w|@import|url\(|\bfetch\b|XMLHttp|\bimport\b", words)
    (image,) = (traits for tag, traits in page.traits if tag == "img")
    assert image["alt"] == 'A "test" explorer: level 4 <cat> False'
    assert (image["width"], image["height"]) == ("60", "40")
    tags = [tag for tag, _ in page.traits]
    assert tags.count("noscript") == 1 and tags.count("figcaption") == 1
    assert "</script" not in json.dumps(data_of(element))


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("the one before")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        made().to_html(tmp_path / "nowhere" / "page.html")
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            made().to_html(path, controls="upside")
    assert path.read_text() == "the one before" and list(tmp_path.iterdir()) == [path]


def test_a_real_explorer_of_charts_is_small_and_as_sharp_as_drawn():
    explorer = explorers.penalties()
    element = explorer.to_html(controls={"turn": 4})
    code, text = next(iter(played(element).values()))
    explorer.set(turn=-90)
    shown = np.asarray(Image.open(io.BytesIO(explorer.image.value)), np.float32)
    assert text == explorer.label.text and np.abs(pixels(code) - shown).mean() < 1
    assert len(element) < 120_000

"""Figures: what is drawn, shown once, readable, described."""

import base64
import io
import warnings

import numpy as np
import pytest
from cases import slow_but
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.text import Text
from PIL import Image

from helpers import plotting
from helpers.core import front_end
from helpers.plotting import points as dots
from helpers.plotting import text

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (24, 32, 3), np.uint8)
PARTS = np.repeat(np.arange(4, dtype=np.uint8), 6)[:, None] * np.ones((1, 32), np.uint8)
NAMES = ["background", "body", "head", "ears"]
FIGURES = {
    "show": lambda **k: plotting.show(PICTURE, "a cat", **k),
    "show_grid": lambda **k: plotting.show_grid([PICTURE] * 7, [f"cat {i}" for i in range(7)], **k),
    "show_overlay": lambda **k: plotting.show_overlay(PICTURE, np.ones((3, 4)), "heat", **k),
    "show_signed": lambda **k: plotting.show_signed(RNG.normal(size=(8, 8)), "signs", **k),
    "show_parts": lambda **k: plotting.show_parts(PICTURE, PARTS, NAMES, "parts", **k),
    "curves": lambda **k: plotting.curves({"loss": [2, 1], "val_loss": [3, 2]}, "fit", **k),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would show: a list of (data, metadata), and the shell that shows it."""
    published = []
    shell = InteractiveShell()
    shell.kernel = object()
    shell.parent_header = {"header": {"msg_id": "first run"}}
    monkeypatch.setattr(front_end, "notebook", lambda: shell)
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: published.append((data, metadata))
    )
    yield published, shell
    shell.history_manager.end_session()


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(plotting.figure_to_png(figure))).convert("RGB"))


@every_figure
def test_a_figure_is_shown_once_with_its_alt_text(draw, shown):
    published, shell = shown
    figure = draw()
    figure._ipython_display_()  # as the last line of the cell: it is there already
    assert len(published) == 1
    ((data, metadata),) = published
    ((kind, alt),) = metadata.items()
    assert (
        Image.open(io.BytesIO(data[kind])).format
        == {"image/png": "PNG", "image/jpeg": "JPEG"}[kind]
    )
    assert figure.alt and data["text/plain"] == alt["alt"] == figure.alt
    shell.parent_header = {"header": {"msg_id": "second run"}}
    figure._ipython_display_()  # named again in a later cell
    assert len(published) == 2


@every_figure
def test_alt_text_and_display_are_the_callers_choice(draw, shown):
    figure = draw(alt="my words", display=False)
    assert shown[0] == [] and figure.alt == "my words"


@every_figure
def test_every_text_can_be_read_from_the_last_row(draw):
    figure = draw()
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(match=lambda artist: hasattr(artist, "get_fontsize"))]
    assert min(text.get_fontsize() for text in texts if text.get_text()) >= 11
    assert figure.dpi == plotting.DPI


@every_figure
def test_no_figure_stays_behind_in_pyplot(draw):
    import matplotlib.pyplot as plt

    draw()
    assert plt.get_fignums() == []


def test_outside_a_notebook_nothing_is_shown(capsys):
    plotting.show(PICTURE)
    assert capsys.readouterr().out == ""


def test_show_draws_the_picture_in_its_colours():
    red = np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 200
    seen = pixels(plotting.show(red))
    assert (seen[seen.shape[0] // 2, seen.shape[1] // 2] == [200, 0, 0]).all()


def test_a_grid_says_its_titles_in_order():
    figure = plotting.show_grid([PICTURE] * 3, ["cat\n0.9", "dog", ""], columns=2)
    assert figure.alt == "cat, 0.9; dog"
    assert [axis.get_title() for axis in figure.axes] == ["cat\n0.9", "dog", "", ""]


def test_an_overlay_is_hot_where_the_map_is():
    heat = np.zeros((2, 2))
    heat[0, 0] = 3.0  # any scale: the strongest spot takes the full colour
    grey = np.full((64, 64, 3), 128, np.uint8)
    shown = plotting.show_overlay(grey, heat, strength=1.0).axes[0].images[0].get_array()
    assert (shown[0, 0] == plotting.colors()[255]).all()
    assert (shown[-1, -1] == 70).all()  # 55 % of grey


def test_signed_maps_are_white_at_zero_red_above_and_blue_below():
    shown = plotting.show_signed(np.array([[-4.0, 0.0, 4.0]]), percentile=100)
    low, zero, high = shown.axes[0].images[0].get_array()[0].astype(int)
    assert low[2] > low[0] + 50 and high[0] > high[2] + 50 and zero.min() > 240


def test_signed_maps_sum_their_channels():
    deep = np.zeros((2, 2, 3))
    deep[0, 0] = [1, 1, -2]
    deep[1, 1] = [1, 0, 0]
    shown = plotting.show_signed(deep).axes[0].images[0].get_array()
    assert (shown[0, 0] == shown[0, 1]).all() and (shown[1, 1] != shown[0, 1]).any()


def test_the_legend_names_the_parts_that_are_there_and_no_others():
    figure = plotting.show_parts(PICTURE, np.where(PARTS == 2, 0, PARTS), NAMES)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["body", "ears"]
    assert figure.alt.endswith("its parts: body, ears")


def test_curves_take_a_keras_history_and_pair_training_with_validation():
    class History:
        history = {"accuracy": [0.5, 0.75], "val_accuracy": [0.4, 0.6]}

    figure = plotting.curves(History(), "fit")
    training, validation = figure.axes[0].lines
    assert training.get_color() == validation.get_color()
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert training.get_xdata().tolist() == [1, 2]
    assert figure.alt == "fit: accuracy ends at 0.75, val_accuracy ends at 0.60"


def test_colors_is_a_table_for_overlay():
    table = plotting.colors("gray")
    assert table.shape == (256, 3) and table.dtype == np.uint8
    assert (table == np.arange(256)[:, None]).all()


def test_style_enlarges_pyplot_figures_too():
    import matplotlib

    with matplotlib.rc_context():
        plotting.style()
        assert matplotlib.rcParams["xtick.labelsize"] >= 11


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: plotting.show(np.zeros((2, 2, 4))), r"shape \(2, 2, 4\)"),
        (lambda: plotting.show(np.array([[-1.0, 1.0]])), "show_signed"),
        (lambda: plotting.show_grid([]), "0 images"),
        (lambda: plotting.show_grid([PICTURE], ["a", "b"]), "1 images and 2 titles"),
        (lambda: plotting.show_overlay(PICTURE, -np.ones((2, 2))), "rescale_signed"),
        (lambda: plotting.show_overlay(PICTURE, np.full((2, 2), np.nan)), "NaN"),
        (lambda: plotting.show_signed(np.zeros(3)), r"shape \(3,\)"),
        (lambda: plotting.show_parts(PICTURE, PARTS[:5], NAMES), "do not fit"),
        (lambda: plotting.show_parts(PICTURE, PARTS, NAMES[:3]), "part 3 has no name"),
        (lambda: plotting.curves({}), "no epoch"),
        (lambda: plotting.colors("no such map"), "no such map"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_picture_is_kept_in_the_smaller_of_two_formats():
    rng = np.random.default_rng(0)
    photo, lines = io.BytesIO(), io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(photo, "PNG")
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save(lines, "PNG")
    kind, data = plotting.smallest(photo.getvalue())
    assert kind == "image/jpeg" and len(data) < len(photo.getvalue())
    assert plotting.smallest(lines.getvalue()) == ("image/png", lines.getvalue())


def test_paint_shows_strength_on_black_and_signs_on_white():
    heat = np.zeros((8, 8, 3), np.float32)
    heat[2, 2, 0], heat[5, 5, 1], heat[6, 6] = 1, -1, (1, -1, 0)
    (red, _, blue), (less_red, _, more_blue) = plotting.paint(heat, True)[[2, 5], [2, 5]].astype(
        int
    )
    assert red > blue and more_blue > less_red
    assert plotting.paint(heat, signed=True)[[0, 6], [0, 6]].min() > 240  # colours cancel
    strong = plotting.paint(heat, percentile=100).astype(int).sum(axis=2)
    assert strong[6, 6] > strong[2, 2] == strong[5, 5] > strong[0, 0]
    for signed in (True, False):
        with pytest.raises(ValueError, match="the map has shape"):
            plotting.paint(np.zeros((2, 3, 4, 5)), signed)


def test_in_jupyterlab_a_figure_is_an_image_with_its_alt_text(shown):
    published, shell = shown
    plotting.show(PICTURE, 'a "cat" <b>')
    (kind,) = published[0][1]
    assert set(published[0][0]) == {kind, "text/plain"}  # compared by nbval: no HTML
    shell.parent_header = {"header": {"msg_id": "second run"}, "metadata": {"cellId": "17"}}
    plotting.show(PICTURE, 'a "cat" <b>')
    data, metadata = published[1]
    assert data["text/html"].startswith('<img alt="a &quot;cat&quot; &lt;b&gt;" src="data:image/')
    code = data["text/html"].partition("base64,")[2].partition('"')[0]
    assert base64.b64decode(code) == data[kind]  # for where HTML is not shown
    assert metadata[kind]["alt"] == data["text/plain"] == 'a "cat" <b>'


TYPED = (
    "Ba$$in", "true $5, said $10", "$x_1^2$", r"\frac{a}{b} \$", "<b>&amp;</b>", "two\nlines",
    "a_b^c", "%s {x}", "x" * 300, "\tq\x07\r", " ", "猫", "🐱 cat", "שלום", "مرحبا",
    "e\u0301\u200d",
)  # fmt: skip


@pytest.mark.parametrize("words", slow_but(TYPED, "$x_1^2$", "two\nlines", "x" * 300, "猫"))
@pytest.mark.filterwarnings("ignore:No font on this machine")
def test_text_is_drawn_as_it_is_typed(words):
    figure = plotting.show_grid([PICTURE, PICTURE], [words, "b"])
    seen = pixels(figure)
    assert words.strip().startswith(figure.axes[0].get_title().strip("… "))
    assert (seen[:20] < 128).any() and figure.get_size_inches()[1] < 7
    plotting.show_overlay(PICTURE, np.ones((2, 2)), words)
    plotting.show_parts(PICTURE, PARTS, [words] * 4, words)
    _, (axis,) = plotting.axes()
    axis.barh([words, "b"], [1, 2], label=words)
    axis.set(xlabel=words, title=words)
    axis.legend()
    for _ in range(2):  # drawing leaves it as it was
        pixels(plotting.finish(axis.figure, words or "x"))
        assert axis.get_title() == axis.get_xlabel() == words
    canvas = Image.new("RGB", (300, 60), "white")
    assert dots.write(canvas, (4, 30), words, most=200) <= 200
    marked = plotting.draw_map([(0, 0), (1, 1)], [0, 1], names=[words, "dog"])
    assert (marked[:, 400:500] == 255).all(axis=2).mean() > 0.9


def test_a_dollar_is_a_dollar_and_an_axis_still_has_its_powers_of_ten():
    """Two dollars would make a formula, which has other letters: here both cells look alike."""
    plain, money = (plotting.show(PICTURE, words) for words in ("$5 $", "$5 $"))
    assert np.array_equal(pixels(plain), pixels(money))
    (title,) = [t for t in plain.findobj(Text) if t.get_text() == "$5 $"]
    assert not title.get_parse_math()
    figure, (axis,) = plotting.axes(4, 3)
    axis.set(xscale="log", xlim=(1, 1000))
    axis.plot([1, 1000], [1, 2])
    pixels(figure)
    axis.set_yticks((1, 1.5, 2), ("none", 1, 2.5))  # numbers are names as well
    pixels(figure)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["none", "1", "2.5"]
    labels = [label for label in axis.get_xticklabels() if "10^{2}" in label.get_text()]
    assert labels and all(label.get_parse_math() for label in labels)


@pytest.mark.parametrize(
    ("typed", "drawn"),
    [
        ("猫", "(U+732B)"),
        ("🐈", "(cat)"),
        ("a\u200db\u0301", "ab\u0301"),
        ("x\ty", "x y"),
        ("é", "é"),
    ],
)
def test_what_no_font_has_is_named_and_said_once(typed, drawn, monkeypatch):
    monkeypatch.setattr(text.fontManager, "ttflist", [])  # as on a machine without other fonts
    for cached in (text.font_of, text._drawable):
        cached.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert text.drawable(typed) == text.drawable(typed) == drawn
    assert len(said) == drawn.startswith("(")
    assert not said or repr(typed) in str(said[0].message)
    for cached in (text.font_of, text._drawable):
        cached.cache_clear()


def test_hebrew_and_arabic_are_read_from_the_right():
    assert text.drawable("cat: שלום חתול, 5") == "cat: לותח םולש, 5"
    assert text.drawable("ab") == "ab"


def test_a_text_is_cut_where_it_does_not_fit_and_broken_where_it_may():
    assert text.fit("short", 100) == "short"
    cut = text.fit("a very long name of a class", 100)
    assert cut.endswith("…") and "a very long name of a class".startswith(cut[:-1])
    assert 60 < text.width(cut) <= 100
    lines = text.wrap("a very long name of a class " + "x" * 90 + "\nend", 100).split("\n")
    assert len(lines) > 3 and lines[-1] == "end" and max(map(text.width, lines)) <= 100

"""Explorers of lesson 01: a polynomial through a few photographs, and what two penalties prefer."""

import ipywidgets as widgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers import plotting, regularization
from helpers.explorers.explorer import Explorer, slider

L2S = [10.0**power for power in np.arange(-5, 1.5, 0.5)]
TRUTH, SEEN, FITTED, OTHERS = "#000000", "#0072B2", "#D55E00", "#E69F00"
FAR = np.linspace(0.0, regularization.LANDING, 110)


def polynomial():
    """Return an explorer of polynomials fitted to a thrown ball.

    Sliders for the degree, for lambda of the L2 penalty, for the noise and number of photographs,
    and for the throw (the same one with other noise); a checkbox adds forty such throws.
    """
    sheet = Sheet("seconds", "metres")
    near, far = sheet.panels
    near.set(xlim=(0, regularization.LANDING), ylim=(-5, 12), title="the ball")
    near.axvspan(regularization.FIRST, regularization.LAST, color="#F2F2F2", zorder=0)
    near.axhline(0, color="#888888", linewidth=1)
    many = [near.plot([], [], color=OTHERS, alpha=0.4, lw=1, animated=True)[0] for _ in range(40)]
    near.plot(FAR, regularization.height(FAR), "--", color=TRUTH, label="truth")
    (line,) = near.plot([], [], color=FITTED, linewidth=3, label="fitted", animated=True)
    (points,) = near.plot([], [], "o", color=SEEN, ms=9, label="photographs", animated=True)
    near.legend(loc="lower left", frameon=False, labelspacing=0.2)
    far.set(xlabel="lambda", ylabel="metres", xscale="log", yscale="log", ylim=(0.05, 100))
    far.set(title="error against the truth", xlim=(L2S[0], L2S[-1]))
    (inside,) = far.plot([], [], color=SEEN, label="between photographs", animated=True)
    (after,) = far.plot([], [], color=FITTED, label="after the last one", animated=True)
    here = far.axvline(1, color=TRUTH, linewidth=1.5, animated=True)
    far.legend(loc="upper right", frameon=False)

    def draw(degree, penalty, noise, count, throw, others):
        seconds, heights = regularization.throws(count, noise, seed=throw)
        curve = regularization.polynomial(seconds, heights, degree, penalty)
        points.set_data(seconds, heights)
        line.set_data(FAR, curve(FAR))
        repeats = regularization.throws(count, noise, seed=1000, repeats=len(many))[1]
        spread = regularization.polynomial(seconds, repeats, degree, penalty)(FAR)
        for other, values in zip(many, spread, strict=True):
            other.set_data(FAR, values)
        fits = (regularization.polynomial(seconds, heights, degree, p) for p in L2S)
        found = [regularization.errors(fit) for fit in fits]
        inside.set_data(L2S, [error for error, _ in found])
        after.set_data(L2S, [error for _, error in found])
        here.set_xdata([penalty or L2S[0]] * 2)
        between, beyond = regularization.errors(curve)
        said = _named(penalty)
        moving = (*(many if others else ()), line, points, inside, after, here)
        return sheet.draw(*moving), (
            f"degree {degree}, lambda {said}, {count} photographs off by {noise:.1f} m: "
            f"wrong by {between:.2f} m between them, by {beyond:.2f} m after the last"
        )

    powers = [(_named(penalty), penalty) for penalty in (0.0, *L2S)]
    controls = {
        "degree": slider("degree", least=1, most=9, value=4),
        "penalty": widgets.SelectionSlider(options=powers, value=0.0, description="lambda"),
        "noise": widgets.FloatSlider(
            value=0.4, min=0.0, max=1.0, step=0.1, description="noise (m)"
        ),
        "count": slider("photos", least=3, most=40, value=5),
        "throw": slider("throw", most=20),
        "others": widgets.Checkbox(value=False, description="forty other throws"),
    }
    return Explorer("Polynomial explorer", draw, controls)


def penalties():
    """Return an explorer of a loss of two weights under an L2 and an L1 penalty.

    Sliders for lambda and for the rotation of the loss's valley. On the left the circle of equal L2
    penalty, on the right the diamond of equal L1 penalty, each through the best weights.
    """
    sheet, parts = Sheet("weight 1", "weight 2"), []
    for axis, name in zip(sheet.panels, ("L2", "L1"), strict=True):
        axis.set(
            xlim=(-1.4, 2.6), ylim=(-1.1, 2.6), aspect="equal", xticks=range(-1, 3), yticks=range(3)
        )
        axis.axhline(0, color="#BBBBBB", linewidth=1)
        axis.axvline(0, color="#BBBBBB", linewidth=1)
        axis.set_title(f"{name} penalty")
        rings = [axis.plot([], [], color=SEEN, lw=1.2, animated=True)[0] for _ in range(5)]
        (area,) = axis.fill([0], [0], color=OTHERS, alpha=0.5, animated=True)
        axis.plot(*regularization.valley(0)[1], "x", color=SEEN, markersize=10, markeredgewidth=2.5)
        (best,) = axis.plot([], [], "o", color=FITTED, markersize=11, animated=True)
        rings[2].set_linewidth(3)  # the one through the best weights
        parts.append((name, rings, area, best))
    circle = np.linspace(0, 2 * np.pi, 181)
    circle = np.stack([np.cos(circle), np.sin(circle)])

    def draw(penalty, turn):
        matrix, lowest = regularization.valley(turn)
        sizes, directions = np.linalg.eigh(matrix)
        said = []
        for name, rings, area, best in parts:
            found = regularization.penalized_minimum(matrix, lowest, **{name.lower(): penalty})
            best.set_data(found[:1], found[1:])
            loss = (found - lowest) @ matrix @ (found - lowest)
            for ring, level in zip(rings, (0.08, 0.3, loss, 1.4, 2.5), strict=True):
                ellipse = directions @ (circle * np.sqrt(level / sizes)[:, None])
                ring.set_data(*(ellipse + lowest[:, None]))
            power = 1 if name == "L1" else 2
            length = np.linalg.norm(found, power) / np.linalg.norm(circle, power, axis=0)
            area.set_xy((circle * length).T)
            weights = " and ".join(f"{w:.2f}" if w else "exactly 0" for w in found)
            said.append(f"{name} gives {weights}")
        moving = [part for _, rings, area, best in parts for part in (area, *rings, best)]
        text = f"lambda {penalty:.1f}, turned by {turn} degrees: {'; '.join(said)}"
        return sheet.draw(*moving), text

    controls = {
        "penalty": widgets.FloatSlider(value=1.2, min=0.0, max=4.0, step=0.1, description="lambda"),
        "turn": slider("turn", least=-90, most=90, value=15, step=5),
    }
    return Explorer("Penalty explorer", draw, controls)


def _named(penalty):
    """Return a lambda as text: two significant digits, or "none"."""
    if not penalty:
        return "none"
    return np.format_float_positional(penalty, precision=2, fractional=False, trim="-")


class Sheet:
    """A figure of two panels whose static frame is drawn once; only moving parts are redrawn."""

    def __init__(self, xlabel, ylabel):
        plotting.style()
        # Larger letters than in a lesson's figure: on a small screen it is shown at half its size.
        self.figure = Figure(figsize=(7.2, 3.3), dpi=plotting.DPI / 0.75, layout="none")
        self.panels = self.figure.subplots(1, 2)
        self.figure.subplots_adjust(left=0.115, right=0.98, bottom=0.18, top=0.89, wspace=0.26)
        for panel in self.panels:
            panel.set(xlabel=xlabel, ylabel=ylabel)
        self._canvas, self._frame = FigureCanvasAgg(self.figure), None

    def draw(self, *moving):
        """Return the sheet, uint8 (H, W, 3), with these parts over the static frame.

        The parts need `animated=True`, so that the frame does not contain them.
        """
        if self._frame is None:
            self._canvas.draw()
            self._frame = self._canvas.copy_from_bbox(self.figure.bbox)
        self._canvas.restore_region(self._frame)
        for part in moving:
            part.axes.draw_artist(part)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()

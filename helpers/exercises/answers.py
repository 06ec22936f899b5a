"""What learners answer: read and judged in one place, so that only what is proved right can pass.

`called`, `number`, `whole`, `row`, `choice`, `array` and `picture` let nothing through but finite
values of the right type and shape, since every comparison with NaN is false, and "off by more than
..." with it. Otherwise they raise `Wrong`, whose text is what the learner reads.
"""

import math
import numbers
import reprlib

import numpy as np

from helpers.core.bounds import in_line

QUOTED = 80  # characters of an answer that a message repeats, at most
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = QUOTED


class Blank:
    """The value of `____`: whatever is done with it, it stays blank."""

    def _stay(self, *_args, **_kwargs):
        return self

    __call__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _stay
    __truediv__ = __rtruediv__ = __neg__ = __pow__ = __matmul__ = __rmatmul__ = _stay
    __lt__ = __gt__ = __le__ = __ge__ = _stay
    __array_ufunc__ = None  # so that NumPy leaves arithmetic with a blank to the blank

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __repr__(self):
        return "____"


BLANK = ____ = Blank()


class Wrong(Exception):
    """Raised where an answer is wrong; its text tells the learner why."""


class Unanswered(Exception):
    """Raised by a check if a learner's function returns a blank."""


def called(function, *arguments):
    """Return what a learner's function gives for copies of the arguments; a blank is `Unanswered`.

    Raises `Wrong` for anything but a function, and for one that returns nothing.
    """
    if not callable(function) or isinstance(function, type):
        given = quoted(function)
        raise Wrong(f"Give the function itself (its name, without calling it), not {given}.")
    copies = [one.copy() if isinstance(one, np.ndarray) else one for one in arguments]
    value = function(*copies)
    if value is None:
        raise Wrong("Your function returns nothing (None): does it end with `return`?")
    if is_blank(value):
        raise Unanswered
    return value


def is_blank(value):
    """Return whether a value is the `____` or `...` of an exercise that is not done yet."""
    return value is Ellipsis or issubclass(type(value), Blank)  # without asking the value itself


def number(answer):
    """Return an answer, or what a function returned, as a float; `Wrong` unless it is one number.

    Arrays of one element, truth values, NaN and infinity are no numbers here.
    """
    if isinstance(answer, str):
        raise Wrong(f"A number is wanted, and {quoted(answer)} is text.")
    if callable(answer):
        raise Wrong("A number is wanted, and this is a function: call it, and give its result.")
    if isinstance(answer, numbers.Real) and not isinstance(answer, bool):
        value = answer
    else:
        found = _as_array(answer)
        if found.ndim:
            many = f"an array of shape {found.shape}" if found.dtype != object else quoted(answer)
            means = " Its mean() or sum() would be one number." if found.dtype == bool else ""
            raise Wrong(f"One number is wanted, not {many}.{means}")
        if found.dtype.kind not in "uif":
            raise Wrong(f"A number is wanted, not {quoted(answer)}.")
        value = found.item()
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Wrong(f"A finite number is wanted, not {value}.")
    return value


def whole(answer):
    """Return an answer as an int; `Wrong` unless it is one whole number."""
    value = number(answer)
    if value != int(value):
        raise Wrong(f"A whole number is wanted, not {value:g}.")
    return int(value)


def row(answer, images):
    """Return an answer as the number of one of these pictures; `Wrong` where there is none."""
    value = whole(answer)
    if not 0 <= value < len(images):
        raise Wrong(f"The test pictures are numbered 0 to {len(images) - 1}.")
    return value


def choice(answer, choices):
    """Return which of these choices, texts or numbers, an answer is; `Wrong` if it is none."""
    simple = isinstance(answer, str | numbers.Real) and not isinstance(answer, bool)
    for known in choices if simple else ():
        if answer == known:
            return known
    listed = ", ".join(repr(one) for one in choices)
    raise Wrong(f"Answer with one of {listed}, not with {quoted(answer)}.")


def instance(answer, kind, what):
    """Return an answer of this type; `Wrong`, which says what to give, for one of another."""
    if not isinstance(answer, kind):
        raise Wrong(f"Give {what}, not {type(answer).__name__}.")
    return answer


def array(answer, shape, what="an array"):
    """Return an answer as a float array of this shape; `Wrong` unless it is one, and finite.

    shape: None where any length will do. what: for the message, such as "a picture".
    """
    if callable(answer):
        raise Wrong(f"Give {what}, not a function: call it, and give its result.")
    found = _as_array(answer)
    wanted = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
    if found.dtype.kind not in "uif":
        raise Wrong(f"Give {what} of numbers, of shape {wanted}, not {quoted(answer)}.")
    if len(found.shape) != len(shape) or any(
        n not in (None, m) for n, m in zip(shape, found.shape, strict=True)
    ):
        raise Wrong(f"Give {what} of shape {wanted}, not {found.shape}.")
    found = found.astype(np.float64)
    if not np.isfinite(found).all():
        raise Wrong(f"Give {what} of finite numbers: yours holds NaN or infinity.")
    return found


def picture(answer, shape):
    """Return an answer as a float picture of this shape; `Wrong` unless its values are in 0-255."""
    found = array(answer, shape, "a picture")
    if found.min() < 0 or found.max() > 255:
        low, high = found.min(), found.max()
        raise Wrong(f"The values of a picture lie in 0-255, not {low:.3g} to {high:.3g}.")
    return found


def quoted(value):
    """Return a value as code, in one line of at most `QUOTED` characters."""
    try:
        text = _BRIEF.repr(value)
    except Exception:  # whatever a repr of one's own may raise
        text = f"a {type(value).__name__}"
    return in_line(text, QUOTED)


def in_short(error):
    """Return the kind of an error and the beginning of its first line."""
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:  # whatever a text of one's own may raise
        text = ""
    return f"{type(error).__name__}: {in_line(text, 2 * QUOTED)}"


def _as_array(answer):
    """Return an answer as an array; `Wrong` where that cannot be."""
    try:
        return np.asarray(answer)
    except Exception as error:
        raise Wrong(f"{quoted(answer)} is no array: its rows may differ in length.") from error

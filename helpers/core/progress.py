"""Progress bars for long loops."""

import os

from helpers.core import front_end


def progress(iterable, total=None, label=None):
    """Yield the items of an iterable and show a progress bar.

    A line of the cell's output in a notebook, text on stderr elsewhere; hidden for the first half
    second and gone at the end; never there if TQDM_DISABLE is set. `total` is needed only if the
    iterable has no length.
    """
    from tqdm import tqdm

    options = {"file": Line(), "ncols": 80, "ascii": False} if front_end.notebook() else {}
    disable = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(
        iterable, desc=label, total=total, delay=0.5, leave=False, disable=disable, **options
    )


class Line:
    """A file for one line of a notebook's output, written anew each time, that ends empty.

    tqdm's own bar for notebooks is a widget: a saved notebook would say that it is not found.
    """

    encoding = "utf-8"
    _handle = None

    def write(self, text):
        """Show this text instead of the one before."""
        from IPython.display import DisplayHandle

        data, new = {"text/plain": text.strip()}, self._handle is None
        if not data["text/plain"]:
            if new:
                return
            data = {}
        if new:
            self._handle = DisplayHandle()
        show = self._handle.display if new else self._handle.update
        show(data, raw=True)

    def flush(self):
        """Do nothing: what is written is shown at once."""


def portions(images, count, most, label):
    """Yield (image number, slice of `count`), at most `most` at a time, with a progress bar.

    For methods that query the network many times per image. Slices have nearly equal lengths.
    `count` is a number for all images, or one for each of them.
    """
    counts = [count] * images if isinstance(count, int) else count
    found = [(n, some) for n, many in enumerate(counts) for some in _slices(many, most)]
    yield from progress(found, label=label)


def _slices(count, most):
    size = -(-count // max(1, -(-count // most)))
    return [slice(start, start + size) for start in range(0, count, size)] if count else []

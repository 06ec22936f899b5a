"""A Matplotlib figure that shows itself once in a notebook, small, and with its alt text."""

import io
import sys

from matplotlib.figure import Figure
from PIL import Image

DPI = 100


class Picture(Figure):
    """A Matplotlib figure that a notebook shows once, with its alt text.

    It belongs to no pyplot window, so nothing shows it a second time and nothing keeps it alive.
    """

    alt = ""
    _shown_by = None  # the run of a cell that has shown it

    def show_once(self):
        """Show the figure in the running cell, unless this cell has shown it already."""
        shell = _notebook()
        if shell is None:
            return
        run = shell.parent_header["header"]["msg_id"]  # each run of a cell answers its own message
        if self._shown_by == run:
            return
        self._shown_by = run
        from IPython.display import display

        kind, image = smallest(figure_to_png(self))
        display({kind: image, "text/plain": self.alt}, raw=True, metadata={kind: {"alt": self.alt}})

    _ipython_display_ = show_once


def figure_to_png(figure):
    """Return a figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def smallest(png):
    """Return a picture's MIME type and bytes, as PNG or as JPEG, whichever is smaller.

    Lines and text are smaller as PNG, pictures of animals as JPEG: a lesson must stay a small file.
    """
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "JPEG", quality=88, subsampling=0)
    jpeg = file.getvalue()
    return ("image/png", png) if len(png) <= len(jpeg) else ("image/jpeg", jpeg)


def _notebook():
    """The running IPython shell when it has a notebook or other front end, else None."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None

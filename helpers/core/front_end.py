"""Where a cell's output is shown: in a notebook or not, in JupyterLab or elsewhere.

GitHub, Colab and nbconvert take a picture's alt text from the output's metadata. JupyterLab does
not: there a picture needs HTML of its own to have one, and a frame to look right on a dark page.
"""

import base64
import html
import sys

# A white card with round corners: the same on a light page, a frame on a dark one.
CARD = (
    "background: white; padding: 8px; border-radius: 8px; box-sizing: border-box; max-width: 100%"
)


def notebook():
    """Return the IPython shell if it runs in a notebook or another front end, else None."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None


def is_lab():
    """Is the running cell one of JupyterLab or Notebook 7? They name it in the request to run it.

    What only runs notebooks (nbclient, nbval, `make notebooks`) does not, so committed outputs
    hold pictures once, and no HTML that a comparison would read.
    """
    return "cellId" in (getattr(notebook(), "parent_header", {}).get("metadata") or {})


def image_html(kind, data, alt):
    """Return an <img> of a picture: its MIME type, its bytes, and its alt text."""
    code = base64.b64encode(data).decode("ascii")
    return f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{code}" style="{CARD}">'

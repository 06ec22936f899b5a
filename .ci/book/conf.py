"""How Sphinx writes the book, out of the pages that `sources.py` has laid out beside this file."""

from docutils import nodes
from latex2mathml.converter import convert

project = "What a CNN Sees"
author = "The authors of What a CNN Sees"
copyright = "2026, " + author + ". Code: MIT; lessons and pictures: CC BY 4.0"
extensions = ["myst_nb", "sphinx.ext.githubpages"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_execution_mode = "off"
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_update_mathjax = False
myst_heading_anchors = 4
# All pages lie in one folder. The links between them are checked in the finished book.
myst_url_schemes = {
    "http": None,
    "https": None,
    "mailto": None,
    "page": "{{path}}.html",
    "spot": "{{path}}.html#{{fragment}}",
}
html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["book.css"]
html_extra_path = ["extra"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # the search would fetch pages, which files may not
html_context = {"default_mode": "auto"}
html_math_renderer = "mathml"
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}


def _inline(writer, node):
    formula = convert(node.astext())
    if len(node.astext()) > 30:  # browsers do not break formulas, so a phone scrolls long ones
        formula = f'<span class="course-long" tabindex="0">{formula}</span>'
    writer.body.append(formula)
    raise nodes.SkipNode


def _block(writer, node):
    formula = convert(node.astext(), display="block")
    writer.body.append(f'<div class="course-formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def setup(app):
    """Write formulas as MathML, which browsers show without a script."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

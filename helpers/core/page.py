"""What an explorer needs from the page around it: names, clicks, keys, a word when it is not live.

Widgets cannot give a slider's handle a name, or a picture an alt text, and know of no clicks on
pictures. The page can: an invisible image brings a few lines of JavaScript. Where a front end does
not run them, the explorer works without.
"""

import html
import json

import ipywidgets as widgets

from helpers.core.front_end import CARD, image_html

STILL = "Run this cell to move the controls."
LOST = "The kernel does not know this explorer any more: run its cell again."
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
# An arrow for drop-down lists, in a grey that shows on light and on dark.
ARROW = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E%3Cpath "
    "d='M4 7l5 5 5-5' fill='none' stroke='%238a8a8a' stroke-width='2'/%3E%3C/svg%3E"
)
# Run once for each view. A handle's value is what stands beside the slider, such as a layer's name.
# JupyterLab acts on letters ("dd" deletes the cell) unless the element with the focus forbids it by
# an attribute: here each does, but for keys with Ctrl and the like.
SCRIPT = """
const mark = this, title = %(title)s;
(function start(tries) {
  const box = mark.closest('.course-explorer');
  if (!box) return tries && setTimeout(start, 100, tries - 1);
  const one = name => box.querySelector(name);
  const set = (node, name, text) => node && node.getAttribute(name) !== text
    && node.setAttribute(name, text);
  const words = node => node ? node.textContent.trim() : '';
  const tell = () => {
    const image = one('img.course-picture'), label = one('.course-label');
    set(image, 'alt', title + ': ' + words(label));
    set(label, 'role', 'status');
    if (one('.course-click') && image) image.style.cursor = 'pointer';
    for (const handle of box.querySelectorAll('.noUi-handle, .ui-slider-handle')) {
      const row = handle.closest('.widget-inline-hbox');
      const name = words(row.querySelector('label, .widget-label'));
      const value = row.querySelector('.widget-readout');
      set(handle, 'role', 'slider');
      set(handle, 'aria-label', name);
      set(handle, 'aria-valuetext', words(value));
      if (!handle.hasAttribute('aria-valuenow') || handle.style.left)
        set(handle, 'aria-valuenow', String(parseFloat(handle.style.left) || 0));
      set(value, 'aria-label', name + ', value');
    }
  };
  const told = {childList: true, subtree: true, characterData: true, attributes: true};
  new MutationObserver(tell).observe(box, {...told, attributeFilter: ['aria-valuetext', 'src']});
  tell();
  const guard = press => press.target.toggleAttribute('data-lm-suppress-shortcuts', !(
    press.ctrlKey || press.metaKey || press.altKey || press.shiftKey || press.key === 'Escape'));
  box.addEventListener('focusin', () => window.addEventListener('keydown', guard, true));
  box.addEventListener('focusout', () => window.removeEventListener('keydown', guard, true));
  box.addEventListener('click', press => {
    const field = one('.course-click input'), image = press.target;
    if (!field || !image.matches('img.course-picture')) return;
    const style = getComputedStyle(image), edge = side => parseFloat(style['padding' + side]);
    const wide = image.clientWidth - edge('Left') - edge('Right');
    const high = image.clientHeight - edge('Top') - edge('Bottom');
    const x = (press.offsetX - edge('Left')) / wide, y = (press.offsetY - edge('Top')) / high;
    field.value = [x, y, Date.now()].join(' ');
    field.dispatchEvent(new Event('input', {bubbles: true}));
    field.dispatchEvent(new Event('change', {bubbles: true}));
  });
})(100);
"""
STYLE = """
.jp-OutputArea-child:has(#still-%(id)s) {display: none}
#still-%(id)s, .course-lost {display: none}
.jupyter-widgets-disconnected .course-lost {display: block; color: var(--jp-ui-font-color1)}
.jupyter-widgets-disconnected :is(.widget-inline-hbox, button) {pointer-events: none; opacity: 0.5}
.course-explorer.jupyter-widgets-disconnected::before,
.course-explorer .jupyter-widgets-disconnected::before {content: none}
.course-explorer .widget-hslider {flex-wrap: wrap; height: auto}
.course-explorer .slider-container {flex: 1 1 60px}
.course-explorer .widget-readout
  {flex: none; max-width: 100%%; margin-left: 12px; white-space: nowrap}
.course-explorer .widget-dropdown > select {background-image: url("%(arrow)s")}
[data-jp-theme-light="false"] .course-picture {%(card)s}
"""
# In a notebook that is opened again, what stands after the still picture is not found: a message
# without elements, which says less than the sentence below the picture.
FOUND_NO_MORE = """
.jp-OutputArea-child:has(#still-%(id)s) + .jp-OutputArea-child
  > .jp-OutputArea-output:not(:has(*)) {display: none}
"""


def mark(box, title):
    """Return a widget without extent that gives an explorer's box its names, keys and clicks."""
    script = SCRIPT % {"title": json.dumps(title)}
    style = STYLE % {"id": box.model_id, "arrow": ARROW, "card": CARD}
    value = (
        f"<style>{style}</style>"
        f'<img src="{DOT}" alt="" width="1" height="1" style="position: absolute" '
        f'onload="{html.escape(script)}">'
        f'<p class="course-lost" role="alert">{LOST}</p>'
    )
    return widgets.HTML(value)


def clicks(clicked):
    """Return a hidden field that calls `clicked(x, y)` for clicks on the picture, in 0-1."""
    field = widgets.Text(layout=widgets.Layout(display="none"))
    field.add_class("course-click")

    def heard(change):
        x, y, *_ = map(float, change["new"].split())
        clicked(x, y)

    field.observe(heard, "value")
    return field


def still(box, kind, picture, alt):
    """Return the HTML of the picture that is seen where the explorer is not live."""
    style = FOUND_NO_MORE % {"id": box.model_id}
    image = image_html(kind, picture, alt)
    return f'<style>{style}</style><div id="still-{box.model_id}">{image}<p>{STILL}</p></div>'

"""The slides of all lessons, opened as files in Chromium, as large as a projector shows them."""

import importlib.machinery
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lesson_page import REACT
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PLAYED = ["00_start_here.1", "01_regularization.2", "10_more_regularizers.1"]  # quick ones
WIDE, HIGH, EDGE = 1024, 768, 12  # pixels; nothing comes nearer to the edge
SECONDS = 120  # to make all, on a busy machine: twice the limit of a quiet one
PLACE = "const at = Reveal.getIndices(); return [at.h, at.v || 0]"
# Turn to each slide as the space bar does; return what of it is cut off, and how many there are.
TURN = """
const [wide, high, edge] = arguments, found = [];
let count = 0;
Reveal.slide(0, 0);
for (let at = null; at !== Reveal.getCurrentSlide(); Reveal.next()) {
  at = Reveal.getCurrentSlide();
  count += 1;
  let most = 0;
  for (const node of at.querySelectorAll('*:not(aside, aside *, script, option)')) {
    const box = node.getBoundingClientRect();
    const out = box.left < edge || box.right > wide - edge || box.bottom > high - edge;
    if (box.width && box.height && (out || node.scrollWidth > node.clientWidth + 1
        && node.clientWidth && getComputedStyle(node).display !== 'inline'))
      most = Math.max(most, box.bottom, box.right);
  }
  const small = [...at.querySelectorAll('p, li, td, code, pre')].some(node =>
    !node.closest('aside') && parseFloat(getComputedStyle(node).fontSize) < 15);
  if (most || small)
    found.push([count, Math.round(most), at.textContent.trim().replace(/\\s+/g, ' ').slice(0, 80)]);
}
return [count, found];
"""

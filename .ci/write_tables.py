"""Write the tables of data/README.md that can be computed: networks and checksums.

python .ci/write_tables.py          after anything in data/ has changed
"""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"


def replace(page, name, lines):
    """Put lines between the comments `<!-- name -->` and `<!-- /name -->` of a page."""
    text = page.read_text(encoding="utf-8")
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    new, count = re.subn(pattern, lambda m: m[1] + "\n".join(lines) + "\n" + m[2], text, flags=re.S)
    if count != 1:
        raise SystemExit(f"{page} must have one <!-- {name} --> and one <!-- /{name} -->")
    page.write_text(new, encoding="utf-8")


def checksums():
    """Return the table of all files in data/."""
    yield from ("| file | bytes | sha256 |", "|---|---|---|")
    hidden = ("README.md", "__pycache__", ".work")
    for path in sorted(DATA.rglob("*")):
        if path.is_file() and not set(path.relative_to(DATA).parts) & set(hidden):
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            yield f"| {path.relative_to(DATA).as_posix()} | {len(content)} | {digest} |"


def networks():
    """Return the table of the shipped networks, out of their cards."""
    yield from ("| network | trained on | parameters | scores |", "|---|---|---|---|")
    for name in ("animals", "pets", "pets_cloudy", "pets_robust", "pets_incomplete"):
        card = json.loads((DATA / "networks" / f"{name}.json").read_text(encoding="utf-8"))
        scores = "; ".join(f"{key} {value:g}" for key, value in card["scores"].items())
        yield f"| `{name}` | {card['data']} | {card['parameters']:,} | {scores} |"


if __name__ == "__main__":
    replace(DATA / "README.md", "networks", networks())
    replace(DATA / "README.md", "checksums", checksums())

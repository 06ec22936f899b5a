"""Draw the picture in the README, `picture.jpg`: python data/picture.py."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from helpers import cam, drawn, gradients, plotting, runtime
from helpers.worlds import World

ANIMALS = (("dog", 17), ("cat", 14), ("dog", 4), ("cat", 3), ("dog", 6), ("cat", 15))
SIDE, MARGIN = 256, 300


def main():
    """Draw the animals, their parts and what three networks look at, a row each."""
    runtime.setup()
    drawings = [drawn.draw(k, s, sky="cloudy" if k == "dog" else "sunny") for k, s in ANIMALS]
    images = np.array([drawing.image for drawing in drawings])
    targets = np.array([drawn.PETS.index(kind) for kind, _ in ANIMALS])
    table = np.array([(221, 221, 221), *(_rgb(color) for color in plotting.OKABE_ITO)], np.uint8)
    rows = {"the picture": images}
    rows["its true parts"] = np.array([table[drawing.parts] for drawing in drawings])
    rows["where the network\nlooked (Grad-CAM)"] = _heat(
        World.load_network("pets"), images, targets
    )
    cloudy = World.load_network("pets_cloudy")
    rows["where a network looked\nthat learned the weather"] = _heat(cloudy, images, targets)
    slopes = gradients.gradient(World.load_network("pets_robust"), images, targets)
    rows["which pixels mattered\nto a robust network"] = _strength(slopes)
    _save(rows, Path(__file__).with_name("picture.jpg"))


def _rgb(color):
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def _heat(network, images, targets):
    pairs = zip(images, cam.grad_cam(network, images, targets), strict=True)
    return np.array([plotting.overlay(i, plotting.rescale(h), plotting.colors()) for i, h in pairs])


def _strength(slopes):
    maps = [plotting.rescale(np.abs(slope).sum(axis=2), 99.5) for slope in slopes]
    return plotting.colors()[np.round(np.array(maps) * 255).astype(int)]


def _save(rows, path):
    width, height = MARGIN + len(ANIMALS) * (SIDE + 6), len(rows) * (SIDE + 6)
    page = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(22)
    for row, (title, pictures) in enumerate(rows.items()):
        place = (MARGIN - 14, row * (SIDE + 6) + SIDE // 2)
        pen.multiline_text(place, title, "black", font, anchor="rm", align="right")
        for column, picture in enumerate(pictures):
            large = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            page.paste(large, (MARGIN + column * (SIDE + 6), row * (SIDE + 6)))
    page = page.resize((width * 2 // 3, height * 2 // 3), Image.Resampling.LANCZOS)
    partial = path.with_name(f".{path.name}")
    page.save(partial, "JPEG", quality=85, optimize=True)
    partial.replace(path)


if __name__ == "__main__":
    main()

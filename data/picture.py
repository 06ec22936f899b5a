"""Draw the picture in the README, `picture.jpg`: python data/picture.py."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from helpers import cam, drawn, dreaming, gradients, photos, plotting, runtime
from helpers.worlds import World

ANIMALS = (("dog", 17), ("cat", 14), ("dog", 4), ("cat", 3), ("dog", 6), ("cat", 15))
CLASSES = {"chelsea": 285, "coffee": 967, "flower": 985}  # Egyptian cat, espresso, daisy
SIDE, MARGIN, GAP = 256, 300, 6


def main():
    """Draw animals and what three networks look at, then photographs and a network that knows them.

    Each row has a title and either six square pictures or two wide ones.
    """
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
    real, shots = World.load_network("imagenet"), photos.samples(SIDE)
    asked = np.array([shots[name] for name in CLASSES])
    looked = _heat(real, asked, np.array([*CLASSES.values()]))
    rows["where a real network saw\nEgyptian cat, espresso,\ndaisy in photographs"] = [
        picture for pair in zip(asked, looked, strict=True) for picture in pair
    ]
    rows["a photograph, and what\nit dreams into it"] = [photos.samples()["temple"], _dream(real)]
    _save(rows, Path(__file__).with_name("picture.jpg"))


def _dream(network):
    """Return the temple with dogs in its roofs, dreamed as in lesson 06."""
    return dreaming.deep_dream(
        network, photos.samples()["temple"], dreaming.energy("block5_3_add"), octaves=6, steps=20,
        parameterization=dreaming.Spectrum(1.0), rule=dreaming.adam, rate=12,
        transform=dreaming.shaken,
    )  # fmt: skip


def _rgb(color):
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def _heat(network, images, targets):
    pairs = zip(images, cam.grad_cam(network, images, targets), strict=True)
    return np.array([plotting.overlay(i, plotting.rescale(h), plotting.colors()) for i, h in pairs])


def _strength(slopes):
    maps = [plotting.rescale(np.abs(slope).sum(axis=2), 99.5) for slope in slopes]
    return plotting.colors()[np.round(np.array(maps) * 255).astype(int)]


def _save(rows, path):
    across = len(ANIMALS) * (SIDE + GAP)
    heights = [int(np.shape(pictures[0])[0] / np.shape(pictures[0])[1] * across / len(pictures))
               for pictures in rows.values()]  # fmt: skip
    tops = np.cumsum(heights) - heights
    width, height = MARGIN + across, sum(heights)
    page = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(22)
    for top, tall, (title, pictures) in zip(tops, heights, rows.items(), strict=True):
        place = (MARGIN - 14, top + tall // 2)
        pen.multiline_text(place, title, "black", font, anchor="rm", align="right")
        wide = across // len(pictures)
        for column, picture in enumerate(pictures):
            large = Image.fromarray(np.uint8(picture)).resize(
                (wide - GAP, tall - GAP), Image.Resampling.LANCZOS
            )
            page.paste(large, (MARGIN + column * wide, top))
    page = page.resize((width * 2 // 3, height * 2 // 3), Image.Resampling.LANCZOS)
    partial = path.with_name(f".{path.name}")
    page.save(partial, "JPEG", quality=85, optimize=True)
    partial.replace(path)


if __name__ == "__main__":
    main()

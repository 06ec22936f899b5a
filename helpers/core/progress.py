"""Progress bars for long loops."""

import os


def progress(iterable, total=None, label=None):
    """Yield the items of an iterable and show a progress bar.

    A widget in a notebook, text on stderr in a terminal; hidden for the first half second, and
    always if TQDM_DISABLE is set. `total` is needed only if the iterable has no length.
    """
    from tqdm.auto import tqdm

    # Set here as well, because the notebook's bar does not read the variable.
    disable = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(iterable, desc=label, total=total, delay=0.5, leave=False, disable=disable)


def portions(images, count, most, label):
    """Yield (image number, slice of `count`), at most `most` at a time, with a progress bar.

    For methods that query the network many times per image. Slices have nearly equal lengths.
    """
    size = -(-count // -(-count // most))
    slices = [slice(start, start + size) for start in range(0, count, size)]
    yield from progress([(n, some) for n in range(images) for some in slices], label=label)

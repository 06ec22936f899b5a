"""Your own photos: find them in a folder, and load them for a network.

A folder labels its pictures in one of two ways, optionally inside `train/` and `test/`:

    cats/anything.jpg   dogs/anything.jpg      one folder per class, and folders within it
    cat.12.jpg          dog.7.jpg              the class before the number (as on Kaggle)

`layout` says how such a folder is understood, `reading` what is read.
"""

import contextlib
import logging
import warnings
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np

from helpers.core import cache
from helpers.core.progress import progress
from helpers.photos import layout, reading

MOST = {"train": 1000, "test": 400}
SHOWN = 20  # classes that a report names one by one
log = logging.getLogger("helpers")  # runtime.setup prints these messages


@dataclass(frozen=True)
class Listing:
    """The pictures found in a folder: class names, and (path, label) pairs for train and test.

    Classes alternate, so the first few pictures show all of them. `report` says what was found
    where, and what was left out or guessed, with counts.
    """

    folder: Path
    class_names: tuple[str, ...]
    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...]
    report: str = field(default="", repr=False, compare=False)


def find(folder, most=None, seed=0):
    """Find the labelled pictures of a folder, split them into train and test, and say what is what.

    Arguments:
        folder: a path, laid out as described at the top of this module.
        most: the most pictures to use, shared equally between the classes; by default
            {"train": 1000, "test": 400}.
        seed: chooses the pictures. Without labelled pictures in `test/` (or `validation/`, `val/`),
            it also chooses a quarter of each class as the test set.

    Returns a `Listing`, without decoding any picture. Classes are sorted as Keras sorts them. Its
    report is logged once, as a warning if something was left out. Raises ValueError, naming the
    layouts that work, for a missing or empty folder, fewer than two classes, a class with one
    picture, and test classes that differ from the training classes.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        if folder.is_file() and zipfile.is_zipfile(folder):
            what += ", a zip archive: unpack it"
        raise ValueError(f"the photo folder {folder} {what}; expected {layout.LAYOUTS}")
    classes, held_out, left_out = layout.parts(layout.scan(folder.absolute()))
    rng = np.random.default_rng(seed)
    most = {**MOST, **(most or {})}
    pairs, lines = {"train": [], "test": []}, []
    for label, name in enumerate(sorted(classes)):
        parts = {"train": classes[name], "test": held_out[name]} if held_out else None
        parts, said = parts or _quarter(folder, name, classes[name], rng), []
        for part, paths in parts.items():
            share = max(1, most[part] // len(classes))
            chosen = np.sort(rng.permutation(len(paths))[:share])
            pairs[part] += [(turn, label, paths[index]) for turn, index in enumerate(chosen)]
            of = f" of {len(paths):,}" if len(paths) > share else ""
            said.append(f"{len(chosen):,}{of} to {part} on")
        lines.append(f"  {label} {name}: {', '.join(said)}, from {_places(folder, parts)}")
    parts = [tuple((path, label) for *_, label, path in sorted(found)) for found in pairs.values()]
    names = tuple(sorted(classes))
    said = [f"{folder} has {len(names)} classes; label, class and pictures:", *lines[:SHOWN]]
    if lines[SHOWN:]:
        said.append(f"  and {len(lines) - SHOWN:,} classes more, to {len(names) - 1} {names[-1]}")
    if not held_out:
        said.append("There is no labelled test folder: a quarter of each class is the test set.")
    problems = (
        _copies(*parts) + ["Left out or guessed: " + "; ".join(left_out) + "."][: len(left_out)]
    )
    report = "\n".join(said + problems)
    log.log(logging.WARNING if problems else logging.INFO, "%s", report)
    return Listing(folder, names, *parts, report)


def load(listing, part, size):
    """Read the pictures of one part of a listing as images and labels.

    part: "train" or "test". size: (height, width) or one int. Returns images uint8 (N, H, W, 3) and
    labels int64 (N,). Unusable pictures are left out and named in one warning. Raises ValueError if
    a class has no usable picture.
    """
    pairs = getattr(listing, part)
    size = np.broadcast_to(size, 2).tolist()
    images, labels, failures = np.empty((len(pairs), *size, 3), np.uint8), [], []
    with warnings.catch_warnings(), ThreadPool() as pool:
        warnings.simplefilter("ignore")  # Pillow's: reading checks what matters
        results = pool.imap(lambda pair: reading.attempt(pair[0], size), pairs)
        results = progress(results, total=len(pairs), label=f"reading {part} photos")
        for (path, label), result in zip(pairs, results, strict=True):
            if isinstance(result, str):
                failures.append(f"{path.name} ({result})")
            else:
                images[len(labels)] = result
                labels.append(label)
    if failures:
        named = "; ".join(failures[:3]) + ("; ..." if failures[3:] else "")
        message = f"{len(failures)} of {len(pairs)} {part} photos cannot be used: {named}"
        if empty := set(range(len(listing.class_names))) - set(labels):
            names = ", ".join(listing.class_names[label] for label in sorted(empty))
            raise ValueError(f"no usable {part} photos of {names} in {listing.folder}: {message}")
        warnings.warn(message, stacklevel=2)
    return images[: len(labels)], np.array(labels, np.int64)


def _quarter(folder, name, paths, rng):
    """Split the paths of a class: three quarters for training, one for testing, both in order."""
    if len(paths) < 2:
        raise ValueError(
            f"the class {name!r} has one picture in {folder}; training and testing need two"
        )
    order, held = rng.permutation(len(paths)), max(1, len(paths) // 4)
    parts = {"train": sorted(order[held:]), "test": sorted(order[:held])}
    return {part: [paths[index] for index in indices] for part, indices in parts.items()}


def _places(folder, parts):
    """Return which folders the pictures of a class are in: the first two, and how many more."""
    inside = folder.absolute()
    found = dict.fromkeys(path.parent for paths in parts.values() for path in paths)
    named = sorted(path.relative_to(inside).as_posix() for path in found)
    more = f" and {len(named) - 2} folders more" if named[2:] else ""
    return ", ".join(f"{name}/" for name in named[:2]) + more


def _copies(train, test):
    """Return a sentence about equal files among the chosen pictures, in a list; none if all differ.

    Files are compared only with others of the same length.
    """
    lengths = defaultdict(list)
    for part, pairs in (("train", train), ("test", test)):
        for path, label in pairs:
            with contextlib.suppress(OSError):  # `load` names files that cannot be opened
                lengths[path.stat().st_size].append((path, label, part))
    same = defaultdict(list)
    for length, files in lengths.items():
        for path, label, part in files if files[1:] else ():
            with contextlib.suppress(OSError):
                same[length, cache.digest(path)].append((label, part))
    groups = [group for group in same.values() if group[1:]]
    if not groups:
        return []
    more = sum(len(group) - 1 for group in groups)
    both = sum(len({part for _, part in group}) > 1 for group in groups)
    torn = sum(len({label for label, _ in group}) > 1 for group in groups)
    said = f"{more:,} of {len(train) + len(test):,} pictures are copies of others, and kept"
    said += f"; {both:,} are both to train and to test on" if both else ""
    return [said + (f"; {torn:,} are in two classes" if torn else "") + "."]

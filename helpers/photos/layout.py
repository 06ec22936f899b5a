"""Understand a folder of pictures: which folders are classes, which are splits, what is left out.

`Tree` lists what is in a folder without opening pictures; `parts` says which of them belong to
which class. Both keep notes of everything that is left out or guessed, with counts.
"""

import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from helpers.photos import reading

LAYOUTS = (
    "either one folder per class (cats/1.jpg, dogs/1.jpg) or the class before a number "
    "(cat.1.jpg, dog.1.jpg), optionally inside train/ and test/ folders"
)
SPLITS = {  # without "set", "data", digits and punctuation
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation"),
}
SYSTEM = {"system volume information", "recycler", "lost+found", "desktop.ini", "thumbs.db"}
SYSTEM_STARTS = (".", "__", "$", "@", "#", "~")


@dataclass(eq=False)
class Tree:
    """A folder's pictures, the folders in it by name, and counts of what is no picture."""

    path: Path
    pictures: list[Path] = field(default_factory=list)
    folders: dict = field(default_factory=dict)
    others: Counter = field(default_factory=Counter)

    def everything(self):
        """Return the paths of all pictures, also of the folders within, 2.jpg before 10.jpg."""
        inner = (path for tree in self.folders.values() for path in tree.everything())
        return [*self.pictures, *inner]

    def filled(self):
        """Return the folders directly within that hold pictures at any depth, {name: tree}."""
        return {name: tree for name, tree in self.folders.items() if tree.everything()}


def scan(path, above=()):
    """Return the `Tree` of a folder; links are followed, but never in a circle.

    Files with the suffix of a picture are taken for pictures, of others the first bytes decide.
    """
    tree, above = Tree(path), (*above, os.path.realpath(path))
    known = reading.suffixes()
    try:
        with os.scandir(path) as entries:
            entries = sorted(entries, key=_natural)
    except OSError as error:
        tree.others[f"{path.name}/ cannot be opened ({error.strerror})"] += 1
        return tree
    for entry in entries:
        name, place = unicodedata.normalize("NFC", entry.name), Path(entry.path)
        if name.startswith(SYSTEM_STARTS) or name.lower() in SYSTEM:
            files = sum(len(files) for *_, files in os.walk(place)) if entry.is_dir() else 1
            what = f"in {name}/, which is no class" if entry.is_dir() else "hidden files"
            tree.others[what] += files
        elif entry.is_dir() and os.path.realpath(place) in above:
            tree.others["links to a folder above"] += 1
        elif entry.is_dir():
            tree.folders[name] = scan(place, above)
        elif not entry.is_file():
            tree.others["broken links"] += 1
        elif place.suffix.lower() in known or reading.is_picture(place):
            tree.pictures.append(place)
        else:
            tree.others[f"no pictures ({place.suffix.lower() or 'no suffix'})"] += 1
    return tree


def parts(top):
    """Return the pictures of a `Tree` by class, to train and to test on, and notes of what is out.

    Returns ({class: [paths]}, the same or None if no test pictures have labels, [notes]). Raises
    ValueError, naming the layouts that work, for fewer than two classes, and for test classes that
    differ from the training classes.
    """
    root, notes = _unwrapped(top), []
    if root is not top and split_of(root.path.name) != "train":
        notes.append(f"the classes are the folders in {_where(top, root)}")
    filled = root.filled().values()
    tests = [tree for tree in filled if split_of(tree.path.name) in ("test", "validation")]
    tests.sort(key=lambda tree: split_of(tree.path.name))  # test before validation
    used = next((tree for tree in tests if labelled(tree)), None)
    inside = _to_train_on(root, tests if used else ())
    classes = labelled(inside, but=tests)
    if len(classes) < 2:
        raise ValueError(_too_few(inside, classes, tests))
    held_out = _matched(labelled(used), classes, root, used) if used else None
    if inside is not root:
        beside = [tree for tree in filled if tree is not inside and tree not in tests]
        notes += [_left(top, tree, f"outside of {inside.path.name}/") for tree in beside]
        notes += _loose(top, root, f"outside of {inside.path.name}/")
    for tree in tests:
        if tree is not used:
            known = labelled(tree) and f"{used.path.name}/ is the test set"
            notes.append(_left(top, tree, known or "no labels"))
    notes += _unlabelled(top, inside, but=tests)
    notes += _unlabelled(top, used) if used else []
    return classes, held_out, notes + _others(top)


def split_of(name):
    """Return "train", "test" or "validation" for the name of such a folder, else None.

    Understands Train, training_set, "Test Data", test1, valid, VALIDATION and the like.
    """
    word = re.sub(r"[\W\d_]+", "", name.casefold())
    word = re.sub(r"(set|data|dataset|images|imgs)$", "", word)
    return next((split for split, names in SPLITS.items() if word in names), None)


def labelled(tree, but=()):
    """Return {class: [paths]} of a tree, from the folders in it or else from file names.

    but: folders that are no classes.
    """
    filled = tree.filled().items()
    folders = {name: inner.everything() for name, inner in filled if inner not in but}
    names = {}
    if len(folders) < 2:
        for path in tree.pictures:
            if kind := _kind(path):
                names.setdefault(kind, []).append(path)
    return names if len(names) > len(folders) else folders


def _kind(path):
    """Return the class in a name like cat.12.jpg, else None."""
    match = re.fullmatch(r"(.*[^\d.].*)\.\d+", unicodedata.normalize("NFC", path.stem))
    return match and match[1]


def _unwrapped(tree):
    """Return the folder that holds classes or splits: the tree, or one alone within it."""
    inner = tree
    while not inner.pictures and len(filled := inner.filled()) == 1:
        (inner,) = filled.values()
        if len(labelled(inner)) > 1:
            return inner
    return tree


def _to_train_on(root, tests):
    """Return the folder of the training classes: one called train/, or the root itself."""
    filled = root.filled().values()
    trains = [tree for tree in filled if split_of(tree.path.name) == "train"]
    trains = [tree for tree in trains if len(labelled(tree)) > 1]
    if len(trains) > 1:
        named = " and ".join(f"{tree.path.name}/" for tree in trains)
        raise ValueError(f"{root.path} has two folders to train on, {named}: keep one")
    alone = all(split_of(tree.path.name) for tree in filled)
    return trains[0] if trains and (alone or tests) else root  # else a class may be called train


def _matched(held_out, classes, root, used):
    """Return test pictures under the names of the training classes, whatever their case."""
    known = {name.casefold(): name for name in classes} | {name: name for name in classes}
    named = {known.get(name, known.get(name.casefold(), name)): name for name in held_out}
    if set(named) != set(classes):
        raise ValueError(
            f"{root.path} has the classes {', '.join(sorted(classes))} to train on but "
            f"{', '.join(sorted(held_out))} to test on; they must be the same in {used.path.name}/"
        )
    return {name: held_out[named[name]] for name in classes}


def _too_few(inside, classes, tests):
    found = f"only one class, {next(iter(classes))!r}" if classes else "no labelled pictures"
    if tests and not classes:
        found += f" beside {tests[0].path.name}/"
    packed = [what for what in inside.others if re.search(r"\.(zip|tar|gz|tgz|rar|7z)\)", what)]
    hint = "; unpack the archive in it first" if packed else ""
    return f"{inside.path} holds {found}; expected two classes or more, {LAYOUTS}{hint}"


def _unlabelled(top, tree, but=()):
    """Return notes of a labelled tree's empty folders, and of pictures without a class."""
    filled, kinds = tree.filled(), labelled(tree, but)
    notes = [f"{_where(top, t)}: no pictures" for n, t in tree.folders.items() if n not in filled]
    if any(filled.get(kind) for kind in kinds):
        return notes + _loose(top, tree, "outside of the class folders")
    beside = [inner for inner in filled.values() if inner not in but]
    notes += [_left(top, inner, "the classes are in names like cat.1.jpg") for inner in beside]
    if nameless := sum(not _kind(path) for path in tree.pictures):
        notes.append(f"{_pictures(nameless)} in {_where(top, tree)}: no class in the name")
    return notes


def _loose(top, tree, why):
    count = len(tree.pictures)
    return [f"{_pictures(count)} in {_where(top, tree)}: {why}"] if count else []


def _left(top, tree, why):
    return f"{_pictures(len(tree.everything()))} in {_where(top, tree)}: {why}"


def _others(tree):
    """Return notes of the files of a tree that are no pictures, with counts."""
    counts, waiting = Counter(), [tree]
    while waiting:
        inner = waiting.pop()
        counts += inner.others
        waiting += inner.folders.values()
    return [f"{what}: {count:,}" for what, count in sorted(counts.items())]


def _pictures(count):
    return f"{count:,} picture{'s' * (count != 1)}"


def _where(top, tree):
    return f"{tree.path.relative_to(top.path.parent).as_posix()}/"


def _natural(entry):
    pieces = re.split(r"([0-9]+)", entry.name)
    return [(int(piece or 0) if index % 2 else 0, piece) for index, piece in enumerate(pieces)]

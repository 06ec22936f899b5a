"""How much memory a file may ask for: enough for every honest one, and not enough to do harm.

A few kilobytes can say that they are gigabytes: a zip of zeros, a dataset of which nothing is
stored, a layer of a million units. Each check here reads only what a file says of itself, before
anything of that size is made, and raises ValueError with the end of a sentence about the file.
"""

import contextlib
import math
import stat
from pathlib import PurePosixPath, PureWindowsPath

SPARE = 64 * 2**20  # bytes that any file may ask for
UNPACKED = 50  # times its size that a zip may unpack to; the course's own networks: 17 times
WEIGHTS = 4  # times the size of its weights that a network may take
_MEGABYTE = 10**6


def check_zip(archive):
    """Raise ValueError for a zip that unpacks to far more than it is, or outside of its folder.

    archive: an open `zipfile.ZipFile`. It may unpack to `UNPACKED` times its size and `SPARE` more.
    Encrypted files and links in it are refused, too.
    """
    archive.fp.seek(0, 2)
    size, members = archive.fp.tell(), archive.infolist()
    for member in members:
        if leads_outside(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(
                f"holds a path that leads out of its folder, {in_line(member.filename)}"
            )
        if member.flag_bits & 1:
            raise ValueError(f"holds a file with a password, {in_line(member.filename)}")
    check_room(sum(member.file_size for member in members), UNPACKED * size, "unpacks to")


def in_line(text, most=80):
    """Return what a file says as one line that can be printed, of at most so many characters."""
    text = "".join(one if one.isprintable() else " " for one in str(text)[: 4 * most])
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def leads_outside(name):
    """Return whether a name in an archive is that of a place outside the archive's folder."""
    paths = PurePosixPath(name), PureWindowsPath(name)
    return any(path.anchor or ".." in path.parts for path in paths)


def check_hdf5(file, size):
    """Raise ValueError for HDF5 that says to hold far more than its size, or lies in other files.

    file: an open `h5py.File`, size: of it in bytes. Its arrays may take `WEIGHTS` times that and
    `SPARE` more.
    """
    import h5py

    claimed, known, waiting = 0, set(), [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"holds a link to another place, {in_line(name)}")
            found = group[name]
            place = h5py.h5o.get_info(found.id).addr
            if place in known:  # a group may hold itself
                continue
            known.add(place)
            if isinstance(found, h5py.Group):
                waiting.append(found)
            elif isinstance(found, h5py.Dataset):
                if found.external or found.is_virtual:
                    raise ValueError(f"holds an array that lies in another file, {in_line(name)}")
                claimed += math.prod(found.shape or ()) * found.dtype.itemsize
    check_room(claimed, WEIGHTS * size, "says to hold")


def check_room(claimed, most, verb):
    """Raise ValueError if `claimed` bytes are more than `most` and `SPARE`; verb: for the text."""
    if claimed > most + SPARE:
        raise ValueError(
            f"{verb} {claimed / _MEGABYTE:,.0f} MB, far more than its size allows for "
            f"({(most + SPARE) / _MEGABYTE:,.0f} MB)"
        )


@contextlib.contextmanager
def weights_within(size):
    """Within this context, refuse a network's variables before they outgrow `WEIGHTS` times a size.

    size: of the weights in their file, in bytes; `SPARE` comes on top. Holds in this thread alone.
    Raises ValueError where a variable would be made that is too large. Whoever makes variables may
    wrap this error in others, so the context is a list in which its text is found, too.
    """
    import tensorflow as tf

    # In a graph, an initial value has a shape and takes no memory.
    claimed, said, shapes = 0, [], tf.Graph()

    def create(make, **options):
        nonlocal claimed
        value = options["initial_value"]
        if callable(value):
            with shapes.as_default():
                value = value()
        claimed += value.shape.num_elements() * value.dtype.size if hasattr(value, "op") else 0
        try:
            check_room(claimed, WEIGHTS * size, "describes a network of at least")
        except ValueError as error:
            said.append(str(error))
            raise
        return make(**options)

    with tf.variable_creator_scope(create):
        yield said

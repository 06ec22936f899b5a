"""The photos world: whose pictures, which network, and what has to be learned before they fit.

The pictures are a folder's or `oxford_pets`; the network is a file's, with a head put on where it
tells other classes apart (`heads`), or VGG16, which learns these classes (`bottleneck`).
"""

from functools import partial

from helpers import (
    bottleneck,
    cache,
    heads,
    imagenet,
    networks,
    oxford_pets,
    pet_archives,
    photos,
    runtime,
)


def choose(path, folder, cache_folder=None, mirror=None):
    """Return class names, part names, `load(part)` and `network(world)` of a world of photos.

    path: a `.keras` file, or None for VGG16. folder: of labelled pictures, or None for Oxford's
    pets. What must be downloaded is downloaded here, the smaller before the larger; what must be
    computed is computed when it is asked for. cache_folder, mirror, errors: as for `load_world`.
    """
    listing = photos.find(folder) if folder else None
    base = networks.load(path) if path else None
    size = heads.image_size(base) if path else (heads.FREE_SIZE, heads.FREE_SIZE)
    weights = None if path else imagenet.weights("vgg16", cache_folder, mirror)
    if folder:
        names, parts = listing.class_names, ()
        load = partial(photos.load, listing, size=size)
    else:
        subset = oxford_pets.fetch(cache_folder, mirror)
        names, parts = pet_archives.CLASS_NAMES, oxford_pets.PART_NAMES
        load = partial(oxford_pets.load, subset, size=size)

    def content():
        if not folder:
            return cache.digest(subset)
        pairs = runtime.progress(listing.train, label="checking train photos")
        return [(cache.digest(picture), label) for picture, label in pairs]

    def network(world):
        if path is None:
            key = cache.digest(weights, content())
            return bottleneck.classifier(weights, world, size[0], key, cache.folder(cache_folder))
        if heads.class_count(base) == len(names):
            return base
        key = cache.digest(path, content(), size, heads.RECIPE)
        head = cache.arrays(
            cache.folder(cache_folder) / f"head-{key}.npz",
            lambda: heads.fit(base, world.train.images, world.train.labels),
        )
        return heads.attach(base, **head)

    return names, parts, load, network

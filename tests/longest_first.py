"""A pytest plugin: what takes longest begins first, so that parallel workers end together."""

# By their seconds in `make test-notebooks`; lessons that are not named follow.
LESSONS = (
    "06_deep_dream", "08_relevance", "09_style", "01_regularization", "04_saliency",
    "10_more_regularizers", "03_activations", "02_transfer_learning", "05_grad_cam", "07_tsne",
    "00_start_here", "11_other_libraries",
)  # fmt: skip
WHOLE = ("lessons_on_photographs", "lessons_on_other_networks", "photos_world", "bundle")


def place(name, places):
    """Return where the first of some words stands that a name contains; the end if none does."""
    return next((number for number, word in enumerate(places) if word in name), len(places))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: (place(item.nodeid, WHOLE), place(item.nodeid, LESSONS)))

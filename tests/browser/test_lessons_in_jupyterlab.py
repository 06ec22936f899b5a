"""Every lesson in a real JupyterLab: it runs, explorers show and move, it fits on the screen."""

import lab
import pytest
from lesson_page import REACT, START_WORDS

# Explorers that a lesson must have at least, where it is not one.
EXPLORERS = {"05_grad_cam": 2}
# Sliders without which nothing new is seen: the lesson leaves the dream at its first moment.
FIRST_TO_THE_END = {"06_deep_dream": ["moment %"]}
SIZES = {"laptop": (1280, 800), "projector": (1024, 768)}


def test_all_cells_run_without_an_error(lesson):
    assert not lesson.ran["errors"], "\n".join(lesson.ran["errors"])
    assert lesson.ran["counted"] == lesson.ran["cells"] > 0
    for complaint in ("Error displaying widget", "Loading widget"):
        lesson.until(lambda bad=complaint: bad not in lesson.words(), REACT, lesson.words)
    assert not lesson.complaints()


def test_every_explorer_shows_a_picture(lesson):
    explorers = lesson.explorers()
    assert len(explorers) >= EXPLORERS.get(lesson.name, 1)
    for explorer in explorers:
        explorer.show()
        picture, words = explorer.settled()
        assert explorer.image.is_displayed() and explorer.image.size["width"] > 200
        assert picture and words.strip()


def test_every_explorer_answers_to_mouse_and_keyboard(lesson):
    for explorer in lesson.explorers():
        explorer.show()
        moves = explorer.moves()
        assert moves, f"nothing to move in the explorer that says: {explorer.says()}"
        for name in FIRST_TO_THE_END.get(lesson.name, ()):
            explorer.to_the_end(name)
        before = explorer.settled()
        for how, move in moves:
            move()
            if button := explorer.button(*START_WORDS):  # what it draws takes its time
                before, how = explorer.settled(), button.text
                button.click()
            before = explorer.changed(before, how)


def test_an_uploaded_photo_is_shown(lesson):
    for explorer in lesson.explorers():
        explorer.show()
        before = explorer.settled()
        if explorer.upload(lab.ROOT / "data" / "picture.jpg"):
            explorer.changed(before, "an upload")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_nothing_is_wider_than_the_screen(lesson, size):
    lesson.resize(*size)  # and JupyterLab follows, in its time
    lesson.until(lambda: not lesson.too_wide(), REACT, lesson.too_wide)

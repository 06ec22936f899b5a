"""The explorer of lesson 10: every check box changes the picture, and the label tells the truth."""

from test_explorers import assert_moves_change_the_picture

from helpers import explorers, regularization


def test_every_control_changes_the_picture():
    explorer = explorers.regularizers()
    assert [c.description for c in explorer.controls.values()][1:-1] == (
        list(regularization.chosen("true labels"))[:6]
    )
    moves = {name: "true labels" if name == "labels" else True for name in explorer.controls}
    assert_moves_change_the_picture(explorer, moves)


def test_the_label_says_what_is_ticked_and_what_it_gains():
    explorer = explorers.regularizers()
    assert "no regularizer: right on" in explorer.label.text
    assert explorer.label.text.endswith(", +0.0 points")
    plain = regularization.recorded("false labels")
    runs = regularization.recorded("false labels", "dropout", "L2 penalty")
    for early, when in ((False, "end"), (True, "stopped")):
        label = explorer.set(dropout=True, l2=True, early=early)
        gain = 100 * (runs[when].mean() - plain["end"].mean())
        words = "dropout + L2 penalty" + early * " + early stopping"
        assert label == (
            f"false labels, {words}: right on {runs[when].mean():.1%} of the test digits "
            f"({runs[when].min():.1%} to {runs[when].max():.1%}), {gain:+.1f} points"
        )

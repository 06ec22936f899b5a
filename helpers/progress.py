"""A class's progress in one table, for a teacher: `python -m helpers.progress FOLDER`.

The folder holds one file for each learner, as the exercises write them where COURSE_PROGRESS names
one (`COURSE_PROGRESS=~/progress/seat07.json make lab`). The files are only read, here on this
computer.
"""

import argparse
import json
import sys
from pathlib import Path

from helpers.core.bounds import in_line
from helpers.exercises.exercise import LESSONS, MARKS

NOTED = ("correct", "incorrect")  # the outcomes that are written down
NOTHING = " "
MOST = 2**20  # bytes of a file


def read(folder):
    """Return what each file in a folder has noted, and why others were left out.

    The first is {learner: {exercise: outcome}}, a learner being the file's name without .json, in
    alphabetical order; the second a list of sentences. Raises ValueError for a folder that is not
    there or has no file of progress.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the one with the learners' files")
    noted, left_out = {}, []
    for file in sorted(folder.glob("*.json")):
        name = in_line(file.name)
        try:
            if file.stat().st_size > MOST:
                raise ValueError("it is too long for a file of progress")
            known = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            left_out.append(f"{name} is left out: {in_line(error)}")
            continue
        if isinstance(known, dict) and all(map(_is_noted, known, known.values())):
            noted[name.removesuffix(".json")] = known
        else:
            left_out.append(f"{name} is left out: it is not {{exercise: outcome}}")
    if not noted:
        reason = "; ".join(left_out) or "it has no file that ends in .json"
        raise ValueError(f"{folder} has no progress of a learner: {reason}")
    return noted, left_out


def table(noted):
    """Return as text how far each learner is, a line for each exercise in the lessons' order.

    noted: {learner: {exercise: outcome}}, as from `read`. Each learner has a column, and a number
    in place of a name; the numbers are explained below.
    """
    learners = list(noted)
    names = sorted({name for known in noted.values() for name in known}, key=_place)
    marks = ", ".join(f"{MARKS[state]} {state}" for state in NOTED)
    lines = [f"{len(learners)} learners, {len(names)} exercises. {marks}, empty: nothing noted", ""]
    wide = max(map(len, ("exercise", *names)))
    heads = "".join(f"{number:4d}" for number in range(1, len(learners) + 1))
    lines.append(f"{'exercise':{wide}s}  correct  incorrect{heads}")
    for name in names:
        states = [noted[learner].get(name) for learner in learners]
        counts = f"{states.count('correct'):7d}  {states.count('incorrect'):9d}"
        row = "".join(f"   {MARKS.get(state, NOTHING)}" for state in states)
        lines.append(f"{name:{wide}s}  {counts}{row}".rstrip())
    return "\n".join([*lines, "", *(f"{n:4d}  {one}" for n, one in enumerate(learners, 1))])


def _is_noted(name, state):
    """Return whether this may be the name of an exercise and its outcome."""
    return isinstance(state, str) and name == in_line(name)


def _place(name):
    """Return where an exercise stands in the course; one of no known lesson comes last."""
    lesson, _, number = name.rpartition(".")
    known = LESSONS.index(lesson) if lesson in LESSONS else len(LESSONS)
    return known, lesson, int(number) if number.isdecimal() else 0, name


def main(arguments=None):
    """Print the table; return 0, or 1 after one line that says what is wrong.

    arguments: a list of command-line words; None reads the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m helpers.progress",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", help="with one .json file for each learner")
    try:
        noted, left_out = read(parser.parse_args(arguments).folder)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(noted))
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

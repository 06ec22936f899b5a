"""Explorers for slow images: a thread makes them, frame by frame, and a button stops it."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np

from helpers import dreaming, photos
from helpers.explorers.explorer import Explorer, checked, enlarge, first_line, png, slider, uploaded

KEPT_WORKS = 4  # works that an explorer caches, each with all its frames


class Words(NamedTuple):
    """What a work is called: press `verb`, it is `doing`, then it is `done`: a `noun`."""

    verb: str
    doing: str
    done: str
    noun: str


@dataclass(eq=False)
class Work:
    """One work: its frames so far, whether it has been told to stop, and what went wrong.

    `asked` says in words what is made. `photo` and each of the frames are an image uint8
    (H, W, 3) and the PNG that shows it.
    """

    photo: tuple = field(repr=False)
    total: int
    asked: str
    frames: list = field(default_factory=list, repr=False)
    told: threading.Event = field(default_factory=threading.Event, repr=False)
    thread: threading.Thread | None = None
    problem: str = ""

    @property
    def runs(self):
        """Whether it goes on, neither ended nor told to stop."""
        return not self.told.is_set()

    @property
    def made(self):
        """How far it is, in words."""
        return f"{len(self.frames)} of {self.total} frames"


@dataclass
class Upload:
    """What was uploaded last, the last of it that is an image, and what is wrong with the rest."""

    given: bytes | None = field(default=None, repr=False)
    image: bytes | None = field(default=None, repr=False)
    problem: str = ""


class Background(Explorer):
    """An explorer for slow images: a thread makes frame after frame, and a button stops it.

    Only one thread works at a time: a new work tells the previous one to stop, and waits for its
    end. A stopped work shows no further frame. The buttons' functions can be called from code; a
    button or slider that can do nothing at the moment is disabled.

    Subclasses have `words`, and three methods of the controls' values: `frames(photo, settings)`
    returns an iterator over images (H, W, 3) in 0-255, `count(settings)` how many it gives, and
    `asked(settings)` in words what they show.
    """

    words = None

    def __init__(self, title, photo, controls, frames_in):
        """Show a photo uint8 (H, W, 3); the control "upload" replaces it.

        A control "upload" there must be. Each control whose name begins with it takes a file, of
        which `settings` has the bytes, or None; `frames` reads them (`self.read`). Films are saved
        as `frames_in`.
        """
        self._first, self._film = _framed(checked([photo])[0]), frames_in
        self._lock, self._works, self._latest = threading.RLock(), OrderedDict(), None
        self._photo = self._first
        self._uploads = {name: Upload() for name in controls if name.startswith("upload")}
        self.bar = widgets.IntProgress(value=0, min=0, max=1, description="progress")
        acts = {self.words.verb: self.start, "stop": self.stop, "save film": self.save_film}
        self.buttons = {name: widgets.Button(description=name) for name in acts}
        moment = slider("moment %", most=100, value=100)
        super().__init__(title, None, {**controls, "moment": moment})
        for name, act in acts.items():
            self.buttons[name].on_click(lambda _button, act=act: act())
        knobs, view = self.box.children
        knobs.children += (widgets.HBox(list(self.buttons.values())), self.bar)

    def start(self):
        """Start to work with the current controls, and return at once."""
        with self._lock:
            before, settings = self._latest, self._settings()
            if before is not None:
                before.told.set()
            key = tuple(settings.values())
            work = Work(self._photo, self.count(settings), self.asked(settings))
            self._latest = self._works[key] = work
            self._works.move_to_end(key)
            while len(self._works) > KEPT_WORKS:
                self._works.popitem(last=False)
            how = dict(target=self._run, args=(work, settings, before), name=self.words.noun)
            work.thread = threading.Thread(**how)
            work.thread.start()
            self.controls["moment"].value = 100  # show what is being made, as it comes
            self._update()

    def stop(self):
        """Tell the work to stop: it shows no further frame."""
        with self._lock:
            if self._latest is not None:
                self._latest.told.set()
                self._update()

    def wait(self, seconds=None):
        """Wait until the work ends, or for this many seconds, and return the label's text."""
        if self._latest:
            self._latest.thread.join(seconds)
        return self.label.text

    def save_film(self, path=None):
        """Save the frames of the work shown as an animated GIF; the label says where.

        Without a path, no film is replaced: the second is saved as dream_2.gif, and so on. A work
        that goes on is not saved: stop it, or wait.
        """
        with self._lock:
            work = self._works.get(tuple(self._settings().values()))
            frames = [] if work is None else [work.photo[0], *(f for f, _ in work.frames)]
        verb, *_, noun = self.words
        if len(frames) < 2:
            self.label.say(f"There is no film to save yet: press {verb} first.")
        elif work.runs:
            self.label.say(f"The film is not saved: the {noun} goes on. Wait, or press stop first.")
        else:
            self._save(work, frames, path)

    def _save(self, work, frames, path):
        path = _free(Path(self._film)) if path is None else path
        try:
            dreaming.save_gif(path, frames)
        except (OSError, ValueError) as error:
            self.label.say(f"The film is not saved. {error}")
        else:
            part = "" if len(frames) > work.total else f" (stopped: {work.total + 1} were wanted)"
            self.label.say(f"Saved {len(frames)} frames in {path}{part}")

    def read(self, content):
        """Return an uploaded file's image, cropped to the first photo's size."""
        return photos.read(content, self._first[0].shape[:2])

    def _settings(self):
        """Return the controls' values but the moment, with the last uploads that are images."""
        values = self.values()
        del values["moment"]
        for control, upload in self._uploads.items():
            name, content = uploaded(self.controls[control].value)
            if content != upload.given:
                upload.given, upload.problem = content, ""
                try:
                    image = None if content is None else self.read(content)
                except ValueError as error:
                    said = first_line(error).rstrip(". ")
                    stays = "photo" if control == "upload" else "choice"
                    upload.problem = f"{name} is not shown: {said}. The {stays} before it stays."
                else:
                    upload.image = content
                    if control == "upload":
                        self._photo = self._first if image is None else _framed(image)
            values[control] = upload.image
        return values

    def _run(self, work, settings, before):
        """Work in a thread of its own: add frame after frame until told to stop."""
        if before is not None:
            before.thread.join()
        try:
            if work.told.is_set():
                return
            for frame in self.frames(work.photo[0], settings):
                framed = _framed(np.round(frame).astype(np.uint8))
                with self._lock:
                    # The kernel can shut down without stopping its threads: end then, too.
                    if work.told.is_set() or not threading.main_thread().is_alive():
                        return
                    work.frames.append(framed)
                    self._update()
        except Exception as error:  # a thread has no caller, so the label reports the error
            work.problem = first_line(error)
        finally:
            with self._lock:
                work.told.set()
                self._update()

    def _update(self, _change=None):
        if self._held:
            return
        with self._lock:
            settings, moment = self._settings(), self.controls["moment"]
            work, last = self._works.get(tuple(settings.values())), self._latest
            frames = [self._photo, *(work.frames if work else ())]
            number = round(moment.value / 100 * (len(frames) - 1))
            seen = "" if number == len(frames) - 1 else f", seen at frame {number}"
            going = last is not None and last.runs
            unseen = ""
            if going and last is not work:
                unseen = (
                    f". Still {self.words.doing}: {last.asked}, {last.made}; stop ends it, "
                    f"{self.words.verb} replaces it"
                )
            self.image.value = frames[number][1]
            self.warn(" ".join(u.problem for u in self._uploads.values() if u.problem))
            self.label.say(f"{self.asked(settings)}: {self._state(work)}{seen}{unseen}")
            counted = last if going else work
            self.bar.max, self.bar.value = (
                (counted.total, len(counted.frames)) if counted else (1, 0)
            )
            done = work is not None and len(work.frames) == work.total
            self.buttons[self.words.verb].disabled = done or (going and last is work)
            self.buttons["stop"].disabled = not going
            self.buttons["save film"].disabled = len(frames) < 2 or work.runs
            moment.disabled = len(frames) < 2

    def _state(self, work):
        """Return in words how far a work is."""
        if work is None:
            return f"press {self.words.verb}"
        if work.problem:
            return f"no {self.words.noun}, for {work.problem}"
        if len(work.frames) == work.total:
            return f"{self.words.done}, {work.made}"
        return f"{self.words.doing if work.runs else 'stopped'}, {work.made}"


def upload_button(description="your photo"):
    """Return a control that takes an image file; "upload" is the photo's."""
    return widgets.FileUpload(accept="image/*", description=description)


def _framed(picture):
    """Return an image and the PNG that shows it, made once, so that looking back is quick."""
    return picture, png(enlarge(picture))


def _free(path):
    """Return a path, with a number if there is a file of that name already."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}_{number}")
    return free

"""Explorer of lesson 06: a deep dream that runs in the background and can be stopped."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import ipywidgets as widgets
import numpy as np

from helpers import dreaming, networks, photos
from helpers.explorers.explorer import Explorer, enlarge, layer_slider, png, slider

EVERY = 4  # steps between frames
KEPT_DREAMS = 4  # dreams that an explorer caches, each with all its frames
STRENGTH = 0.01 * 255  # of a step, for a slider at 1


def deep_dream(network, photo, layer=None, frames_in="dream.gif"):
    """Return an explorer that dreams on a photo with a network, at the push of a button.

    `photo` is uint8 (H, W, 3); an upload replaces it, cropped to the same size. `layer` is the
    first to dream with, by default two thirds of the way up; films are saved as `frames_in`.
    """
    return Dreamer(network, photo, layer, frames_in)


@dataclass(eq=False)
class Dream:
    """One dream: its frames so far, whether it has been told to stop, and what went wrong.

    `photo` and each of the frames are an image uint8 (H, W, 3) and the PNG that shows it.
    """

    photo: tuple = field(repr=False)
    total: int
    frames: list = field(default_factory=list, repr=False)
    told: threading.Event = field(default_factory=threading.Event, repr=False)
    thread: threading.Thread | None = None
    problem: str = ""


class Dreamer(Explorer):
    """An explorer for slow images: a thread dreams, and a button stops it.

    Only one thread dreams at a time: a new dream tells the previous one to stop, and waits for its
    end. A stopped dream shows no further frame. The buttons' functions can be called from code.
    """

    def __init__(self, network, photo, layer=None, frames_in="dream.gif"):
        self._network, self._first, self._film = network, _framed(np.asarray(photo)), frames_in
        self._lock, self._dreams, self._latest = threading.RLock(), OrderedDict(), None
        self._upload = None, self._first, ""
        layers = networks.layer_names(network)
        layer = layers[round(0.67 * (len(layers) - 1))] if layer is None else layer
        self.bar = widgets.IntProgress(value=0, min=0, max=1, description="progress")
        names = ("dream", "stop", "save film")
        self.buttons = {name: widgets.Button(description=name) for name in names}
        controls = {
            "upload": widgets.FileUpload(accept="image/*", description="your photo"),
            "layer": layer_slider(layers, layer),
            "channel": slider("channel", least=-1, most=255, value=-1),
            "octaves": slider("octaves", least=1, most=6, value=4),
            "steps": slider("steps", least=4, most=60, value=20, step=4),
            "strength": slider("strength", least=1, most=12, value=5),
            "moment": slider("moment %", most=100, value=100),
        }
        super().__init__("Deep dream explorer", None, controls)
        for name, act in zip(names, (self.dream, self.stop, self.save_film), strict=True):
            self.buttons[name].on_click(lambda _button, act=act: act())
        knobs, view = self.box.children
        knobs.children += (widgets.HBox(list(self.buttons.values())), self.bar)

    def dream(self):
        """Start to dream with the current controls, and return at once."""
        with self._lock:
            before, settings = self._latest, self._settings()
            if before is not None:
                before.told.set()
            photo, _ = self._photo(settings["upload"])
            total = settings["octaves"] * -(-settings["steps"] // EVERY)
            key, dream = tuple(settings.values()), Dream(photo, total)
            self._latest = self._dreams[key] = dream
            self._dreams.move_to_end(key)
            while len(self._dreams) > KEPT_DREAMS:
                self._dreams.popitem(last=False)
            work = dict(target=self._run, args=(dream, settings, before), name="deep dream")
            dream.thread = threading.Thread(**work)
            dream.thread.start()
            self._update()

    def stop(self):
        """Tell the dream to stop: it shows no further frame."""
        with self._lock:
            if self._latest is not None:
                self._latest.told.set()
                self._update()

    def wait(self, seconds=None):
        """Wait until the dream ends, or for this many seconds, and return the label's text."""
        if self._latest:
            self._latest.thread.join(seconds)
        return self.label.text

    def save_film(self, path=None):
        """Save the frames of the dream shown as an animated GIF; the label says where."""
        with self._lock:
            dream = self._dreams.get(tuple(self._settings().values()))
            frames = [] if dream is None else [dream.photo[0], *(f for f, _ in dream.frames)]
        if len(frames) < 2:
            self.label.say("There is no film to save yet: press dream first.")
            return
        try:
            dreaming.save_gif(path := path or self._film, frames)
        except (OSError, ValueError) as error:
            self.label.say(f"The film is not saved. {error}")
        else:
            self.label.say(f"Saved {len(frames)} frames in {path}")

    def _settings(self):
        values = self.values()
        del values["moment"]
        return values

    def _photo(self, upload):
        """Return what to dream on, framed, and what is wrong with the upload, if anything."""
        if upload != self._upload[0]:
            picture, problem = self._first, ""
            if upload is not None:
                try:
                    picture = _framed(photos.read(upload, self._first[0].shape[:2]))
                except ValueError as error:
                    problem = f"{error} Still showing the picture before. "
            self._upload = upload, picture, problem
        return self._upload[1:]

    def _run(self, dream, settings, before):
        """Dream in a thread of its own: add frame after frame until told to stop."""
        if before is not None:
            before.thread.join()
        layer, channel = settings["layer"], settings["channel"]
        try:
            if dream.told.is_set():
                return
            made = dreaming.ascend_octaves(
                self._network, dream.photo[0], layer, None if channel < 0 else channel,
                settings["octaves"], steps=settings["steps"], every=EVERY,
                rate=settings["strength"] * STRENGTH,
                parameterization=dreaming.spectrum, rule=dreaming.adam,
            )  # fmt: skip
            for frame in made:
                framed = _framed(np.round(frame).astype(np.uint8))
                with self._lock:
                    # The kernel can shut down without stopping its threads: end then, too.
                    if dream.told.is_set() or not threading.main_thread().is_alive():
                        return
                    dream.frames.append(framed)
                    self._update()
        except Exception as error:  # a thread has no caller, so the label reports the error
            dream.problem = f"{error}".partition("\n")[0] or type(error).__name__
        finally:
            with self._lock:
                dream.told.set()
                self._update()

    def _update(self, _change=None):
        with self._lock:
            settings, moment = self._settings(), self.controls["moment"].value
            photo, problem = self._photo(settings["upload"])
            dream = self._dreams.get(tuple(settings.values()))
            frames = [photo, *(dream.frames if dream else ())]
            number = round(moment / 100 * (len(frames) - 1))
            layer, channel = settings["layer"], settings["channel"]
            asked = f"{layer}, {'all channels' if channel < 0 else f'channel {channel}'}"
            seen = "" if number == len(frames) - 1 else f", seen at frame {number}"
            self.image.value = frames[number][1]
            self.label.say(f"{problem}{asked}: {_state(dream)}{seen}")
            self.bar.max, self.bar.value = (dream.total, len(dream.frames)) if dream else (1, 0)


def _framed(picture):
    """Return an image and the PNG that shows it, made once, so that looking back is quick."""
    return picture, png(enlarge(picture))


def _state(dream):
    """Return in words how far a dream is."""
    if dream is None:
        return "press dream"
    made = f"{len(dream.frames)} of {dream.total} frames"
    if dream.problem:
        return f"no dream, for {dream.problem}"
    if len(dream.frames) == dream.total:
        return f"dreamt, {made}"
    return f"stopped, {made}" if dream.told.is_set() else f"dreaming, {made}"

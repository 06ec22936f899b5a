"""Explorer of lesson 06: a deep dream that runs in the background and can be stopped."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets as widgets
import keras
import numpy as np

from helpers import dreaming, networks, photos
from helpers.explorers.explorer import (
    Explorer,
    by_name,
    checked,
    dropdown,
    enlarge,
    first_line,
    layer_slider,
    png,
    slider,
    uploaded,
)

EVERY = 4  # steps between frames
KEPT_DREAMS = 4  # dreams that an explorer caches, each with all its frames
STRENGTH = 0.01 * 255  # of a step, for a slider at 1


def deep_dream(network, photo, layer=None, frames_in="dream.gif"):
    """Return an explorer that dreams on a photo with a network, at the push of a button.

    `network` may also be several, {name: network}: a list of their names is then the first control.
    `photo` is uint8 (H, W, 3); an upload replaces it, cropped to the same size. `layer` is the
    first to dream with, by default two thirds of the way up. Films are saved as `frames_in`, or
    beside it under a number where there is one already. Raises ValueError for a network without
    convolutions, and without any network.
    """
    return Dreamer(network, photo, layer, frames_in)


@dataclass(eq=False)
class Dream:
    """One dream: its frames so far, whether it has been told to stop, and what went wrong.

    `asked` says in words what is dreamt. `photo` and each of the frames are an image uint8
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


class Dreamer(Explorer):
    """An explorer for slow images: a thread dreams, and a button stops it.

    Only one thread dreams at a time: a new dream tells the previous one to stop, and waits for its
    end. A stopped dream shows no further frame. The buttons' functions can be called from code; a
    button or slider that can do nothing at the moment is disabled.
    """

    def __init__(self, network, photo, layer=None, frames_in="dream.gif"):
        self._networks = by_name(network)
        self._layers = {name: _layers(net) for name, net in self._networks.items()}
        self._first, self._film = _framed(checked([photo])[0]), frames_in
        self._lock, self._dreams, self._latest = threading.RLock(), OrderedDict(), None
        self._upload, self._photo, self._problem = None, (None, self._first), ""
        layers = next(iter(self._layers.values()))
        self.bar = widgets.IntProgress(value=0, min=0, max=1, description="progress")
        names = ("dream", "stop", "save film")
        self.buttons = {name: widgets.Button(description=name) for name in names}
        several = len(self._networks) > 1
        controls = {
            **({"network": dropdown("network", list(self._networks))} if several else {}),
            "upload": widgets.FileUpload(accept="image/*", description="your photo"),
            "layer": layer_slider(layers, layer or _upper(layers)),
            "channel": slider("channel", least=-1, most=255, value=-1),
            "octaves": slider("octaves", least=1, most=6, value=4),
            "steps": slider("steps", least=4, most=60, value=20, step=4),
            "strength": slider("strength", least=1, most=12, value=5),
            "moment": slider("moment %", most=100, value=100),
        }
        if several:  # before its neighbours follow the network, the explorer must not draw
            controls["network"].observe(self._follow_network, "value")
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
            total = settings["octaves"] * -(-settings["steps"] // EVERY)
            key, dream = tuple(settings.values()), Dream(self._photo[1], total, _asked(settings))
            self._latest = self._dreams[key] = dream
            self._dreams.move_to_end(key)
            while len(self._dreams) > KEPT_DREAMS:
                self._dreams.popitem(last=False)
            work = dict(target=self._run, args=(dream, settings, before), name="deep dream")
            dream.thread = threading.Thread(**work)
            dream.thread.start()
            self.controls["moment"].value = 100  # show what is being dreamt, as it comes
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
        """Save the frames of the dream shown as an animated GIF; the label says where.

        Without a path, no film is replaced: the second is saved as dream_2.gif, and so on. A dream
        that goes on is not saved: stop it, or wait.
        """
        with self._lock:
            dream = self._dreams.get(tuple(self._settings().values()))
            frames = [] if dream is None else [dream.photo[0], *(f for f, _ in dream.frames)]
        if len(frames) < 2:
            self.label.say("There is no film to save yet: press dream first.")
        elif dream.runs:
            self.label.say("The film is not saved: the dream goes on. Wait, or press stop first.")
        else:
            self._save(dream, frames, path)

    def _save(self, dream, frames, path):
        path = _free(Path(self._film)) if path is None else path
        try:
            dreaming.save_gif(path, frames)
        except (OSError, ValueError) as error:
            self.label.say(f"The film is not saved. {error}")
        else:
            part = "" if len(frames) > dream.total else f" (stopped: {dream.total + 1} were wanted)"
            self.label.say(f"Saved {len(frames)} frames in {path}{part}")

    def _follow_network(self, change):
        """Let the slider for the layer offer those of the network that has been chosen."""
        layers, control = self._layers[change["new"]], self.controls["layer"]
        kept = control.value if control.value in layers else _upper(layers)
        with self._lock, self.held():
            control.options = layers
            control.value = kept

    def _settings(self):
        """Return the controls' values, with the last upload that is a photo, without the moment."""
        name, content = uploaded(self.controls["upload"].value)
        if content != self._upload:
            self._upload, self._problem = content, ""
            try:
                self._photo = content, self._framed_photo(content)
            except ValueError as error:
                said = first_line(error).rstrip(". ")
                self._problem = f"{name} is not shown: {said}. The photo before it stays."
        values = self.values()
        del values["moment"]
        return values | {"upload": self._photo[0]}

    def _framed_photo(self, content):
        if content is None:
            return self._first
        return _framed(photos.read(content, self._first[0].shape[:2]))

    def _run(self, dream, settings, before):
        """Dream in a thread of its own: add frame after frame until told to stop."""
        if before is not None:
            before.thread.join()
        layer, channel = settings["layer"], settings["channel"]
        network = self._networks[settings.get("network", next(iter(self._networks)))]
        try:
            if dream.told.is_set():
                return
            made = dreaming.ascend_octaves(
                network, dream.photo[0], layer, None if channel < 0 else channel,
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
            dream.problem = first_line(error)
        finally:
            with self._lock:
                dream.told.set()
                self._update()

    def _update(self, _change=None):
        if self._held:
            return
        with self._lock:
            settings, moment = self._settings(), self.controls["moment"]
            dream, last = self._dreams.get(tuple(settings.values())), self._latest
            frames = [self._photo[1], *(dream.frames if dream else ())]
            number = round(moment.value / 100 * (len(frames) - 1))
            seen = "" if number == len(frames) - 1 else f", seen at frame {number}"
            going = last is not None and last.runs
            unseen = ""
            if going and last is not dream:
                unseen = (
                    f". Still dreaming: {last.asked}, {last.made}; stop ends it, dream replaces it"
                )
            self.image.value = frames[number][1]
            self.warn(self._problem)
            self.label.say(f"{_asked(settings)}: {_state(dream)}{seen}{unseen}")
            counted = last if going else dream
            self.bar.max, self.bar.value = (
                (counted.total, len(counted.frames)) if counted else (1, 0)
            )
            done = dream is not None and len(dream.frames) == dream.total
            self.buttons["dream"].disabled = done or (going and last is dream)
            self.buttons["stop"].disabled = not going
            self.buttons["save film"].disabled = len(frames) < 2 or dream.runs
            moment.disabled = len(frames) < 2


def _layers(network):
    """Return the layers to dream with: convolutions, and the sums at the ends of blocks."""
    if not (layers := networks.layer_names(network)):
        raise ValueError(f"The network {network.name!r} has no convolution to dream with.")
    every = networks.layer_names(network, "all")
    add = keras.layers.Add
    return [n for n in every if n in layers or isinstance(networks.find_layer(network, n), add)]


def _upper(layers):
    """Return the layer two thirds of the way up."""
    return layers[round(0.67 * (len(layers) - 1))]


def _framed(picture):
    """Return an image and the PNG that shows it, made once, so that looking back is quick."""
    return picture, png(enlarge(picture))


def _asked(settings):
    """Return in words what is to be dreamt."""
    channel, network = settings["channel"], settings.get("network")
    part = f"{settings['layer']}, {'all channels' if channel < 0 else f'channel {channel}'}"
    return f"{network}, {part}" if network else part


def _state(dream):
    """Return in words how far a dream is."""
    if dream is None:
        return "press dream"
    if dream.problem:
        return f"no dream, for {dream.problem}"
    if len(dream.frames) == dream.total:
        return f"dreamt, {dream.made}"
    return f"{'dreaming' if dream.runs else 'stopped'}, {dream.made}"


def _free(path):
    """Return a path, with a number if there is a file of that name already."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}_{number}")
    return free

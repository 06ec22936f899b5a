"""Stand-ins for what the course downloads: a server with faults on demand, archives, weights."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

from helpers.photos.downloads import Source

COLOURS = {"cat": (200, 60, 50), "dog": (50, 60, 200)}


class Server:
    """A web server on this machine that serves `files` by name and misbehaves as told.

    faults: what happens to the next requests, one for each, see `_Handler`; always: what happens to
    all others. asked: the path and the first byte of each request.
    """

    def __init__(self):
        self.files, self.faults, self.always, self.ranges, self.asked = {}, [], None, True, []
        self.half_sent, self.go_on = threading.Event(), threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.owner, self._http.daemon_threads = self, True
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}"

    def source(self, name, content):
        """Serve a file, and return its `Source`."""
        self.files[name] = content
        digest = hashlib.sha256(content).hexdigest()
        return Source(name, (f"{self.url}/{name}",), len(content), digest)

    def close(self):
        self.go_on.set()
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing of each request."""

    def do_GET(self):
        owner, path = self.server.owner, self.path
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if owner.ranges else 0
        owner.asked.append((path, start))
        fault = owner.faults.pop(0) if owner.faults else owner.always
        content = owner.files[path.rpartition("/")[2]]
        try:
            self._answer(owner, path, content, start, fault)
        except ConnectionError:
            self.close_connection = True  # the other side has had enough

    def _answer(self, owner, path, content, start, fault):
        if isinstance(fault, int):
            return self.send_error(fault)
        if fault in ("redirect", "loop"):
            self.send_response(302)
            self.send_header("Location", path if fault == "loop" else f"/moved{path}")
            return self.end_headers()
        if fault == "login":
            content, start = b"<html>Welcome! Please log in.</html>", 0
        if fault == "wrong":
            content = bytes(255 - byte for byte in content)
        if start > len(content):
            return self.send_error(416)
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if fault == "login" else "application/gzip")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if fault not in ("endless", "unannounced half"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        if fault in ("half", "unannounced half"):
            return self.wfile.write(body[:half])
        if fault == "endless":
            return self.wfile.write(body + body)
        if fault == "slow":
            for place in range(0, len(body), 1 + len(body) // 10):
                self.wfile.write(body[place : place + 1 + len(body) // 10])
                owner.go_on.wait(0.03)
            return None
        if fault == "silence":
            self.wfile.write(body[:half])
            self.wfile.flush()
            owner.half_sent.set()
            owner.go_on.wait(60)
            return None
        return self.wfile.write(body)


def archive(members):
    """Return the bytes of a .tar.gz of {name: bytes}, or {name: TarInfo} for what is no file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def encoded(pixels, form, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def photo(kind, number, width=70, height=50, **options):
    """Return a JPEG of a bright animal, red or blue, on a dark ground, and its trimap as PNG."""
    rng = np.random.default_rng(number)
    top, left = rng.integers(8, 18, 2)
    trimap = np.full((height, width), 2, np.uint8)
    trimap[top - 2 : top + 22, left + 8 : left + 32] = 3
    trimap[top : top + 20, left + 10 : left + 30] = 1
    pixels = np.where((trimap == 1)[..., None], COLOURS[kind], 20)
    pixels = (pixels + rng.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
    return encoded(pixels, "JPEG", quality=95, **options), encoded(trimap, "PNG")


def oxford(train=6, test=4, each=photo):
    """Return the members of both archives in the form of Oxford's: so many pictures a class."""
    images, notes, lists = {}, {}, {"trainval": [], "test": []}
    for kind, breed, breed_id in (("cat", "Bengal", 6), ("dog", "english_setter", 14)):
        for number in range(train + test):
            stem = f"{breed}_{number + 1}"
            images[f"images/{stem}.jpg"], trimap = each(kind, number)
            notes[f"annotations/trimaps/{stem}.png"] = trimap
            notes[f"annotations/trimaps/._{stem}.png"] = b"left by macOS"
            species = 1 if kind == "cat" else 2
            row = f"{stem} {breed_id} {species} 1"
            lists["trainval" if number < train else "test"].append(row)
    images["images/Bengal_1.mat"] = b"MATLAB 5.0 MAT-file"
    for name, rows in lists.items():
        notes[f"annotations/{name}.txt"] = "\n".join(rows).encode() + b"\n"
    head = "#Image CLASS-ID SPECIES BREED ID\n"
    notes["annotations/list.txt"] = (head + "\n".join(sum(lists.values(), []))).encode()
    notes["annotations/xmls/Bengal_1.xml"] = b"<annotation/>"
    return images, notes


def pass_colours_on(network, seed=0):
    """Give a VGG weights that let the colours through to the last block, and a little noise.

    Random weights will not do: after 13 layers of them all pictures look alike.
    """
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        if layer.name.startswith("block") and layer.weights:
            kernel = rng.normal(0, 1e-3, layer.kernel.shape)
            into, out = np.arange(kernel.shape[3]) % kernel.shape[2], np.arange(kernel.shape[3])
            signs = np.where(out < 3, 0.05, -0.05) if layer.name == "block1_conv1" else 1.0
            kernel[1, 1, into, out] += signs
            layer.set_weights([kernel, np.zeros(len(out))])


def vgg16_weights(path):
    """Write weights in the very form of Keras' file for VGG16 without its top layers."""
    import keras

    network = keras.applications.VGG16(include_top=False, weights=None)
    pass_colours_on(network)
    return keras_weights(network, path)


def keras_weights(network, path):
    """Write a network's weights in the form of the files that Keras offers for download."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        for layer in network.layers:
            group, names = file.create_group(layer.name), []
            for number, weight in enumerate(layer.weights):
                names.append(f"{layer.name}_{number}:0")
                group[names[-1]] = weight.numpy()
            group.attrs["weight_names"] = [name.encode() for name in names]
    return path

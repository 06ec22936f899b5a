"""The projector's files, served by a real TensorBoard."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
from test_embedding_projector import NAMES, coloured, points

from helpers import embedding


@pytest.fixture
def board(tmp_path):
    """Start TensorBoard on an exported folder; give a function that fetches from its embedding."""
    if importlib.util.find_spec("tensorboard") is None:
        pytest.skip("TensorBoard is not installed")
    folder, says = tmp_path / "board", tmp_path / "log.txt"
    labels = np.arange(30) % 2
    embedding.export_projector(
        folder, points(30, 16), labels, coloured(30), NAMES, columns={"number": range(30)}, side=8
    )
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--load_fast=false"]
    with says.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": "-1"},
        )  # fmt: skip
    try:
        address, deadline = None, time.monotonic() + 180
        while address is None and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
            address = re.search(r"http://127\.0\.0\.1:\d+/", says.read_text(errors="replace"))
        assert address, f"TensorBoard did not start: {says.read_text(errors='replace')}"
        local = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def fetch(page, **query):
            query = urllib.parse.urlencode(query)
            with local.open(f"{address[0]}data/{page}?{query}", timeout=60) as answer:
                return answer.read(), answer.headers.get_content_type()

        yield folder, fetch
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_tensorboard_lists_the_embedding_and_serves_all_of_it(board):
    folder, fetch = board
    assert json.loads(fetch("plugin/projector/runs")[0]) == ["."]
    (listed,) = json.loads(fetch("plugin/projector/info", run=".")[0])["embeddings"]
    assert listed == {
        "tensorName": "features",
        "tensorShape": [30, 16],
        "tensorPath": "vectors.tsv",
        "metadataPath": "metadata.tsv",
        "sprite": {"imagePath": "sprite.png", "singleImageDim": [8, 8]},
    }
    assert "projector" in json.loads(fetch("plugins_listing")[0])
    which = {"run": ".", "name": "features"}
    vectors, _ = fetch("plugin/projector/tensor", **which)
    assert vectors == points(30, 16).tobytes()
    metadata, _ = fetch("plugin/projector/metadata", **which)
    assert metadata == (folder / "metadata.tsv").read_bytes()
    assert metadata.decode().split("\n")[:3] == ["label\tnumber", "cat\t0", "dog\t1"]
    few, _ = fetch("plugin/projector/metadata", num_rows=30, **which)
    assert few == metadata  # the head does not count as a row
    png, kind = fetch("plugin/projector/sprite_image", **which)
    assert (png, kind) == ((folder / "sprite.png").read_bytes(), "image/png")

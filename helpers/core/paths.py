"""Where the course's files are on this machine."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRAWN = ROOT / "data" / "drawn"  # the shipped test pictures
NETWORKS = ROOT / "data" / "networks"  # the shipped networks
BUNDLED_CACHE = ROOT / "cache"  # photos and weights that came with a bundle

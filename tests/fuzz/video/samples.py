"""Small valid videos, written once when the first test needs them."""

import tempfile
from functools import cache
from pathlib import Path

from tests.helpers.videos import write_video

_OPTIONS = {
    "libx264": {"preset": "veryfast", "g": "4", "x264-params": "open-gop=1:bframes=2:scenecut=0"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:keyint=4:min-keyint=4"},
    "libvpx": {"g": "4", "deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"g": "4", "deadline": "realtime", "cpu-used": "8"},
}
FRAMES = 10


@cache
def video(suffix: str, codec: str = "libx264") -> bytes:
    """A video of ten frames of 64 x 64 pixels, with open groups of pictures where the codec has them."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, f"a{suffix}")
        return write_video(path, FRAMES, 64, 64, codec=codec, options=_OPTIONS[codec]).read_bytes()

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.helpers.packets import write_with_cover
from tests.helpers.videos import read_barcodes
from vidrep_pipelines.data.video.decode import count_frames, read_frames
from vidrep_pipelines.data.video.film import film_stream
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.probe import probe
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("marked", [False, True])
def test_a_cover_is_not_the_film(tmp_path, name, marked):
    path = write_with_cover(tmp_path / name, 12, marked=marked)
    facts = probe(path)
    assert (facts.codec, facts.width, facts.height) == ("h264", 96, 64)
    assert count_frames(path) == PacketIndex.build(path).frames == 12
    for reader in ("auto", "index", "pyav"):
        assert read_barcodes(read_frames(path, [7, 0, 11], reader=reader)) == [7, 0, 11]
    facts = resize_video(path, tmp_path / "resized.mp4", ResizeConfig(short_side=64))
    assert (facts["frames"], facts["source_codec"]) == (12, "h264")
    assert read_barcodes(read_frames(tmp_path / "resized.mp4", range(12))) == list(range(12))


def stream(number, frames=0, duration=0, size=(96, 64), codec="h264", tags=None, disposition=0):
    return SimpleNamespace(
        number=number,
        frames=frames,
        duration=duration,
        time_base=0.001,
        average_rate=25,
        guessed_rate=25,
        metadata=tags or {},
        disposition=Disposition(disposition),
        codec_context=SimpleNamespace(name=codec, width=size[0], height=size[1]) if codec else None,
    )


LONG, SHORT = {"DURATION": "00:01:10.500000000"}, {"DURATION": "00:00:00.040000000"}


@pytest.mark.parametrize(
    ("streams", "chosen"),
    [
        ([stream(0)], 0),
        ([stream(0, codec=None)], 0),  # without a decoder: whoever opens it says so
        ([stream(0, 1, size=(2000, 2000)), stream(1, 500)], 1),
        ([stream(0, 500), stream(1, 1, size=(2000, 2000))], 0),
        ([stream(0, 500, size=(64, 48)), stream(1, 499)], 1),
        ([stream(0, 500), stream(1, 500)], 0),
        ([stream(0, duration=40, size=(900, 900)), stream(1, duration=60_000)], 1),
        ([stream(0, tags=SHORT, size=(900, 900)), stream(1, tags=LONG)], 1),
        ([stream(0, tags={"NUMBER_OF_FRAMES": "1"}, size=(900, 900)), stream(1, tags=LONG)], 1),
        ([stream(0, codec="png", size=(900, 900)), stream(1)], 1),
        ([stream(0, codec="mjpeg"), stream(1, codec="mjpeg", size=(900, 900))], 1),
        ([stream(0, 900, disposition=Disposition.attached_pic), stream(1, 1)], 1),
    ],
)
def test_the_longest_and_then_the_largest_is_the_film(streams, chosen):
    container = SimpleNamespace(streams=SimpleNamespace(video=streams))
    assert film_stream(container).number == chosen


def test_without_pictures_there_is_no_film():
    assert film_stream(SimpleNamespace(streams=SimpleNamespace(video=[]))) is None
    cover = stream(0, disposition=Disposition.attached_pic)
    assert film_stream(SimpleNamespace(streams=SimpleNamespace(video=[cover]))) is None


def test_what_other_programs_wrote_into_the_tags_is_no_error(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        film = container.add_stream("libx264", rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
        container.mux(film.encode(None))
    data = path.read_bytes()
    assert b"00:00:00.120000000" in data
    path.write_bytes(data.replace(b"00:00:00.120000000", b"a while, more or l"))
    assert probe(path).duration_seconds == pytest.approx(0.12)


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from vidrep_pipelines.data.video.film import write_film

rng = np.random.default_rng(0)
noise = rng.integers(0, 64, (300, 1100, 3), dtype=np.uint8)
frames = np.stack([noise[shift : shift + 266, 2 * shift : 2 * shift + 960] for shift in range(24)])
frames[:, 50:150, 100:400] = 0
write_film(Path(sys.argv[1]), frames, 12)
"""


def test_equal_frames_give_equal_bytes_whatever_memory_holds(tmp_path: Path) -> None:
    """The C library fills memory that nobody wrote with another byte in each of the processes."""
    films = []
    for number in ("85", "170"):
        path = tmp_path / f"{number}.mp4"
        environment = {**os.environ, "MALLOC_PERTURB_": number}
        subprocess.run([sys.executable, "-c", PROGRAM, str(path)], env=environment, check=True)
        films.append(path.read_bytes())
    assert films[0] == films[1]

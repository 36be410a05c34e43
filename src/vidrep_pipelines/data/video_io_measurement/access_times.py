"""How long it takes to read two frames at a random place, and to decode all frames."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.clips.sampling import sample_pair
from vidrep_pipelines.data.video.container import OpenedVideo, open_video
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_plan import plan_runs
from vidrep_pipelines.data.video.picture_converter import PictureConverter
from vidrep_pipelines.data.video_io_measurement.config import MeasureVideoIoConfig


def read_by_seeking(path: Path, ranks: Sequence[int]) -> NDArray[np.uint8]:
    """Reads frames of an MP4 clip whose frames are evenly spaced from time 0 on, as this project writes them.

    From one frame to the next, decoding goes on unless there is a keyframe between them to jump to.

    Args:
        path: The clip.
        ranks: Frame numbers in ascending order, without repetition.

    Returns:
        (N, H, W, 3) uint8 RGB.

    Raises:
        UnreadableVideoError: A frame cannot be decoded, or there is no such frame.
    """
    converter = PictureConverter()
    with open_video(path) as opened:
        return np.stack([converter.upright_rgb(frame, 0) for frame in _frames(opened, ranks)])


def _frames(opened: OpenedVideo, ranks: Sequence[int]) -> Iterator[Any]:
    stream = opened.stream
    decoded: Iterator[Any] = iter(())
    position = -1
    for rank in ranks:
        time = round(rank / stream.average_rate / stream.time_base)
        if position < 0 or _last_keyframe(stream, time) > position:
            opened.container.seek(time, stream=stream)
            decoded = opened.container.decode(stream)
        frame = next((candidate for candidate in decoded if candidate.pts >= time), None)
        if frame is None:
            raise UnreadableVideoError(f"{opened.path}: there is no frame {rank}.")
        position = frame.pts
        yield frame


def _last_keyframe(stream: Any, time: int) -> int:
    """Time of the last keyframe up to ``time``, according to the header."""
    entries = stream.index_entries
    return int(entries[entries.search_timestamp(time)].timestamp)


PairReader = Callable[[Path, Sequence[int]], NDArray[np.uint8]]
Access = Literal["pair", "sequential"]

SEQUENTIAL_READER = "pyav"


@dataclass(frozen=True)
class EncodedClip:
    """A clip in one encoding.

    Attributes:
        clip: Its id.
        encoding: Name of the encoding.
        path: The file.
        frames: How many it holds.
    """

    clip: str
    encoding: str
    path: Path
    frames: int


class ClipReader:
    """Reads clips by packet index, as training does: the index is there before the first read."""

    def __init__(self) -> None:
        self._reader = FrameReader("index")
        self._indices: dict[Path, PacketIndex] = {}

    def read(self, path: Path, ranks: Sequence[int]) -> NDArray[np.uint8]:
        """Reads frames of a clip that this project encoded, see :meth:`.decode.FrameReader.read`."""
        if path not in self._indices:
            self._indices[path] = PacketIndex.of_clip(path)
        return self._reader.read(path, ranks, self._indices[path])


def pair_readers() -> dict[str, PairReader]:
    """The readers that this platform has, by name: ``decord``, ``pyav`` and ``index``.

    The first two open the file for every pair, as data loaders do; ``index`` remembers the packets of the
    files and keeps its decoders.
    """
    readers: dict[str, PairReader] = {"pyav": read_by_seeking, "index": ClipReader().read}
    if find_spec("decord") is not None:
        readers = {"decord": FrameReader("decord").read, **readers}
    return readers


def measure_access(
    clips: Sequence[EncodedClip], config: MeasureVideoIoConfig, clock: Callable[[], float] = time.process_time
) -> pd.DataFrame:
    """Reads the same random frame pairs from every encoding through every reader, all in turns.

    Whatever else the machine does while this runs thus falls on all of them alike. Everything is read once
    before, so that files are in memory and decoders exist.

    Args:
        clips: The clips, each in all encodings.
        config: Numbers of pairs and rounds, and the seed.
        clock: Seconds; by default processor time of this process, whose decoders use one thread.

    Returns:
        One row per reading: ``clip``, ``encoding``, ``access`` (``"pair"``, or ``"sequential"`` for all
        frames of the clip), ``reader``, ``milliseconds`` (per pair, or per frame), and ``decoded`` (how many
        frames have to be decoded for it).
    """
    readers = pair_readers()
    indices = {clip.path: PacketIndex.of_clip(clip.path, clip.frames) for clip in clips}
    for reader in readers.values():
        for clip in clips:
            reader(clip.path, [0, clip.frames - 1])
    rows = [*_pairs(clips, config, readers, indices, clock), *_sequential(clips, config, clock)]
    return pd.DataFrame(rows)


def frames_to_decode(index: PacketIndex, ranks: Sequence[int]) -> int:
    """How many frames have to be decoded for the wanted ones: from the keyframe before each of them on."""
    return sum(len(run.packets) for run in plan_runs(index, ranks))


def _pairs(
    clips: Sequence[EncodedClip],
    config: MeasureVideoIoConfig,
    readers: Mapping[str, PairReader],
    indices: Mapping[Path, PacketIndex],
    clock: Callable[[], float],
) -> Iterator[dict[str, object]]:
    for number in range(config.pairs):
        for clip in clips:
            pair = sample_pair(clip.frames, generator_for(config.seed, clip.clip, number))
            decoded = frames_to_decode(indices[clip.path], pair)
            for name, read in readers.items():
                started = clock()
                read(clip.path, pair)
                yield _row(clip, "pair", name, clock() - started, decoded)


def _sequential(
    clips: Sequence[EncodedClip], config: MeasureVideoIoConfig, clock: Callable[[], float]
) -> Iterator[dict[str, object]]:
    for _ in range(config.sequential_rounds):
        for clip in clips:
            started = clock()
            count = _decode_all(clip.path)
            yield _row(clip, "sequential", SEQUENTIAL_READER, (clock() - started) / count, 1)


def _decode_all(path: Path) -> int:
    """Decodes and converts every frame, keeping none; returns how many there are."""
    converter = PictureConverter()
    with open_video(path) as opened:
        frames = HealthyFrames(opened)
        for frame in frames:
            converter.upright_rgb(frame, 0)
        return frames.count


def _row(clip: EncodedClip, access: Access, reader: str, seconds: float, decoded: int) -> dict[str, object]:
    return {
        "clip": clip.clip,
        "encoding": clip.encoding,
        "access": access,
        "reader": reader,
        "milliseconds": 1000 * seconds,
        "decoded": decoded,
    }

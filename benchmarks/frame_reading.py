"""Frames of one file by rank: the packet index, against decord, torchcodec and decord frame by frame."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import raw_clips
from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.timing import Result, Work
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video

READS, ROUNDS = 40, 9
HOW = (
    "CPU time of {what} of {clip}, resized by the train profile, {reads} random reads a round from one file, "
    "all readers with one thread and what they can keep open, interleaved, medians of {rounds} rounds; "
    "reference: decord, opened for every read, frame by frame"
)
IN_A_ROW = (
    "frames in a row are all decoded, by the same library on both sides; torchcodec turns them into arrays "
    "in C++, ours frame after frame through PyAV, with the bytes of sequential decoding for every file"
)

Ranks = list[int]
Read = Callable[[Ranks], NDArray[np.uint8]]

SHAPES: dict[str, tuple[str, Callable[[np.random.Generator], Ranks]]] = {
    "read_pair": ("two frames up to 48 apart", lambda rng: [0, int(rng.integers(1, 49))]),
    "read_16_stride_4": ("16 frames, every fourth", lambda rng: list(range(0, 64, 4))),
    "read_32_in_a_row": ("32 frames in a row", lambda rng: list(range(32))),
}


def run() -> dict[str, Result]:
    """In a process of its own, which finds the libraries that torchcodec needs."""
    with tempfile.TemporaryDirectory() as name:
        link_libraries(Path(name))
        former = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (name, former)))
        try:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                return process.submit(_measure_all).result()
        finally:
            del os.environ["LD_LIBRARY_PATH"]
            if former is not None:
                os.environ["LD_LIBRARY_PATH"] = former


def link_libraries(folder: Path) -> list[str]:
    """Gives FFmpeg's libraries inside PyAV's wheel their usual names, by links in ``folder``."""
    names = []
    for library in (Path(av.__file__).parents[1] / "av.libs").glob("lib*-*.so.*"):
        stem, version = library.name.split(".so.", 1)
        names.append(f"{stem.rsplit('-', 1)[0]}.so.{version.split('.')[0]}")
        (folder / names[-1]).symlink_to(library)
    return names


def _measure_all() -> dict[str, Result]:
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw, _ = raw_clips(folder)
        clip = folder / "clip.mp4"
        facts = resize_video(raw[0], clip, ResizeConfig())
        index = PacketIndex.of_clip(clip, int(facts["frames"]))
        return {result: _measure(result, clip, index, raw[0].name) for result in SHAPES}


def _measure(name: str, clip: Path, index: PacketIndex, shown: str) -> Result:
    what, ranks_of = SHAPES[name]
    rng = np.random.default_rng(0)
    draws: list[Ranks] = []
    for _ in range(READS):
        offsets = ranks_of(rng)
        first = int(rng.integers(0, index.frames - offsets[-1]))
        draws.append([first + offset for offset in offsets])
    reader = FrameReader()

    def ours(ranks: Ranks) -> NDArray[np.uint8]:
        return reader.read(clip, ranks, index)

    expected = ours(draws[0])

    def peer(package: str, how: str, opened: Callable[[Path], Read]) -> Peer:
        def prepare() -> Work:
            read = opened(clip)
            check_equal(package, read(draws[0]).astype(int), expected.astype(int), rtol=0, atol=2)
            return _all(read, draws)

        return Peer(package, how, prepare, IN_A_ROW if name == "read_32_in_a_row" else "")

    comparison = compare(
        _all(ours, draws),
        _all(lambda ranks: _frame_by_frame(clip, ranks), draws),
        [
            peer("torchcodec", "`VideoDecoder` kept open, `get_frames_at`", _torchcodec),
            peer("decord", "`VideoReader` kept open, `get_batch`", _decord),
        ],
        ROUNDS,
        time.process_time,
    )
    medians, each = comparison.medians, 1000 / READS
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit="milliseconds per read",
        how=HOW.format(what=what, clip=shown, reads=READS, rounds=ROUNDS),
    )
    return with_peer(result, comparison.rivals)


def _all(read: Read, draws: list[Ranks]) -> Work:
    def work() -> None:
        for ranks in draws:
            read(ranks)

    return work


def _torchcodec(clip: Path) -> Read:
    from torchcodec.decoders import VideoDecoder  # noqa: PLC0415

    decoder = VideoDecoder(str(clip), dimension_order="NHWC", num_ffmpeg_threads=1)

    def read(ranks: Ranks) -> NDArray[np.uint8]:
        frames: NDArray[np.uint8] = decoder.get_frames_at(ranks).data.numpy()
        return frames

    return read


def _decord(clip: Path) -> Read:
    import decord  # noqa: PLC0415

    opened = decord.VideoReader(str(clip), num_threads=1, ctx=decord.cpu(0))

    def read(ranks: Ranks) -> NDArray[np.uint8]:
        frames: NDArray[np.uint8] = opened.get_batch(ranks).asnumpy()
        return frames

    return read


def _frame_by_frame(clip: Path, ranks: Ranks) -> NDArray[np.uint8]:
    import decord  # noqa: PLC0415

    opened = decord.VideoReader(str(clip), num_threads=1, ctx=decord.cpu(0))
    return np.stack([opened[rank].asnumpy() for rank in ranks])

"""From decoded frames to normalized crops: Pillow image by image, against uint8 tensors and one batch."""

import time

import numpy as np
import torch

from benchmarks.reference.pair_loading_published import published_transform
from benchmarks.timing import Result, interleave
from vidrep_pipelines.data.transforms import FrameTransform, normalize

PAIRS, ROUNDS = 16, 25
HOW = (
    "CPU time of one thread per frame: random crop, bicubic resize to 224, flip, normalize; batches of "
    f"8 pairs each of 454x256 and 340x256 frames, interleaved, medians of {ROUNDS} rounds; "
    "reference: Pillow and float tensors image by image"
)


def random_pairs() -> list[np.ndarray]:
    """(2, H, W, 3) uint8 per pair."""
    rng = np.random.default_rng(0)
    sizes = [(256, 454), (256, 340)] * (PAIRS // 2)
    return [
        np.kron(
            rng.integers(0, 256, (2, height // 2, width // 2, 3), dtype=np.uint8),
            np.ones((1, 2, 2, 1), np.uint8),
        )
        for height, width in sizes
    ]


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pairs, transform, rng = random_pairs(), FrameTransform(), np.random.default_rng(0)

    def ours() -> None:
        normalize(torch.stack([transform(pair, rng) for pair in pairs]))

    def reference() -> None:
        torch.stack([torch.stack(published_transform(*pair)) for pair in pairs])

    medians = interleave(ours, reference, ROUNDS, time.process_time)
    torch.set_num_threads(threads)
    per_frame = 1000 / (2 * PAIRS)
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * per_frame,
        reference=medians.reference * per_frame,
        unit="milliseconds per frame",
        how=HOW,
    )
    return {"crop_resize_normalise": result}

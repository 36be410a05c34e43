"""From decoded frames to normalized crops: Pillow image by image, against uint8 tensors and one batch."""

import time

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.reference.pair_loading_published import published_transform
from benchmarks.timing import Result, Work
from vidrep_pipelines.compat import ensure_torchvision
from vidrep_pipelines.data.imagenet import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.data.transforms import Crop, FrameTransform, crop_resize, normalize

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

    peers = [
        Peer("torchvision", "`transforms.v2` on uint8, pair by pair", lambda: _torchvision(pairs)),
        Peer(
            "kornia", "`augmentation` on floats, pair by pair, the same crop for both", lambda: _kornia(pairs)
        ),
    ]
    comparison = compare(ours, reference, peers, ROUNDS, time.process_time)
    medians = comparison.medians
    torch.set_num_threads(threads)
    per_frame = 1000 / (2 * PAIRS)
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * per_frame,
        reference=medians.reference * per_frame,
        unit="milliseconds per frame",
        how=HOW,
    )
    return {"crop_resize_normalise": with_peer(result, comparison.rivals)}


def _torchvision(pairs: list[np.ndarray]) -> Work:
    ensure_torchvision()
    from torchvision.transforms import v2  # noqa: PLC0415

    bicubic = v2.InterpolationMode.BICUBIC
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(224, scale=(0.5, 1.0), interpolation=bicubic, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    frames, box = torch.from_numpy(pairs[0]).permute(0, 3, 1, 2), (20, 30, 200, 220)
    resized = v2.functional.resized_crop(frames, *box, [224, 224], bicubic, antialias=True)
    ours = crop_resize(torch.from_numpy(pairs[0]), Crop(*box), (224, 224))
    check_equal("torchvision", resized.int(), ours.int(), rtol=0, atol=1)

    def work() -> None:
        torch.stack([transform(torch.from_numpy(pair).permute(0, 3, 1, 2)) for pair in pairs])

    return work


def _kornia(pairs: list[np.ndarray]) -> Work:
    """Bicubic without smoothing, since its crop has no other: it does less than ours."""
    from kornia import augmentation  # noqa: PLC0415

    transform = augmentation.AugmentationSequential(
        augmentation.RandomResizedCrop(
            (224, 224), scale=(0.5, 1.0), resample="BICUBIC", same_on_batch=True, cropping_mode="slice"
        ),
        augmentation.RandomHorizontalFlip(same_on_batch=True),
        augmentation.Normalize(torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)),
        data_keys=["input"],
    )

    def floats(pair: np.ndarray) -> Tensor:
        return torch.from_numpy(pair).permute(0, 3, 1, 2).float() / 255

    normalized = augmentation.Normalize(torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD))
    picture = torch.from_numpy(pairs[0]).permute(0, 3, 1, 2)
    check_equal("kornia", normalized(floats(pairs[0])), normalize(picture), rtol=0, atol=1e-4)

    def work() -> None:
        torch.stack([transform(floats(pair)) for pair in pairs])

    return work

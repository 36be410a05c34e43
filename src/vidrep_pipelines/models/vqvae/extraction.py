"""Codes of whole data sets, shard by shard."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from vidrep_pipelines.data.frame_store.codes import code_shard
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray, OpenArrays
from vidrep_pipelines.data.frame_store.shard import FRAMES, SHARD_SUFFIX, VERSION_STAMP
from vidrep_pipelines.models.vqvae.extraction_config import LatentExtractionConfig
from vidrep_pipelines.models.vqvae.trained import TrainedVqvae
from vidrep_pipelines.training.distributed import device_of_item


@dataclass(frozen=True)
class ExtractionRequest:
    """What extracting the codes of one shard needs.

    Attributes:
        checkpoint: Folder of the published checkpoint.
        version: Digest of its weights, so that a process that outlives a training never uses the old ones.
        store: Folder of the frame store.
        shard: Path of the shard below it.
        frames_digest: Version of the shard.
        config: What to keep, and how.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: Of the shard; deals shards to GPUs.
    """

    checkpoint: Path
    version: str
    store: Path
    shard: str
    frames_digest: str
    config: LatentExtractionConfig
    device: str
    number: int


def extract_shard(request: ExtractionRequest, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Encodes every frame of a shard in the order in which they are stored.

    Args:
        request: The shard.
        outputs: Where the codes (".h5") go.

    Returns:
        One row: frames, and how many different codes occur.

    Raises:
        InputError: The shard or the checkpoint cannot be read, or they are of different sizes.
    """
    trained = _trained(request.checkpoint, request.version, device_of_item(request.device, request.number))
    frames = _frames(request)
    total, config = frames.shape[0], trained.model.config
    used = torch.zeros(config.codebook.size, dtype=torch.bool)
    shape = tuple(side // config.downsampling for side in frames.shape[1:3])
    channels = config.codebook.dimension if request.config.latents else None
    with code_shard(
        outputs[SHARD_SUFFIX], total, (shape[0], shape[1]), request.frames_digest, channels
    ) as writer:
        for start in range(0, total, request.config.batch_size):
            stop = min(start + request.config.batch_size, total)
            codes, latents = (part.cpu() for part in trained.encode(frames.read(start, stop)))
            used[codes.flatten()] = True
            writer.append(codes.numpy(), latents.numpy() if request.config.latents else None)
    frames.close()
    return {"frames": total, "codes_used": int(used.sum())}


def _frames(request: ExtractionRequest) -> ContiguousArray:
    versions = {request.shard: request.frames_digest}
    return OpenArrays(request.store, FRAMES, VERSION_STAMP, versions)[request.shard]


@lru_cache(maxsize=8)
def _trained(checkpoint: Path, version: str, device: str) -> TrainedVqvae:
    del version  # part of the key
    return TrainedVqvae.load(checkpoint, device)

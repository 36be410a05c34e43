"""How a codec comes to be: the linear basis fitted to training frames, or a published autoencoder named."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.catalog_checkpoint import META, WEIGHTS, read_json_object
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.vpp.video.codec import CODEC, VAE, build_vae, space_to_depth, to_pictures
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig

SYSTEM = "video_codec"
_WEIGHT_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")
_FRAMES_AT_ONCE = 64
_LEAST_VARIANCE = 1e-8
"""Of the largest component's: below it a component is rounding, which must not be scaled to unit variance."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CodecParts:
    """What a codec's checkpoint is published from.

    Attributes:
        folder: Holds the weights.
        weights: Name of the safetensors file in it.
        config: What rebuilds the codec.
        meta: Where it came from.
    """

    folder: Path
    weights: str
    config: dict[str, Any]
    meta: dict[str, Any]


def make_codec(config: CodecConfig, store: FrameStore, folder: Path) -> CodecParts:
    """The codec that a configuration asks for; nothing is fitted anew that was fitted before.

    Args:
        config: Which codec.
        store: The frames that a linear codec is fitted to.
        folder: Where its weights are kept.

    Raises:
        ConfigurationError: An autoencoder is asked for and none is named.
        InputError: Its folder lacks a part, or the frames do not divide into blocks.
    """
    return named_vae(config) if config.kind == "vae" else fitted_codec(config, store, folder)


def named_vae(config: CodecConfig) -> CodecParts:
    """The autoencoder in the folder that the configuration names.

    Raises:
        ConfigurationError: None is named.
        InputError: The folder lacks a part, or is of another kind.
    """
    if config.folder is None:
        raise ConfigurationError(
            "video_latents.codec.folder is not set, and the autoencoder cannot be shipped. Remedy: name the "
            "folder of stable-video-diffusion-img2vid or of its vae, or set codec.kind to linear."
        )
    folder = config.folder / VAE if (config.folder / VAE).is_dir() else config.folder
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} lacks config.json; it is no autoencoder in the layout of diffusers.")
    names = [name for name in _WEIGHT_FILES if (folder / name).is_file()]
    if not names:
        raise InputError(f"{folder} lacks the weights: none of {', '.join(_WEIGHT_FILES)} is there.")
    described = read_json_object(folder / "config.json")
    build_vae(described)
    own = config.model_dump(include={"kind", "decode_frames"})
    origin = {"system": SYSTEM, "origin": folder.as_posix()}
    return CodecParts(folder.absolute(), names[0], {CODEC: own, VAE: described}, origin)


def fitted_codec(config: CodecConfig, store: FrameStore, folder: Path) -> CodecParts:
    """The linear codec of the training frames, from the folder if it was fitted to the same ones before.

    Raises:
        ConfigurationError: All data sets are left out.
        InputError: The frames do not divide into blocks.
    """
    own = config.model_dump(
        exclude={"folder", "decode_frames", "fit_without"}
    )  # the digest of frames says it
    frames = _fitted_to(config, store)
    digest = digest_of(own, frames.content_digest)
    meta = _earlier_fit(folder, digest)
    if meta is None:
        folder.mkdir(parents=True, exist_ok=True)
        state, share = fit_basis(config, frames)
        write_weights(state, folder / WEIGHTS)
        meta = {"system": SYSTEM, "digest": digest, "explained_variance": share}
        with atomic_file(folder / META) as temporary:
            temporary.write_text(json.dumps(meta) + "\n", encoding="utf-8")
        _log.info("%d components explain %.2f %% of the variance", config.channels, 100 * share)
    return CodecParts(folder.absolute(), WEIGHTS, {CODEC: own}, meta)


def _fitted_to(config: CodecConfig, store: FrameStore) -> FrameStore:
    frames = store.select("train")
    data_sets = set(frames.table["robot"])
    if not data_sets.intersection(config.fit_without):
        return frames
    if data_sets.issubset(config.fit_without):
        raise ConfigurationError(
            f"video_latents.codec.fit_without leaves no data set to fit the codec to, of {sorted(data_sets)}."
        )
    others = tuple(sorted(data_sets.difference(config.fit_without)))
    return frames.select(selection=SelectionConfig(robots=others))


def _earlier_fit(folder: Path, digest: str) -> dict[str, Any] | None:
    try:
        meta = read_json_object(folder / META)
    except InputError:
        return None
    return meta if meta.get("digest") == digest and (folder / WEIGHTS).is_file() else None


def fit_basis(config: CodecConfig, store: FrameStore) -> tuple[dict[str, Tensor], float]:
    """Principal components of the blocks of pixels of a seeded choice of frames.

    Sums and products are added up batch by batch, so that memory does not grow with the frames.

    Args:
        config: Sizes, and how many frames.
        store: The frames.

    Returns:
        The weights of a ``LinearCodec``, and the share of the variance that they explain.

    Raises:
        InputError: The frames do not divide into blocks.
    """
    size = 3 * config.factor**2
    count, total, products = 0, torch.zeros(size).double(), torch.zeros(size, size).double()
    for frames in _chosen_frames(config, store):
        blocks = space_to_depth(to_pictures(torch.from_numpy(frames)), config.factor)
        rows = blocks.movedim(1, -1).reshape(-1, size).double()
        count, total, products = count + len(rows), total + rows.sum(0), products + rows.T @ rows
    mean = total / count
    variances, vectors = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    variances, basis = variances.flip(0).clamp(min=0), _signed(vectors.T.flip(0))
    least = (variances[0] * _LEAST_VARIANCE).clamp(min=_LEAST_VARIANCE)
    kept = variances[: config.channels]
    state = {"mean": mean, "basis": basis[: config.channels], "deviation": kept.clamp(min=least).sqrt()}
    share = float(kept.sum() / variances.sum().clamp(min=least))
    return {name: value.float().contiguous() for name, value in state.items()}, share


def _signed(basis: Tensor) -> Tensor:
    """Rows whose largest entry is positive: an eigenvector's sign is the library's whim."""
    largest = basis.gather(1, basis.abs().argmax(dim=1, keepdim=True))
    return basis * largest.sign()


def _chosen_frames(config: CodecConfig, store: FrameStore) -> Iterator[NDArray[np.uint8]]:
    """Batches (n, H, W, 3) of a seeded choice of all frames, view by view."""
    ends = np.cumsum([store.length(view) for view in store.ids])
    total = int(ends[-1])
    generator = generator_for("codec", config.seed)
    rows = np.sort(generator.choice(total, min(config.fit_frames, total), replace=False))
    views = np.searchsorted(ends, rows, side="right")
    for position in np.unique(views).tolist():
        start = int(ends[position - 1]) if position else 0
        numbers = rows[views == position] - start
        for batch in np.array_split(numbers, -(-len(numbers) // _FRAMES_AT_ONCE)):
            yield store.frames_at(position, batch)

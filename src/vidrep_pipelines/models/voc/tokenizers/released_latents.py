"""The codes that the authors publish, as episodes for an occupancy model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes, join_episodes
from vidrep_pipelines.data.token_episodes.file import read_published_latents
from vidrep_pipelines.models.voc.tokenizers.checkpoint_io import finished_source
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig

_TRAIN = "train"


def released_episodes(
    folder: Path | None,
    column: Literal["vae_latents", "dino_latents"],
    *,
    tokenizer: Path | None,
    vocabulary: int,
    shares: Mapping[str, float],
    seed: int,
) -> TokenEpisodes:
    """Reads all files of a folder, in the order of their names.

    Args:
        folder: The folder; the files are of one tokenizer.
        column: Where the codes are.
        tokenizer: The file of the tokenizer, for its codebook. None: the episodes have none.
        vocabulary: Codes of the tokenizer, where it is not given.
        shares: Share of the episodes in each held-out split; a share above zero is one episode at least.
        seed: Seed of the choice.

    Returns:
        Episodes named ``<file>/episode_0000``; those that are not held out are of the split ``train``.

    Raises:
        ConfigurationError: No folder is named.
        InputError: A file cannot be read, files do not fit together, or nothing is left to train on.
    """
    if folder is None:
        raise ConfigurationError(
            "voc_vae_released_latents.folder (or that of dino) names no folder of published codes. Remedy: "
            "set VIDREP_VOC_LATENTS to one with <i>_<level>_vq_latents.hdf5 files of one domain."
        )
    paths = sorted(folder.glob("*.hdf5"))
    if not paths:
        raise InputError(
            f"There is no .hdf5 file of published codes in {folder}. Remedy: download them there."
        )
    codebook = None if tokenizer is None else _codebook(tokenizer, column)
    size = vocabulary if codebook is None else len(codebook)
    parts = [
        _named(path, read_published_latents(path, column, vocabulary=size, codebook=codebook))
        for path in paths
    ]
    episodes = join_episodes(parts)
    return replace(episodes, splits=_splits(len(episodes.names), shares, seed))


def _named(path: Path, episodes: TokenEpisodes) -> TokenEpisodes:
    return replace(episodes, names=tuple(f"{path.stem}/{name}" for name in episodes.names))


def _codebook(path: Path, column: str) -> NDArray[np.float32]:
    """(V, D) vectors of the codes of a published tokenizer."""
    model: VaeConfig | VqkdConfig = VaeConfig() if column == "vae_latents" else VqkdConfig()
    vectors: NDArray[np.float32] = finished_source(path.absolute(), model).load().codebook.float().numpy()
    return vectors


def _splits(episodes: int, shares: Mapping[str, float], seed: int) -> tuple[str, ...]:
    order = generator_for("released latents", seed).permutation(episodes)
    splits, start = [_TRAIN] * episodes, 0
    for split, share in shares.items():
        stop = start + (max(1, round(share * episodes)) if share else 0)
        for number in order[start:stop].tolist():
            splits[number] = split
        start = stop
    if _TRAIN not in splits:
        raise InputError(
            f"Of {episodes} episodes with published codes none is left to train on. Remedy: more files, or "
            "smaller shares for validation and test in voc_vae_released_latents (or that of dino)."
        )
    return tuple(splits)

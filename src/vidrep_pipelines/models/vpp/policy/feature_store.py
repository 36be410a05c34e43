"""Features of the pictures that items see, computed shard by shard and read by view and frame."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.arrays import MODEL_VERSION, array_shard
from vidrep_pipelines.data.frame_store.codes import LATENTS
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray, StoredRows
from vidrep_pipelines.data.frame_store.film_frames import open_frames
from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.vpp.policy.feature_plan import FEATURE_ROWS, FEATURES, FeaturesRequest
from vidrep_pipelines.models.vpp.policy.features import (
    FeatureReader,
    feature_noise,
    require_finite_features,
)
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items import ItemPlace
from vidrep_pipelines.models.vpp.video.codec import load_codec, to_pictures


def extract_features(request: FeaturesRequest, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Writes the features of the frames of a shard that are seen by items.

    Args:
        request: The shard.
        outputs: Where the features (".h5") go.

    Returns:
        One row: pictures, and entries of features.

    Raises:
        InputError: The shard, its latents or the model cannot be read, or features are not finite.
    """
    device, draws = device_of_item(request.device, request.number), request.config.noise.draws
    own = (request.model, request.config)
    with array_shard(outputs[SHARD_SUFFIX], request.arrays) as writer, _opened_source(request) as source:
        writer.append(FEATURE_ROWS, rows_of_frames(request.rows, writer.length(FEATURE_ROWS), draws))
        for part in parts_of(len(request.rows), request.config.batch_size):
            reader = loaded_once(_loaded_reader, own, request.model_digest, device)
            writer.append(FEATURES, _features_of(reader, request, part, source))
    return {"pictures": len(request.rows), "entries": draws * len(request.rows)}


def rows_of_frames(seen: Sequence[int], frames: int, draws: int) -> NDArray[np.int64]:
    """The array ``feature_rows`` (T, 2) of a shard.

    Args:
        seen: Frames of the shard that have features, rising.
        frames: T, frames of the shard.
        draws: Entries of each of them.
    """
    table, rows = np.zeros((frames, 2), np.int64), np.array(seen, np.int64)
    table[rows, 0], table[rows, 1] = draws * np.arange(len(rows)), draws
    return table


def parts_of(total: int, size: int) -> Iterator[slice]:
    """Consecutive parts of so many things, of a size or, at the end, less."""
    for first in range(0, total, size):
        yield slice(first, min(first + size, total))


@contextmanager
def _opened_source(request: FeaturesRequest) -> Iterator[StoredRows]:
    """Latents of a shard, or its frames where they are encoded again."""
    frames = request.arrays.frames
    rows = open_frames(frames) if request.latents is None else ContiguousArray(request.latents, LATENTS)
    try:
        if request.latents is not None and rows.attributes.get(MODEL_VERSION) != request.latents_digest:
            raise InputError(f"{request.latents} was made anew. Remedy: run the pipeline again.")
        yield rows
    finally:
        rows.close()


@torch.inference_mode()
def _features_of(
    reader: FeatureReader, request: FeaturesRequest, part: slice, source: StoredRows
) -> NDArray[np.floating]:
    """(n * K, F, C, h, w): all draws of a picture one after the other."""
    config, device = request.config, str(reader.device)
    values = torch.from_numpy(source.read_rows(np.array(request.rows[part], np.int64))).to(device)
    first = values.float() if request.latents is not None else _encoded(request, values, device)
    text = reader.encode_texts([request.texts[number] for number in request.told[part]])
    drawn = [
        reader(first, text, _noise(request, part, draw, (reader.frames, *first.shape[1:]), device))
        for draw in range(config.noise.draws)
    ]
    features = torch.stack(drawn, dim=1).flatten(0, 1).to(getattr(torch, config.dtype))
    require_finite_features(features, f"{request.arrays.frames}, pictures {part.start}..{part.stop}")
    rows: NDArray[np.floating] = features.cpu().numpy()
    return rows


def _noise(request: FeaturesRequest, part: slice, draw: int, shape: tuple[int, ...], device: str) -> Tensor:
    noise = request.config.noise
    seeds = [seed_for(noise.seed, request.id, row, draw) for row in request.rows[part]]
    return feature_noise(noise, seeds, shape, device)


def _loaded_reader(source: tuple[Path, FeatureStoreConfig], device: str) -> FeatureReader:
    return FeatureReader.load(*source, device)


def _encoded(request: FeaturesRequest, frames: Tensor, device: str) -> Tensor:
    codec = loaded_once(load_codec, request.codec, request.latents_digest, device)
    return codec.encode(to_pictures(frames))


class StoredFeatures:
    """Features beside a store, by view and frame; an :class:`~.dataset.Observations`.

    Args:
        arrays: What :func:`extract_features` wrote, with the store that items are of.

    Raises:
        InputError: It has no features.
    """

    def __init__(self, arrays: FrameArrayStore) -> None:
        if not {FEATURES, FEATURE_ROWS} <= set(arrays.specs):
            raise InputError(
                f"{arrays.folder} holds no features. Remedy: run latent_extraction_vpp_features."
            )
        self.arrays = arrays

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, C, h, w) of a picture."""
        return self.arrays.specs[FEATURES].shape

    def draws(self, view: int, frame: int) -> int:
        """How many draws of a frame there are; 0 if it is not seen by any item."""
        return int(self._entries(view, frame)[1])

    def at(self, view: int, frame: int, draw: int = 0) -> Tensor:
        """Features (F, C, h, w) of a frame, as they are stored.

        Args:
            view: Position of the view in the store.
            frame: Number of the frame.
            draw: Which draw; counted on from the first one again after the last.

        Raises:
            InputError: There are none of this frame, or a file is damaged.
        """
        first, draws = self._entries(view, frame).tolist()
        if not draws:
            raise InputError(
                f"{self.arrays.folder} has no features of frame {frame} of {self.arrays.store.ids[view]!r}. "
                "Remedy: run latent_extraction_vpp_features with the policy's items (policy_items.items)."
            )
        row = first + draw % draws
        return torch.from_numpy(self.arrays.entries_at(FEATURES, view, row, row + 1)[0])

    def __call__(self, place: ItemPlace, seed: int) -> dict[str, Tensor]:
        """``features`` (V, F, C, h, w) as they are stored; all views of one draw, which the seed chooses."""
        return {"features": torch.stack([self.at(view, place.frame, seed) for view in place.views])}

    def _entries(self, view: int, frame: int) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = self.arrays.array_at(FEATURE_ROWS, view, slice(frame, frame + 1))
        if not len(rows):
            raise InputError(f"{self.arrays.store.ids[view]!r} has no frame {frame}.")
        first: NDArray[np.int64] = rows[0]
        return first


def features_report(arrays: FrameArrayStore, sampled: int = 256) -> dict[str, Any]:
    """How much is stored, and in which range it lies.

    Args:
        arrays: What :func:`extract_features` wrote.
        sampled: Pictures of each split whose numbers are looked at, evenly spaced.

    Returns:
        Shape and type of an entry; by split the number of pictures, entries and bytes, mean and deviation,
        and with several draws ``noise_share``: the part of the variance that is between draws of one picture.
    """
    spec = arrays.specs[FEATURES]
    splits = sorted(set(arrays.store.table["split"]))
    found = {split: _split_facts(arrays, split, sampled) for split in splits}
    return {
        "shape": list(spec.shape),
        "dtype": spec.dtype,
        "splits": {split: facts for split, facts in found.items() if facts["pictures"]},
    }


def _split_facts(arrays: FrameArrayStore, split: str, sampled: int) -> dict[str, Any]:
    part = FrameArrayStore(arrays.folder, arrays.store.select(split))
    places = []
    entries = 0
    for view in range(len(part.store)):
        draws = part.array_at(FEATURE_ROWS, view)[:, 1]
        entries += int(draws.sum())
        places += [(view, frame) for frame in np.flatnonzero(draws).tolist()]
    spec = part.specs[FEATURES]
    size = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
    facts: dict[str, Any] = {"pictures": len(places), "entries": entries, "bytes": entries * size}
    if places:
        chosen = np.linspace(0, len(places) - 1, min(sampled, len(places))).astype(int)
        facts |= _range_of(StoredFeatures(part), [places[number] for number in chosen.tolist()])
    part.close()
    return facts


def _range_of(stored: StoredFeatures, places: list[tuple[int, int]]) -> dict[str, float]:
    draws = stored.draws(*places[0])
    values = torch.stack(
        [torch.stack([stored.at(view, frame, draw) for draw in range(draws)]) for view, frame in places]
    ).double()
    facts = {"mean": float(values.mean()), "deviation": float(values.std(correction=0))}
    if draws > 1 and len(places) > 1:
        of_noise = float(values.var(1, correction=0).mean())
        facts["noise_share"] = of_noise / max(float(values.flatten(0, 1).var(0, correction=0).mean()), 1e-12)
    return facts

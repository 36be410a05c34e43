"""Sampling of views against recorded draws."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.parity.discovery import Case
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig, sample_excerpts

_POSITIVE_WINDOW = "trandint"


class _Replay:
    """Answers draws with the recorded ones, and checks that the same ones are asked for."""

    def __init__(
        self, calls: list[list[Any]], permutations: list[NDArray[np.int64]], deltas: list[NDArray[np.int64]]
    ) -> None:
        self.calls = iter(calls)
        self._permutations, self._deltas = iter(permutations), iter(deltas)

    def uniform(self, low: float, high: float) -> float:
        return float(self._next("uniform", low, high)[3])

    def integers(self, low: int, high: int, size: int | None = None) -> NDArray[np.int64] | int:
        if size is None:
            return int(self._next("randint", low, high)[3])
        self._next("trandint", low, high)
        return next(self._deltas)

    def permutation(self, count: int) -> NDArray[np.int64]:
        assert self._next("randperm", count)[1] == count
        return next(self._permutations)

    def _next(self, kind: str, *bounds: float) -> list[Any]:
        call = next(self.calls)
        assert call[0] == kind
        assert call[1 : 1 + len(bounds)] == [*bounds]
        return call


def _config(recorded: dict[str, Any], views: int) -> ExcerptSamplingConfig:
    window = next((-call[1] for call in recorded["rng_calls"] if call[0] == _POSITIVE_WINDOW), 0)
    return ExcerptSamplingConfig(
        frames=recorded["num_frames"],
        views=views,
        strategy=recorded["strategy"],
        region=recorded["sampling_region"],
        block="view" if recorded["dataset"].lower() == "finegym" else "video",
        overlap=recorded["consistent_offset"],
        context_frames=recorded["num_contexts"],
        context_stride=recorded["context_stride"],
        positive_window=window,
    )


def _views(arrays: dict[str, NDArray[Any]], name: str) -> Iterator[int]:
    number = 0
    while f"{name}_view{number}_steps" in arrays:
        yield number
        number += 1


def check_sampling(case: Case) -> None:
    with np.load(case.folder / "sampling.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for recorded in json.loads((case.folder / "sampling.json").read_text()):
        name = recorded["case"]
        numbers = list(_views(arrays, name))
        drawn = {
            kind: [arrays[key] for view in numbers if (key := f"{name}_view{view}_{kind}") in arrays]
            for kind in ("perm", "pos_delta")
        }
        replay = _Replay(recorded["rng_calls"], drawn["perm"], drawn["pos_delta"])
        views = sample_excerpts(recorded["seq_len"], _config(recorded, len(numbers)), replay)
        assert next(replay.calls, None) is None
        for number, view in zip(numbers, views, strict=True):
            np.testing.assert_array_equal(view.frames, arrays[f"{name}_view{number}_steps"], name)
            np.testing.assert_array_equal(view.positions, arrays[f"{name}_view{number}_chosen"], name)
            np.testing.assert_array_equal(view.mask, arrays[f"{name}_view{number}_mask"], name)


SAMPLING_CHECKS = (check_sampling,)

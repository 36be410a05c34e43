"""Futures that an occupancy model samples, beside what happened: stills and a film."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid, text_band

_CELL, _GAP = 144, 6


@dataclass(frozen=True, eq=False)
class ShownFuture:
    """What follows one state.

    Attributes:
        name: Name of the episode.
        step: Step of the state in it.
        truth: (K * J + 1, H, W, 3) real frames from the state on, for K jumps of J steps.
        context: (H', W', 3) the newest frame of the state as the samples are shown.
        samples: (S, K, F, H', W', 3) pictures of sampled states, each of F frames, oldest first; sample k of
            a chain is drawn from the future of sample k - 1.
        captions: S rows of K texts, or no rows.
        mean_truth: (H, W, 3) mean of all frames that follow, discounted.
        mean_sample: (H', W', 3) mean of many samples of the state's discounted future.
    """

    name: str
    step: int
    truth: Pixels
    context: Pixels
    samples: Pixels
    captions: Sequence[Sequence[str]]
    mean_truth: Pixels
    mean_sample: Pixels


def futures_grid(futures: Sequence[ShownFuture], steps_per_jump: int, title: str) -> Image.Image:
    """Draws, for each state, real frames at increasing time above sampled ones of about that time.

    The last column is the mean of all that is to come, discounted: of the real frames, and below it of many
    samples of the first jump. The closer they are, the better the model knows where things will be how often.

    Args:
        futures: The states.
        steps_per_jump: Mean steps between the columns.
        title: What the sampled pictures are.
    """
    jumps = futures[0].samples.shape[1]
    ahead = [f"about {steps_per_jump * jump} steps ahead" for jump in range(1, jumps + 1)]
    rows = [row for future in futures for row in _rows(future, steps_per_jump)]
    return image_grid(
        rows,
        titles=["now", *ahead, "discounted mean"],
        heading=f"What happened, and {title}",
        cell_height=_CELL,
    )


def _rows(future: ShownFuture, steps_per_jump: int) -> list[ImageRow]:
    truth = [*future.truth[::steps_per_jump], future.mean_truth]
    rows = [ImageRow(truth, f"what happened\n{future.name}, from step {future.step}")]
    for number, chain in enumerate(future.samples):
        mean = [] if number else [future.mean_sample]
        captions = ["", *future.captions[number]] if future.captions else []
        rows.append(ImageRow([future.context, *chain[:, -1], *mean], f"sample {number + 1}", captions))
    return rows


def futures_film(futures: Sequence[ShownFuture], steps_per_jump: int) -> Pixels:
    """State, samples and truth side by side while time goes on, states below one another.

    The truth plays step by step. A sample is a state of F frames: these play up to the time at which it is on
    the average, and its newest frame stays until the next one's begin.

    Args:
        futures: The states, with equally many samples.
        steps_per_jump: Mean steps of a jump.

    Returns:
        (T, H, W, 3) uint8, sides even.
    """
    samples, jumps = futures[0].samples.shape[:2]
    titles = ["now", *(f"sample {number}" for number in range(1, samples + 1))]
    pictures = []
    for time in range(jumps * steps_per_jump + 1):
        rows = [
            _beside([_scaled(cell) for cell in _cells(future, time, steps_per_jump)]) for future in futures
        ]
        bands = [text_band(text, _CELL + _GAP) for text in [*titles, f"what happened, +{time}"]]
        pictures.append(np.concatenate([np.concatenate(bands, axis=1), *rows]))
    return _even(np.stack(pictures))


def _cells(future: ShownFuture, time: int, steps_per_jump: int) -> list[Pixels]:
    """The pictures of one row at a time in steps."""
    return [
        future.truth[0],
        *(_sample_at(future.context, chain, time, steps_per_jump) for chain in future.samples),
        future.truth[time],
    ]


def _sample_at(context: Pixels, chain: Pixels, time: int, steps_per_jump: int) -> Pixels:
    """What a chain (K, F, H, W, 3) shows at a time in steps."""
    jump = -(-time // steps_per_jump)
    newest_in = jump * steps_per_jump - time
    frames = chain.shape[1]
    if jump and newest_in < frames:
        shown: Pixels = chain[jump - 1, frames - 1 - newest_in]
        return shown
    return chain[jump - 2, -1] if jump > 1 else context


def _scaled(picture: Pixels) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((_CELL, _CELL), Image.Resampling.BICUBIC))


def _beside(cells: Sequence[Pixels]) -> Pixels:
    """Joins cells into a row, with white to the right of and below each."""
    return np.concatenate(
        [np.pad(cell, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for cell in cells], axis=1
    )


def _even(film: Pixels) -> Pixels:
    """Adds a white line where a side is odd."""
    height, width = film.shape[1] % 2, film.shape[2] % 2
    return np.pad(film, ((0, 0), (0, height), (0, width), (0, 0)), constant_values=255)

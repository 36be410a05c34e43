"""Pictures of what frame embeddings say: retrieval, similarity of two videos, trajectories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels, Ranks
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes
from vidrep_pipelines.reporting.frame_alignment import framed, phase_color
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

Captioned = tuple[str, Pixels]
"""A caption and a frame."""


def retrieval_montage(
    queries: Sequence[Captioned],
    neighbors: Mapping[str, Sequence[Sequence[tuple[str, Pixels, bool | None]]]],
    heading: str = "",
    cell_height: int = 112,
) -> Image.Image:
    """Draws rows per query: its frame, then the nearest frames of other videos, a row for every encoder.

    Args:
        queries: Caption and frame of each query.
        neighbors: Caption, frame, and whether it is right: nearest first, for every query, by encoder.
        heading: Text above everything.
        cell_height: Height of every frame in the picture in pixels.

    Raises:
        InputError: There are not as many rows of neighbors as queries.
    """
    for encoder, nearest in neighbors.items():
        if len(nearest) != len(queries):
            raise InputError(f"{len(queries)} queries have {len(nearest)} rows of neighbors by {encoder}.")
    rows = [
        ImageRow(
            [frame, *(framed(pixels, right) for _, pixels, right in nearest[number])],
            encoder,
            [caption, *(text for text, _, _ in nearest[number])],
        )
        for number, (caption, frame) in enumerate(queries)
        for encoder, nearest in neighbors.items()
    ]
    most = max((len(row.images) - 1 for row in rows), default=0)
    titles = ["query", *(f"nearest {number}" for number in range(1, most + 1))]
    return image_grid(rows, titles, heading, cell_height)


@dataclass(frozen=True)
class SimilarityMap:
    """How the frames of two videos are related by one encoder.

    Attributes:
        title: Title of the encoder.
        distances: (N, M) squared distances of the query's frames to the key's.
        match: (N,) key frame of each query frame, drawn as a line.
        temperature: Temperature of the softmax; published 0.1 for embeddings of unit length, else 1.
    """

    title: str
    distances: NDArray[np.floating]
    match: Ranks
    temperature: float


def similarity_heat_maps(panels: Sequence[SimilarityMap], names: tuple[str, str]) -> Image.Image:
    """Draws a map per encoder: every query frame as a distribution over the key's frames.

    Args:
        panels: The encoders.
        names: Names of query and key.
    """
    figure = Figure(figsize=(5.4 * len(panels), 5.0), layout="constrained", facecolor="white")
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        scores = -(panel.distances - panel.distances.min(axis=1, keepdims=True)) / panel.temperature
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        shown = axes.imshow(shares, cmap="magma", aspect="auto", interpolation="nearest", origin="lower")
        axes.plot(panel.match, np.arange(len(panel.match)), color=COLORS[5], linewidth=1.4)
        plain_axes(axes, f"{panel.title}: similarity and match", f"frame of {names[1]}")
        axes.set_ylabel(f"frame of {names[0]}", fontsize=9, color=SOFT_INK)
        axes.grid(visible=False)
        figure.colorbar(shown, ax=axes, shrink=0.8).outline.set_visible(False)
    return image_of(figure)


def embedding_trajectories(
    embeddings: Mapping[str, Sequence[NDArray[np.floating]]],
    phases: Sequence[NDArray[np.integer]],
    names: Sequence[str],
) -> Image.Image:
    """Draws a row per encoder: paths of videos through the two main directions, and the first one over time.

    Args:
        embeddings: Embeddings (T, D) of each video, by encoder.
        phases: (T,) per video; they color the frames.
        names: Names of the videos.

    Raises:
        InputError: There are no videos, or fewer than two frames altogether.
    """
    if sum(map(len, phases)) < 2:
        raise InputError("A trajectory needs embeddings of at least two frames.")
    figure = Figure(figsize=(11, 4.4 * len(embeddings)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(embeddings), 2, squeeze=False)
    for (plane, time), (encoder, videos) in zip(axes, embeddings.items(), strict=True):
        _draw_paths(plane, time, _projected(videos), phases, names)
        plain_axes(plane, f"{encoder}: first two principal components (color: phase)", "first component")
        plane.set_ylabel("second component", fontsize=9, color=SOFT_INK)
        plain_axes(time, f"{encoder}: first principal component", "share of the video")
    axes[0, 1].legend(frameon=False, fontsize=8, labelcolor=INK)
    return image_of(figure)


def _draw_paths(
    plane: Axes,
    time: Axes,
    paths: Sequence[NDArray[np.float64]],
    phases: Sequence[NDArray[np.integer]],
    names: Sequence[str],
) -> None:
    for number, (path, labels, name) in enumerate(zip(paths, phases, names, strict=True)):
        color = COLORS[number % len(COLORS)]
        plane.plot(path[:, 0], path[:, 1], color=color, linewidth=0.9, alpha=0.6, zorder=1)
        colors = [phase_color(int(label)) for label in labels]
        plane.scatter(path[:, 0], path[:, 1], c=colors, s=12, zorder=2)
        time.plot(np.linspace(0, 1, len(path)), path[:, 0], color=color, linewidth=1.4, label=name)


def _projected(embeddings: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float64]]:
    """(T, 2) coordinates per video: principal components of all frames together."""
    frames = np.concatenate(embeddings).astype(np.float64)
    frames -= frames.mean(axis=0)
    _, _, directions = np.linalg.svd(frames, full_matrices=False)
    plane = np.zeros((len(frames), 2))
    plane[:, : min(2, len(directions))] = frames @ directions[:2].T
    return np.split(plane, np.cumsum([len(video) for video in embeddings])[:-1])

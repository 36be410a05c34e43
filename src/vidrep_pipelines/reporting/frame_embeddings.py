"""Pictures of what frame embeddings say: retrieval, similarity of two videos, trajectories."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes
from vidrep_pipelines.reporting.frame_alignment import Ranks, phase_color
from vidrep_pipelines.reporting.pictures import Pixels, Row, image_grid


def retrieval_montage(
    queries: Sequence[tuple[str, Pixels]],
    neighbors: Sequence[Sequence[tuple[str, Pixels, bool]]],
    heading: str = "",
    cell_height: int = 112,
) -> Image.Image:
    """Draws a row per query: its frame, then the nearest frames of other videos.

    Args:
        queries: Caption and frame of each query.
        neighbors: For every query, nearest first: caption, frame, and whether the phase is the query's.
        heading: Text above everything.
        cell_height: Of every frame in the picture, in pixels.

    Raises:
        InputError: There are not as many rows of neighbors as queries.
    """
    if len(queries) != len(neighbors):
        raise InputError(f"{len(queries)} queries have {len(neighbors)} rows of neighbors.")
    rows = [
        Row(
            [frame, *(_framed(pixels, right) for _, pixels, right in nearest)],
            captions=[caption, *(text for text, _, _ in nearest)],
        )
        for (caption, frame), nearest in zip(queries, neighbors, strict=True)
    ]
    most = max(map(len, neighbors), default=0)
    titles = ["query", *(f"nearest {number}" for number in range(1, most + 1))]
    return image_grid(rows, titles, heading, cell_height)


def similarity_heat_map(
    distances: NDArray[np.floating],
    match: Ranks | None = None,
    temperature: float = 0.1,
    names: tuple[str, str] = ("query", "key"),
) -> Image.Image:
    """Draws how near the frames of two videos are, each query frame as a distribution over the key's frames.

    Args:
        distances: (N, M) squared distances.
        match: (N,) key frame of each query frame, drawn as a line.
        temperature: Of the softmax; published 0.1 for embeddings of unit length, else 1.
        names: Of the two videos.
    """
    scores = -(distances - distances.min(axis=1, keepdims=True)) / temperature
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap="magma", aspect="auto", interpolation="nearest", origin="lower")
    if match is not None:
        axes.plot(match, np.arange(len(match)), color=COLORS[5], linewidth=1.4)
    plain_axes(axes, f"similarity of the frames of {names[0]} to those of {names[1]}", f"frame of {names[1]}")
    axes.set_ylabel(f"frame of {names[0]}", fontsize=9, color=SOFT_INK)
    axes.grid(visible=False)
    figure.colorbar(shown, ax=axes, shrink=0.8).outline.set_visible(False)
    return image_of(figure)


def embedding_trajectories(
    embeddings: Sequence[NDArray[np.floating]],
    phases: Sequence[NDArray[np.integer]],
    names: Sequence[str],
) -> Image.Image:
    """Draws the paths of videos through the two main directions of all embeddings, and each over time.

    Args:
        embeddings: (T, D) per video.
        phases: (T,) per video; they color the frames.
        names: Of the videos.

    Raises:
        InputError: There are no videos, or fewer than two frames altogether.
    """
    if sum(map(len, embeddings)) < 2:
        raise InputError("A trajectory needs embeddings of at least two frames.")
    paths = _projected(embeddings)
    figure = Figure(figsize=(11, 4.8), layout="constrained", facecolor="white")
    plane, time = figure.subplots(1, 2)
    for number, (path, labels, name) in enumerate(zip(paths, phases, names, strict=True)):
        color = COLORS[number % len(COLORS)]
        plane.plot(*path.T, color=color, linewidth=0.9, alpha=0.6, zorder=1)
        plane.scatter(*path.T, c=[phase_color(int(label)) for label in labels], s=12, zorder=2)
        time.plot(np.linspace(0, 1, len(path)), path[:, 0], color=color, linewidth=1.4, label=name)
    plain_axes(plane, "path through the first two principal components (color: phase)", "first component")
    plane.set_ylabel("second component", fontsize=9, color=SOFT_INK)
    plain_axes(time, "first principal component", "share of the video")
    time.legend(frameon=False, fontsize=8, labelcolor=INK)
    return image_of(figure)


def _projected(embeddings: Sequence[NDArray[np.floating]]) -> list[NDArray[np.float64]]:
    """(T, 2) coordinates per video: principal components of all frames together."""
    frames = np.concatenate(embeddings).astype(np.float64)
    frames -= frames.mean(axis=0)
    _, _, directions = np.linalg.svd(frames, full_matrices=False)
    plane = np.zeros((len(frames), 2))
    plane[:, : min(2, len(directions))] = frames @ directions[:2].T
    return np.split(plane, np.cumsum([len(video) for video in embeddings])[:-1])


def _framed(pixels: Pixels, right: bool) -> Pixels:
    """The frame with a border: green if the phase is right, red if not."""
    color = COLORS[2] if right else COLORS[1]
    border = max(pixels.shape[0] // 32, 2)
    framed = Image.fromarray(pixels)
    ImageDraw.Draw(framed).rectangle((0, 0, framed.width - 1, framed.height - 1), outline=color, width=border)
    return np.asarray(framed)

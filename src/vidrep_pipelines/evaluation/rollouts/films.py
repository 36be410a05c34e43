"""Films of recorded attempts, in whatever environment: what was told, seen, imagined, and how it ended."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.evaluation.rollouts.recording import RecordedAttempt
from vidrep_pipelines.reporting.pictures import text_band

_GAP = 6
_STRIP = 8
_GOING_ON, _DONE, _FAILED = (221, 226, 232), (42, 157, 111), (209, 73, 91)
_LINES = 2
IMAGINED = "imagined"


def attempts_film(attempts: Sequence[RecordedAttempt], panel: int = 224, hold: int = 15) -> Pixels:
    """Attempts one after the other: a panel for each camera, and one for what the policy imagines.

    The imagined video of a plan is played while its actions are executed, from its first frame to its last.

    Args:
        attempts: At least one.
        panel: Height of the panels in pixels.
        hold: How often the last picture of each attempt is repeated, for which a strip is green if the task
            was done and red if not.

    Returns:
        (T, H, W, 3) uint8, with even height and width.
    """
    films = [np.stack(list(_attempt_pictures(attempt, panel, hold))) for attempt in attempts]
    width = max(film.shape[2] for film in films)
    width += width % 2
    return np.concatenate([_padded(film, width) for film in films])


def _padded(film: Pixels, width: int) -> Pixels:
    missing = ((0, 0), (0, film.shape[1] % 2), (0, width - film.shape[2]), (0, 0))
    return np.pad(film, missing, constant_values=255)


def _attempt_pictures(attempt: RecordedAttempt, panel: int, hold: int) -> Iterator[Pixels]:
    record, plans = attempt.record, sorted(attempt.imagined)
    sizes = {name: _panel_size(pictures, panel) for name, pictures in _videos(attempt).items()}
    width = sum(size[0] for size in sizes.values()) + _GAP * (len(sizes) - 1)
    told = text_band(record.instruction, width, _LINES)
    names = _row([text_band(name, size[0]) for name, size in sizes.items()])
    for step in range(record.steps + 1):
        shown = {name: pictures[step] for name, pictures in attempt.pictures.items()}
        if plans:
            shown[IMAGINED] = _imagined_at(attempt, plans, step)
        panels = _row([_scaled(shown[name], size) for name, size in sizes.items()])
        ended = step == record.steps
        ends = ("done" if record.success else "given up") if ended else ""
        status = text_band(f"{record.episode}  step {step}  {ends}", width)
        color = (_DONE if record.success else _FAILED) if ended else _GOING_ON
        strip = np.full((_STRIP, width, 3), color, np.uint8)
        picture = np.concatenate([told, status, strip, names, panels])
        yield from [picture] * (1 + hold * ended)


def _videos(attempt: RecordedAttempt) -> Mapping[str, Pixels]:
    """What there is a panel for."""
    imagined = next(iter(attempt.imagined.values()), None)
    return dict(attempt.pictures) if imagined is None else {**attempt.pictures, IMAGINED: imagined}


def _panel_size(pictures: Pixels, height: int) -> tuple[int, int]:
    """Width and height of the panel of pictures (..., H, W, 3)."""
    return max(1, round(pictures.shape[-2] * height / pictures.shape[-3])), height


def _scaled(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Small pictures keep their pixels visible."""
    way = Image.Resampling.NEAREST if 2 * picture.shape[0] <= size[1] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize(size, way))


def _row(pictures: Sequence[Pixels]) -> Pixels:
    """Pictures of one height beside one another."""
    gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=1)


def _imagined_at(attempt: RecordedAttempt, plans: Sequence[int], step: int) -> Pixels:
    """Of the last plan before the step the frame that stands for it."""
    ends = [*plans[1:], attempt.record.steps]
    longest = max(end - begin for begin, end in zip(plans, ends, strict=True))
    begin = max(plan for plan in plans if plan <= step)
    video = attempt.imagined[begin]
    frame: Pixels = video[min(len(video) - 1, (step - begin) * len(video) // longest)]
    return frame

"""The counterfactual test: does the predicted video follow from the instruction?

One first frame is continued under every instruction that makes sense on its table, and so is the truth.
Nothing but the instruction differs, so whatever differs between the predictions is owed to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable

MEASURES = {
    "nearest_last": "the last frame is nearest to its own truth's",
    "nearest_all": "all frames are nearest to its own truth's",
    "right_object": "the last frame is nearest to a truth in which the named object moves",
    "right_object_change": "where the named object was, more changed than where another one was",
    "named_object_moves": "where the named object was, enough changed",
    "other_object_moves": "where another object was, enough changed (lower is better)",
    "moves_when_other_is_named": "told to move another object, it moves this one (lower is better)",
}
"""What is judged of each prediction; the chance level of each stands beside it, if it has one."""


@dataclass(frozen=True)
class ObjectChange:
    """How much must change where an object was for it to have moved.

    Attributes:
        threshold: Share of the change that its own moving makes there on the average.
        balanced_accuracy: How often it is right about truths, both answers counting equally.
    """

    threshold: float
    balanced_accuracy: float

    @classmethod
    def calibrated(cls, tables: Sequence[CounterfactualTable]) -> "ObjectChange":
        """Chooses the threshold that best tells moved from unmoved objects, on truths only.

        Of equally good thresholds it takes the middle of the widest gap.

        Raises:
            InputError: There is no table.
        """
        if not tables:
            raise InputError(
                "The counterfactual test cannot be calibrated: there is no table. Remedy: see "
                "counterfactuals.calibration_split."
            )
        moved, still = [], []
        for table in tables:
            changes = object_changes(table, _unit(table.truths))
            named = table.named[:, None] == np.array(table.objects)
            moved.append(changes[named])
            still.append(changes[~named])
        return cls(*_best_threshold(np.concatenate(moved), np.concatenate(still)))


def _best_threshold(moved: FloatArray, still: FloatArray) -> tuple[float, float]:
    levels = np.unique(np.concatenate([moved, still, [0.0]]))
    middles = (levels[:-1] + levels[1:]) / 2
    right = (moved[:, None] > middles).mean(0), (still[:, None] <= middles).mean(0)
    accuracy = (right[0] + right[1]) / 2
    best = np.flatnonzero(accuracy == accuracy.max())
    widest = best[np.argmax(np.diff(levels)[best])]
    return float(middles[widest]), float(accuracy.max())


def object_changes(table: CounterfactualTable, videos: FloatArray) -> FloatArray:
    """How much changed where each object was at first.

    The mean absolute difference between the last frame of a video and its own first one, over the pixels in
    which an object was seen at first, divided by its mean over the truths in which the object is named: 1 is
    as much as when it really moves, whatever its color is. A predicted video's first frame has gone through
    the codec as its last one has, so that what the codec blurs is no change.

    Args:
        table: The table.
        videos: (P, F, H, W, 3) in 0..1.

    Returns:
        (P, objects), in the order of ``table.objects``.
    """
    truths = _unit(table.truths)
    columns = []
    for name in table.objects:
        where = table.where(name)
        change = np.abs(videos[:, -1, where] - videos[:, 0, where]).mean((1, 2))
        own = truths[table.named == name]
        moved = np.abs(own[:, -1, where] - own[:, 0, where]).mean()
        columns.append(change / max(float(moved), 1e-9))
    return np.stack(columns, axis=1)


def judge_table(table: CounterfactualTable, predictions: Tensor, moved: ObjectChange | None) -> pd.DataFrame:
    """Judges the predictions of one table.

    Ties count against the prediction. ``moves_when_other_is_named`` looks at the prediction under another
    object's instruction, if there is one with the same task, and asks of it what ``right_object_change`` asks
    with the names exchanged: whether more changed where this row's object was.

    Args:
        table: The table and its truths.
        predictions: (K, F, 3, H, W) in 0..1, one per instruction.
        moved: When an object has moved. None: what asks for it gets no answer.

    Returns:
        One row per instruction: table, text, task, object, combination (``train`` or ``held_out``), the
        columns ``MEASURES`` (0 or 1; empty where there is no answer), ``chance_nearest``, ``chance_object``.
    """
    truths = _unit(table.truths)
    videos = predictions.float().clamp(0, 1).movedim(-3, -1).cpu().numpy().astype(np.float64)
    if videos.shape != truths.shape:
        raise InputError(f"Predictions are {videos.shape}, the truths of {table.name} {truths.shape}.")
    last = _distances(videos[:, -1:], truths[:, -1:])
    changes = object_changes(table, videos)
    named = table.named[:, None] == np.array(table.objects)
    own_change, other_change = changes[named], np.where(named, -np.inf, changes).max(1)
    others = len(table.objects) > 1
    rows = {
        "nearest_last": _own_is_nearest(last),
        "nearest_all": _own_is_nearest(_distances(videos[:, 1:], truths[:, 1:])),
        "right_object": _right_object(last, table.named) if others else np.nan,
        "right_object_change": own_change > other_change if others else np.nan,
        "named_object_moves": np.nan if moved is None else own_change > moved.threshold,
        "other_object_moves": other_change > moved.threshold if others and moved is not None else np.nan,
        "moves_when_other_is_named": _with_others_instruction(table, changes),
    }
    instructions = table.instructions
    return pd.DataFrame({
        "table": table.name,
        "text": table.texts,
        "task": [instruction.task for instruction in instructions],
        "object": table.named,
        "combination": [instruction.split for instruction in instructions],
        **{name: np.asarray(column, np.float64) for name, column in rows.items()},
        "chance_nearest": 1 / len(instructions),
        "chance_object": 1 / len(table.objects),
    })  # fmt: skip


def _unit(frames: NDArray[np.uint8]) -> FloatArray:
    """Pixels in 0..1, rounded as those of predictions are, so that what is equal differs by nothing."""
    return (frames.astype(np.float32) / np.float32(255)).astype(np.float64)


def _distances(videos: FloatArray, truths: FloatArray) -> FloatArray:
    """(K, K) mean squared differences of predictions (rows) and truths (columns)."""
    return np.stack([np.square(truths - video).mean((1, 2, 3, 4)) for video in videos])


def _own_is_nearest(distances: FloatArray) -> NDArray[np.bool_]:
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    nearest: NDArray[np.bool_] = np.diagonal(distances) < others.min(1)
    return nearest


def _right_object(distances: FloatArray, named: NDArray[np.str_]) -> NDArray[np.bool_]:
    same = named[:, None] == named
    own, others = (np.where(mask, distances, np.inf).min(1) for mask in (same, ~same))
    right: NDArray[np.bool_] = own < others
    return right


def _with_others_instruction(table: CounterfactualTable, changes: FloatArray) -> FloatArray:
    """(K,): mean over the other objects' instructions of the same task; not a number if there are none."""
    column = {name: number for number, name in enumerate(table.objects)}
    shares = np.full(len(table.instructions), np.nan)
    for number, (name, order) in enumerate(zip(table.named.tolist(), table.instructions, strict=True)):
        answers = [
            changes[place, column[name]] > np.delete(changes[place], column[name]).max()
            for place, (other, its) in enumerate(zip(table.named.tolist(), table.instructions, strict=True))
            if other != name and its.task == order.task
        ]
        if answers:
            shares[number] = np.mean(answers)
    return shares

"""J and F per frame, per object and over all objects."""

from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.evaluation.label_propagation.davis import DavisScore, score_sequence


def check(config: dict[str, Any], arrays: dict[str, Any], folder: Path) -> None:
    names = config["sequences"]
    score = DavisScore.of(
        score_sequence(name, arrays[f"{name}/gt"], arrays[f"{name}/pred"]) for name in names
    )
    for sequence in score.sequences:
        np.testing.assert_allclose(sequence.region, arrays[f"{sequence.name}/J"], atol=1e-9)
        np.testing.assert_allclose(sequence.contour, arrays[f"{sequence.name}/F"], atol=1e-9)
    _check_objects(score, arrays)
    totals = score.totals()
    found = [totals[column] for column in config["global_columns"]]
    np.testing.assert_allclose(found, arrays["global"], atol=1e-9)


def _check_objects(score: DavisScore, arrays: dict[str, Any]) -> None:
    names = [name for sequence in score.sequences for name in sequence.object_names()]
    assert names == arrays["object_names"].tolist() == score.object_table()["Sequence"].tolist()
    sides = {
        "J": [one for sequence in score.sequences for one in sequence.region_statistics()],
        "F": [one for sequence in score.sequences for one in sequence.contour_statistics()],
    }
    for side, statistics in sides.items():
        found = np.array([(one.mean, one.recall, one.decay) for one in statistics])
        for column, letter in enumerate("MRD"):
            np.testing.assert_allclose(found[:, column], arrays[f"{side}_{letter}"], atol=1e-9)

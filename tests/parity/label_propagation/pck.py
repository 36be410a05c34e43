"""PCK at every recorded threshold."""

from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.evaluation.label_propagation.pck import joint_distances, pck


def check(config: dict[str, Any], arrays: dict[str, Any], folder: Path) -> None:
    columns, rows = config["feat_res"]
    videos = []
    for number in range(config["videos"]):
        height, width = (int(side) for side in arrays[f"size_{number}"])
        truth, predicted = arrays[f"gt_{number}"], arrays[f"pred_{number}"]
        videos.append(joint_distances(truth, predicted, (height, width), (rows, columns)))
    score = pck(videos, arrays["thresholds"].tolist())
    np.testing.assert_allclose(score.mean, arrays["pck"], atol=1e-9)

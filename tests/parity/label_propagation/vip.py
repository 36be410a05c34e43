"""Confusion matrix and everything that follows from it."""

from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.evaluation.label_propagation.part_segmentation import confusion, segmentation_score


def check(config: dict[str, Any], arrays: dict[str, Any], folder: Path) -> None:
    counts = confusion(arrays["gt"], arrays["pred"], config["classes"])
    np.testing.assert_array_equal(counts, arrays["hist"])
    score = segmentation_score(counts)
    np.testing.assert_allclose(score.iou, arrays["iou"], atol=1e-9)
    np.testing.assert_allclose(score.mean_iou, arrays["mean_iou"], atol=1e-9)
    np.testing.assert_allclose(score.mean_accuracy, arrays["mean_acc"], atol=1e-9)
    np.testing.assert_allclose(score.overall_accuracy, arrays["overall_acc"], atol=1e-9)
    np.testing.assert_allclose(score.frequency_weighted_iou, arrays["fw_iou"], atol=1e-9)

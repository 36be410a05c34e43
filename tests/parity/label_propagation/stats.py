"""Mean, recall and decay of series of values."""

from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.evaluation.label_propagation.frame_statistics import frame_statistics


def check(config: dict[str, Any], arrays: dict[str, Any], folder: Path) -> None:
    for number in range(len(config["lengths"])):
        found = frame_statistics(arrays[f"values_{number}"])
        np.testing.assert_allclose(
            (found.mean, found.recall, found.decay), arrays[f"stats_{number}"], atol=1e-12
        )

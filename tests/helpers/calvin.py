"""Tiny data sets in CALVIN's own layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATIC, GRIPPER = (10, 10), (6, 6)
Annotation = tuple[Any, Any, Any]
"""Pair of steps, text, task."""


def time_step(step: int) -> dict[str, NDArray[Any]]:
    """What an archive holds; all of it follows from the step's number."""
    rng = np.random.default_rng(step)
    return {
        "actions": rng.normal(size=7),
        "rel_actions": rng.uniform(-1, 1, 7),
        "robot_obs": rng.normal(size=15),
        "scene_obs": rng.normal(size=24),
        "rgb_static": rng.integers(0, 256, (*STATIC, 3), dtype=np.uint8),
        "rgb_gripper": rng.integers(0, 256, (*GRIPPER, 3), dtype=np.uint8),
        "depth_static": rng.random(STATIC, dtype=np.float32),
    }


def write_calvin_split(
    folder: Path,
    recordings: Sequence[tuple[int, int]] = ((3, 9), (20, 24)),
    annotations: Sequence[Annotation] = (((3, 6), "lift the block", "lift"), ((5, 9), "push it", "push")),
    digits: int = 7,
) -> Path:
    """Writes the time steps of recordings (first, last) and their instructions; returns the folder."""
    (folder / "lang_annotations").mkdir(parents=True)
    for first, last in recordings:
        for step in range(first, last + 1):
            np.savez_compressed(folder / f"episode_{step:0{digits}d}.npz", **time_step(step))  # type: ignore[arg-type]
    np.save(folder / "ep_start_end_ids.npy", np.array(recordings))
    write_annotations(folder / "lang_annotations" / "auto_lang_ann.npy", annotations)
    return folder


def write_annotations(path: Path, annotations: Sequence[Annotation]) -> Path:
    """The pickled dictionary of the instructions."""
    pairs, texts, tasks = (list(column) for column in zip(*annotations, strict=True))
    language = {"ann": texts, "task": tasks, "emb": np.zeros((len(texts), 1, 4), np.float32)}
    content: Any = {"language": language, "info": {"episodes": [], "indx": pairs}}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, content, allow_pickle=True)
    return path

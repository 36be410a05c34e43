"""Clips whose features are made up."""

from pathlib import Path

import numpy as np

from vidrep_pipelines.evaluation.clip_probe.clip_features import ClipFeatures


def made_up_clips(
    folder: Path, labels: np.ndarray, *, seed: int = 0, spread: float = 0.3, attended: bool = False
) -> ClipFeatures:
    """Clips (2 frames, 4 tokens, 8 numbers) around a center for each class.

    Args:
        folder: Where their files go.
        labels: (N,) classes.
        seed: Of the noise.
        spread: Of the noise.
        attended: The class shows in one token alone, with the opposite in another, so that means say nothing.
    """
    centers = np.random.default_rng(7).normal(size=(labels.max() + 1, 8))
    rng = np.random.default_rng(seed)
    files = []
    for number, label in enumerate(labels.tolist()):
        tokens = spread * rng.normal(size=(2, 4, 8))
        if attended:
            tokens[0, 0] += 2 * centers[label]
            tokens[1, 0] -= 2 * centers[label]
            tokens[0, 0, 0] += 4  # a mark of the token that is to be looked at, and the opposite of the other
            tokens[1, 0, 0] -= 4
        else:
            tokens += centers[label]
        path = folder / f"{seed}_{number}.npy"
        np.save(path, tokens.astype(np.float16))
        files.append(path)
    names = [str(label) for label in labels.tolist()]
    return ClipFeatures.read(files, names, {name: int(name) for name in sorted(set(names))})

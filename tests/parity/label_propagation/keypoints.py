"""Variant W: stamps, context, window, kept sources, soft labels, decoded joints."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.keypoints import decode_joints, stamp_joints
from vidrep_pipelines.evaluation.label_propagation.neighborhood import blocks, unit_features, window
from vidrep_pipelines.evaluation.label_propagation.propagate import context_frames, propagate
from vidrep_pipelines.evaluation.label_propagation.selection import KeptSources, select


def check(config: dict[str, Any], arrays: dict[str, Any], folder: Path) -> None:
    height, width = config["grid"]
    settings = PropagationConfig(
        variant="videowalk",
        top_k=config["topk"],
        radius=config["radius"],
        context_frames=config["n_context"],
        temperature=config["temperature"],
    )
    stamps = stamp_joints(arrays["points0"], height, width, config["sigma"])
    np.testing.assert_allclose(stamps.permute(1, 2, 0).numpy(), arrays["label0"], atol=1e-5)
    inside = window(height, width, config["radius"], "videowalk").numpy()
    np.testing.assert_array_equal(inside, arrays["neighborhood"] > 0)
    _check_contexts(arrays["context_index"], settings)
    features = torch.from_numpy(arrays["features"])
    _check_selection(_last_selection(features, settings), arrays, settings)
    first = torch.from_numpy(arrays["label0"]).permute(2, 0, 1)
    soft = torch.stack(list(propagate(features, first, settings)))
    np.testing.assert_allclose(soft.permute(0, 2, 3, 1).numpy(), arrays["soft"], atol=1e-5, rtol=0)
    recorded = torch.from_numpy(arrays["soft"]).permute(0, 3, 1, 2)
    np.testing.assert_allclose(decode_joints(recorded), arrays["coords"], atol=1e-5)


def _check_contexts(padded: Any, settings: PropagationConfig) -> None:
    """Recorded are indices in the list that begins with n copies of frame 0."""
    frames = np.maximum(0, padded - settings.context_frames)
    for target, recorded in enumerate(frames):
        assert context_frames(target, settings) == recorded.tolist()


def _last_selection(features: torch.Tensor, settings: PropagationConfig) -> KeptSources:
    height, width = features.shape[2:]
    cells = [unit_features(maps.permute(1, 2, 0).flatten(0, 1)) for maps in features]
    (block,) = blocks(height, width, height, settings, features.device)
    last = len(features) - 1
    context = [cells[frame] for frame in context_frames(last, settings)]
    return select(cells[last], context, block, settings.top_k, settings)[0]


def _check_selection(selection: KeptSources, arrays: Any, settings: PropagationConfig) -> None:
    weights = selection.weights(settings.temperature).T.numpy()
    np.testing.assert_allclose(weights, arrays["weights_last"], atol=1e-5)
    cells = weights.shape[1]
    index = (selection.position * cells + selection.cell).T.numpy()
    tied = np.isclose(np.diff(weights, axis=0), 0, atol=1e-7)
    alone = ~(np.pad(tied, ((1, 0), (0, 0))) | np.pad(tied, ((0, 1), (0, 0))))
    alone[-1] = False  # what it may be tied with was not kept
    np.testing.assert_array_equal(index[alone], arrays["index_last"][alone])

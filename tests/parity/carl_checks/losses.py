"""Objectives and their gradients against recorded ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.parity.discovery import Case, at_precision
from tests.parity.precision import tolerance
from vidrep_pipelines.models.carl.losses import (
    cycle_consistency,
    frame_classification,
    sequence_contrast,
    time_contrast,
)


class _Recorded:
    """One case of a file: its options, and its arrays as tensors."""

    def __init__(self, options: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.options = options
        prefix = f"{options['case']}_"
        self.arrays = {
            key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)
        }

    def tensor(self, name: str) -> Tensor:
        return at_precision(torch.from_numpy(self.arrays[name]))

    def check(self, loss: Tensor, source: Tensor, stated: float) -> None:
        permitted = tolerance(stated)
        loss.backward()  # type: ignore[no-untyped-call]
        assert source.grad is not None
        np.testing.assert_allclose(loss.item(), self.arrays["loss"], rtol=permitted, atol=tolerance(1e-6))
        largest = float(np.abs(self.arrays["grad"]).max())
        np.testing.assert_allclose(
            source.grad.numpy(), self.arrays["grad"], rtol=0, atol=permitted * max(largest, 0.1)
        )


def _recorded(folder: Path, name: str) -> list[_Recorded]:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return [_Recorded(options, arrays) for options in json.loads((folder / f"{name}.json").read_text())]


def check_sequence_contrast(case: Case) -> None:
    for recorded in _recorded(case.folder, "scl"):
        embeddings = recorded.tensor("embs").requires_grad_()
        loss = sequence_contrast(
            embeddings,
            *(recorded.tensor(name) for name in ("steps", "seq_lens", "masks")),
            temperature=recorded.options["temperature"],
            variance=recorded.options["label_variance"],
            negatives=recorded.options["negative_type"],
        )
        recorded.check(loss, embeddings, 1e-5)


def check_cycle_consistency_and_time_contrast(case: Case) -> None:
    for recorded in _recorded(case.folder, "tcc_tcn"):
        embeddings = recorded.tensor("embs").requires_grad_()
        if recorded.options.get("algo") == "tcn":
            rows = embeddings if embeddings.ndim == 3 else embeddings[None]
            recorded.check(time_contrast(rows, norm_weight=recorded.options["reg_lambda"]), embeddings, 1e-4)
        else:
            recorded.check(_cycle_loss(recorded, embeddings), embeddings, 1e-4)


def _cycle_loss(recorded: _Recorded, embeddings: Tensor) -> Tensor:
    options = recorded.options
    result = cycle_consistency(
        embeddings,
        recorded.tensor("steps"),
        recorded.tensor("seq_lens"),
        loss=options["loss_type"],
        similarity=options["similarity"],
        temperature=options["temperature"],
        label_smoothing=options["label_smoothing"],
        variance_weight=options["variance_lambda"],
        normalize_time=options["normalize_indices"],
    )
    for name, value in (
        ("squared_error", result.squared_error),
        ("pred_time_log_var", result.log_variance),
    ):
        if name in recorded.arrays:
            np.testing.assert_allclose(value.item(), recorded.arrays[name], rtol=tolerance(1e-4))
    return result.loss


def check_frame_classification(case: Case) -> None:
    for recorded in _recorded(case.folder, "classification"):
        logits = recorded.tensor("logits").requires_grad_()
        loss, accuracy = frame_classification(logits, recorded.tensor("labels"), recorded.tensor("masks"))
        np.testing.assert_allclose(accuracy.item(), recorded.arrays["accuracy"], atol=1e-6)
        recorded.check(loss, logits, 1e-5)


LOSS_CHECKS = (
    check_sequence_contrast,
    check_cycle_consistency_and_time_contrast,
    check_frame_classification,
)

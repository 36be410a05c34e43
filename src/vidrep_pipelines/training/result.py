"""The outcome of a training run."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class TrainResult(FrozenConfig):
    """What a finished run left behind."""

    task: str
    """The system's name."""

    status: Literal["trained", "resumed", "up to date"]
    """Trained from scratch, continued from a checkpoint, or found finished."""

    digest: str
    """Digest of everything that determined the weights."""

    step: int
    """Updates done in all."""

    resumed_from: int = 0
    """Updates that had been done before."""

    run_directory: Path
    """Folder of checkpoints, log and result."""

    checkpoint: Path
    """Folder of the last checkpoint; its ``model.safetensors`` holds the weights."""

    log: Path
    """The training log, one JSON object per line."""

    reports: tuple[Path, ...] = ()
    """Pictures that the task made, over the whole run."""

    epoch: float | None = None
    """Passes over the data in all. None: of a version that did not record it."""

    precision: Literal["fp32", "bf16", "fp16"] | None = None
    """Arithmetic of the last updates' forward pass. None: of a version that did not record it."""

    tracked: bool = True
    """Whether its curves went to MLflow while it was trained. Those of a training by torchrun do not."""

    first: dict[str, float] = Field(default_factory=dict)
    """Mean of each ``train/...`` metric over the first tenth of the log's rows."""

    last: dict[str, float] = Field(default_factory=dict)
    """The same over the last tenth."""

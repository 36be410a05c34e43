"""The weights that a training starts from: the floor of every evaluation."""

from pathlib import Path

import torch

from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.models.shared.own_weights import write_weights
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.inspection import own_random_state
from vidrep_pipelines.training.task import load_task


def write_untrained(spec: TrainSpec, folder: Path) -> None:
    """Writes ``folder/model.safetensors``: the model exactly as the run initializes it.

    Raises:
        InputError: Weights that it starts from cannot be read.
    """
    with own_random_state(torch.device("cpu")):
        torch.manual_seed(seed_for("model", spec.train.seed))  # as the training loop does
        model = load_task(spec).build_model()
    write_weights(model.state_dict(), folder / "model.safetensors")

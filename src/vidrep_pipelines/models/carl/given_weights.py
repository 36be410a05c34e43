"""Weights that no training here made: those of an original checkpoint, and the floors of an evaluation."""

from pathlib import Path
from typing import Any

import torch

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.models.carl.checkpoint_io import infer_model_config, load_into, load_original
from vidrep_pipelines.models.carl.config import CarlDataConfig, OriginalCarlConfig
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.shared.catalog_checkpoint import WEIGHTS
from vidrep_pipelines.models.shared.weight_file import write_weights
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
    write_weights(model.state_dict(), folder / WEIGHTS)


def write_original_carl(original: OriginalCarlConfig, folder: Path, floor: Path) -> dict[str, Any]:
    """Writes the weights of a checkpoint of the original code as ours, and those of a floor beside them.

    The floor is the same network with random weights in all that was trained: of the transformer, the stages
    of the ResNet that stayed as they were are the checkpoint's.

    Args:
        original: The checkpoint.
        folder: Receives its ``model.safetensors``.
        floor: Receives that of the floor.

    Returns:
        The configuration that a checkpoint of the catalog has beside either: ``model`` and ``data``.

    Raises:
        ConfigurationError: No file is named.
        InputError: The file cannot be read, or holds another network.
    """
    if original.path is None:
        raise ConfigurationError(
            f"{original.folder}.checkpoint.path names no checkpoint of the original code. Remedy: set "
            "VIDREP_CARL, or run the pipeline without _original, which trains a model of its own."
        )
    checkpoint = load_original(original.path)
    sizes = original.model_dump(include={"frames", "heads", "context_frames"})
    config = infer_model_config(checkpoint.weights, checkpoint.settings, **sizes)
    config = config.model_copy(update={"image_size": original.image_size})
    with own_random_state(torch.device("cpu")):
        torch.manual_seed(seed_for("model", original.seed))
        model = CarlModel(config)
    random = {name: value.clone() for name, value in model.state_dict().items()}
    load_into(model, checkpoint.weights, str(original.path))
    trained = model.state_dict()
    kept = {name: value for name, value in trained.items() if _stays(name, config.first_trained_stage)}
    write_weights(trained, folder / WEIGHTS)
    write_weights({**random, **kept}, floor / WEIGHTS)
    context = {"context_frames": config.context_frames, "context_stride": original.context_stride}
    data = CarlDataConfig(
        sampling=ExcerptSamplingConfig(frames=config.frames, **context),
        evaluation_crop=original.evaluation_crop,
    )
    return {"model": config.model_dump(mode="json"), "data": data.model_dump(mode="json")}


def _stays(name: str, first_trained_stage: int) -> bool:
    """Whether a weight belongs to a stage of the ResNet below those that are trained."""
    stem = ("backbone.conv1.", "backbone.bn1.") if first_trained_stage else ()
    return name.startswith((*stem, *(f"backbone.layer{stage}." for stage in range(1, first_trained_stage))))

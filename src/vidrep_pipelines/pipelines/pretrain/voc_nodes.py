"""Nodes of the training of occupancy models on token episodes."""

from typing import Any

from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesFile
from vidrep_pipelines.models.voc.config import VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.pretrain.voc_config import VocRunConfig
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig


def plan_voc(
    tokens: TokenEpisodesFile,
    run: VocRunConfig,
    model: VocModelConfig,
    objective: VocObjectiveConfig,
    train: TrainConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on the token episodes."""
    from vidrep_pipelines.models.voc.dataset import check_fit
    from vidrep_pipelines.models.voc.presets import fitted_to, with_preset
    from vidrep_pipelines.models.voc.task import VocTask
    from vidrep_pipelines.training.config import TrainSpec

    if run.preset is not None:
        model, objective = with_preset(run.tokenizer, model, objective)
    if run.fit_to_tokens:
        model = fitted_to(tokens.episodes, model)
    check_fit(tokens.episodes, model)
    task = VocTask(
        tokens=(tokens.path,),
        model=model,
        objective=objective,
        initialize_from=run.initialize_from,
        initialize_reward_from=run.initialize_reward_from,
        seed=train.seed,
    )
    folder = f"voc_{run.tokenizer}"
    spec = TrainSpec.of(
        task,
        train=train,
        launch=launch,
        run_directory=folders.run_directory(folder),
        report_directory=folders.reporting / folder,
        data_digest=tokens.digest,
    )
    return spec.model_dump(mode="json")


def paint_values(checkpoint: Checkpoint, spec: dict[str, Any]) -> Image:
    """Predicted values of training states against what their episodes returned."""
    from vidrep_pipelines.models.shared.trained import trained_model
    from vidrep_pipelines.models.voc.model import VocModel
    from vidrep_pipelines.models.voc.task import VocTask
    from vidrep_pipelines.reporting.figures import notice

    task = VocTask.model_validate(spec["task_config"])
    if task.model.reward is None:
        return notice("A model without a reward head: there are no values.")
    return task.values_picture(trained_model(VocModel(task.model), checkpoint.state_dict()))


def export_gpt(checkpoint: Checkpoint) -> dict[str, Any]:
    """The GPT's weights under the names of the original repository."""
    from vidrep_pipelines.models.voc.checkpoint_io import published_gpt

    return published_gpt(checkpoint.state_dict())


def export_reward_head(checkpoint: Checkpoint) -> dict[str, Any]:
    """The reward head's weights under the names of the original repository; nothing if there is none."""
    from vidrep_pipelines.models.voc.checkpoint_io import published_reward_head

    return published_reward_head(checkpoint.state_dict())

"""Nodes of the training of occupancy models on token episodes."""

import logging
from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesFile
from vidrep_pipelines.models.voc.config import VocModelConfig, VocObjectiveConfig, VocValidationConfig
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.pretrain.voc_config import VocRunConfig
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
    from vidrep_pipelines.models.voc.task import VocTask
else:
    TokenEpisodes = Any  # its module takes seconds to import

_PROBE = "vidrep_pipelines.adapters.voc_validation:VocValidation"
_log = logging.getLogger(__name__)


def share_tokens(tokens: TokenEpisodesFile) -> TokenEpisodes:
    """The same token episodes for another model."""
    return tokens.episodes


def plan_voc(
    tokens: TokenEpisodesFile,
    run: VocRunConfig,
    model: VocModelConfig,
    objective: VocObjectiveConfig,
    train: TrainConfig,
    validation: VocValidationConfig,
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
    folder = run.folder or f"voc_{run.tokenizer}"
    spec = TrainSpec.of(
        task,
        train=train,
        launch=launch,
        run_directory=folders.run_directory(folder),
        report_directory=folders.reporting / folder,
        data_digest=tokens.digest,
        probe=_probe_spec(task, tokens, validation),
    )
    return spec.model_dump(mode="json")


def _probe_spec(
    task: "VocTask", tokens: TokenEpisodesFile, validation: VocValidationConfig
) -> ProbeSpec | None:
    """What is measured of a training on held-out episodes; none if there are none, or it is not wanted."""
    from vidrep_pipelines.adapters.voc_validation import VocValidation

    if validation.every_steps is None:
        return None
    if validation.split not in tokens.episodes.splits:
        _log.warning("voc: no episode is in the split %r; nothing is measured meanwhile.", validation.split)
        return None
    held_out = task.model_copy(update={"split": validation.split})
    probe = VocValidation(task=held_out, **validation.model_dump())
    return ProbeSpec(
        probe=_PROBE,
        config=probe.model_dump(mode="json"),
        every_steps=validation.every_steps,
        keep=validation.keep,
        publish=validation.publish,
    )


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

"""Nodes of the pretraining of Video Prediction Policy's policy."""

import logging
from typing import TYPE_CHECKING, Any, Literal

from PIL.Image import Image
from pydantic import PositiveInt

from vidrep_pipelines.common.config import UserPath
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.config import (
    ActionSamplingConfig,
    GoalConfig,
    PolicyModelConfig,
    PolicyObjectiveConfig,
    PolicyValidationConfig,
)
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.presets import PolicyPreset, PolicyPresetName
from vidrep_pipelines.pipelines.config import FoldersConfig, SystemParameters
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig, TrainSpec

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures
    from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics
    from vidrep_pipelines.models.vpp.policy.task import PolicyTask
else:
    FrameArrayStore = FrameStore = Any  # their modules take seconds to import
    PolicyStatistics = PolicyTask = SeenFeatures = Any

_FOLDER = "vpp_policy"
_PROBE = "vidrep_pipelines.models.vpp.policy.validation:PolicyValidation"
_log = logging.getLogger(__name__)


class PolicyParameters(SystemParameters):
    """All parameters of the policy's training (``params:vpp_policy``), which its plan alone reads."""

    preset: PolicyPresetName | None = None
    """A published configuration, in place of ``model``, ``objective`` and ``sampling``. None: as given."""

    initialize_from: UserPath | None = None
    """A published checkpoint to start from, such as dp-calvin. None: random weights."""

    sees_state: bool = False
    """Whether the policy sees the robot's state. Published: not on CALVIN, but on xbot and xhand."""

    knows_places: bool = False
    """Whether it has a learned encoding of every place of the features. Published: not."""

    goal: GoalConfig
    """How instructions become goals."""

    model: PolicyModelConfig
    """The architecture; the sizes of features, actions, goals and states are those of the data."""

    objective: PolicyObjectiveConfig
    """The loss."""

    decayed: Literal["all", "matrices"] = "all"
    """Which weights decay. Published: all, biases and norms included."""

    sampling: ActionSamplingConfig
    """How the chunks in pictures and measurements are sampled."""

    validation: PolicyValidationConfig
    """Measurements while training."""

    train: TrainConfig
    """How long, with which batches and which optimizer."""

    items_per_device: PositiveInt | None = None
    """Items in one forward pass of a device, in place of ``launch.device_batch_size``, which is meant for
    images."""

    def chosen(self) -> tuple[PolicyModelConfig, PolicyObjectiveConfig, ActionSamplingConfig]:
        """Architecture, loss and sampling: those of the preset, or those that are given."""
        given = self if self.preset is None else PolicyPreset.named(self.preset)
        return given.model, given.objective, given.sampling


def describe_seen_features(
    checkpoint: Checkpoint,
    codec: Checkpoint,
    frames: FrameStore,
    latents: FrameArrayStore,
    features: FrameArrayStore,
    config: FeatureStoreConfig,
) -> dict[str, Any]:
    """Where the features are that the policy looks at, what made them, and their shape."""
    from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
    from vidrep_pipelines.models.vpp.policy.seen import seen_through_video_model

    sources = FeatureSources(checkpoint, codec, frames, latents)
    return seen_through_video_model(sources, features, config).model_dump(mode="json")


def plan_vpp_policy(
    frames: FrameStore,
    seen: dict[str, Any],
    statistics: dict[str, Any],
    items: PolicyItemsConfig,
    parameters: PolicyParameters,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on items of a store."""
    from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures
    from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics

    features = SeenFeatures.model_validate(seen)
    learned = PolicyStatistics.model_validate(statistics["train"])
    task = policy_task(frames, features, learned, items, parameters, episodes.frames)
    spec = policy_training_spec(task, frames, parameters, launch, folders, _FOLDER)
    return spec.model_dump(mode="json")


def policy_task(
    frames: FrameStore,
    seen: SeenFeatures,
    learned: PolicyStatistics,
    items: PolicyItemsConfig,
    parameters: PolicyParameters,
    pictures: FramesConfig,
) -> PolicyTask:
    """What is trained on items of a store, with the sizes that the data have.

    Args:
        frames: The store.
        seen: The features of its pictures.
        learned: What normalizes actions and states.
        items: Which moments are learned.
        parameters: Architecture, loss, goals.
        pictures: How the store's pictures were resized.

    Raises:
        ConfigurationError: The architecture does not fit the data.
    """
    from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable
    from vidrep_pipelines.models.vpp.policy.sizes import PolicyDataSizes, fitted_policy_model
    from vidrep_pipelines.models.vpp.policy.task import PolicyTask

    table = PolicyItemTable(frames.select("train"), items)
    sizes = PolicyDataSizes.of(seen, table.cameras, learned, items, parameters.goal, len(table))
    model, objective, sampling = parameters.chosen()
    fitted = fitted_policy_model(
        model, sizes, sees_state=parameters.sees_state, knows_places=parameters.knows_places
    )
    return PolicyTask(
        frames=frames.folder.absolute(),
        pictures_resized=pictures,
        seen=seen,
        items=items,
        statistics=learned,
        goal=parameters.goal,
        initialize_from=parameters.initialize_from,
        model=fitted,
        objective=objective,
        decayed=parameters.decayed,
        sampling=sampling,
        seed=parameters.train.seed,
    )


def policy_training_spec(
    task: PolicyTask,
    frames: FrameStore,
    parameters: PolicyParameters,
    launch: LaunchConfig,
    folders: FoldersConfig,
    folder: str,
) -> TrainSpec:
    """The training of a task; ``folder`` is that of its run and of its pictures, below the others'."""
    from vidrep_pipelines.common.digest import digest_of

    if parameters.items_per_device is not None:
        launch = launch.model_copy(update={"device_batch_size": parameters.items_per_device})
    return TrainSpec.of(
        task,
        train=parameters.train,
        launch=launch,
        run_directory=folders.run_directory(folder),
        report_directory=folders.reporting / folder,
        data_digest=digest_of(frames.content_digest, task.seen.content),
        probe=_probe_spec(task, parameters.validation),
    )


def _probe_spec(task: PolicyTask, validation: PolicyValidationConfig) -> ProbeSpec | None:
    from vidrep_pipelines.models.vpp.policy.task import HELD_OUT
    from vidrep_pipelines.models.vpp.policy.validation import PolicyValidation

    held_out = task.on_split(HELD_OUT)
    if held_out is None:
        _log.warning("vpp_policy: no item is held out; nothing is measured while training.")
    if held_out is None or validation.every_steps is None:
        return None
    probe = PolicyValidation(task=held_out, **validation.model_dump())
    return ProbeSpec(probe=_PROBE, config=probe.model_dump(mode="json"), every_steps=validation.every_steps)


def paint_vpp_policy(checkpoint: Checkpoint, spec: dict[str, Any]) -> Image:
    """What was done in held-out items beside what the trained policy would do."""
    from vidrep_pipelines.models.vpp.policy.inference import load_policy_model
    from vidrep_pipelines.models.vpp.policy.task import PolicyTask
    from vidrep_pipelines.training.distributed import choose_device

    task = PolicyTask.model_validate(spec["task_config"])
    device = choose_device(LaunchConfig.model_validate(spec["launch"]))
    return task.actions_picture(load_policy_model(checkpoint).to(device))


def export_vpp_policy(checkpoint: Checkpoint) -> dict[str, Any]:
    """The policy's weights under the names of the original repository."""
    from vidrep_pipelines.models.vpp.policy.checkpoint_io import original_policy_checkpoint
    from vidrep_pipelines.models.vpp.policy.inference import policy_config

    return original_policy_checkpoint(policy_config(checkpoint), checkpoint.state_dict())

"""Policies that differ in one thing or two: how they act, and one table of how often they succeed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.adapters.policy_ablation_config import AblationRun, PolicyAblationConfig
from vidrep_pipelines.adapters.policy_features import EncoderFeatureSource, VideoModelSource, updates_of
from vidrep_pipelines.adapters.vpp_policy import PicturePolicy
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition
from vidrep_pipelines.evaluation.rollouts.tables import ALL_TASKS, compare_runs, success_cell
from vidrep_pipelines.evaluation.rollouts.tabletop import TabletopMaker, tabletop_starts
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.models.vpp.policy.robot_policy import RobotPolicy
from vidrep_pipelines.models.vpp.policy.task import PolicyTask
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.run_directory import RunDirectory

_COMPARED = ("difference", "low", "high", "only_first", "only_second")


@dataclass(frozen=True)
class FeaturePolicyMaker:
    """Makes a policy that looks at any features, in worker processes, where it is kept.

    Attributes:
        policy: Folder of the policy's checkpoint.
        source: What computes its features.
        cameras: Names of the environment's cameras, in the order of the policy's views.
        sampling: How actions are sampled. None: as when the policy was measured in its training.
        device: ``cpu`` or a CUDA device.
    """

    policy: Path
    source: VideoModelSource | EncoderFeatureSource
    cameras: tuple[str, ...]
    sampling: ActionSamplingConfig | None
    device: str = "cpu"

    @property
    def identity(self) -> Mapping[str, Any]:
        """Digests of all weights, and how they are used."""
        return {
            "policy": Checkpoint.of(self.policy).digest,
            "features": self.source.digest,
            "cameras": list(self.cameras),
            "sampling": None if self.sampling is None else self.sampling.model_dump(mode="json"),
        }

    def make(self) -> PicturePolicy:
        """The policy.

        Raises:
            InputError: A checkpoint is damaged, or the policy was trained on other features.
        """
        version = Checkpoint.of(self.policy).digest
        return PicturePolicy(loaded_once(_load_policy, self, version, self.device), self.cameras)


def _load_policy(maker: FeaturePolicyMaker, device: str) -> RobotPolicy:
    checkpoint = Checkpoint.checked(maker.policy)
    return RobotPolicy.load(checkpoint, maker.source.make(device), maker.sampling, device)


def ablation_conditions(
    config: PolicyAblationConfig,
    policies: Mapping[str, Checkpoint],
    sources: Mapping[str, VideoModelSource | EncoderFeatureSource],
    world: TabletopEpisodesConfig,
    device: str,
) -> list[RolloutCondition]:
    """What is rolled out: each run of :attr:`PolicyAblationConfig.runs`, on the same tables.

    Args:
        config: Which policies, horizons and tables.
        policies: The trained ones by name.
        sources: What computes features, by name of the set.
        world: How tables are drawn and filmed.
        device: ``cpu`` or a CUDA device.

    Raises:
        ConfigurationError: There are too few tables.
    """
    rollouts = config.rollouts
    starts = tuple(tabletop_starts(world, rollouts.part, rollouts.episodes))
    conditions = []
    for run in config.runs:
        maker = FeaturePolicyMaker(
            policy=policies[run.policy].directory.absolute(),
            source=sources[config.used[run.policy].features],
            cameras=world.table.cameras,
            sampling=rollouts.sampling,
            device=device,
        )
        rollout = rollouts.rollout.model_copy(update={"execute_steps": run.execute_steps})
        conditions.append(RolloutCondition(run.name, TabletopMaker(world), maker, starts, rollout))
    return conditions


def kept_video_models(
    config: PolicyAblationConfig, video_model: Checkpoint, spec: TrainSpec
) -> dict[int, Path]:
    """Checkpoints that the training of the video model kept before its end, by their updates.

    Args:
        config: After which updates some policy looks at it; the last ones are those of the model itself.
        video_model: The model as it was published at the end.
        spec: Its training.

    Raises:
        InputError: One was not kept, or is damaged.
    """
    end, run, found = updates_of(video_model), RunDirectory.of(spec), dict[int, Path]()
    for updates, name in sorted(config.asked_updates.items()):
        if updates == end:
            continue
        path, kept = run.kept(str(video_model.meta["digest"]), updates), run.kept_steps()
        if path is None:
            raise InputError(
                f"ablate_vpp_policy.features.{name} looks at the video model after {updates} of its {end} "
                f"updates, and its training kept those after {', '.join(map(str, kept))}. Remedy: name one "
                "of these as the set's updates; or leave out the policies on it (ablate_vpp_policy.use); or "
                f"set vpp_video.train.checkpoint_every_steps to a divisor of {updates} and "
                "vpp_video.train.keep_every to 1, and train once more: kedro run --pipelines "
                "pretrain_vpp_video --params vpp_video.train.resume=never"
            )
        found[updates] = path
    return found


def ablation_table(
    rows: pd.DataFrame,
    config: PolicyAblationConfig,
    specs: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, VideoModelSource | EncoderFeatureSource],
) -> pd.DataFrame:
    """One row per policy and execution horizon.

    Args:
        rows: One per episode, with the column ``condition``.
        config: What was compared.
        specs: The training of every policy, which says what it learned from.
        sources: What computes features, by name of the set.

    Returns:
        ``policy``, ``features``, ``updates`` of the video model (0 if it is untrained, none of an encoder),
        ``demonstrations`` (none where all are used), ``cross_causal``, ``execute_steps``; ``differs_in``,
        what is different from the reference, in words with commas between, ``updates`` standing for
        ``features`` where these differ in nothing else and the model is trained;
        ``episodes``, ``successes``, ``success`` with Wilson's interval ``low``, ``high``, ``steps``; and
        ``difference``, this policy less the reference on the same tables, with the bootstrap's interval
        ``difference_low``, ``difference_high``, and ``only_reference``, ``only_here``: in how many episodes
        one of the two alone succeeded.

    Raises:
        InputError: Rows of a run are missing.
    """
    by_condition = dict(list(rows.groupby("condition")))
    if absent := [run.name for run in config.runs if run.name not in by_condition]:
        raise InputError(f"There are no episodes of {absent[0]}. Remedy: run ablate_vpp_policy again.")
    reference = config.reference_run
    facts = {run: _facts(run, config, specs[run.policy], sources) for run in config.runs}
    found = []
    for run in config.runs:
        own, other = by_condition[run.name], by_condition[reference.name]
        together = compare_runs(other, own).set_index("task").loc[ALL_TASKS]
        difference, low, high, only_reference, only_here = (together[name] for name in _COMPARED)
        differs = _differences(facts[run], facts[reference], config)
        found.append(
            {
                "policy": run.policy,
                **facts[run],
                "differs_in": ", ".join(differs),
                **success_cell(own),
                **{"difference": difference, "difference_low": low, "difference_high": high},
                **{"only_reference": only_reference, "only_here": only_here},
            }
        )
    return pd.DataFrame(found).astype({"demonstrations": "Int64", "updates": "Int64"})


def _differences(own: Mapping[str, Any], other: Mapping[str, Any], config: PolicyAblationConfig) -> list[str]:
    stages = own["updates"] and config.differ_in_updates(own["features"], other["features"])
    implied = "features" if stages else "updates"
    return [name for name, value in own.items() if value != other[name] and name != implied]


def _facts(
    run: AblationRun,
    config: PolicyAblationConfig,
    spec: Mapping[str, Any],
    sources: Mapping[str, VideoModelSource | EncoderFeatureSource],
) -> dict[str, Any]:
    task = PolicyTask.model_validate(TrainSpec.model_validate(spec).task_config)
    name = config.used[run.policy].features
    source = sources[name]
    return {
        "features": name,
        "updates": source.updates if isinstance(source, VideoModelSource) else None,
        "demonstrations": task.items.episodes,
        "cross_causal": task.model.denoiser.cross_causal,
        "execute_steps": run.execute_steps,
    }


def ablation_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Success of every run, and its difference from the reference with its interval, by name."""
    found = dict[str, float]()
    for row in table.to_dict("records"):
        name = AblationRun(row["policy"], row["execute_steps"]).name
        found[f"success/{name}"] = float(row["success"])
        for column in ("difference", "difference_low", "difference_high"):
            found[f"{column}/{name}"] = float(row[column])
    return found

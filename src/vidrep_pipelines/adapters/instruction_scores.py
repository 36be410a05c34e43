"""Do predictions follow the instruction, and does a policy on that video model do what it is told?

The counterfactual test of every video model that policies of the ablation look at, beside their success.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from vidrep_pipelines.adapters.policy_ablation_config import PolicyAblationConfig
from vidrep_pipelines.adapters.policy_features import EncoderFeatureSource, VideoModelSource
from vidrep_pipelines.adapters.video_prediction import require_words_alone
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_blocks
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.counterfactual import judge_table
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import (
    EVERY_COMBINATION,
    counterfactual_summary,
    told_predictions,
)
from vidrep_pipelines.evaluation.video_prediction.system import MODEL
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.task import VideoTask

SCORES = ("right_object_change", "right_object", "nearest_last")
"""The questions of the counterfactual test that need no calibration, the plainest first."""

_ANSWERS = ".parquet"
_ASKED = 1
"""Version of what equal models and tables lead to: raised when the code changes the answers."""

_SHARE = ("value", "low", "high", "chance", "instructions", "tables")
_COLUMNS = [
    *("measure", "updates", "policy", *_SHARE),
    *("success", "success_low", "success_high", "episodes"),
]


@dataclass(frozen=True)
class AskedTable:
    """A table of the sample world that a video model predicts under each of its instructions.

    Attributes:
        source: The video model.
        table: Name of the table.
        path: Its file.
        sampling: How videos are sampled.
        seeds: Seeds of the sampling.
        batch_size: Videos that are predicted together.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: Of the item; it deals items to GPUs.
    """

    source: VideoModelSource
    table: str
    path: Path
    sampling: VideoSamplingConfig
    seeds: tuple[int, ...]
    batch_size: int
    device: str
    number: int

    @property
    def version(self) -> str:
        """Changes with the weights of the video model and of its codec."""
        sight = self.source.sight
        return digest_of(sight.checkpoint, sight.codec, self.source.untrained)


def tabletop_tables(config: PolicyAblationConfig, trajectories: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The episodes whose tables are asked about; none where the store has none of the tabletop.

    Args:
        config: Names the part of the store.
        trajectories: Episodes of the tabletop by part.

    Raises:
        ConfigurationError: There is no such part.
    """
    split = config.instruction_scores.split
    if trajectories and split not in trajectories:
        raise ConfigurationError(
            f"ablate_vpp_policy.instruction_scores.split is {split!r}; of the tabletop there are "
            f"{', '.join(trajectories)}. Remedy: name one of these."
        )
    return trajectories.get(split, ())


def instruction_job(
    sources: Mapping[str, VideoModelSource | EncoderFeatureSource],
    tables: Parts,
    task: VideoTask,
    sampling: VideoSamplingConfig,
    evaluation: VideoEvaluationConfig,
    device: str,
    fanout: FanOutConfig,
) -> Job:
    """One item per video model and table. A model that several sets of features are read off is asked once.

    Args:
        sources: What computes features, by name of the set; image encoders predict nothing.
        tables: Tables of the sample world under every instruction.
        task: The training of the video model.
        sampling: How videos are sampled.
        evaluation: Seeds of the sampling, and how many videos are predicted at once.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        fanout: How items are executed.

    Raises:
        ConfigurationError: The model looks at another camera, too.
    """
    require_words_alone(task)
    models = {one.updates: one for one in sources.values() if isinstance(one, VideoModelSource)}
    made_from, items = tables.digests, list[Item]()
    for updates, source in sorted(models.items()):
        for table in tables.ids:
            asked = AskedTable(
                source=source,
                table=table,
                path=tables.path(table).absolute(),
                sampling=sampling,
                seeds=evaluation.seeds,
                batch_size=evaluation.batch_size,
                device=device,
                number=len(items),
            )
            digest = digest_of(_ASKED, asked.version, made_from[table], sampling, list(evaluation.seeds))
            items.append(Item(f"updates_{updates}/{Path(table).name}", asked, digest))
    return Job("instruction scores", ask_video_model, items, (_ANSWERS,), fanout.trying_again())


def ask_video_model(asked: AskedTable, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Predicts a table under each of its instructions, judges the predictions and writes the answers.

    Returns:
        How many there are.

    Raises:
        InputError: The model or the table cannot be read, or they do not belong together.
    """
    table = CounterfactualTable.read(asked.table, asked.path)
    device = device_of_item(asked.device, asked.number)
    predictor = loaded_once(_predictor, asked.source, asked.version, device)

    def predict(first: torch.Tensor, texts: Sequence[str], seeds: Sequence[int]) -> torch.Tensor:
        return predictor.predict(first, texts, seeds, asked.sampling)

    answers = [
        judge_table(table, told_predictions(table, predict, seed, asked.batch_size), None).assign(seed=seed)
        for seed in asked.seeds
    ]
    rows = pd.concat(answers, ignore_index=True)
    rows.insert(0, "updates", asked.source.updates)
    rows.to_parquet(outputs[_ANSWERS], index=False)
    return {"answers": len(rows)}


def _predictor(source: VideoModelSource, device: str) -> VideoPredictor:
    return source.predictor(device)


def scores_and_success(
    answers: Parts,
    table: pd.DataFrame,
    config: PolicyAblationConfig,
    sources: Mapping[str, VideoModelSource | EncoderFeatureSource],
    intervals: ReconstructionEvaluationConfig,
) -> pd.DataFrame:
    """How well each video model follows the instruction, and how often the policy on its features succeeds.

    Args:
        answers: What :func:`ask_video_model` wrote.
        table: Success of the policies, see :func:`~.policy_ablation.ablation_table`.
        config: What was compared. Only policies count that differ in nothing but their video model's updates.
        sources: What computes features, by name of the set.
        intervals: Confidence, resamples and seed of the intervals of the scores, which draw whole tables.

    Returns:
        One row per question of ``SCORES`` and policy, by updates (0: untrained): ``measure``, ``updates``,
        ``policy``; the share of right answers ``value`` with its interval ``low``, ``high``, beside
        ``chance``; ``instructions``, ``tables``; ``success`` with Wilson's interval ``success_low``,
        ``success_high``, ``episodes``. No row if nothing was asked.

    Raises:
        InputError: Items failed, or a file is gone or damaged.
    """
    if not len(answers.table):
        return pd.DataFrame(columns=_COLUMNS)
    judged = rows_of_blocks(answers, "tables were not asked about", "run ablate_vpp_policy again")
    stages = _stages(config, sources)
    shares = {updates: _shares(judged[judged["updates"] == updates], intervals) for updates, _ in stages}
    usual = table[table["execute_steps"] == config.reference_run.execute_steps]
    success = usual.set_index("policy").to_dict("index")
    rows = [
        {
            **{"measure": measure, "updates": updates, "policy": policy, **shares[updates][measure]},
            **{f"success_{side}": success[policy][side] for side in ("low", "high")},
            **{name: success[policy][name] for name in ("success", "episodes")},
        }
        for measure in SCORES
        for updates, policy in stages
        if measure in shares[updates]
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _stages(
    config: PolicyAblationConfig, sources: Mapping[str, VideoModelSource | EncoderFeatureSource]
) -> list[tuple[int, str]]:
    """By updates the policies that differ in nothing else."""
    seen = {name: sources[policy.features] for name, policy in config.by_updates.items()}
    return sorted((one.updates, name) for name, one in seen.items() if isinstance(one, VideoModelSource))


def _shares(judged: pd.DataFrame, intervals: ReconstructionEvaluationConfig) -> dict[str, dict[str, Any]]:
    """By question the share of right answers of one video model."""
    summary = counterfactual_summary(judged.assign(predictor=MODEL), intervals)
    whole = summary[summary["combination"] == EVERY_COMBINATION]
    return {str(row["measure"]): {name: row[name] for name in _SHARE} for row in whole.to_dict("records")}


def score_metrics(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The scores as nested numbers: question, video model."""
    found = dict[str, dict[str, float]]()
    for row in scores.to_dict("records"):
        found.setdefault(str(row["measure"]), {})[f"updates_{row['updates']}"] = float(row["value"])
    return found

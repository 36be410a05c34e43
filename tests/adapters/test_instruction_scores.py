"""The counterfactual test of several video models, resumable, and how its shares stand beside success."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from tests.adapters.policy_features import READ, earlier_model, pixel_encoders, with_updates
from tests.helpers.stores import SERIAL
from tests.helpers.video_prediction import swapped, table_of, unit
from tests.models.vpp.video.spoken import SIZE
from tests.models.vpp.video.tiny import with_other_camera, write_clip_image_folder
from tests.models.vpp.video.trained import publish_video_model
from vidrep_pipelines.adapters.instruction_scores import (
    SCORES,
    instruction_job,
    score_metrics,
    scores_and_success,
    tabletop_tables,
)
from vidrep_pipelines.adapters.policy_ablation_config import AblatedPolicy, PolicyAblationConfig
from vidrep_pipelines.adapters.policy_features import (
    EncoderFeatureSource,
    VideoModelSource,
    ablation_sources,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.counterfactual import judge_table
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import told_predictions
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.task import VideoTask

_STAGED = with_updates(2)
ABLATION = _STAGED.model_copy(
    update={"policies": {**_STAGED.policies, "untrained": AblatedPolicy(features="untrained", episodes=2)}}
)
SAMPLING = VideoSamplingConfig(steps=1, guidance=1.0)
EVALUATION = VideoEvaluationConfig(seeds=(0, 1), batch_size=3)
INTERVALS = ReconstructionEvaluationConfig(resamples=50)
TEXTS = ("push the red cup to the left", "lift the red cup up", "lift the blue ball up")
STAGES = ("untrained", "updates_2", "reference")


class Asked(NamedTuple):
    """Video models, and tables of their size."""

    sources: dict[str, VideoModelSource | EncoderFeatureSource]
    task: VideoTask
    tables: Parts

    def job(self, sampling: VideoSamplingConfig = SAMPLING) -> Job:
        """All models, all tables."""
        return instruction_job(self.sources, self.tables, self.task, sampling, EVALUATION, "cpu", SERIAL)


def write_table(path: Path, seed: int) -> None:
    """A cup on the left and a ball on the right; the one that is named turns bright."""
    frames = np.random.default_rng(seed).integers(0, 99, (1, 1, SIZE, SIZE, 3), np.uint8)
    truths = np.tile(frames, (len(TEXTS), 4, 1, 1, 1))
    masks = np.zeros(truths.shape[:-1], bool)
    for number, text in enumerate(TEXTS):
        columns = slice(0, 6) if "cup" in text else slice(10, 16)
        masks[number, :, 4:12, columns] = True
        truths[number, -1, 4:12, columns] = 220 + number
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, texts=np.array(TEXTS), truths=truths, masks=masks)


def parts_of(folder: Path, names: list[str], suffix: str) -> Parts:
    """What a job left that made these items."""
    rows = {"id": names, "status": "ok", "error": None, "digest": [f"of {name}" for name in names]}
    return Parts(folder, pd.DataFrame(rows), (suffix,))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("asked")
    task, checkpoint, _ = publish_video_model(folder)
    early = {2: earlier_model(checkpoint, folder / "early", 2)}
    video = FeatureSources(checkpoint, Checkpoint.of(task.codec), FrameStore(task.frames), None)
    sources = ablation_sources(ABLATION, video, pixel_encoders(), READ, early)
    names = ["tested/table_0", "tested/table_1"]
    for seed, name in enumerate(names):
        write_table(folder / f"{name}.npz", seed)
    return Asked(sources, task, parts_of(folder, names, ".npz"))


def test_every_video_model_is_asked_once_about_every_table(asked: Asked, tmp_path: Path) -> None:
    job = asked.job()
    stages = ("updates_0", "updates_2", "updates_3")
    assert [item.id for item in job.items] == [f"{one}/table_{n}" for one in stages for n in range(2)]
    assert len({item.digest for item in job.items}) == 6
    answers = run_job(job, tmp_path)
    assert set(answers.table["status"]) == {"ok"}, answers.table["error"].tolist()
    rows = pd.read_parquet(answers.path("updates_2/table_1"))
    assert rows["text"].tolist() == [*TEXTS] * 2 and set(rows["updates"]) == {2}
    assert rows["seed"].tolist() == [0] * 3 + [1] * 3
    source = asked.sources["updates_2"]
    assert isinstance(source, VideoModelSource)
    predictor = source.predictor("cpu")
    table = CounterfactualTable.read("tested/table_1", asked.tables.path("tested/table_1"))

    def predict(first: torch.Tensor, texts: Sequence[str], seeds: Sequence[int]) -> torch.Tensor:
        return predictor.predict(first, texts, seeds, SAMPLING)

    own = judge_table(table, told_predictions(table, predict, 1, 99), None)
    pd.testing.assert_frame_equal(rows[3:][list(own)].reset_index(drop=True), own)


def test_what_was_asked_is_not_asked_again(asked: Asked, tmp_path: Path) -> None:
    first, again = ({item.id: item.digest for item in asked.job().items} for _ in range(2))
    assert first == again
    more = asked.job(VideoSamplingConfig(steps=2, guidance=1.0))
    assert not {item.digest for item in more.items} & set(first.values())


def test_a_model_that_needs_another_camera_is_refused(asked: Asked, tmp_path: Path) -> None:
    model = with_other_camera(asked.task.model, write_clip_image_folder(tmp_path))
    task = asked.task.model_copy(update={"model": model})
    with pytest.raises(ConfigurationError, match="looks at another camera"):
        asked._replace(task=task).job()


def answers_of(folder: Path) -> Parts:
    """Two tables: the untrained model is always wrong, the early one on one table, the last one never."""
    right = {0: (False, False), 2: (True, False), 3: (True, True)}
    for updates, tables in right.items():
        for number, perfect in enumerate(tables):
            table = table_of(number)
            order = range(len(table.texts)) if perfect else swapped(table)
            rows = judge_table(table, unit(table.truths[list(order)]), None).assign(updates=updates, seed=0)
            path = folder / f"updates_{updates}/table_{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows.to_parquet(path)
    names = [f"updates_{updates}/table_{number}" for updates in right for number in range(2)]
    return parts_of(folder, names, ".parquet")


def success(config: PolicyAblationConfig = ABLATION) -> pd.DataFrame:
    """A table of policies, each with a success of its own."""
    shares = {name: 0.1 * number for number, name in enumerate(config.used)}
    rows = [
        {"policy": name, "execute_steps": steps, "success": share, "low": share - 0.05, "high": share + 0.05,
         "episodes": 50}
        for name, share in shares.items()
        for steps in (5, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_scores_stand_beside_the_success_of_the_policies_that_differ_in_updates(
    asked: Asked, tmp_path: Path
) -> None:
    table = success()
    scores = scores_and_success(answers_of(tmp_path), table, ABLATION, asked.sources, INTERVALS)
    assert scores["measure"].tolist() == [measure for measure in SCORES for _ in STAGES]
    assert scores["updates"].tolist() == [0, 2, 3] * 3
    assert scores["policy"].tolist() == [*STAGES] * 3
    own = scores[scores["measure"] == "right_object"]
    counts = [len(table_of(number).texts) for number in range(2)]
    assert own["value"].tolist() == pytest.approx([0, counts[0] / sum(counts), 1])
    assert own["low"].tolist() == [0, 0, 1] and own["high"].tolist() == [0, 1, 1]
    assert (own["chance"] == 0.5).all() and (own["tables"] == 2).all()
    expected = table[table["execute_steps"] == 5].set_index("policy").loc[[*STAGES]]
    assert own["success"].tolist() == expected["success"].tolist()
    assert own["success_high"].tolist() == expected["high"].tolist()
    assert score_metrics(scores)["nearest_last"]["updates_3"] == 1


def test_without_tables_or_without_policies_there_are_no_rows(asked: Asked, tmp_path: Path) -> None:
    nothing = parts_of(tmp_path, [], ".parquet")
    assert scores_and_success(nothing, success(), ABLATION, asked.sources, INTERVALS).empty
    pixels = ABLATION.model_copy(update={"reference": "pixels"})
    scores = scores_and_success(answers_of(tmp_path), success(), pixels, asked.sources, INTERVALS)
    assert scores.empty and "success" in scores and score_metrics(scores) == {}


def test_failed_items_are_named(asked: Asked, tmp_path: Path) -> None:
    answers = answers_of(tmp_path)
    rows = answers.table.assign(status=["failed", *["ok"] * 5], error=["no room", *[None] * 5])
    with pytest.raises(InputError, match="1 tables were not asked about; updates_0/table_0: no room"):
        scores_and_success(
            Parts(tmp_path, rows, (".parquet",)), success(), ABLATION, asked.sources, INTERVALS
        )


def test_tables_are_those_of_the_part_that_is_named() -> None:
    trajectories = {"train": ["a"], "validation": ["b", "c"]}
    assert tabletop_tables(ABLATION, trajectories) == ["b", "c"]
    assert tabletop_tables(ABLATION, {}) == ()
    scores = ABLATION.instruction_scores.model_copy(update={"split": "nowhere"})
    elsewhere = ABLATION.model_copy(update={"instruction_scores": scores})
    with pytest.raises(ConfigurationError, match="'nowhere'; of the tabletop there are train, validation"):
        tabletop_tables(elsewhere, trajectories)

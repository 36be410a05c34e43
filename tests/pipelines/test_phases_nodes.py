"""Nodes of the evaluation of frame embeddings, on embeddings that are given."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.helpers.frame_embeddings import labelled_videos, rising, stored, telling_and_mute
from vidrep_pipelines.common.digest import plain
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval import phases_nodes
from vidrep_pipelines.pipelines.downstream_eval.phases_pipeline import create_phases_pipeline
from vidrep_pipelines.tracking import flatten
from vidrep_pipelines.training.config import LaunchConfig

TASKS = ("phase_classification", "phase_progression", "retrieval", "inserted_pause", "kendall_tau")
CONFIG = PhasesConfig(tasks=TASKS, stride=1, neighbors=(2, 4), fractions=(0.5, 1.0), resamples=50, pixels=4)
LABELLED = labelled_videos(
    {
        **{f"train/pour_{n}": rising(4 + n, 5, 6) for n in range(4)},
        **{f"validation/pour_{n}": rising(5, 3 + 2 * n, 6) for n in range(3)},
        "validation/pour_3": [0, 0, 2, 2],
    }
)


@dataclass(frozen=True)
class Gray:
    """Frames that show nothing."""

    ids: tuple[str, ...] = tuple(LABELLED.ids)
    content_digest: str = "0"

    def frames(self, view: str) -> NDArray[np.uint8]:
        """(T, 8, 8, 3)."""
        return np.full((len(LABELLED.of(view)), 8, 8, 3), 127, np.uint8)


def measure(
    folder: Path, encoders: dict[str, FrameEmbeddings], config: PhasesConfig = CONFIG
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    paused = {
        f"{name}/{video}": encoders[name].of(video)
        for name in ("trained", "untrained")
        for video in LABELLED.ids
        if video.startswith("validation/")
    }
    return phases_nodes.measure_phases(
        LABELLED,
        Gray(),
        encoders["trained"],
        encoders["untrained"],
        stored(folder / "paused", paused),
        config,
        LaunchConfig(device="cpu"),
        FoldersConfig(models=folder / "models", reporting=folder / "reports"),
        TrackingConfig(enabled=False),
    )


def test_numbers_are_named_by_task_for_the_tracker(tmp_path: Path) -> None:
    summary, per_action, dropped, metrics = measure(tmp_path, telling_and_mute(tmp_path, LABELLED))
    numbers = {name: value for name, value in flatten(metrics).items() if isinstance(value, int | float)}
    json.dumps(plain(metrics), allow_nan=False)
    for name in (
        "phase_classification_100",
        "phase_progression_50_low",
        "kendall_tau",
        "kendall_tau_train_high",
        "retrieval_at_4",
        "untrained.retrieval_at_4",
        "clock.kendall_tau",
        "lead_over_untrained.phase_classification_100_low",
        "lead_over_clock.kendall_tau",
        "inserted_pause_drop",
        "clock.inserted_pause_phases_low",
        "lead_over_pixels.phase_classification_100_low",
        "lead_over_chance.retrieval_at_4",
    ):
        assert name in numbers
    trained, untrained = metrics["kendall_tau"], metrics["untrained"]["kendall_tau"]
    assert metrics["lead_over_untrained"]["kendall_tau"] == pytest.approx(trained - untrained)
    assert metrics["left_out"]["trained"]["phase_progression"] == 1
    ends = dropped[dropped["task"] == "phase_progression"]["item"].tolist()
    assert ends.count("validation/pour_3") == 5  # by each of five encoders
    assert metrics["inserted_pause_drop"] == 0  # of equal embeddings
    assert metrics["clock"]["inserted_pause_drop"] > 0
    assert set(per_action["action"]) == {"pour"}
    assert list(dict.fromkeys(summary["encoder"])) == ["trained", "untrained", "pixels", "clock", "chance"]


def test_equal_embeddings_are_measured_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoders = telling_and_mute(tmp_path, LABELLED)
    first = measure(tmp_path, encoders)
    with caplog.at_level(logging.INFO):
        second = measure(tmp_path, encoders)
    assert "phases: up to date" in caplog.text
    assert second[3] == first[3]
    caplog.clear()
    other = {
        **encoders,
        "trained": FrameEmbeddings(encoders["trained"].folder, encoders["trained"].ids, "new"),
    }
    with caplog.at_level(logging.INFO):
        measure(tmp_path, other)
    assert "up to date" not in caplog.text
    assert "left out of phase_progression (trained): pour validation/pour_3" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "val"}, "No video of the split 'val' has embeddings"),
        ({"tasks": ("action_classification",)}, "None of action_classification could be measured"),
        ({"tasks": ("retrieval",), "neighbors": (500,)}, "fewer than the 500 neighbors asked for"),
    ],
)
def test_impossible_parameters_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        measure(tmp_path, telling_and_mute(tmp_path, LABELLED), CONFIG.model_copy(update=changes))


def test_stale_embeddings_are_refused(tmp_path: Path) -> None:
    encoders = telling_and_mute(tmp_path, LABELLED)
    arrays = {name: encoders["trained"].of(name)[1:] for name in LABELLED.ids}
    with pytest.raises(InputError, match=r"train/pour_0: 14 frames but 15 phase labels.*extract"):
        measure(tmp_path, {**encoders, "trained": stored(tmp_path / "short", arrays)})


def test_the_pipeline_takes_videos_of_its_release() -> None:
    pipeline = create_phases_pipeline("carl_finegym", "finegym")
    assert pipeline.inputs() == {
        "carl_finegym.embeddings",
        "carl_finegym.untrained_embeddings",
        "carl_finegym_checkpoint",
        "carl_finegym.untrained_checkpoint",
        "params:carl_finegym.embedding",
        "params:fanout",
        "finegym_labelled_videos",
        "finegym_video_frames",
        "params:phases_finegym",
        "params:finegym",
        "params:launch",
        "params:folders",
        "params:tracking",
    }
    assert {name.partition(".")[0] for name in pipeline.outputs()} == {"carl_finegym"}

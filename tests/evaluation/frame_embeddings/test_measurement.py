"""All tasks on small releases; what cannot be measured is left out and named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.frame_embeddings import labelled_videos, mute, rising, stored, telling, telling_and_mute
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.config import LinearProbeConfig, PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddedVideo, EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import kendall_tau
from vidrep_pipelines.evaluation.frame_embeddings.measurement import EmbeddingsReport, measure_embeddings
from vidrep_pipelines.evaluation.frame_embeddings.report import KeptEmbeddingsReport

CONFIG = PhasesConfig(stride=1, neighbors=(2, 4), fractions=(0.5, 1.0), resamples=200)
TWO_ACTIONS = {
    **{f"train/pour_{n}": rising(4 + n, 5, 6) for n in range(4)},
    **{f"train/push_{n}": rising(5, 4, 3 + n) for n in range(4)},
    **{f"validation/pour_{n}": rising(5, 3 + n, 6) for n in range(3)},
    **{f"validation/push_{n}": rising(3, 6, 4 + n) for n in range(2)},
}


def measured(
    videos: dict[str, list[int]], folder: Path, config: PhasesConfig = CONFIG, classes: int = 3
) -> EmbeddingsReport:
    labelled = labelled_videos(videos, classes)
    return measure_embeddings(labelled, telling_and_mute(folder, labelled), config)


def value(table: pd.DataFrame, measure: str, encoder: str = "trained", column: str = "value") -> float:
    return float(table.set_index(["measure", "encoder"]).loc[(measure, encoder), column])


def test_telling_embeddings_are_ahead(tmp_path: Path) -> None:
    summary = measured(TWO_ACTIONS, tmp_path).summary
    assert summary["measure"].drop_duplicates().tolist() == [
        "phase_classification_50",
        "phase_classification_100",
        "phase_progression_50",
        "phase_progression_100",
        "kendall_tau",
        "kendall_tau_all_pairs",
        "kendall_tau_train",
        "retrieval_at_2",
        "retrieval_at_4",
    ]
    assert value(summary, "phase_classification_100") > 0.95
    assert value(summary, "phase_progression_100") > 0.8
    assert value(summary, "kendall_tau") > 0.8
    assert value(summary, "retrieval_at_2") > 0.95
    for measure in ("phase_classification_100", "kendall_tau", "retrieval_at_4"):
        assert value(summary, measure, "untrained", "lead_low") > 0.2
    own = summary[summary["encoder"] == "trained"]
    assert (own["lead"] == 0).all()
    assert (summary["low"] <= summary["value"] + 1e-12).all()
    assert (summary["high"] >= summary["value"] - 1e-12).all()
    assert set(summary["actions"]) == {2}


def test_actions_count_alike_however_many_videos_they_have(tmp_path: Path) -> None:
    report = measured(TWO_ACTIONS, tmp_path)
    for measure in ("kendall_tau", "retrieval_at_2", "phase_classification_100"):
        rows = report.per_action[report.per_action["measure"] == measure]
        for encoder in ("trained", "untrained"):
            own = rows[rows["encoder"] == encoder]
            assert own["action"].tolist() == ["pour", "push"]
            assert own["videos"].tolist() == [3, 2]
            assert value(report.summary, measure, encoder) == pytest.approx(own["value"].mean())


def test_values_are_those_of_the_tasks(tmp_path: Path) -> None:
    videos = {name: phases for name, phases in TWO_ACTIONS.items() if "pour" in name}
    report = measured(videos, tmp_path)
    held_out = [name for name in videos if name.startswith("validation")]
    seeds = {name: seed for seed, name in enumerate(videos)}
    embedded = EmbeddingSet(
        tuple(
            EmbeddedVideo(name, telling(videos[name], seeds[name]), np.array(videos[name]))
            for name in held_out
        )
    )
    assert value(report.summary, "kendall_tau") == pytest.approx(kendall_tau(embedded).tau)


def test_absent_phases_are_left_out_and_named(tmp_path: Path) -> None:
    videos = {**TWO_ACTIONS, "validation/pour_2": [0, 0, 0, 2, 2, 2]}
    report = measured(videos, tmp_path)
    rows = report.dropped[report.dropped["task"] == "phase_progression"]
    assert rows["item"].unique().tolist() == ["validation/pour_2"]
    assert rows["reason"].unique().tolist() == ["it does not show phase 1"]
    assert set(rows["encoder"]) == {"trained", "untrained"}


def test_a_phase_that_no_training_video_shows_is_named(tmp_path: Path) -> None:
    videos = {name: [phase for phase in own if phase != 1] for name, own in TWO_ACTIONS.items()}
    videos["validation/pour_0"] = rising(4, 4, 4)
    report = measured(videos, tmp_path)
    reasons = report.dropped.loc[report.dropped["item"] == "", "reason"]
    assert reasons.str.contains("phase 1 is not shown by videos of both splits, with 100 %").any()
    assert np.isfinite(value(report.summary, "phase_progression_100"))


def test_collapsed_embeddings_gain_nothing(tmp_path: Path) -> None:
    labelled = labelled_videos({name: own for name, own in TWO_ACTIONS.items() if "pour" in name})
    encoders = telling_and_mute(tmp_path, labelled)
    arrays = {name: np.ones((len(labelled.of(name)), 6)) for name in labelled.ids}
    arrays["validation/pour_0"] = telling(labelled.of("validation/pour_0").tolist(), 0)
    encoders["untrained"] = stored(tmp_path / "collapsed", arrays)
    report = measure_embeddings(labelled, encoders, CONFIG)
    dropped = report.dropped[
        (report.dropped["task"] == "kendall_tau") & (report.dropped["encoder"] == "untrained")
    ]
    assert "validation/pour_1 > validation/pour_2" in set(dropped["item"])
    assert dropped["reason"].unique().tolist() == ["all frames have the same nearest frame"]
    assert value(report.summary, "kendall_tau_all_pairs", "untrained") == pytest.approx(0)


def test_one_frame_videos_are_measured_as_far_as_they_go(tmp_path: Path) -> None:
    report = measured({**TWO_ACTIONS, "validation/pour_9": [0], "train/pour_9": [1]}, tmp_path)
    rows = report.dropped[report.dropped["task"] == "kendall_tau"]
    assert "a single frame is compared" in set(rows["reason"])
    assert value(report.summary, "phase_classification_100") > 0.9
    assert value(report.summary, "retrieval_at_2", column="videos") == 6


def test_an_action_with_one_video_has_no_pairs(tmp_path: Path) -> None:
    videos = {name: own for name, own in TWO_ACTIONS.items() if name != "validation/push_1"}
    report = measured(videos, tmp_path)
    rows = report.dropped[report.dropped["action"] == "push"].set_index("task")["reason"]
    assert (
        rows["kendall_tau"].tolist() == ["Kendall's tau compares videos with one another; there are 1."] * 2
    )
    assert rows["retrieval"].str.contains("compared with 0 frames").all()
    assert value(report.summary, "kendall_tau", column="actions") == 1
    assert value(report.summary, "phase_classification_100", column="actions") == 2


def test_numbers_of_neighbors_that_fit_are_measured(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"neighbors": (20, 2), "tasks": ("retrieval",)})
    report = measured(TWO_ACTIONS, tmp_path, config)
    assert value(report.summary, "retrieval_at_2", column="actions") == 2
    assert value(report.summary, "retrieval_at_20", column="actions") == 1
    left_out = report.dropped.drop_duplicates("reason")
    assert left_out["action"].tolist() == ["push"]
    assert "fewer than the 20 neighbors" in left_out["reason"].iloc[0]


def test_an_action_without_training_videos_is_left_out_of_what_is_learned(tmp_path: Path) -> None:
    videos = {name: own for name, own in TWO_ACTIONS.items() if not name.startswith("train/push")}
    report = measured(videos, tmp_path)
    rows = report.dropped[report.dropped["action"] == "push"]
    assert set(rows["task"]) == {"phase_classification", "phase_progression"}
    assert rows["reason"].str.startswith("There is no video with labels").all()
    assert value(report.summary, "retrieval_at_2", column="actions") == 2


def test_a_single_class_can_only_be_guessed(tmp_path: Path) -> None:
    videos = {name: [0] * len(own) for name, own in TWO_ACTIONS.items()}
    report = measured(videos, tmp_path, classes=1)
    assert value(report.summary, "phase_classification_100") == 1.0
    assert value(report.summary, "phase_classification_100", "untrained") == 1.0
    reasons = report.dropped.loc[report.dropped["task"] == "phase_progression", "reason"]
    assert reasons.str.contains("no phase end occurs both").all()


def test_nothing_to_measure_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"tasks": ("kendall_tau",)})
    videos = {"train/pour_0": rising(2, 2), "validation/pour_1": rising(2, 2)}
    with pytest.raises(
        InputError, match=r"None of kendall_tau could be measured.\nkendall_tau of pour: .*there are 1"
    ):
        measured(videos, tmp_path, config)


ELEMENTS = {
    **{f"train/bars_{n}": [-1, 0, 0, 0, -1, 1, 1, 1] for n in range(4)},
    **{f"train/beam_{n}": [2, 2, 2, -1, 3, 3, 3, 3] for n in range(4)},
    "validation/bars_0": [0, 0, -1, 1, 1],
    "validation/beam_0": [2, 2, 3, 3, -1],
    "validation/beam_1": [-1, -1, -1],
}


def test_linear_probe_knows_all_actions_at_once(tmp_path: Path) -> None:
    probe = LinearProbeConfig(learning_rate=5.0, epochs=20, videos_per_batch=4)
    config = CONFIG.model_copy(update={"tasks": ("linear_probe", "action_classification"), "probe": probe})
    report = measured(ELEMENTS, tmp_path, config, classes=4)
    rows = report.per_action[report.per_action["measure"] == "linear_probe_100"].set_index(
        ["encoder", "action"]
    )
    assert rows.loc[("trained", "bars"), "videos"] == 1
    assert value(report.summary, "linear_probe_100") == pytest.approx(
        rows.loc["trained", "value"].mean()  # as many labelled frames in both
    )
    assert value(report.summary, "linear_probe_100") > 0.9
    assert value(report.summary, "action_classification", column="videos") == 3
    left_out = report.dropped[report.dropped["task"] == "linear_probe"]
    assert left_out["item"].unique().tolist() == ["validation/beam_1"]
    assert left_out["reason"].unique().tolist() == ["none of its frames has a label"]


def test_action_classification_needs_two_actions(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"tasks": ("retrieval", "action_classification")})
    videos = {name: own for name, own in TWO_ACTIONS.items() if "pour" in name}
    report = measured(videos, tmp_path, config)
    assert report.dropped["reason"].str.contains("all 4 training videos are of one action").all()


def test_reports_are_kept_for_equal_input(tmp_path: Path) -> None:
    labelled = labelled_videos(TWO_ACTIONS)
    encoders = telling_and_mute(tmp_path, labelled)
    report = measure_embeddings(labelled, encoders, CONFIG)

    def place(labels: LabelledVideos = labelled, config: PhasesConfig = CONFIG) -> KeptEmbeddingsReport:
        return KeptEmbeddingsReport.of(tmp_path / "kept", labels, encoders, config)

    assert place().load() is None
    place().save(report)
    again = place().load()
    assert again is not None
    for name in ("summary", "per_action", "dropped"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(report, name), check_dtype=False)
    shown = CONFIG.shown.model_copy(update={"queries": 2})
    assert place(config=CONFIG.model_copy(update={"shown": shown})).folder == place().folder
    assert place(config=CONFIG.model_copy(update={"stride": 2})).load() is None
    assert place(labels=labelled.select("validation")).load() is None
    (place().folder / "summary.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"is damaged.*delete it"):
        place().load()


def test_equal_input_gives_equal_tables(tmp_path: Path) -> None:
    labelled = labelled_videos(TWO_ACTIONS)
    encoders = {
        "trained": stored(tmp_path, {name: mute(own, 0) for name, own in TWO_ACTIONS.items()}),
    }
    first, second = (measure_embeddings(labelled, encoders, CONFIG) for _ in range(2))
    pd.testing.assert_frame_equal(first.summary, second.summary)

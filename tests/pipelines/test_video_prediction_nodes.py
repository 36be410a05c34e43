"""The nodes of predictions and of their evaluation, on the tiny model."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.helpers.stores import SERIAL
from tests.models.vpp.video.trained import publish_video_model
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.system import PREDICTORS
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval import video_prediction_nodes as nodes
from vidrep_pipelines.pipelines.downstream_eval.video_prediction_pipeline import (
    create_predict_video_pipeline,
    create_video_evaluation_pipeline,
)
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.training.config import LaunchConfig

LAUNCH = LaunchConfig(device="cpu")
TRACKING = TrackingConfig(enabled=False)
SETTINGS: dict[str, Any] = {
    "sampling": {"steps": 1, "guidance": 1.0},
    "prediction": {"limit": 1, "frames": {"start": 1, "skip": 1}},
    "evaluation": {"split": "validation", "limit": 1, "noise_levels": 1, "static_below": 1e9},
    "counterfactuals": {"tables": 0},
}


class Published(NamedTuple):
    """A model as the nodes get it, and the frames."""

    model: tuple[Checkpoint, dict[str, Any], Checkpoint]
    store: FrameStore


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    task, checkpoint, spec = publish_video_model(tmp_path_factory.mktemp("video"))
    return Published((checkpoint, spec, Checkpoint.of(task.codec)), FrameStore(task.frames))


def parameters(**changes: Any) -> nodes.VideoPredictionParameters:
    return nodes.VideoPredictionParameters.model_validate({**SETTINGS, **changes})


def folders(folder: Path) -> FoldersConfig:
    return FoldersConfig(models=folder / "models", reporting=folder / "reporting")


def test_chosen_episodes_become_films_stills_and_a_table(published: Published, tmp_path: Path) -> None:
    prediction = {**SETTINGS["prediction"], "instructions": "lift the blue ball"}
    asked = parameters(prediction=prediction)
    job = nodes.predict_episodes(*published.model, published.store, asked, LAUNCH, SERIAL)
    held_out = published.store.select("validation").table
    assert len(job.items) == held_out["robot"].nunique()
    films = run_job(job, tmp_path)
    table, picture = nodes.show_predictions(films)
    assert set(table["text"]) == {"lift the blue ball"} and set(table["own_text"]) == {"push the red cup"}
    assert set(table["data_set"]) == set(held_out["robot"]) and table["error"].isna().all()
    assert (table["psnr_last"] > 0).all() and picture.size[1] > 16 * len(table)
    assert all(films.path(name, ".mp4").stat().st_size > 100 for name in films.ids)


def test_an_item_changes_with_what_its_film_depends_on(published: Published) -> None:
    def digests(**prediction: Any) -> list[str]:
        asked = parameters(prediction={**SETTINGS["prediction"], **prediction})
        job = nodes.predict_episodes(*published.model, published.store, asked, LAUNCH, SERIAL)
        return [item.digest for item in job.items]

    told = "push the red cup"
    assert digests() == digests(instructions=told)
    for change in ({"seed": 1}, {"film_frames_per_second": 9}, {"instructions": "lift the blue ball"}):
        assert not set(digests()) & set(digests(**change)), change


def test_words_that_the_model_does_not_know_are_refused_at_once(published: Published) -> None:
    asked = parameters(prediction={**SETTINGS["prediction"], "instructions": "dance"})
    with pytest.raises(InputError, match="has no word 'dance'"):
        nodes.predict_episodes(*published.model, published.store, asked, LAUNCH, SERIAL)


def test_clips_are_measured_and_the_run_is_recorded(
    published: Published, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked, where = parameters(), (LAUNCH, folders(tmp_path), TRACKING)
    with caplog.at_level(logging.INFO):
        values, horizons, summary, differences, losses, numbers = nodes.measure_predictions(
            *published.model, published.store, asked, *where
        )
    assert "stand still" in caplog.text  # below 1e9 everything does
    assert set(values["predictor"]) == set(PREDICTORS) and set(values["horizon"]) == {1, 2, 3}
    assert set(summary["robot"]) == {"all"}  # one data set is held out
    assert set(losses["predictor"]) == {"model", "without_text"} and len(horizons)
    assert numbers["all"]["model"]["loss"] > 0 and len(numbers["skipped"]) == 2
    (kept,) = (tmp_path / "models/video_prediction/measures").iterdir()
    assert (kept / "values.parquet").is_file()
    counterfactuals = nodes.judge_counterfactuals(
        *published.model, no_tables(published, tmp_path), asked, *where
    )[1]
    pictures = nodes.draw_measures(horizons, losses, counterfactuals, RobotEpisodesConfig())
    assert all(min(picture.size) > 50 for picture in pictures)
    checkpoint, spec, _ = published.model
    record = nodes.record_run(checkpoint, spec, summary, differences, counterfactuals, asked)
    assert record["all.model.loss"] == pytest.approx(numbers["all"]["model"]["loss"])
    assert record["seed"] == 5 and record["split"] == "validation"
    runs = pd.DataFrame([record, {**record, "seed": 6, "all.model.loss": record["all.model.loss"] + 2}])
    row = nodes.compare_seeds(runs).set_index("measure").loc["all.model.loss"]
    assert row["seeds"] == "5+6" and row["highest"] - row["lowest"] == pytest.approx(2)


def no_tables(published: Published, folder: Path) -> Any:
    """What filming leaves where no table is asked for."""
    job = nodes.film_tables(published.store, published.model[1], parameters(), RobotEpisodesConfig(), SERIAL)
    assert not job.items
    return run_job(job, folder / "tables")


def test_without_tables_the_counterfactual_test_is_left_out(published: Published, tmp_path: Path) -> None:
    tables = no_tables(published, tmp_path)
    judged, shares, numbers = nodes.judge_counterfactuals(
        *published.model, tables, parameters(), LAUNCH, folders(tmp_path), TRACKING
    )
    assert judged.empty and shares.empty and numbers == {}
    assert not (tmp_path / "models/video_prediction/judgements").exists()
    picture = nodes.draw_counterfactuals(*published.model, tables, parameters(), LAUNCH)
    assert picture.size[0] > 100


def test_a_split_that_is_not_there_is_named(published: Published, tmp_path: Path) -> None:
    asked = parameters(evaluation={"split": "tomorrow"})
    with pytest.raises(ConfigurationError, match="tomorrow"):
        nodes.measure_predictions(
            *published.model, published.store, asked, LAUNCH, folders(tmp_path), TRACKING
        )


def test_what_goes_in_and_comes_out() -> None:
    catalog = {"vpp_video_checkpoint", "vpp_video_training_spec", "video_codec", "robot_frames"}
    for pipeline in (create_predict_video_pipeline(), create_video_evaluation_pipeline()):
        assert {name for name in pipeline.inputs() if not name.startswith("params:")} == catalog
        assert all(name.startswith("video_prediction.") for name in pipeline.all_outputs())
    assert "video_prediction.runs" in create_video_evaluation_pipeline().all_outputs()

"""``kedro run --pipelines eval_davis`` and its sisters: what they write, and what a second run does."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.evaluation.label_propagation import davis_oracle
from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.notebooks import check_runs, printed
from tests.helpers.project import ROOT, kill_group, load, merged, run_pipeline, start_kedro, wait_until

ENCODERS = ["random", "pixels"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the three evaluations. Not to be written to."""
    data = tmp_path_factory.mktemp("evaluated")
    for task in ("davis", "jhmdb", "vip"):
        run_pipeline(f"eval_{task}_standalone", data, TINY_EVALUATION)
    return data


@pytest.fixture
def data(finished: Path) -> Iterator[Path]:
    """The same folder, restored afterwards: tables of sequences hold absolute paths."""
    backup = finished.with_name(finished.name + "-backup")
    shutil.copytree(finished, backup, copy_function=shutil.copy2)
    yield finished
    shutil.rmtree(finished)
    backup.rename(finished)


def file_times(folder: Path, pattern: str) -> dict[str, int]:
    """Modification times of all matching files below a folder; there must be some."""
    found = sorted(folder.rglob(pattern))
    assert found, f"nothing below {folder} matches {pattern}"
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def label_map(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.array(image)


@pytest.mark.parametrize("task", ["davis", "jhmdb", "vip"])
def test_every_encoder_is_reported_with_an_interval(task: str, finished: Path) -> None:
    summary = pd.read_parquet(finished / f"08_reporting/{task}/summary.parquet")
    main = summary[summary["measure"] == summary["measure"].iloc[0]]
    assert main["encoder"].tolist() == ENCODERS
    assert (main["low"] <= main["value"]).all() and (main["value"] <= main["high"]).all()
    assert main["value"].between(1, 100).all()
    assert main["lead"].iloc[0] == 0
    assert main["lead"].iloc[1] == pytest.approx(main["value"].iloc[0] - main["value"].iloc[1])
    metrics = json.loads((finished / f"08_reporting/{task}/eval_metrics.json").read_text())
    assert metrics["sequences"] == 2
    assert list(metrics["encoders"]) == ENCODERS


@pytest.mark.parametrize("task", ["davis", "jhmdb", "vip"])
def test_pictures_and_films_show_something(task: str, finished: Path) -> None:
    folder = finished / f"08_reporting/{task}"
    for name in ("bars.png", "sheet.png"):
        with Image.open(folder / name) as image:
            low, high = image.convert("L").getextrema()
            assert min(image.size) > 200 and high - low > 100
    for name in ("best_film", "worst_film"):
        frames = load(f"{task}.{name}", finished)
        assert frames.shape[0] == 16
        assert frames.std() > 10


@pytest.mark.slow
def test_the_notebooks_run(finished: Path) -> None:
    cells = check_runs(
        ROOT / "notebooks/label_propagation.ipynb", finished, {"follow", "bars", "sheet", "film"}
    )
    assert "16 frames of 64x48" in printed(cells)
    compared = check_runs(ROOT / "notebooks/compare_encoders.ipynb", finished, {"chart"})
    assert "not there yet: kedro run --pipelines eval_points" in printed(compared)
    assert "eval_davis" not in printed(compared)


def test_saved_masks_score_the_same_by_an_independent_oracle(finished: Path) -> None:
    root = finished / "01_raw/davis_miniature"
    reported = pd.read_parquet(finished / "08_reporting/davis/per_object.parquet")
    for encoder in ENCODERS:
        means = []
        results = finished / f"07_model_output/davis/results/{encoder}/results"
        for name in (root / "ImageSets/2017/val.txt").read_text().split():
            files = sorted((root / "Annotations/480p" / name).glob("*.png"))
            annotated = np.stack([label_map(path) for path in files])
            found = np.stack([label_map(results / name / path.name) for path in files])
            np.testing.assert_array_equal(found[0], annotated[0])
            region, contour = davis_oracle.score(annotated, found)
            means += [
                (f"{name}_{k + 1}", 100 * j.mean(), 100 * f.mean())
                for k, (j, f) in enumerate(zip(region, contour, strict=True))
            ]
        own = reported[reported["encoder"] == encoder]
        assert own["name"].tolist() == [name for name, _, _ in means]
        np.testing.assert_allclose(own["J-Mean"], [j for _, j, _ in means], rtol=0, atol=1e-9)
        np.testing.assert_allclose(own["F-Mean"], [f for _, _, f in means], rtol=0, atol=1e-9)


def test_tables_have_the_layout_of_the_toolkit_and_stay_out_of_its_way(finished: Path) -> None:
    folder = finished / "07_model_output/davis/results/random"
    total = (folder / "global_results-val.csv").read_text().splitlines()
    assert total[0] == "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"
    objects = (folder / "per-sequence_results-val.csv").read_text().splitlines()
    assert objects[0] == "Sequence,J-Mean,F-Mean"
    reported = pd.read_parquet(finished / "08_reporting/davis/summary.parquet")
    value = reported.query("encoder == 'random' and measure == 'J&F-Mean'")["value"].item()
    assert float(total[1].split(",")[0]) == pytest.approx(value / 100, abs=5.1e-4)
    assert list((folder / "results").rglob("*.csv")) == []


def test_parts_are_scored_with_and_without_the_given_frame(finished: Path) -> None:
    summary = pd.read_parquet(finished / "08_reporting/vip/summary.parquet").set_index(["measure", "encoder"])
    for encoder in ENCODERS:
        given, own = (summary.loc[(name, encoder), "value"] for name in ("mIoU", "mIoU without given frame"))
        assert own < given
    folder = finished / "07_model_output/vip/results/pixels/results"
    assert len(list(folder.rglob("*.png"))) == 32


def test_share_of_joints_that_do_not_count_is_beside_the_score(finished: Path) -> None:
    summary = pd.read_parquet(finished / "08_reporting/jhmdb/summary.parquet")
    assert set(summary["measure"]) == {*(f"PCK@0.{n}" for n in range(1, 6)), "excluded joints"}
    tracks = load("jhmdb.propagated_arrays", finished)
    assert tracks.read(tracks.ids[0], "joints").shape[0] == 2


def test_second_run_does_nothing_and_says_so(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = {
        pattern: file_times(data / "07_model_output", pattern) for pattern in ("*.h5", "*.npz", "*.png")
    }
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_davis_standalone", data, TINY_EVALUATION)
    assert {pattern: file_times(data / "07_model_output", pattern) for pattern in before} == before
    assert "davis propagation: up to date (4 items)" in caplog.text
    assert "davis scores: up to date (4 items)" in caplog.text
    assert "4 sequences, 0 written now" in caplog.text


def test_changed_encoder_is_redone_and_no_other(data: Path) -> None:
    before = file_times(data / "07_model_output/davis/propagated", "*.h5")
    run_pipeline(
        "eval_davis_standalone",
        data,
        merged(TINY_EVALUATION, {"encoders": {"known": {"random": {"seed": 1}}}}),
    )
    after = file_times(data / "07_model_output/davis/propagated", "*.h5")
    assert {name for name in before if after[name] != before[name]} == {
        name for name in before if name.startswith("random/")
    }


def test_broken_frame_costs_its_own_sequence(data: Path) -> None:
    release = data / "01_raw/davis"  # a damaged miniature would be written again
    shutil.copytree(data / "01_raw/davis_miniature", release, copy_function=shutil.copy)
    frame = sorted((release / "JPEGImages/480p/push_000").glob("*.jpg"))[5]
    frame.write_bytes(frame.read_bytes()[:-200])
    run_pipeline("eval_davis_standalone", data, merged(TINY_EVALUATION, {"davis": {"root": str(release)}}))
    metrics = json.loads((data / "08_reporting/davis/eval_metrics.json").read_text())
    assert (metrics["sequences"], metrics["sequences_left_out"]) == (1, ["push_000"])
    failed = load("davis.propagated", data).failed
    assert failed["id"].tolist() == [f"{encoder}/push_000" for encoder in ENCODERS]
    assert failed["error"].str.contains(frame.name).all()


def test_encoder_that_is_not_trained_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"rsp_checkpoint.*Remedy.*eval_davis"):
        run_pipeline(
            "eval_davis_standalone", tmp_path, merged(TINY_EVALUATION, {"encoders": {"use": ["rsp"]}})
        )


@pytest.mark.slow
def test_trained_encoder_is_evaluated_by_one_command(tmp_path: Path) -> None:
    probe = {"every": 2, "sequences": 2, "settings": {"frame_size": {"rule": "exact", "sides": [32, 48]}}}
    parameters = merged(TINY_EVALUATION, {"encoders": {"use": ["rsp", "pixels"]}, "rsp": {"probe": probe}})
    run_pipeline("eval_davis", tmp_path, parameters)
    summary = pd.read_parquet(tmp_path / "08_reporting/davis/summary.parquet")
    assert summary["encoder"].unique().tolist() == ["rsp", "pixels"]
    log = pd.read_parquet(tmp_path / "08_reporting/rsp/train_log.parquet")
    assert log.loc[log["probe/davis_j_and_f"].notna(), "step"].tolist() == [0, 2, 4, 6]


@pytest.mark.slow
def test_killed_run_goes_on_with_the_next_sequence(tmp_path: Path) -> None:
    world = {"clips": 6, "width": 64, "height": 48, "frames_min": 16, "frames_max": 16}
    parameters = {  # lists as the command line takes them
        "label_miniature": {"world": world},
        "fanout": {"workers": 1},
        "tracking": {"enabled": False},
        "encoders": {"use": "[pixels]"},
        "eval_davis": {"frame_size": {"rule": "native", "sides": "[]"}, "context_frames": 3},
    }
    folder, log = tmp_path / "07_model_output/davis/propagated", tmp_path / "log.txt"
    process = start_kedro("eval_davis_standalone", tmp_path, parameters, log)

    def journal() -> set[str]:
        lines = [
            line for path in (folder / "_parts").rglob("*.jsonl") for line in path.read_text().splitlines()
        ]
        return {json.loads(line)["id"] for line in lines if line.endswith("}")}

    assert wait_until(lambda: len(journal()) >= 2 or process.poll() is not None)
    kill_group(process)
    done = journal()
    before = {name: (folder / f"{name}.h5").stat().st_mtime_ns for name in done}
    assert 2 <= len(before) < 6
    process = start_kedro("eval_davis_standalone", tmp_path, parameters, log)
    assert process.wait(timeout=300) == 0, log.read_text()[-3000:]
    assert {name: (folder / f"{name}.h5").stat().st_mtime_ns for name in done} == before
    assert len(list(folder.rglob("*.h5"))) == 6

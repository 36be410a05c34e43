"""The weights that measured best are kept beside the last ones, and may be those that are published."""

import json
import logging
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from tests.training.toy_task import ToyTask, run_worker, toy_spec
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.pretrain import shared_nodes
from vidrep_pipelines.training.best import best_checkpoint
from vidrep_pipelines.training.checkpoint import list_checkpoints
from vidrep_pipelines.training.config import ProbeSpec, TrainSpec
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.promised_checkpoints import checkpoint_of, promised_checkpoints
from vidrep_pipelines.training.sinks import read_rows

NAN = float("nan")


class ScriptedProbe(FrozenConfig):
    """Says what it was told to, one value after another, whatever it is shown."""

    of_whole_model: ClassVar[bool] = True

    values: list[float | None]
    """None: not a number."""
    weights: str
    """Receives the first weight at every measurement."""

    def measure(self, encoder: Any) -> dict[str, float]:
        file = Path(self.weights)
        seen = json.loads(file.read_text()) if file.exists() else []
        file.write_text(json.dumps([*seen, float(encoder.first.weight[0, 0])]))
        value = self.values[len(seen) % len(self.values)]
        return {"error": NAN if value is None else value, "quality": -(value or 0.0)}


def spec_of(folder: Path, values: list[float | None], **options: Any) -> TrainSpec:
    """Twelve updates, measured after each third."""
    config = {"values": values, "weights": str(folder / "seen.json")}
    keep = {"error": "lowest", "quality": "highest"}
    probe = ProbeSpec.model_validate(
        {"probe": f"{__name__}:ScriptedProbe", "config": config, "every_steps": 3, "keep": keep, **options}
    )
    return toy_spec(folder, ToyTask()).model_copy(update={"probe": probe})


def kept(folder: Path, name: str) -> list[str]:
    return [path.name for path in list_checkpoints(folder / "run/best" / name)]


def test_the_best_of_each_score_is_kept_and_nothing_else(tmp_path: Path) -> None:
    result = run_training(spec_of(tmp_path, [None, 2.0, 1.0, 3.0]))
    assert [row["step"] for row in read_rows(result.log) if "probe/error" in row] == [3, 6, 9, 12]
    assert kept(tmp_path, "lowest_error") == ["step-00000009"]
    assert kept(tmp_path, "highest_quality") == ["step-00000003"]  # of -0, -2, -1, -3
    path, state = best_checkpoint(tmp_path / "run/best", "error", "lowest", result.digest)
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert float(load_file(path / "model.safetensors")["first.weight"][0, 0]) == pytest.approx(seen[2])
    assert state.step == 9 and sorted(state.digests) == ["model.safetensors", "score.json"]


def test_keeping_changes_neither_weights_nor_digest(tmp_path: Path) -> None:
    kept_run = run_training(spec_of(tmp_path / "a", [1.0]))
    plain = run_training(toy_spec(tmp_path / "b", ToyTask()))
    first, second = (load_file(result.checkpoint / "model.safetensors") for result in (kept_run, plain))
    assert kept_run.digest == plain.digest and all(torch.equal(first[name], second[name]) for name in first)


def test_a_killed_run_goes_on_comparing_with_what_it_kept(tmp_path: Path) -> None:
    values: list[float | None] = [1.0, 5.0, 6.0, 0.5]
    spec = spec_of(tmp_path, values)
    killed = ToyTask(kill_rank=0, kill_step=7, kill_marker=tmp_path / "killed")
    task = {"task_config": killed.model_dump(mode="json")}
    assert run_worker(spec.model_copy(update=task), tmp_path).returncode != 0
    assert kept(tmp_path, "lowest_error") == ["step-00000003"]
    result = run_training(spec)
    assert result.resumed_from == 4
    # Measured after updates 3 and 6 before, after 6, 9 and 12 now: the script says 6.0, 0.5 and 1.0.
    assert kept(tmp_path, "lowest_error") == ["step-00000009"]


def test_the_best_weights_can_be_the_published_ones(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, [3.0, 1.0, 2.0, 4.0])
    published = spec_of(tmp_path, [3.0, 1.0, 2.0, 4.0], publish="error")
    tracking = TrackingConfig(enabled=False)
    last, best = (shared_nodes.train(each.model_dump(mode="json"), tracking)[0] for each in (spec, published))
    assert last.meta is not None and best.meta is not None
    assert (last.meta["step"], best.meta["step"]) == (12, 6)
    assert best.directory == tmp_path / "run/best/lowest_error/step-00000006"
    assert best.meta["digest"] != last.meta["digest"]  # a chart of runs shows both
    assert best.meta["passes"] == pytest.approx(last.meta["passes"] / 2)


def test_a_run_without_measurements_has_no_best_weights_to_publish(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path, ToyTask()))
    spec = spec_of(tmp_path, [1.0], publish="error").model_dump(mode="json")
    with pytest.raises(InputError, match=r"trained without this measurement.*train\.resume: never"):
        shared_nodes.train(spec, TrackingConfig(enabled=False))


def test_unknown_scores_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"kept by \['loss'\], which is not measured"):
        run_training(spec_of(tmp_path, [1.0], keep={"loss": "lowest"}))
    with pytest.raises(ValidationError, match="by which nothing is kept"):
        spec_of(tmp_path, [1.0], publish="loss")


def test_kept_weights_are_verified_and_removed_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_training(spec_of(tmp_path, [1.0]))
    assert "lowest error so far: 1" in caplog.text
    best = tmp_path / "run/best/lowest_error/step-00000003"
    promised = {file.path for file in promised_checkpoints(tmp_path / "run")}
    assert {best / "model.safetensors", best / "score.json"} <= promised
    assert checkpoint_of(best / "score.json") == best

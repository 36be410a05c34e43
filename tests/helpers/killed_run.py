"""A run that is killed twice, once while training and once while items are worked on, and then finishes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers.journals import finished_rows
from tests.helpers.project import kill_group, start_kedro, wait_until

PATIENCE_SECONDS = 600


def finish(pipeline: str, data: Path, parameters: Mapping[str, Any]) -> None:
    """Runs to the end in a process of its own."""
    process = start_kedro(pipeline, data, parameters, data / "log.txt")
    assert process.wait(timeout=PATIENCE_SECONDS) == 0, (data / "log.txt").read_text()[-3000:]


def losses(data: Path, model: str) -> list[tuple[int, float]]:
    """The logged (step, loss) pairs of a training run."""
    lines = (data / f"06_models/{model}/run/train_log.jsonl").read_text().splitlines()
    return [(row["step"], row["train/loss"]) for row in map(json.loads, lines) if row["step"]]


def whole_and_killed(
    pipeline: str, parameters: Mapping[str, Any], folder: Path, model: str, products: str
) -> tuple[Path, Path]:
    """Data folders of an undisturbed run and of one that was killed twice before it finished.

    Args:
        pipeline: What is run.
        parameters: Of both runs.
        folder: An empty one, where both data folders are made.
        model: Whose training is killed, after its fifth update.
        products: Folder below the data folder of the items of which at least one is done at the second kill.
    """
    whole, data = folder / "whole", folder / "killed"
    whole.mkdir()
    data.mkdir()
    finish(pipeline, whole, parameters)
    log = data / f"06_models/{model}/run/train_log.jsonl"
    process = start_kedro(pipeline, data, parameters, data / "log.txt")
    assert wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 5, PATIENCE_SECONDS)
    kill_group(process)
    process = start_kedro(pipeline, data, parameters, data / "log.txt")
    assert wait_until(lambda: bool(finished_rows(data / products)), PATIENCE_SECONDS)
    kill_group(process)
    finish(pipeline, data, parameters)
    return whole, data

"""``kill -9`` of a whole run: the same command finishes, redoing only what was unfinished."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.journals import finished_rows
from tests.helpers.project import TINY, kill_group, merged, start_kedro, wait_until

PARAMETERS = merged(TINY, {"rsp": {"train": {"steps": 30, "checkpoint_every_steps": 5}}})


def losses(data: Path) -> list[tuple[int, float]]:
    """The logged (step, loss) pairs."""
    log = data / "06_models/rsp/run/train_log.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [(row["step"], row["train/loss"]) for row in rows if row["step"]]  # row 0 is a probe's


def finish(pipeline: str, data: Path, log: Path) -> None:
    process = start_kedro(pipeline, data, PARAMETERS, log)
    assert process.wait(timeout=300) == 0, log.read_text()[-3000:]


def leftovers(data: Path) -> list[str]:
    return [str(path) for path in data.rglob(".*") if ".partial-" in path.name]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("undisturbed")
    finish("pretrain_rsp", data, data / "log.txt")
    return data


@pytest.mark.slow
def test_killed_during_resize(undisturbed: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    clips = tmp_path / "03_primary/resized_videos"
    process = start_kedro("prepare_clips", tmp_path, PARAMETERS, log)
    assert wait_until(lambda: len(finished_rows(clips)) >= 2 or process.poll() is not None)
    kill_group(process)
    finished = {path: path.stat().st_mtime_ns for path in clips.rglob("*.mp4") if "_parts" not in path.parts}
    done = {row["id"] for row in finished_rows(clips)}
    finish("prepare_clips", tmp_path, log)
    kept = {path: time for path, time in finished.items() if str(path.relative_to(clips))[:-4] in done}
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    whole = undisturbed / "03_primary/resized_videos"
    for path in whole.rglob("*.mp4"):
        assert (clips / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert leftovers(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_during_training(seed: int, undisturbed: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    steps = random.Random(seed).randint(3, 27)
    process = start_kedro("pretrain_rsp", tmp_path, PARAMETERS, log)
    training_log = tmp_path / "06_models/rsp/run/train_log.jsonl"

    def reached() -> bool:
        lines = training_log.read_bytes().count(b"\n") if training_log.exists() else 0
        return lines >= steps or process.poll() is not None

    assert wait_until(reached)
    kill_group(process)
    finish("pretrain_rsp", tmp_path, log)
    assert losses(tmp_path) == losses(undisturbed)  # bitwise: JSON keeps every digit
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_terminated_training_saves_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    parameters: dict[str, Any] = merged(PARAMETERS, {"rsp": {"train": {"steps": 5000}}})
    process = start_kedro("pretrain_rsp", tmp_path, parameters, log)
    training_log = tmp_path / "06_models/rsp/run/train_log.jsonl"
    assert wait_until(lambda: training_log.exists() and training_log.read_bytes().count(b"\n") >= 3)
    process.terminate()
    assert process.wait(timeout=60) != 0
    last = [row[0] for row in losses(tmp_path)][-1]
    saved = tmp_path / f"06_models/rsp/run/checkpoints/step-{last:08d}"
    assert (saved / "model.safetensors").is_file()
    assert "SIGTERM" in log.read_text()

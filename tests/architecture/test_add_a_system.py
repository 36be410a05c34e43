"""The page "add a system" of docs/architecture.md, tried out on a toy system with exactly its files."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.architecture.toy_system.checkpoint_io import from_original, infer_model_config, to_original
from tests.architecture.toy_system.inference import TrainedNextColor
from tests.architecture.toy_system.presets import PRESETS
from tests.architecture.toy_system.task import NextColorTask
from tests.helpers.label_sequences import TINY_WORLD, tiny_clips
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.table import content_digest, snapshot
from vidrep_pipelines.data.sample_world.clips import clip_specs
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.launch import launch

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "src" / "vidrep_pipelines" / "models"
SYSTEMS = sorted(
    folder.name
    for folder in MODELS.iterdir()
    if (folder / "config.py").is_file() and folder.name not in ("layers", "shared")
)
FILES = [
    "config.py",
    "model.py",
    "objective.py",
    "dataset.py",
    "task.py",
    "checkpoint_io.py",
    "inference.py",
    "pictures.py",
    "presets.py",
]
WITHOUT = {
    "rsp": {
        "dataset.py": "its samples are those of data/clips/dataset.py",
        "presets.py": "its five named sizes are a table in config.py",
    },
}
"""Files that a system does not need, and why."""
TRAIN = TrainConfig(
    steps=12, batch_size=2, seed=1, optimizer=OptimizerConfig(learning_rate=0.02, warmup_steps=1)
)


def section(heading: str) -> str:
    """The text of docs/architecture.md below a heading of second rank."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """What stands as code in the first cells of a page's tables."""
    return re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE)


def page_files() -> list[str]:
    return [name for name in first_cells(section("Add a system")) if re.fullmatch(r"\w+\.py", name)]


def places() -> list[str]:
    return [name for name in first_cells(section("Add a system")) if "<system>" in name]


def next_color_task(folder: Path, width: int = 8) -> tuple[NextColorTask, pd.DataFrame]:
    clips = tiny_clips()
    table = pd.DataFrame(
        {
            "id": [clip.id for clip in clips],
            "path": [clip.video.name for clip in clips],
            "frames": [spec.frames for spec in clip_specs(TINY_WORLD)],
            "digest": "tiny",
        }
    )
    task = NextColorTask(
        clip_table=snapshot(table, folder),
        videos=clips[0].video.parent,
        model=PRESETS["narrow"].model_copy(update={"width": width}),
    )
    return task, table


def train_spec(folder: Path) -> TrainSpec:
    task, table = next_color_task(folder)
    return TrainSpec.of(
        task,
        train=TRAIN,
        launch=LaunchConfig(device="cpu", loader_workers=0),
        run_directory=folder / "run",
        report_directory=folder / "reports",
        data_digest=content_digest(table),
    )


def test_page_names_the_files_of_a_system_in_their_order() -> None:
    assert page_files() == FILES


def test_toy_system_has_exactly_the_files_of_the_page() -> None:
    names = {path.name for path in (ROOT / "tests" / "architecture" / "toy_system").glob("*.py")}
    assert names - {"__init__.py"} == set(page_files())


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_the_files_of_the_page(system: str) -> None:
    missing = {name for name in page_files() if not (MODELS / system / name).is_file()}
    assert missing == set(WITHOUT.get(system, {}))


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_is_at_the_places_of_the_page(system: str) -> None:
    assert places()
    absent = [
        name.replace("<system>", system)
        for name in places()
        if not (ROOT / name.replace("<system>", system)).exists()
    ]
    assert absent == []


def test_toy_system_is_trained_published_and_used(tmp_path: Path) -> None:
    spec = train_spec(tmp_path)
    result = launch(spec)
    assert (result.task, result.status, result.step) == ("next_color", "trained", TRAIN.steps)
    assert [path.suffix for path in result.reports] == [".png"]
    assert launch(spec).status == "up to date"

    task = NextColorTask.model_validate(spec.task_config)
    published = CheckpointDataset(filepath=str(tmp_path / "checkpoint"))
    published.save(CheckpointSource(result.checkpoint, config=task.checkpoint_config(), meta={}))
    trained = TrainedNextColor.load(published.load().directory)

    frames = read_frames(tiny_clips()[0].video, np.array([0, 5]))
    colors = trained.predict(frames)
    assert colors.shape == (2, 3)
    # A new network is far from a frame's own color, which a later frame nearly has; a trained one is near.
    own = frames.mean(axis=(1, 2)) / 255
    torch.manual_seed(0)
    untrained = TrainedNextColor(task.build_model().eval())
    assert np.abs(colors - own).mean() < 0.5 * np.abs(untrained.predict(frames) - own).mean()


def test_toy_checkpoint_goes_to_the_original_layout_and_back(tmp_path: Path) -> None:
    model = next_color_task(tmp_path, width=5)[0].build_model()
    original = to_original(model.state_dict())
    assert infer_model_config(original) == model.config
    back = from_original(original)
    assert back.keys() == model.state_dict().keys()
    assert all(torch.equal(back[name], value) for name, value in model.state_dict().items())
    with pytest.raises(InputError, match="'fc9' is no parameter"):
        from_original({"fc9": torch.zeros(1)})
    with pytest.raises(InputError, match=r"fc1\.bias is missing"):
        infer_model_config({})


def test_folder_of_another_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"depth": 3}')
    with pytest.raises(InputError, match="holds no checkpoint of the toy system"):
        TrainedNextColor.load(tmp_path)

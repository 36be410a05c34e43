"""docs/add_a_system.md tried out: a masked autoencoder becomes a sixth system, in a real session."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from tests.architecture.mae_system.inference import TrainedMae
from tests.architecture.mae_system.mae_pipeline import create_mae_pipeline
from tests.helpers.project import ROOT, TINY, bootstrap
from vidrep_pipelines import pipeline_registry

SYSTEM = ROOT / "tests" / "architecture" / "mae_system"
PAGE = ROOT / "docs" / "add_a_system.md"
MOST_LINES = 250
SHARED = {name: TINY[name] for name in ("sample_world", "resize", "fanout", "launch", "tracking")}


def files() -> list[Path]:
    """All that the system consists of."""
    return sorted(path for path in SYSTEM.rglob("*") if path.suffix in (".py", ".yml"))


def test_it_is_small() -> None:
    lines = [line for path in files() for line in path.read_text().splitlines() if line.strip()]
    assert 100 < len(lines) < MOST_LINES


def test_the_page_names_every_file_and_no_other() -> None:
    named = set(re.findall(r"^\| `(\S+?)` \|", PAGE.read_text(), flags=re.MULTILINE))
    assert named == {path.relative_to(SYSTEM).as_posix() for path in files()} - {"__init__.py"}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The line in pipeline_registry.py that the page asks for."""
    bootstrap()
    register = pipeline_registry.register_pipelines

    def with_the_sixth() -> dict[str, Pipeline]:
        named = register()
        return {**named, "pretrain_mae": named["prepare_clips"] + create_mae_pipeline()}

    monkeypatch.setattr(pipeline_registry, "register_pipelines", with_the_sixth)
    yield
    pipelines.configure(pipeline_registry.__name__)


def run(conf: Path, **changes: object) -> None:
    with KedroSession.create(
        ROOT, conf_source=conf.as_posix(), runtime_params={**SHARED, **changes}
    ) as session:
        session.run(pipeline_names=["pretrain_mae"])


def test_it_is_trained_published_and_used(
    data: Path,
    registered: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    conf = shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copytree(SYSTEM / "conf", conf, dirs_exist_ok=True)
    monkeypatch.setenv("VIDREP_DATA", data.as_posix())
    run(conf)

    folder = data / "06_models" / "mae" / "checkpoint"
    assert "| updates | 8 |" in (folder / "README.md").read_text()
    assert (data / "08_reporting" / "mae" / "loss_curves.png").is_file()
    assert len(list((data / "08_reporting" / "mae" / "predictions").glob("step-*.png"))) == 1
    pictures = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    assert TrainedMae(folder).embed(pictures).shape == (3, 32)

    weights = (folder / "model.safetensors").read_bytes()
    caplog.clear()
    run(conf)
    assert "up to date" in caplog.text
    run(conf, mae={"objective": {"mask_ratio": 0.5}})
    assert (folder / "model.safetensors").read_bytes() != weights

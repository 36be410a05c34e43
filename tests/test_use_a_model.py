"""Every piece of docs/use_a_model.md runs as it stands there, section by section, on tiny models."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ROOT
from tests.helpers.notebooks import check_committed, executed, pictures, printed
from tests.helpers.trained_models import publish_tiny
from tests.helpers.video_models import publish_video_model_and_codec
from tests.helpers.videos import write_video
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.models.vpp.video.export import export_video_model
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.pretrain.rsp_nodes import export_rsp_to_timm

PAGE = ROOT / "docs" / "use_a_model.md"
NOTEBOOK = ROOT / "notebooks" / "use_a_model.ipynb"
CHECKPOINTS = {
    "rsp": "rsp/checkpoint",
    "vqvae": "vqvae/checkpoint",
    "carl": "carl/checkpoint",
    "voc_vae": "voc_vae_tokenizer/checkpoint",
    "voc_dino": "voc_dino_tokenizer/checkpoint",
    "voc_musik": "voc_musik_tokenizer/checkpoint",
}
"""As in conf/base."""


def sections() -> dict[str, list[str]]:
    """The blocks of Python below each heading; those above the first heading belong to all."""
    first, *others = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    parts = {"": first} | {text.partition("\n")[0]: text for text in others}
    return {name: re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) for name, text in parts.items()}


BLOCKS = sections()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone after all pipelines, with a video."""
    folder = tmp_path_factory.mktemp("clone")
    models, outputs = folder / "data" / "06_models", folder / "data" / "07_model_output"
    published = {
        system: publish_tiny(system, models / path, folder / "runs" / system)
        for system, path in CHECKPOINTS.items()
    }
    encoder = export_rsp_to_timm(published["rsp"], FoldersConfig(models=models, reporting=folder))
    CheckpointDataset(filepath=(outputs / "rsp" / "timm_encoder").as_posix()).save(encoder)
    video = publish_video_model_and_codec(models, folder / "runs")
    export_video_model(video, outputs / "vpp_video_diffusers", half=False)
    write_video(folder / "clip.mp4", 20, width=64, height=48)
    write_video(folder / "data" / "01_raw" / "sample_world" / "clip.mp4", 20, width=64, height=48)
    return folder


@pytest.mark.parametrize("section", [name for name, blocks in BLOCKS.items() if name and blocks])
def test_section_runs(section: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, Any] = {}
    for block in [*BLOCKS[""], *BLOCKS[section]]:
        exec(compile(block, f"{PAGE.name}, {section or 'top'}", "exec"), names)
    tensors = {name: value for name, value in names.items() if isinstance(value, torch.Tensor)}
    assert tensors.keys() > {"clips"}
    assert all(torch.isfinite(value.float()).all() for value in tensors.values())
    _check(section, names)


def _check(section: str, names: dict[str, Any]) -> None:
    """What the comments of the page say."""
    match section:
        case "RSP":
            assert names["tokens"].shape == (2, 17, 32) and -1 <= names["similarity"] <= 1
        case "FEVD-VQVAE":
            assert names["codes"].shape == (1, 8, 8, 8) and names["again"].shape == (1, 8, 3, 16, 16)
        case "CARL":
            assert names["embeddings"].shape[0] == names["nearest"].shape[0] == 8
        case "The video model of VPP":
            assert names["told"].shape == names["silent"].shape
            assert not torch.equal(names["told"], names["silent"])
            assert names["unet"].config.num_frames == 3
        case _:
            assert names["tokens"].shape == (1, 8, 64)


def test_every_system_has_a_section() -> None:
    text = "".join("".join(blocks) for blocks in BLOCKS.values())
    for path in (*CHECKPOINTS.values(), "vpp_video/checkpoint"):
        pattern = re.sub(r"voc_\w+?_tokenizer", "voc_{kind}_tokenizer", f"data/06_models/{path}")
        assert pattern in text, path


def test_the_notebook_is_committed_without_outputs() -> None:
    check_committed(NOTEBOOK)


@pytest.mark.slow
def test_the_notebook_shows_every_model(place: Path) -> None:
    cells = executed(NOTEBOOK, place / "data")
    assert {cell.id for cell in cells if pictures(cell)} == {"frames", "vectors", "maps"}
    text = printed(cells)
    assert "not trained yet" not in text
    assert text.count("6 updates") == len(CHECKPOINTS) and "codes in 5 frames" in text

"""One entry loads what every system published or exported, wherever it lies."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest
import torch
from torch import Tensor

import vidrep_pipelines
from tests.helpers.trained_models import CONTENTS, META, export_tiny, publish_tiny
from tests.models.rsp.tiny import CONFIG, make_model
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.pretrain.rsp_nodes import export_rsp_to_timm


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("models")
    return {system: publish_tiny(system, folder / system, folder / "runs" / system) for system in CONTENTS}


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def frames(side: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (1, 2, 3, side, side), generator=generator, dtype=torch.uint8)


def timm_folder(checkpoint: Checkpoint, folder: Path) -> Path:
    folders = FoldersConfig(models=folder / "models", reporting=folder)
    CheckpointDataset(filepath=(folder / "timm").as_posix()).save(export_rsp_to_timm(checkpoint, folders))
    return folder / "timm"


@pytest.mark.parametrize("system", CONTENTS)
def test_an_exported_file_gives_the_same_as_the_checkpoint(
    checkpoints: dict[str, Checkpoint], system: str, tmp_path: Path
) -> None:
    path = export_tiny(system, checkpoints[system], tmp_path / "original_checkpoint.pth")
    exported, published = vidrep_pipelines.load(path), vidrep_pipelines.load(checkpoints[system].directory)
    assert (exported.system, exported.config, exported.meta) == (system, published.config, published.meta)
    first, second = exported.encode(frames()), published.encode(frames())
    torch.testing.assert_close(first.vectors, second.vectors, rtol=0, atol=1e-5)
    if second.codes is not None:
        assert torch.equal(first.codes, second.codes)
    card = (tmp_path / "README.md").read_text()
    assert 'vidrep_pipelines.load("original_checkpoint.pth")' in card and META["digest"] in card


def test_timm_opens_the_encoder_of_rsp_by_itself(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    folder = timm_folder(checkpoints["rsp"], tmp_path)
    encoder = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        tokens = encoder.forward_features(images)
        expected = make_model().eval().encoder(images)
        torch.testing.assert_close(tokens, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(encoder(images), expected[:, 0], rtol=0, atol=1e-5)
    settings = timm.data.resolve_model_data_config(encoder)
    assert settings["input_size"] == (3, 32, 32)
    assert tuple(settings["mean"]) == (0.485, 0.456, 0.406)


def test_the_folder_for_timm_is_loaded_here_too(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    model = vidrep_pipelines.load(timm_folder(checkpoints["rsp"], tmp_path))
    assert (model.system, model.config) == ("rsp", CONFIG)
    expected = vidrep_pipelines.load(checkpoints["rsp"].directory).encode(frames())
    torch.testing.assert_close(model.encode(frames()).vectors, expected.vectors, rtol=0, atol=1e-5)
    assert "timm.create_model" in (tmp_path / "timm" / "README.md").read_text()


def test_folders_and_files_elsewhere_are_fetched(
    checkpoints: dict[str, Checkpoint], memory, tmp_path: Path
) -> None:
    expected = vidrep_pipelines.load(checkpoints["rsp"].directory).encode(frames()).vectors
    memory.put(f"{checkpoints['rsp'].directory}/", "/hub/user/rsp/", recursive=True)
    assert torch.equal(vidrep_pipelines.load("memory://hub/user/rsp").encode(frames()).vectors, expected)
    assert torch.equal(
        vidrep_pipelines.load(checkpoints["rsp"].directory.as_uri()).encode(frames()).vectors, expected
    )
    export_tiny("rsp", checkpoints["rsp"], tmp_path / "original_checkpoint.pth")
    (tmp_path / "other.pth").write_bytes(b"not fetched")
    memory.put(f"{tmp_path}/", "/hub/export/", recursive=True)
    loaded = vidrep_pipelines.load("memory://hub/export/original_checkpoint.pth")
    torch.testing.assert_close(loaded.encode(frames()).vectors, expected, rtol=0, atol=1e-5)
    with pytest.raises(InputError, match="memory://hub/absent: there is nothing there"):
        vidrep_pipelines.load("memory://hub/absent")


def test_what_is_no_model_is_named(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no trained model: config\.json is missing"):
        vidrep_pipelines.load(tmp_path)
    with pytest.raises(InputError, match="There is no file"):
        vidrep_pipelines.load(tmp_path / "absent.pth")
    path = export_tiny("vqvae", checkpoints["vqvae"], tmp_path / "original_checkpoint.pth")
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"original_checkpoint\.json is missing beside it"):
        vidrep_pipelines.load(path)
    copy = shutil.copytree(checkpoints["carl"].directory, tmp_path / "copy")
    (copy / "meta.json").unlink()
    with pytest.raises(InputError, match=r"not from this project: meta\.json is missing"):
        vidrep_pipelines.load(copy)


def test_damage_and_a_foreign_configuration_are_named(
    checkpoints: dict[str, Checkpoint], tmp_path: Path
) -> None:
    copy = shutil.copytree(checkpoints["rsp"].directory, tmp_path / "copy")
    weights = copy / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[:-4] + bytes(4))
    with pytest.raises(InputError, match="is damaged"):
        vidrep_pipelines.load(copy)
    weights.write_bytes(content)
    (copy / "config.json").write_text('{"deepness": 3}')
    with pytest.raises(InputError, match="its configuration is not that of rsp"):
        vidrep_pipelines.load(copy)


@pytest.mark.parametrize(
    ("system", "complaint"), [("voc", "takes tokens"), ("vpp_policy", "it acts"), ("yours", "'yours'")]
)
def test_models_that_encode_no_frames_are_refused(system: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "meta.json").write_text(json.dumps({"system": system}))
    with pytest.raises(ConfigurationError, match=complaint):
        vidrep_pipelines.load(tmp_path)


def test_a_pickle_beside_the_weights_is_never_opened(
    checkpoints: dict[str, Checkpoint], memory, tmp_path: Path
) -> None:
    """A folder of a stranger may hold programs; none is run, and those elsewhere are not even fetched."""
    copy = shutil.copytree(checkpoints["rsp"].directory, tmp_path / "copy")
    (copy / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (copy / "pytorch_model.bin").write_bytes(f"cos\nsystem\n(S'touch {tmp_path / 'ran'}'\ntR.".encode())
    memory.put(f"{copy}/", "/strange/", recursive=True)
    for place in (copy, "memory://strange"):
        vidrep_pipelines.load(place).encode(frames())
    assert not (tmp_path / "ran").exists()


def test_importing_the_package_opens_nothing_heavy() -> None:
    program = (
        "import sys, vidrep_pipelines\n"
        "assert callable(vidrep_pipelines.load)\n"
        "print(*[name for name in ('torch', 'numpy', 'kedro', 'pydantic') if name in sys.modules])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert run.stdout.strip() == ""

"""VPP's video model, loaded with its codec from the catalog and from its export."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

import vidrep_pipelines
from tests.helpers.video_models import CODEC, MODEL, publish_video_model_and_codec
from vidrep_pipelines.adapters.loaded_models import LoadedVideoModel
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.export import export_video_model

TEXT = "push the red cup"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("data")
    return publish_video_model_and_codec(folder / "06_models", folder / "runs")


def frames(seed: int = 0) -> Tensor:
    return torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def load(path: Path) -> LoadedVideoModel:
    model = vidrep_pipelines.load(path)
    assert isinstance(model, LoadedVideoModel)
    return model


def test_it_gives_features_of_the_future_of_every_frame(checkpoint: Checkpoint) -> None:
    model = load(checkpoint.directory)
    encoding = model.encode(frames())
    assert (model.system, model.config) == ("vpp_video", MODEL)
    assert encoding.maps is not None and encoding.codes is None
    assert encoding.maps.shape[:2] == (2, 2) and encoding.maps.shape[2] % 3 == 0  # three frames of a clip
    torch.testing.assert_close(encoding.vectors, encoding.maps.mean(dim=(-2, -1)))
    one = model.encode(frames()[1:, 1:])
    torch.testing.assert_close(one.vectors[0, 0], encoding.vectors[1, 1], rtol=0, atol=1e-4)


def test_text_and_seed_matter_to_their_clip_alone(checkpoint: Checkpoint) -> None:
    model = load(checkpoint.directory)
    silent = model.encode(frames()).vectors
    told = model.encode(frames(), texts=[TEXT, "lift the blue ball"]).vectors
    assert (told - silent).abs().amax(dim=(1, 2)).min() > 0
    again = model.encode(frames(), texts=[TEXT, "push the blue cup"]).vectors
    torch.testing.assert_close(again[0], told[0], rtol=0, atol=1e-5)
    assert (again[1] - told[1]).abs().max() > 0
    assert (model.encode(frames(), seed=1).vectors - silent).abs().max() > 1e-3
    with pytest.raises(InputError, match="2 clips and 1 texts"):
        model.encode(frames(), texts=[TEXT])
    with pytest.raises(InputError, match=f"multiples of {CODEC.factor}"):
        model.encode(frames()[..., :15])


def test_its_export_gives_the_same(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / "07_model_output" / "vpp_video_diffusers"
    export_video_model(checkpoint, folder, half=False)
    with pytest.raises(InputError, match="the codec that makes them is not beside it"):
        load(folder)
    codec = checkpoint.directory.parents[1] / "video_codec"
    expected = load(checkpoint.directory).encode(frames(), texts=[TEXT, TEXT]).vectors
    named = vidrep_pipelines.load(folder, codec=codec)
    shutil.copytree(codec, folder / "codec")
    for model in (named, load(folder)):
        assert isinstance(model, LoadedVideoModel)
        torch.testing.assert_close(
            model.encode(frames(), texts=[TEXT, TEXT]).vectors, expected, rtol=0, atol=1e-5
        )
    assert "diffusers" in (folder / "README.md").read_text()
    (folder / "codec" / "config.json").write_text(
        '{"codec": {"kind": "linear", "factor": 4, "channels": 6, "seed": 1}}'
    )
    with pytest.raises(InputError, match="is not the codec"):
        load(folder)

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models.carl.tiny import CONVOLUTIONAL, make_config, make_model
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.carl.checkpoint_io import original_checkpoint, original_settings
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig, OriginalCarlConfig
from vidrep_pipelines.models.carl.given_weights import write_original_carl


def written(folder: Path, **changes: object) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    config, model = make_config(**changes), make_model(**changes)
    content = original_checkpoint(model.state_dict(), epoch=1, settings=original_settings(config))
    torch.save(content, folder / "checkpoint_epoch_00001.pth")
    original = OriginalCarlConfig(
        path=folder / "checkpoint_epoch_00001.pth",
        image_size=config.image_size,
        heads=config.heads,
        context_stride=7,
        evaluation_crop="resize",
    )
    return write_original_carl(original, folder / "read", folder / "floor"), model.state_dict()


def test_weights_and_what_rebuilds_the_model(tmp_path: Path) -> None:
    config, state = written(tmp_path)
    read = load_file(tmp_path / "read/model.safetensors")
    assert read.keys() == state.keys() and all(torch.equal(read[name], state[name]) for name in state)
    model = CarlModelConfig.model_validate(config["model"])
    assert (model.frames, model.image_size, model.heads, model.layers) == (6, 32, 2, 2)
    data = CarlDataConfig.model_validate(config["data"])
    assert (data.sampling.frames, data.evaluation_crop) == (6, "resize")


def test_the_floor_has_of_the_checkpoint_what_was_never_trained(tmp_path: Path) -> None:
    _, state = written(tmp_path)
    floor = load_file(tmp_path / "floor/model.safetensors")
    assert floor.keys() == state.keys()
    weights = [name for name in state if state[name].ndim > 1]
    same = {name.split(".")[1] for name in weights if torch.equal(floor[name], state[name])}
    other = {name.split(".")[1] for name in weights if not torch.equal(floor[name], state[name])}
    assert same == {"conv1", "layer1", "layer2", "layer3"} and not same & other and "layer4" in other


def test_of_a_model_that_was_trained_whole_the_floor_keeps_nothing(tmp_path: Path) -> None:
    config, state = written(tmp_path, **CONVOLUTIONAL)
    floor = load_file(tmp_path / "floor/model.safetensors")
    assert not any(torch.equal(floor[name], state[name]) for name in state if state[name].ndim > 1)
    sampling = CarlDataConfig.model_validate(config["data"]).sampling
    assert (sampling.context_frames, sampling.context_stride) == (2, 7)


def test_without_a_file_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"carl_original\.checkpoint\.path.*VIDREP_CARL"):
        write_original_carl(OriginalCarlConfig(), tmp_path / "read", tmp_path / "floor")

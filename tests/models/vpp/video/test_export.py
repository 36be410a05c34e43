import copy
import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models.vpp.video.spoken import make_video_task
from tests.models.vpp.video.tiny import SHAPE
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.vpp.video.checkpoint_io import write_diffusers_folder
from vidrep_pipelines.models.vpp.video.config import AdaptationConfig
from vidrep_pipelines.models.vpp.video.export import ADAPTER, ADAPTER_FACTS, export_video_model
from vidrep_pipelines.models.vpp.video.inference import load_video_model
from vidrep_pipelines.models.vpp.video.task import VideoTask


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> VideoTask:
    """With adapters on the weights of a folder in diffusers' layout."""
    folder = tmp_path_factory.mktemp("video")
    plain = make_video_task(folder)
    torch.manual_seed(1)
    model = plain.build_model()
    write_diffusers_folder(folder / "svd", plain.model.unet, model.state_dict(), 4)
    lora = {"lora": {"rank": 2, "targets": ["to_q"]}, "gradient_checkpointing": False}
    return VideoTask.model_validate(
        {**plain.model_dump(), "adaptation": lora, "initialize_from": folder / "svd"}
    )


@pytest.fixture(scope="module")
def checkpoint(task: VideoTask, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Of a model whose adapters changed."""
    folder = tmp_path_factory.mktemp("checkpoint")
    model = task.build_model()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_()
    left_out = task.left_out(model)
    kept = {name: value for name, value in model.state_dict().items() if name not in left_out}
    write_weights(kept, folder / "model.safetensors")
    dataset = CheckpointDataset(filepath=(folder / "published").as_posix())
    dataset.save(CheckpointSource(folder, task.checkpoint_config(), {"system": "vpp_video"}))
    return dataset.load()


def test_start_weights_count_and_are_recorded(task: VideoTask) -> None:
    digest = task.identity()["initialize_from"]
    assert digest and task.checkpoint_config()["digests_of_files"] == {"initialize_from": digest}
    assert (
        VideoTask.model_validate({**task.model_dump(), "initialize_from": None}).identity() != task.identity()
    )


def test_only_adapters_and_text_model_are_trained(task: VideoTask) -> None:
    model = task.build_model()
    groups = task.parameter_groups(model, 0.0)
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    names = [name for name, parameter in model.named_parameters() if id(parameter) in trained]
    assert any(".lora_A." in name for name in names)
    assert all(".lora_" in name or name.startswith("text_encoder.") for name in names)


def test_a_checkpoint_of_adapters_predicts_with_them(task: VideoTask, checkpoint: Checkpoint) -> None:
    loaded, frames = load_video_model(checkpoint)
    adapted = task.build_model().eval()
    start = copy.deepcopy(adapted.state_dict())
    adapted.load_state_dict(checkpoint.state_dict(), strict=False)
    shape = (1, frames, task.model.unet.latent_channels, *SHAPE[2:])
    noisy, sigma = torch.randn(shape, generator=torch.Generator().manual_seed(0)), torch.tensor([1.5])
    text, told = torch.ones(1, 8, 32), torch.zeros(1, 3)
    with torch.no_grad():
        ours, theirs = (model.denoise(noisy, sigma, noisy[:, 0], text, told) for model in (loaded, adapted))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        adapted.load_state_dict(start)
        assert (adapted.denoise(noisy, sigma, noisy[:, 0], text, told) - ours).abs().max() > 1e-4


def test_an_export_can_be_started_from_and_has_the_adapter_beside_it(
    task: VideoTask, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    facts = export_video_model(checkpoint, tmp_path / "out", half=False)
    assert facts["adapter"]["base_digest"] == task.identity()["initialize_from"]
    adapter = load_file(tmp_path / "out" / ADAPTER)
    assert adapter and all(".lora_" in name or not name.startswith("unet.") for name in adapter)
    assert json.loads((tmp_path / "out" / ADAPTER_FACTS).read_text())["lora"]["rank"] == 2
    again = task.model_copy(update={"initialize_from": tmp_path / "out"}).build_model()
    merged = load_video_model(checkpoint)[0].state_dict()
    name = next(name for name in again.state_dict() if name.endswith("to_q.base_layer.weight"))
    torch.testing.assert_close(again.state_dict()[name], merged[name.replace(".base_layer", "")])


def test_a_checkpoint_of_adapters_is_small_and_needs_its_base(
    task: VideoTask, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    base = sum(value.numel() for value in task.build_model().unet.state_dict().values())
    assert sum(value.numel() for value in checkpoint.state_dict().values()) < base / 4
    moved = dataclasses.replace(
        checkpoint, config={**checkpoint.config, "initialize_from": str(tmp_path / "elsewhere")}
    )
    with pytest.raises(InputError, match="holds adapters only"):
        load_video_model(moved)
    plain = VideoTask.model_validate({**task.model_dump(), "initialize_from": None})
    other = plain.model_copy(update={"adaptation": AdaptationConfig()}).build_model()
    write_diffusers_folder(tmp_path / "elsewhere", task.model.unet, other.state_dict(), 4)
    with pytest.raises(InputError, match="is not the UNet"):
        load_video_model(moved)
    assert not plain.left_out(plain.build_model())


def test_whole_weights_with_adapters_are_read_too(
    task: VideoTask, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    model = task.build_model()
    model.load_state_dict(checkpoint.state_dict(), strict=False)
    write_weights(model.state_dict(), tmp_path / "model.safetensors")
    dataset = CheckpointDataset(filepath=(tmp_path / "published").as_posix())
    dataset.save(CheckpointSource(tmp_path, task.checkpoint_config(), {"system": "vpp_video"}))
    whole, small = (load_video_model(one)[0].state_dict() for one in (dataset.load(), checkpoint))
    assert all(torch.equal(value, small[name]) for name, value in whole.items())

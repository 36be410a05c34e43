import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.vpp.video.tiny import CONFIG, FRAMES, UNET, make_video_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.video.checkpoint_io import (
    diffusers_part,
    load_unet,
    read_unet,
    unet_config_of,
    write_diffusers_folder,
)
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.model import unet_arguments

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_diffusers_folder(folder, UNET, make_video_model(seed=1).state_dict(), FRAMES)
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    for path in exported.rglob("*"):
        if path.is_file():
            place = tmp_path / path.relative_to(exported)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(path.read_bytes())
    return tmp_path


def test_what_is_written_is_read_back_exactly(exported: Path) -> None:
    config, state = read_unet(exported)
    assert config == UNET
    model, trained = make_video_model(seed=2), make_video_model(seed=1)
    load_unet(model, exported)
    for name, value in trained.unet.state_dict().items():
        assert torch.equal(model.unet.state_dict()[name], value) and torch.equal(state[name], value)


def test_diffusers_itself_reads_the_folder(exported: Path) -> None:
    from vidrep_pipelines.compat import diffusers

    unet = diffusers.UNetSpatioTemporalConditionModel.from_pretrained(str(exported), subfolder="unet")
    expected = make_video_model(seed=1).unet.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in unet.state_dict().items())
    assert unet.config.num_frames == FRAMES
    scheduler = diffusers.EulerDiscreteScheduler.from_pretrained(str(exported), subfolder="scheduler")
    scheduler.set_timesteps(4)
    assert scheduler.sigmas[0] == pytest.approx(700) and scheduler.config.prediction_type == "v_prediction"
    assert json.loads((exported / "model_index.json").read_text())["unet"][0] == "diffusers"


def test_shards_and_half_precision_are_read(copied: Path) -> None:
    whole = diffusers_part(copied, "unet").state_dict()
    names = sorted(whole)
    parts = {"a-00001.safetensors": names[::2], "b-00002.safetensors": names[1::2]}
    for file, members in parts.items():
        save_file({name: whole[name].half() for name in members}, copied / "unet" / file)
    places = {name: file for file, members in parts.items() for name in members}
    (copied / "unet" / WEIGHTS).unlink()
    index = copied / "unet" / f"{WEIGHTS}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    model = make_video_model()
    load_unet(model, copied)
    found = model.unet.state_dict()["conv_in.weight"]
    assert found.dtype == torch.float32 and torch.equal(found, whole["conv_in.weight"].half().float())
    (copied / "unet" / "b-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"b-00002\.safetensors, which is missing"):
        read_unet(copied)
    index.write_text(json.dumps({"weight_map": {"x": "../../elsewhere.safetensors"}}))
    with pytest.raises(InputError, match="does not lie beside it"):
        read_unet(copied)
    index.write_text(json.dumps({"weight_map": {}}))
    with pytest.raises(InputError, match="has no weight_map"):
        read_unet(copied)


def test_half_precision_is_written_under_its_name(tmp_path: Path) -> None:
    write_diffusers_folder(tmp_path, UNET, make_video_model().state_dict(), FRAMES, half=True)
    part = diffusers_part(tmp_path, "unet")
    assert [path.name for path in part.files] == ["diffusion_pytorch_model.fp16.safetensors"]
    assert {value.dtype for value in part.state_dict().values()} == {torch.float16}


def test_pickled_weights_are_read_and_programs_are_not(copied: Path) -> None:
    path = copied / "unet" / WEIGHTS
    state = load_file(path)
    path.unlink()
    torch.save(state, path.with_suffix(".bin"))
    assert read_unet(copied)[1].keys() == state.keys()
    path.with_suffix(".bin").write_bytes(pickle.dumps({"x": pytest.raises}))
    with pytest.raises(InputError):
        read_unet(copied)


def test_the_digest_is_that_of_the_weights(exported: Path, copied: Path) -> None:
    part = diffusers_part(copied, "unet")
    assert part.digest == diffusers_part(exported, "unet").digest
    state = part.state_dict()
    save_file({**state, "conv_in.bias": state["conv_in.bias"] + 1}, copied / "unet" / WEIGHTS)
    assert diffusers_part(copied, "unet").digest != part.digest


def test_folders_that_lack_a_part_say_which(copied: Path) -> None:
    with pytest.raises(
        InputError, match=r"has no vae: vae/config.json is missing \(subfolders: scheduler, unet"
    ):
        diffusers_part(copied, "vae")
    with pytest.raises(InputError, match="subfolders: none"):
        diffusers_part(copied / "nowhere", "unet")
    (copied / "unet" / WEIGHTS).unlink()
    with pytest.raises(InputError, match="but no weights"):
        diffusers_part(copied, "unet")


def test_another_architecture_is_refused_by_its_sizes_and_its_tensors(copied: Path) -> None:
    wider = CONFIG.model_copy(update={"unet": UNET.model_copy(update={"heads": (4, 4)})})
    with pytest.raises(InputError, match=r"heads is \(2, 4\), asked for \(4, 4\)"):
        load_unet(make_video_model(wider), copied)
    state = load_file(copied / "unet" / WEIGHTS)
    save_file(
        {name: value for name, value in state.items() if name != "conv_in.bias"}, copied / "unet" / WEIGHTS
    )
    with pytest.raises(InputError, match=r"conv_in\.bias is missing"):
        load_unet(make_video_model(), copied)
    with pytest.raises(InputError, match="belongs to another architecture"):
        write_diffusers_folder(copied, UnetConfig(), make_video_model().state_dict(), FRAMES)


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update({name: value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("_class_name", "UNet2DConditionModel"), "not a UNetSpatioTemporalConditionModel"),
        (_set("in_channels", 4), "in_channels is 4, where 8"),
        (_set("layers_per_block", [1, 2]), "layers_per_block differs"),
        (_set("block_out_channels", [32]), "one entry per level"),
        (_set("up_block_types", ["UpBlockSpatioTemporal"] * 2), "up_block_types"),
        (_set("down_block_types", 3), "can be built"),
        (_set("block_out_channels", [320000, 64]), "no computer holds"),
        (lambda content: content.pop("addition_time_embed_dim"), "addition_time_embed_dim"),
    ],
)
def test_configurations_that_cannot_be_built_are_refused(
    change: Callable[[dict[str, Any]], None], says: str
) -> None:
    content = unet_arguments(UNET)
    change(content)
    with pytest.raises(InputError, match=says):
        unet_config_of(content, "config.json")


def test_numbers_for_every_level_may_be_given_once_or_often() -> None:
    content = unet_arguments(UNET)
    often = {
        "layers_per_block": [1, 1],
        "cross_attention_dim": [32, 32],
        "transformer_layers_per_block": [1, 1],
    }
    assert unet_config_of({**content, **often}, "config.json") == UNET
    once = unet_config_of({**content, "num_attention_heads": 2}, "config.json")
    assert once.heads == (2, 2)

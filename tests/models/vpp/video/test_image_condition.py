"""The other camera's picture: the frozen model, its place beside the tokens, and its way through training."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch.utils.data import default_collate

from tests.models.vpp.video.spoken import make_video_task
from tests.models.vpp.video.tiny import (
    CONFIG,
    FRAMES,
    make_latents,
    make_tokens,
    make_video_model,
    make_video_randomness,
    with_other_camera,
    write_clip_image_folder,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.video.codec import load_codec
from vidrep_pipelines.models.vpp.video.config import (
    ImageConditionConfig,
    TextConfig,
    VideoObjectiveConfig,
    VideoSamplingConfig,
)
from vidrep_pipelines.models.vpp.video.image_condition import (
    CLIP_DEVIATION,
    CLIP_MEAN,
    ClipImageEncoder,
    build_image_encoder,
    image_files,
)
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.objective import video_objective
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.models.vpp.video.text import text_tokenizer
from vidrep_pipelines.models.vpp.video.validation import VideoValidation
from vidrep_pipelines.training.task import StepInfo

WIDTH = 16
PICTURES = torch.rand(3, 3, 12, 20, generator=torch.Generator().manual_seed(0))
STEP = StepInfo(0, 0.0, torch.Tensor.detach)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageConditionConfig:
    return write_clip_image_folder(tmp_path_factory.mktemp("clip_image"), WIDTH)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory, image: ImageConditionConfig) -> VideoTask:
    folder = tmp_path_factory.mktemp("video")
    plain = make_video_task(folder, mixture={"datasets": "xhand"}, split="train")
    model = with_other_camera(plain.model, image)
    return VideoTask.model_validate({**plain.model_dump(), "model": model.model_dump()})


def folder_of(image: ImageConditionConfig) -> Path:
    assert image.folder is not None
    return image.folder


def copied(image: ImageConditionConfig, to: Path) -> Path:
    for path in folder_of(image).iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_the_embedding_is_that_of_transformers_own_model(image: ImageConditionConfig) -> None:
    from vidrep_pipelines.compat import transformers

    model = transformers.CLIPVisionModelWithProjection.from_pretrained(str(image.folder)).eval()
    square = torch.rand(2, 3, 16, 16)  # of the model's own size: nothing is resized
    mean, deviation = (torch.tensor(values).reshape(3, 1, 1) for values in (CLIP_MEAN, CLIP_DEVIATION))
    expected = model((square - mean) / deviation).image_embeds
    encoder = ClipImageEncoder(folder_of(image), WIDTH)
    torch.testing.assert_close(encoder(square), expected)
    larger = square.repeat_interleave(4, 2).repeat_interleave(2, 3)
    assert encoder(larger).shape == (2, WIDTH) and encoder.side == 16


def test_it_is_frozen_moves_along_and_is_no_part_of_the_state(image: ImageConditionConfig) -> None:
    model = make_video_model(with_other_camera(CONFIG, image)).train()
    assert not any("image_encoder" in name for name in model.state_dict())
    assert not any("image_encoder" in name for name, _ in model.named_parameters())
    assert model.image_encoder is not None and not model.image_encoder.network.training
    assert not model.image_encoder(PICTURES).requires_grad
    model.double()
    assert model.image_encoder(PICTURES.double()).dtype == torch.float64


def test_it_stands_beside_every_token_in_place_of_the_second_copy(image: ImageConditionConfig) -> None:
    model = make_video_model(with_other_camera(CONFIG, image))
    assert model.image_encoder is not None
    told = model.encode_text(*make_tokens(), PICTURES)
    assert told.shape == (3, CONFIG.text.tokens, CONFIG.unet.cross_attention_dimension)
    seen = model.image_encoder(PICTURES)
    assert not torch.allclose(seen[0], seen[1])
    torch.testing.assert_close(told[..., -WIDTH:], seen[:, None].expand(-1, told.shape[1], -1))
    torch.testing.assert_close(model.encode_text(*make_tokens(), PICTURES.flip(3))[..., :-WIDTH],
                               told[..., :-WIDTH])  # fmt: skip


def test_pictures_are_there_if_and_only_if_they_are_looked_at(image: ImageConditionConfig) -> None:
    with pytest.raises(InputError, match=r"first frame of another camera.*none is given"):
        make_video_model(with_other_camera(CONFIG, image)).encode_text(*make_tokens())
    with pytest.raises(InputError, match="told in words alone"):
        make_video_model().encode_text(*make_tokens(), PICTURES)


def test_it_is_left_out_together_with_the_instruction(image: ImageConditionConfig) -> None:
    model = make_video_model(with_other_camera(CONFIG, image))
    drawn, config = make_video_randomness(), VideoObjectiveConfig(text_dropout=0.5)
    uniform = torch.tensor([0.1, 0.9, 0.9])
    randomness = type(drawn)(uniform, drawn.sigma_normal, drawn.noise)
    outputs = video_objective(model, make_latents(), *make_tokens(), randomness, config, None, PICTURES)
    assert outputs.text[0].abs().max() == 0 and (outputs.text[1:].abs().amax((1, 2)) > 0).all()


def test_off_leaves_no_trace_and_on_is_recorded(image: ImageConditionConfig) -> None:
    assert TextConfig().image is None and "image" not in TextConfig().model_dump()
    assert "image" not in json.loads(CONFIG.model_dump_json())["text"]
    recorded = with_other_camera(CONFIG, image)
    assert recorded.model_dump(mode="json")["text"]["image"]["width"] == WIDTH
    assert type(recorded).model_validate(recorded.model_dump(mode="json")) == recorded


def test_widths_must_fit() -> None:
    image = ImageConditionConfig(width=WIDTH)
    with pytest.raises(ValidationError, match="set duplicate to false"):
        TextConfig(image=image)
    text = CONFIG.text.model_copy(update={"image": image})
    with pytest.raises(ValidationError, match=r"tokens of 48 numbers \(text.width and text.image.width\)"):
        type(CONFIG)(unet=CONFIG.unet, text=text)


def test_the_image_half_of_a_whole_clip_is_read_from_the_texts_folder(
    image: ImageConditionConfig, tmp_path: Path
) -> None:
    copied(image, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    older = {"text_model.x": torch.zeros(1), "vision_model.embeddings.position_ids": torch.arange(5)}
    save_file({**state, **older}, tmp_path / "model.safetensors")
    vision = json.loads((tmp_path / "config.json").read_text())
    whole = {"projection_dim": WIDTH, "text_config": {}, "vision_config": {**vision, "projection_dim": 9}}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    config = TextConfig(folder=tmp_path, duplicate=False, image=ImageConditionConfig(width=WIDTH))
    encoder, own = build_image_encoder(config), ClipImageEncoder(folder_of(image), WIDTH)
    assert encoder is not None
    torch.testing.assert_close(encoder(PICTURES), own(PICTURES))
    names = {"text.image.folder/model.safetensors", "text.image.folder/config.json"}
    assert image_files(config).keys() == names and image_files(TextConfig()) == {}


def test_folders_that_lack_something_are_refused(image: ImageConditionConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"an image model of 16 numbers a picture.*width is 512"):
        ClipImageEncoder(folder_of(image), 512)
    copied(image, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    save_file({"visual_projection.weight": state["visual_projection.weight"]}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="is missing"):
        ClipImageEncoder(tmp_path, WIDTH)
    for content in ("{", json.dumps({"vocab_size": 9}), json.dumps({"patch_size": 0})):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(InputError, match="describes no CLIP image model"):
            ClipImageEncoder(tmp_path, WIDTH)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"holds no image model.*text\.image\.folder"):
        ClipImageEncoder(tmp_path, WIDTH)
    with pytest.raises(ConfigurationError, match=r"neither is text\.folder"):
        build_image_encoder(TextConfig(duplicate=False, image=ImageConditionConfig()))


def test_training_validation_and_pictures_see_the_other_camera(task: VideoTask) -> None:
    model, dataset = task.build_model().eval(), task.build_dataset()
    batch: dict[str, Any] = default_collate([dataset[0, 0], dataset[0, 1]])
    assert batch["other_camera"].shape == (2, 3, 16, 16)
    loss = task.loss(model, batch, STEP)[0]
    changed = {**batch, "other_camera": 255 - batch["other_camera"]}
    assert torch.isfinite(loss) and task.loss(model, changed, STEP)[0] != loss
    validation = VideoValidation(task=task, items=2, batch_size=2, quantiles=(0.5,), predicted_items=0)
    assert validation.measure(model)["loss"] > 0
    assert task.predict(model, task.fixed_items(1)).predicted.shape == (1, 4, 3, 16, 16)
    recorded = task.checkpoint_config()
    assert recorded["model"]["text"]["image"]["width"] == WIDTH
    assert "text.image.folder/model.safetensors" in recorded["digests_of_files"]
    assert str(folder_of(task.model.text.image or ImageConditionConfig())) not in json.dumps(task.identity())


def test_videos_depend_on_the_other_cameras_picture(task: VideoTask) -> None:
    model = task.build_model().eval()
    predictor = VideoPredictor(model, load_codec(task.codec), text_tokenizer(task.model.text), FRAMES)
    request = torch.rand(1, 3, 16, 16), ["push the red cup"], [1], VideoSamplingConfig(steps=1, guidance=1.0)
    assert predictor.sees_other_camera
    one, two = (predictor.predict_latents(predictor.encode(request[0]), *request[1:], picture)
                for picture in (PICTURES[:1], PICTURES[1:2]))  # fmt: skip
    assert one.isfinite().all() and not torch.equal(one, two)
    assert predictor.predict(*request, PICTURES[:1]).shape == (1, FRAMES, 3, 16, 16)
    with pytest.raises(InputError, match="none is given"):
        predictor.predict(*request)
    with pytest.raises(InputError, match="1 first frames and 3 pictures of another camera"):
        predictor.predict(*request, PICTURES)

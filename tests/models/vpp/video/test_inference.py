"""The predictor: from catalog folders, its units and sizes, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.models.vpp.video.codecs import LINEAR, publish_linear
from tests.models.vpp.video.frames import pattern_store
from tests.models.vpp.video.tiny import CONFIG, TEXTS, make_video_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.video.codec import load_codec
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor

FRAMES = 3
FEW = VideoSamplingConfig(steps=2, guidance=2.0)
MILD = FEW.model_copy(update={"sigma_max": 10.0})
"""Less noise, whose rounding would be seen in single precision."""
FOUR = LINEAR.model_copy(update={"channels": 4})


def publish_model(folder: Path, codec: str | None, channels: int = 4) -> Path:
    folder.mkdir(parents=True)
    unet = CONFIG.unet.model_copy(update={"latent_channels": channels})
    config = CONFIG.model_copy(update={"unet": unet})
    save_file(make_video_model(config).state_dict(), folder / "model.safetensors")
    described = {
        "model": config.model_dump(mode="json"),
        "clips": {"frames": FRAMES},
        "codec": codec,
    }
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "meta.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codec")
    return publish_linear(pattern_store(folder, episodes=3), folder, FOUR)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, codec: Path) -> Path:
    return publish_model(tmp_path_factory.mktemp("model") / "checkpoint", load_codec(codec).digest)


@pytest.fixture(scope="module")
def predictor(checkpoint: Path, codec: Path) -> VideoPredictor:
    return VideoPredictor.load(checkpoint, codec)


def test_videos_are_in_the_units_of_pictures(predictor: VideoPredictor) -> None:
    first = torch.rand(3, 3, 8, 8)
    videos = predictor.predict(first, TEXTS, [1, 2, 3], FEW)
    assert videos.shape == (3, FRAMES, 3, 8, 8) and videos.dtype == torch.float32
    assert float(videos.min()) >= 0 and float(videos.max()) <= 1 and predictor.frames == FRAMES
    assert videos.device.type == "cpu"


def test_a_video_depends_on_its_frame_text_and_seed_alone(checkpoint: Path, codec: Path) -> None:
    """One at a time gives the same as three together; another seed or text does not."""
    one = VideoPredictor.load(checkpoint, codec)
    single = VideoPredictor(one.model, one.codec, one.tokenizer, one.frames, videos_at_once=1)
    first = torch.rand(3, 3, 16, 16)
    together = one.predict(first, TEXTS, [1, 2, 3], MILD)
    torch.testing.assert_close(single.predict(first, TEXTS, [1, 2, 3], MILD), together, atol=1e-3, rtol=0)
    assert not torch.equal(one.predict(first, TEXTS, [4, 2, 3], MILD)[0], together[0])
    other = one.predict(first, [TEXTS[1], *TEXTS[1:]], [1, 2, 3], MILD)
    assert not torch.equal(other[0], together[0])
    torch.testing.assert_close(other[1:], together[1:], atol=1e-3, rtol=0)


def test_encoded_and_decoded_pictures_are_those_of_the_codec(predictor: VideoPredictor, codec: Path) -> None:
    pictures = torch.rand(2, 3, 8, 8)
    latents = predictor.encode(pictures)
    torch.testing.assert_close(latents, load_codec(codec).encode(pictures * 2 - 1))
    videos = predictor.decode(latents[None])
    expected = (load_codec(codec).decode(latents) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(videos[0], expected)


def test_no_video_at_all(predictor: VideoPredictor) -> None:
    assert predictor.predict(torch.zeros(0, 3, 8, 8), [], [], FEW).shape == (0, FRAMES, 3, 8, 8)


def test_what_is_not_finite_is_an_error(predictor: VideoPredictor) -> None:
    latents = torch.zeros(1, FRAMES, 4, 2, 2)
    latents[0, 1, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        predictor.decode(latents)


def test_bad_requests(predictor: VideoPredictor) -> None:
    with pytest.raises(InputError, match="2 first frames, 1 texts and 2 seeds"):
        predictor.predict(torch.rand(2, 3, 8, 8), TEXTS[:1], [1, 2], FEW)
    with pytest.raises(InputError, match="has no word 'dance'"):
        predictor.predict(torch.rand(1, 3, 8, 8), ["dance"], [1], FEW)
    with pytest.raises(InputError, match=r"multiples of 4"):
        predictor.predict(torch.rand(1, 3, 9, 8), TEXTS[:1], [1], FEW)


def test_what_does_not_belong_together_is_refused(codec: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trained with another codec"):
        VideoPredictor.load(publish_model(tmp_path / "a", "0123"), codec)
    with pytest.raises(InputError, match="latents of 6 channels, the codec makes 4"):
        VideoPredictor.load(publish_model(tmp_path / "b", None, channels=6), codec)
    with pytest.raises(InputError, match=r"no checkpoint of a video model.*pretrain_vpp_video"):
        VideoPredictor.load(codec, codec)

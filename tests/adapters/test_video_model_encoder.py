"""VPP's video model behind the protocol of encoders."""

from pathlib import Path

import pytest
import torch

from tests.helpers.video_models import publish_video_model_and_codec
from vidrep_pipelines.adapters.encoders import encoder_on, encoder_sources
from vidrep_pipelines.adapters.video_model_encoder import VideoModelEncoder, load_video_model_encoder
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.evaluation.encoders.config import EncodersConfig, VideoModelEncoderConfig
from vidrep_pipelines.models.vpp.policy.features import FeatureReader, feature_noise
from vidrep_pipelines.models.vpp.policy.features_config import PolicyFeaturesConfig


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video_models")
    publish_video_model_and_codec(folder, folder / "run")
    return folder


def config(models: Path, **fields: object) -> VideoModelEncoderConfig:
    folders = {"path": models / "vpp_video" / "checkpoint", "codec": models / "video_codec"}
    return VideoModelEncoderConfig.model_validate({**folders, **fields})


def pictures(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 32, 48), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(("block", "stride"), [(0, 4), (1, 4)])
def test_features_are_those_that_a_policy_reads(models: Path, block: int, stride: int) -> None:
    encoder = load_video_model_encoder("video", config(models, block=block, frames=(0, 2)))
    assert encoder.stride == stride and encoder.mean == encoder.std == (0.5, 0.5, 0.5)
    images = normalize(pictures(), encoder.mean, encoder.std)
    features = encoder.patch_features(images)
    assert features.shape[0] == 2 and features.shape[-2:] == (32 // stride, 48 // stride)
    read = PolicyFeaturesConfig.model_validate(
        {"read": {"block": block, "all_layers": False}, "reduction": {"kind": "full"}}
    )
    reader = FeatureReader.load(config(models).path, read)
    latents = encoder.codec.encode(images)
    noise = feature_noise(read.noise, [0, 0], (reader.frames, *latents.shape[1:]), "cpu")
    text = torch.zeros(2, 1, reader.model.config.unet.cross_attention_dimension)
    wanted = reader(latents, text, noise)[:, [0, 2]].flatten(1, 2)
    assert torch.allclose(features, wanted, atol=1e-5)
    alone = encoder.patch_features(images[1:])
    assert torch.allclose(alone, features[1:], atol=1e-4)  # a picture's features are its own


def test_it_is_an_encoder_like_any_other(models: Path) -> None:
    known = {"video": config(models), "later": config(models, frames=(1,))}
    sources = encoder_sources(EncodersConfig(known=known), [])
    assert sources[0].digest != sources[1].digest
    encoder = encoder_on(sources[0], torch.device("cpu"))
    assert isinstance(encoder, VideoModelEncoder)
    assert sum(parameter.numel() for parameter in encoder.parameters()) > 0
    with pytest.raises(InputError, match="do not divide into cells of 8"):
        encoder.patch_features(torch.zeros(1, 3, 36, 48))


def test_what_does_not_fit_is_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"reads frame 3, .* predicts 0\.\.2"):
        load_video_model_encoder("video", config(models, frames=(3,)))
    with pytest.raises(InputError, match="is missing"):
        encoder_sources(EncodersConfig(known={"video": config(models, codec=tmp_path)}), [])
    with pytest.raises(ValueError, match="different numbers from 0 on"):
        config(models, frames=(1, 1))

"""Codecs: what comes back, units, seeds, and what is refused."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.vpp.video.codecs import LINEAR, publish_linear, publish_vae
from tests.models.vpp.video.frames import pattern_store
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.video.codec import (
    LinearCodec,
    VaeCodec,
    depth_to_space,
    load_codec,
    seeded_noise,
    space_to_depth,
    to_pictures,
)
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig


@pytest.fixture(scope="module")
def vae_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def vae(vae_folder: Path) -> VaeCodec:
    codec = load_codec(vae_folder)
    assert isinstance(codec, VaeCodec)
    return codec


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return pattern_store(tmp_path_factory.mktemp("store"))


@given(factor=st.sampled_from([1, 2, 3]), count=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_blocks_of_pixels_go_back(factor: int, count: int) -> None:
    pictures = torch.rand(count, 3, 2 * factor, 3 * factor)
    blocks = space_to_depth(pictures, factor)
    assert blocks.shape == (count, 3 * factor**2, 2, 3)
    torch.testing.assert_close(depth_to_space(blocks, factor), pictures, rtol=0, atol=0)


def test_a_block_holds_neighbors() -> None:
    pictures = torch.zeros(1, 3, 4, 4)
    pictures[0, :, 2:, :2] = 1
    blocks = space_to_depth(pictures, 2)
    assert blocks[0, :, 1, 0].eq(1).all() and blocks.sum() == 12


def test_all_components_lose_nothing(store: FrameStore, tmp_path: Path) -> None:
    codec = load_codec(publish_linear(store, tmp_path, CodecConfig(kind="linear", factor=2, channels=12)))
    pictures = to_pictures(torch.from_numpy(store.frames(store.ids[0])))
    torch.testing.assert_close(codec.decode(codec.encode(pictures)), pictures, rtol=0, atol=1e-5)


def test_latents_of_training_frames_have_unit_variance(store: FrameStore, tmp_path: Path) -> None:
    codec = load_codec(publish_linear(store, tmp_path, CodecConfig(kind="linear", factor=4, channels=6)))
    train = store.select("train")
    frames = torch.cat([torch.from_numpy(train.frames(view)) for view in train.ids])
    latents = codec.encode(to_pictures(frames)).movedim(1, 0).flatten(1)
    torch.testing.assert_close(latents.mean(1), torch.zeros(6), rtol=0, atol=1e-4)
    torch.testing.assert_close(latents.var(1, correction=0), torch.ones(6), rtol=1e-3, atol=0)
    assert torch.cov(latents).fill_diagonal_(0).abs().max() < 1e-3


def test_the_linear_codec_is_what_is_left_of_the_pixels(store: FrameStore, tmp_path: Path) -> None:
    """Decoding is the projection: a second round changes nothing."""
    codec = load_codec(publish_linear(store, tmp_path))
    assert (codec.channels, codec.factor, codec.condition_scale) == (6, 4, 1.0)
    pictures = to_pictures(torch.from_numpy(store.frames(store.ids[0])))
    decoded = codec.decode(codec.encode(pictures))
    torch.testing.assert_close(codec.decode(codec.encode(decoded)), decoded, rtol=0, atol=1e-5)
    assert not torch.allclose(decoded, pictures, atol=0.05)


def test_the_mode_is_scaled_and_a_sample_is_around_it(vae: VaeCodec) -> None:
    pictures = torch.rand(3, 3, 8, 8) * 2 - 1
    with torch.inference_mode():
        posterior = vae.vae.encode(pictures).latent_dist
        mode, sample = vae.encode(pictures), vae.encode(pictures, torch.tensor([5, 6, 7]))
    torch.testing.assert_close(mode, posterior.mode() * 0.18215)
    noise = (sample / 0.18215 - posterior.mode()) / posterior.std
    torch.testing.assert_close(
        noise, seeded_noise([5, 6, 7], (4, 4, 4), torch.device("cpu")), atol=1e-3, rtol=0
    )
    assert (vae.channels, vae.factor, vae.condition_scale) == (4, 2, 0.18215)


@torch.inference_mode()
def test_a_sample_does_not_depend_on_the_batch(vae: VaeCodec) -> None:
    pictures, seeds = torch.rand(4, 3, 8, 8), torch.tensor([1, 2, 3, 4])
    together = vae.encode(pictures, seeds)
    alone = torch.cat([vae.encode(pictures[i : i + 1], seeds[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


@torch.inference_mode()
def test_no_video_is_decoded_together_with_another(vae: VaeCodec) -> None:
    """The decoder looks 3 frames (``decode_frames``) at a time, inside each video."""
    latents = torch.randn(8, 4, 4, 4)
    parts = [vae.decode(part, 4) for part in latents.split(4)]
    torch.testing.assert_close(vae.decode(latents, 4), torch.cat(parts), atol=1e-5, rtol=0)
    alone = torch.cat(
        [vae.vae.decode(part / 0.18215, num_frames=len(part)).sample for part in latents[:4].split(3)]
    )
    torch.testing.assert_close(parts[0], alone, atol=1e-5, rtol=0)
    assert (vae.decode(latents, 8) - vae.decode(latents, 4)).abs().max() > 1e-4


def test_half_precision_weights_are_cast_up(tmp_path: Path) -> None:
    codec = load_codec(publish_vae(tmp_path, half=True))
    assert isinstance(codec, VaeCodec) and {value.dtype for value in codec.parameters()} == {torch.float32}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert codec.decode(codec.encode(torch.rand(1, 3, 8, 8))).dtype == torch.float32
        assert codec.vae.decoder.conv_in.weight.dtype == torch.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_an_error(vae: VaeCodec, value: float) -> None:
    latents = torch.zeros(2, 4, 4, 4)
    latents[1, 0, 0, 0] = value
    for codec in (vae, LinearCodec(CodecConfig(kind="linear", factor=2, channels=4))):
        with torch.inference_mode(), pytest.raises(InputError, match="not finite"):
            codec.decode(latents)


def test_sizes_that_do_not_fit_are_refused(vae: VaeCodec) -> None:
    for codec in (vae, LinearCodec(LINEAR)):
        with pytest.raises(InputError, match=r"multiples of \d.*robot_episodes"):
            codec.encode(torch.zeros(1, 3, 9, 8))
        with pytest.raises(InputError, match="another codec made them"):
            codec.decode(torch.zeros(1, 5, 4, 4))


def test_the_digest_changes_with_the_weights(store: FrameStore, tmp_path: Path, vae: VaeCodec) -> None:
    other = CodecConfig(kind="linear", factor=4, channels=6, fit_frames=5)
    digests = {load_codec(publish_linear(store, tmp_path / "a")).digest, vae.digest}
    digests |= {load_codec(publish_linear(store, tmp_path / "b", other)).digest}
    assert len(digests) == 3 and "" not in digests


def test_what_is_no_codec_is_refused(tmp_path: Path, vae_folder: Path) -> None:
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        load_codec(tmp_path)
    for name in ("model.safetensors", "meta.json"):
        (tmp_path / name).write_bytes((vae_folder / name).read_bytes())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds no codec of frames.*latent_extraction_svd"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text('{"codec": {"kind": "linear"}}')
    with pytest.raises(InputError, match="another architecture"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text('{"codec": {"kind": "vae"}, "vae": {"_class_name": "VQModel"}}')
    with pytest.raises(InputError, match="'VQModel', not of AutoencoderKLTemporalDecoder"):
        load_codec(tmp_path)

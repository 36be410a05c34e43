import pytest
import torch

from tests.models.vqvae.tiny import make_config, make_images, make_model
from vidrep_pipelines.common.errors import InputError


@pytest.mark.parametrize("decoder", ["2d", "3d", "residual_causal_3d"])
@pytest.mark.parametrize("codes", ["euclidean", "cosine"])
@pytest.mark.parametrize("update", ["gradient", "ema"])
@torch.no_grad()
def test_decoded_codes_equal_the_reconstruction_bit_for_bit(decoder: str, codes: str, update: str) -> None:
    model = make_model(make_config({"codes": codes, "update": update}, decoder=decoder))
    for shape in [(2, 3)] if decoder == "3d" else [(2, 3), (2,)]:
        images = make_images(*shape)
        outputs = model(images)
        assert outputs.reconstruction.shape == images.shape
        assert outputs.quantized.codes.shape == (*shape, 8, 8)
        assert len(outputs.quantized.codes.unique()) > 2
        assert torch.equal(model.encode(images), outputs.quantized.codes)
        assert torch.equal(model.decode_codes(outputs.quantized.codes), outputs.reconstruction)


@torch.no_grad()
def test_frames_are_encoded_on_their_own() -> None:
    model, clip = make_model(), make_images(2, 3)
    one_by_one = torch.stack([model.latents(frame) for frame in clip.unbind(1)], dim=1)
    torch.testing.assert_close(model.latents(clip), one_by_one)


@torch.no_grad()
@pytest.mark.parametrize(
    ("decoder", "looks_ahead"), [("3d", True), ("residual_causal_3d", False), ("2d", False)]
)
def test_only_the_published_head_looks_ahead(decoder: str, looks_ahead: bool) -> None:
    model = make_model(make_config(decoder=decoder))
    codes = torch.randint(16, (1, 4, 8, 8))
    changed = codes.clone()
    changed[:, 3] = (changed[:, 3] + 1) % 16
    first, second = model.decode_codes(codes)[:, :3], model.decode_codes(changed)[:, :3]
    assert torch.equal(first, second) is not looks_ahead


@torch.no_grad()
def test_the_causal_head_takes_single_frames_and_starts_as_the_2d_decoder() -> None:
    torch.manual_seed(0)
    model = type(make_model())(make_config(decoder="residual_causal_3d"))
    frames = make_images(2)
    features = model.from_latents(model.quantize(model.latents(frames)).entries)
    assert torch.equal(model(frames).reconstruction, model.decoder.frames(features))


def test_gradients_reach_every_parameter() -> None:
    model = make_model(make_config(decoder="residual_causal_3d"))
    outputs = model(make_images(1, 3))
    (
        outputs.reconstruction.square().mean() + model.quantizer.lookup(outputs.quantized.codes).sum()
    ).backward()
    missing = [name for name, value in model.named_parameters() if value.grad is None]
    assert not missing


def test_images_that_do_not_fit_are_refused() -> None:
    for shape in [(2, 3, 15, 16), (2, 1, 16, 16), (3, 16, 16)]:
        with pytest.raises(InputError, match="multiples of 2"):
            make_model().latents(torch.zeros(shape))
    with pytest.raises(InputError, match="not on single frames"):
        make_model(make_config(decoder="3d"))(make_images(2))


@torch.no_grad()
def test_bfloat16_stays_close() -> None:
    model, images = make_model(), make_images(2)
    with torch.autocast("cpu", torch.bfloat16):
        latents = model.latents(images)
        quantized = model.quantize(latents)
    assert quantized.entries.dtype == torch.float32
    torch.testing.assert_close(latents.float(), model.latents(images), atol=0.1, rtol=0.1)

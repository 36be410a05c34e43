import torch

from tests.helpers.published_names import published_names
from tests.models.vpp.video.tiny import CONFIG, SHAPE, make_latents, make_tokens, make_video_model
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.model import build_unet, preconditioning, time_ids_of

PUBLISHED_PARAMETERS = 1_524_623_082


def test_preconditioning_gives_unit_variance_and_removes_no_noise_from_clean_clips() -> None:
    sigma = torch.tensor([1e-3, 0.5, 1.0, 700.0], dtype=torch.float64)
    factors = preconditioning(sigma)
    torch.testing.assert_close(factors.c_in.square() * (sigma.square() + 1), torch.ones_like(sigma))
    torch.testing.assert_close(  # the target of the UNet has unit variance, too
        factors.c_out.square(), factors.c_skip.square() * sigma.square() + (1 - factors.c_skip).square()
    )
    torch.testing.assert_close(factors.c_noise.mul(4).exp(), sigma)
    assert (factors.c_out < 0).all()


def test_denoising_nearly_clean_clips_changes_nearly_nothing() -> None:
    model, latents = make_video_model(), make_latents()
    text, told = model.encode_text(*make_tokens()), time_ids_of(3, 7, 127, 0.0, "cpu")
    with torch.no_grad():
        found = model.denoise(latents, torch.full((3,), 1e-5), latents[:, 0], text, told)
    torch.testing.assert_close(found, latents, atol=1e-4, rtol=0)


def test_unet_gets_the_first_frame_unscaled_beside_every_frame() -> None:
    model = make_video_model(CONFIG.model_copy(update={"condition_scale": 0.5}))
    latents, sigma = make_latents(), torch.tensor([0.1, 1.0, 10.0])
    sample, c_noise = model.unet_inputs(latents, sigma, latents[:, 0])
    assert sample.shape == (3, SHAPE[0], 2 * SHAPE[1], *SHAPE[2:])
    torch.testing.assert_close(sample[:, 2, SHAPE[1] :], latents[:, 0] * 2)
    torch.testing.assert_close(sample[1, :, : SHAPE[1]], latents[1] / 2**0.5)
    torch.testing.assert_close(c_noise, sigma.log() / 4)


def test_samples_do_not_depend_on_their_neighbors_and_are_float32_under_autocast() -> None:
    model, latents = make_video_model(), make_latents()
    text, told = model.encode_text(*make_tokens()), time_ids_of(3, 7, 127, 0.0, "cpu")
    sigma = torch.tensor([0.3, 2.0, 20.0])
    with torch.no_grad():
        together = model.denoise(latents, sigma, latents[:, 0], text, told)
        alone = model.denoise(latents[1:2], sigma[1:2], latents[1:2, 0], text[1:2], told[1:2])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model.denoise(latents, sigma, latents[:, 0], text, told)
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    assert half.dtype == torch.float32
    assert 0 < (half - together).abs().max() < 0.5


def test_text_and_numbers_reach_the_prediction() -> None:
    model, latents = make_video_model(), make_latents(1)
    text, told = model.encode_text(*make_tokens(2)), time_ids_of(1, 7, 127, 0.0, "cpu")
    first, sigma = latents[:, 0], torch.tensor([5.0])
    with torch.no_grad():
        found = model.denoise(latents, sigma, first, text[:1], told)
        assert not torch.equal(found, model.denoise(latents, sigma, first, text[1:], told))
        assert not torch.equal(
            found, model.denoise(latents, sigma, first, text[:1], time_ids_of(1, 4, 127, 0.0, "cpu"))
        )
    assert told.tolist() == [[7.0, 127.0, 0.0]]
    assert time_ids_of(2, 7, 127, torch.tensor([0.5, 0.25]), "cpu")[:, 2].tolist() == [0.5, 0.25]


def test_position_encoding_and_duplication_are_options() -> None:
    text = CONFIG.text.model_copy(update={"position_encoding": False})
    plain = make_video_model(CONFIG.model_copy(update={"text": text}))
    encoded = make_video_model()
    encoded.load_state_dict(plain.state_dict())
    ids, mask = make_tokens()
    with torch.no_grad():
        difference = encoded.encode_text(ids, mask) - plain.encode_text(ids, mask)
        plain.config = CONFIG.model_copy(update={"text": text.model_copy(update={"duplicate": True})})
        twice = plain.encode_text(ids, mask)
    torch.testing.assert_close(difference, encoded.positions.expand(3, -1, -1), atol=1e-5, rtol=1e-5)
    assert torch.equal(*twice.chunk(2, dim=-1))


def test_units_of_sharding_hold_nearly_all_weights() -> None:
    model = make_video_model()
    inside = {id(value) for block in model.blocks() for value in block.parameters()}
    share = sum(value.numel() for value in model.unet.parameters() if id(value) in inside)
    assert share > 0.8 * sum(value.numel() for value in model.unet.parameters())


def test_the_published_unet_has_its_parameters_and_its_names() -> None:
    with torch.device("meta"):
        unet = build_unet(UnetConfig())
    assert sum(value.numel() for value in unet.parameters()) == PUBLISHED_PARAMETERS
    expected = published_names("vpp")["svd_unet"]
    assert {name: list(value.shape) for name, value in unet.state_dict().items()} == expected

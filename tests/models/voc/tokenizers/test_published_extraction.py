import torch
from benchmarks.reference.voc_token_extraction_published import published_codes, published_pictures

from tests.models.voc.tokenizers.tiny import make_frames, vae_config
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames
from vidrep_pipelines.models.voc.tokenizers.inference import tokenize
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer


def test_published_pixels_are_an_option() -> None:
    frames, shifts = make_frames(6), torch.randint(9, (6, 2), generator=torch.Generator().manual_seed(1))
    config = PixelConfig(size=16, shift=4, normalization="published")
    torch.testing.assert_close(
        prepare_frames(frames, config, shifts), published_pictures(frames, shifts, 16), atol=1e-6, rtol=0
    )


def test_codes_without_shift_are_the_published_ones() -> None:
    torch.manual_seed(0)
    pixels = PixelConfig(size=16, shift=4, normalization="published")
    model = VaeTokenizer(VaeConfig(**{**dict(vae_config()), "pixels": pixels})).eval()
    frames, still = make_frames(5), torch.full((5, 2), 4)
    encode = torch.nn.Sequential(model.encoder, model.to_latents)
    expected = published_codes(encode, model.codebook, frames, still, 16)
    assert torch.equal(tokenize(model, frames).flatten(1), expected)

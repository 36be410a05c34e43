from pathlib import Path

import pytest
import torch

from tests.models.voc.tokenizers.tiny import NETWORK, PIXELS, make_frames, musik_config, vae_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, QuantizationConfig
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames
from vidrep_pipelines.models.voc.tokenizers.inference import DecodingTokenizer, Tokenizer, depict, tokenize
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import load_into, load_original, to_original
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.objective import vae_objective
from vidrep_pipelines.training.task import StepInfo

STEP = StepInfo(0, 0.0, torch.Tensor.detach)
AVERAGED = {"update": "ema", "decay": 0.5, "restart_below": 0.1}


def make_vae(**codes: object) -> VaeTokenizer:
    torch.manual_seed(0)
    model = VaeTokenizer(vae_config(**codes))
    with torch.no_grad():
        model.quantizer.codebook.normal_(std=0.5)
    return model


def test_codes_and_back_without_autograd() -> None:
    model, frames = make_vae(), make_frames(3)
    codes = tokenize(model, frames)
    assert codes.shape == (3, 8, 8) and codes.dtype == torch.int64 and not codes.requires_grad
    pictures = depict(model, codes)
    assert pictures.shape == (3, 3, 16, 16) and pictures.min() >= 0 and pictures.max() <= 1
    with torch.no_grad():
        outputs = model(prepare_frames(frames, PIXELS))
        assert torch.equal(model.decode_codes(codes), outputs.reconstruction)
    assert torch.equal(outputs.quantized.codes, codes)
    assert torch.equal(model.codebook[codes], outputs.quantized.entries.movedim(1, -1))


def test_only_vae_has_a_way_back_to_pixels() -> None:
    vae: Tokenizer = make_vae()
    musik: Tokenizer = MusikTokenizer(musik_config())
    assert isinstance(vae, DecodingTokenizer) and not isinstance(musik, DecodingTokenizer)
    assert (musik.vocabulary, musik.grid, musik.codebook.shape) == (16, 8, (16, 4))


def test_weightings_have_one_value_and_two_gradients() -> None:
    model = make_vae()
    quantized = model.quantize(model.latents(prepare_frames(make_frames(2), PIXELS)))
    losses = {
        weighting: model.quantization_loss(
            quantized, QuantizationConfig.model_validate({"weighting": weighting})
        )
        for weighting in ("corrected", "legacy")
    }
    assert losses["corrected"].item() == pytest.approx(losses["legacy"].item())
    gradients = {
        weighting: torch.autograd.grad(loss, model.quantizer.codebook, retain_graph=True)[0]
        for weighting, loss in losses.items()
    }
    torch.testing.assert_close(gradients["corrected"], 4 * gradients["legacy"])


def test_a_codebook_of_averages_moves_toward_what_it_stands_for() -> None:
    model = make_vae(**AVERAGED)
    before = model.codebook.clone()
    quantized = model.quantize(model.latents(prepare_frames(make_frames(4), PIXELS)))
    loss = model.quantization_loss(quantized, QuantizationConfig())
    distance = (quantized.latents - model.quantizer.lookup(quantized.codes)).square().mean()
    assert loss.item() == pytest.approx(0.25 * distance.item())
    model.observe(quantized, torch.arange(4))
    model.follow(STEP)
    assert not torch.equal(model.codebook, before)
    again = model.quantize(quantized.latents.movedim(-1, 1))
    assert (again.latents - model.quantizer.lookup(again.codes)).square().mean() < distance


def test_perceptual_distance_gets_the_pixels_it_is_told_to() -> None:
    model, images = make_vae(), prepare_frames(make_frames(2), PIXELS)
    seen: list[torch.Tensor] = []

    class Distance(torch.nn.Module):
        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            seen.append(first)
            return (first - second).square().mean(dim=(1, 2, 3))

    for kind in ("unit", "normalized"):
        config = VaeObjectiveConfig.model_validate({"perceptual_weight": 0.5, "perceptual_input": kind})
        losses = vae_objective(model, images, config, Distance())
        assert losses.loss.item() == pytest.approx(
            (losses.pixel + 0.5 * losses.perceptual + losses.codebook).item()
        )
    assert seen[0].min() >= 0 and seen[0].max() <= 1 + 1e-6
    torch.testing.assert_close(2 * seen[1] - 1, images)  # the distance itself goes on to -1..1


def test_published_files_lose_their_loss_networks_and_nothing_else(tmp_path: Path) -> None:
    model = make_vae()
    state = to_original(model.state_dict()) | {"loss.discriminator.main.0.weight": torch.zeros(2)}
    for path, content in ((tmp_path / "bare.pt", state), (tmp_path / "last.ckpt", {"state_dict": state})):
        torch.save(content, path)
        other = VaeTokenizer(vae_config(**AVERAGED))
        load_into(other, load_original(path), path.name)
        assert all(torch.equal(other.state_dict()[k], v) for k, v in model.state_dict().items())
        assert other.codebook_average is not None
        average = other.codebook_average
        torch.testing.assert_close(average.sums / average.shares[:, None], model.codebook)


def test_other_architectures_are_named_by_their_tensors() -> None:
    state = to_original(make_vae().state_dict())
    state["encoder.conv_in.weight"] = torch.zeros(1)
    state["surplus"] = state.pop("quant_conv.bias")
    with pytest.raises(InputError, match=r"there belongs.*bias is missing, surplus is unknown.*\(1,\)"):
        load_into(make_vae(), state, "there")


def test_pictures_and_network_must_fit() -> None:
    with pytest.raises(ConfigurationError, match=r"pixels\.size is 17"):
        VaeTokenizer(VaeConfig(network=NETWORK, pixels=PixelConfig(size=17)))
    with pytest.raises(InputError, match=r"takes pictures \(N, 3, 16, 16\)"):
        make_vae().encode(torch.zeros(1, 3, 20, 20))


def test_published_sizes() -> None:
    with torch.device("meta"):
        model = VaeTokenizer(VaeConfig())
    counts = {
        name: sum(value.numel() for value in part.parameters()) for name, part in model.named_children()
    }
    assert counts["quantizer"] == 1024 * 256 and counts["to_latents"] == counts["from_latents"] == 65_792
    assert model.grid == 5 and model.vocabulary == 1024

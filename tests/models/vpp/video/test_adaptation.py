import pytest
import torch

from tests.models.vpp.video.tiny import (
    CONFIG,
    make_latents,
    make_tokens,
    make_video_model,
    make_video_randomness,
)
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.video.adaptation import (
    adapt,
    adapter_weights,
    is_temporal,
    merged_weights,
)
from vidrep_pipelines.models.vpp.video.config import AdaptationConfig, LowRankConfig, VideoObjectiveConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.objective import video_objective

LORA = LowRankConfig(rank=2, alpha=4.0, dropout=0.0, targets=("to_q", "ff.net.2", "conv_in"))


def _loss(model: VideoDiffusion) -> torch.Tensor:
    found = video_objective(
        model, make_latents(), *make_tokens(), make_video_randomness(), VideoObjectiveConfig()
    )
    return found.loss


def _trained(model: VideoDiffusion) -> set[str]:
    return {name for name, value in model.unet.named_parameters() if value.requires_grad}


def _adapted(config: AdaptationConfig) -> VideoDiffusion:
    model = make_video_model()
    adapt(model, config)
    return model


def test_all_is_trained_unless_said_otherwise_and_the_text_model_always() -> None:
    model = _adapted(AdaptationConfig())
    assert len(_trained(model)) == len(list(model.unet.parameters()))
    partial = _adapted(AdaptationConfig(trainable=("attn1", "conv_in")))
    assert _trained(partial) == {
        name for name, _ in model.unet.named_parameters() if "attn1" in name or "conv_in" in name
    }
    assert all(value.requires_grad for value in partial.text_encoder.parameters())


def test_layers_over_time_can_be_kept() -> None:
    model = _adapted(AdaptationConfig(freeze_temporal=True))
    names = {name for name, _ in model.unet.named_parameters()}
    kept = names - _trained(model)
    assert kept == {name for name in names if is_temporal(name)} and kept
    assert "time_embedding.linear_1.weight" in _trained(model)
    assert any("mix_factor" in name for name in kept)


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = _adapted(AdaptationConfig(gradient_checkpointing=checkpointing)).train()
        assert (
            any(getattr(part, "gradient_checkpointing", False) for part in model.modules()) == checkpointing
        )
        _loss(model).backward()  # type: ignore[no-untyped-call]
        gradients.append([value.grad for value in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_adapters_change_nothing_at_first_and_merge_exactly() -> None:
    plain = make_video_model()
    model = _adapted(AdaptationConfig(lora=LORA))
    assert _loss(model).item() == pytest.approx(_loss(plain).item(), rel=1e-6)
    assert {name.split(".")[-3] for name in _trained(model)} == {"lora_A", "lora_B"}
    with torch.no_grad():
        for name, value in model.unet.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.05)
    changed = _loss(model).item()
    assert changed != pytest.approx(_loss(plain).item(), rel=1e-4)
    plain.load_state_dict(merged_weights(model.state_dict(), LORA))
    assert _loss(plain).item() == pytest.approx(changed, rel=1e-5)


def test_an_adapter_checkpoint_holds_what_was_trained_and_fits_back() -> None:
    model = _adapted(AdaptationConfig(lora=LORA))
    state = adapter_weights(model.state_dict())
    assert state.keys() == {name for name, value in model.named_parameters() if value.requires_grad}
    assert sum(value.numel() for value in state.values()) < 0.1 * sum(p.numel() for p in model.parameters())
    other = _adapted(AdaptationConfig(lora=LORA))
    missing = other.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys


def test_adapters_spare_what_works_over_time_if_asked() -> None:
    model = _adapted(AdaptationConfig(lora=LORA, freeze_temporal=True))
    assert _trained(model) and not any(is_temporal(name) for name in _trained(model))
    everywhere = _adapted(AdaptationConfig(lora=LORA))
    assert any(is_temporal(name) for name in _trained(everywhere))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (AdaptationConfig(trainable=("attn1", "attn9")), "'attn9' is in no name.*conv_in"),
        (AdaptationConfig(trainable=("temporal",), freeze_temporal=True), "nothing of the UNet is left"),
        (AdaptationConfig(lora=LowRankConfig(targets=("to_x",))), "called 'to_x'"),
    ],
)
def test_what_fits_no_name_is_refused(config: AdaptationConfig, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        adapt(make_video_model(CONFIG), config)

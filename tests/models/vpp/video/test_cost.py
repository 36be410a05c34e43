import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.models.vpp.video.tiny import CONFIG, SHAPE, make_video_model
from vidrep_pipelines.models.vpp.video.adaptation import adapt
from vidrep_pipelines.models.vpp.video.config import AdaptationConfig, LowRankConfig
from vidrep_pipelines.models.vpp.video.cost import video_step_cost

PLAIN = AdaptationConfig(gradient_checkpointing=False)


def test_numbers_are_those_of_the_real_network() -> None:
    model = make_video_model()
    cost = video_step_cost(CONFIG, PLAIN, (2, *SHAPE), averaged=True)
    parameters = sum(value.numel() for value in model.unet.parameters())
    assert cost.parameters == cost.trained == parameters
    assert (cost.weights, cost.gradients, cost.optimizer, cost.average) == (
        4 * parameters, 4 * parameters, 8 * parameters, 4 * parameters,
    )  # fmt: skip
    counter = FlopCounterMode(display=False)
    frames, channels, height, width = SHAPE
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # in one kernel it would not be counted
        model.velocity(
            torch.zeros(2, frames, 2 * channels, height, width),
            torch.zeros(2),
            torch.zeros(2, 8, 32),
            torch.zeros(2, 3),
        )
    assert cost.forward_flops == pytest.approx(counter.get_total_flops(), rel=1e-3)
    assert cost.step_flops == 3 * cost.forward_flops


def test_work_and_activations_grow_with_the_batch() -> None:
    one, four = (video_step_cost(CONFIG, PLAIN, (batch, *SHAPE)) for batch in (1, 4))
    assert four.forward_flops == pytest.approx(4 * one.forward_flops, rel=0.02)
    assert four.activations == pytest.approx(4 * one.activations, rel=0.02)
    assert four.weights == one.weights


def test_each_saving_saves() -> None:
    shape = (2, *SHAPE)
    plain = video_step_cost(CONFIG, PLAIN, shape)
    anew = video_step_cost(CONFIG, AdaptationConfig(), shape)
    assert anew.activations < plain.activations and anew.step_flops == 4 * plain.forward_flops
    small = video_step_cost(CONFIG, PLAIN, shape, moment_bytes=2)
    assert small.optimizer * 4 == plain.optimizer and small.memory < plain.memory
    lora = AdaptationConfig(lora=LowRankConfig(rank=2), gradient_checkpointing=False)
    adapted = video_step_cost(CONFIG, lora, shape)
    model = make_video_model()
    adapt(model, lora)
    assert adapted.trained == sum(p.numel() for p in model.unet.parameters() if p.requires_grad)
    assert adapted.gradients + adapted.optimizer < 0.2 * (plain.gradients + plain.optimizer)


def test_people_are_told() -> None:
    text = video_step_cost(CONFIG, PLAIN, (2, *SHAPE)).text()
    assert text.startswith("1.3 M parameters, 1.3 M trained; a step of ") and "GiB a device (" in text

"""Time of one RSP training step on this machine's CPU: the published computation against ours."""

import gc
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.reference.rsp_published import PublishedRsp, PublishedSettings, draw_noise
from vidrep_pipelines.models.rsp.checkpoint_io import from_original
from vidrep_pipelines.models.rsp.config import RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import RspRandomness, rsp_objective

BATCH = 4
THREADS = 2
ROUNDS = 5
LEARNING_RATE = 1e-5
HOW = (
    "ViT-S/16, batch 4, full step (forward, backward, AdamW) on the CPU with 2 threads, interleaved, medians of "
    f"{ROUNDS} rounds; reference: three encoder passes, prior decoded every step, unfused attention, default AdamW, "
    "float32"
)
Step = Callable[[], float]


def build_reference(source: Tensor, target: Tensor) -> tuple[Step, PublishedRsp]:
    """A function that makes one published step and returns the loss."""
    settings = PublishedSettings()
    model = PublishedRsp(settings)
    noise = draw_noise(BATCH, settings, seed=0)
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05,
    )  # fmt: skip

    def step() -> float:
        optimizer.zero_grad()
        loss = model(source, target, noise)["loss"]
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step, model


def build_ours(source: Tensor, target: Tensor, weights: dict[str, Tensor], bfloat16: bool) -> Step:
    """A function that makes one of our steps on the same inputs and returns the loss."""
    model = RspModel(RspModelConfig())
    model.load_state_dict(from_original(weights))
    noise = draw_noise(BATCH, PublishedSettings(), seed=0)
    randomness = RspRandomness(
        target_noise=noise.target,
        mask_noise=noise.mask,
        posterior_noise=_gumbel_that_picks(noise.post_index),
        prior_noise=_gumbel_that_picks(noise.prior_index),
    )
    config = RspObjectiveConfig()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05, fused=True
    )
    steps = 0

    def step() -> float:
        nonlocal steps
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            decode_prior = config.decodes_prior(steps)
            loss = rsp_objective(model, source, target, randomness, config, decode_prior=decode_prior).loss
        loss.backward()
        optimizer.step()
        steps += 1
        return float(loss.detach())

    return step


def _gumbel_that_picks(index: Tensor) -> Tensor:
    """Noise under which exactly the classes ``index`` (B, S) are drawn."""
    chosen = F.one_hot(index, 32).bool()
    return torch.zeros(chosen.shape).masked_fill(~chosen, float("-inf"))


def seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def run() -> dict[str, dict[str, object]]:
    """Measures both precisions; the first losses must agree, else the comparison would mean nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    source, target = torch.randn(2, BATCH, 3, 224, 224)
    reference, model = build_reference(source, target)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    candidates = {
        "fp32": (build_ours(source, target, weights, bfloat16=False), 1e-5),
        "bf16": (build_ours(source, target, weights, bfloat16=True), 2e-2),
    }
    expected = reference()
    for name, (step, tolerance) in candidates.items():
        loss = step()
        if abs(loss - expected) > tolerance * expected:
            raise RuntimeError(f"{name} computes a loss of {loss}, the reference {expected}")
    times: dict[str, list[float]] = {"reference": [], "fp32": [], "bf16": []}
    for _ in range(ROUNDS):
        times["reference"].append(seconds(reference))
        for name, (step, _tolerance) in candidates.items():
            times[name].append(seconds(step))
    gc.collect()
    torch.set_num_threads(threads)
    return {f"rsp_training_step_{name}": _result(times["reference"], times[name], name) for name in candidates}


def _result(reference: list[float], ours: list[float], name: str) -> dict[str, object]:
    return {
        "ratio": statistics.median(reference) / statistics.median(ours),
        "ours": statistics.median(ours),
        "reference": statistics.median(reference),
        "unit": "seconds per step",
        "how": f"{HOW}; ours in {name}",
    }


if __name__ == "__main__":
    for name, result in run().items():
        print(name, result)

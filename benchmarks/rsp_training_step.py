"""Time of one RSP training step on this machine's CPU: the published computation against ours."""

import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.reference import rsp_published
from benchmarks.reference.rsp_published import PublishedRsp, PublishedSettings, draw_noise
from benchmarks.timing import Result
from vidrep_pipelines.models.rsp.checkpoint_io import from_original
from vidrep_pipelines.models.rsp.config import RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import RspRandomness, rsp_objective
from vidrep_pipelines.training.precision import has_bfloat16

BATCH = 4
THREADS = 2
ROUNDS = 5
LEARNING_RATE = 1e-5
LOSS_TOLERANCES = {"fp32": 1e-5, "bf16": 2e-2}
HOW = (
    f"ViT-S/16, batch {BATCH}, full step (forward, backward, AdamW) on the CPU with {THREADS} threads, "
    f"interleaved, medians of {ROUNDS} rounds; reference: float32, three encoder passes, prior decoded at "
    "every step, unfused attention, default AdamW; ours decodes the prior at every tenth step, counted in"
)
Step = Callable[[bool], float]
"""Makes one step, with the prior's decode or without, and returns the loss."""


def build_reference(source: Tensor, target: Tensor) -> tuple[Step, PublishedRsp]:
    """The published step, which always decodes the prior."""
    model = PublishedRsp(PublishedSettings())
    return _published_step(model, source, target), model


def build_peer(source: Tensor, target: Tensor, weights: dict[str, Tensor], bfloat16: bool) -> Step:
    """The published computation by what PyTorch has since: fused attention and AdamW, our precision."""
    model = PublishedRsp(PublishedSettings())
    model.load_state_dict(weights)
    step = _published_step(model, source, target, fused=True)

    def fused_step(decode_prior: bool) -> float:
        with (
            patch.object(rsp_published, "attend", attend_fused),
            torch.autocast("cpu", torch.bfloat16, enabled=bfloat16),
        ):
            return step(decode_prior)

    return fused_step


def attend_fused(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """``rsp_published.attend`` in one call."""

    def split(tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)

    attended = F.scaled_dot_product_attention(split(query), split(key), split(value))
    return attended.transpose(1, 2).flatten(2)


def _published_step(model: PublishedRsp, source: Tensor, target: Tensor, *, fused: bool = False) -> Step:
    noise = draw_noise(BATCH, PublishedSettings(), seed=0)
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=LEARNING_RATE,
        betas=(0.9, 0.95),
        weight_decay=0.05,
        fused=fused or None,
    )

    def step(_decode_prior: bool) -> float:
        optimizer.zero_grad()
        loss = model(source, target, noise)["loss"]
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def build_ours(source: Tensor, target: Tensor, weights: dict[str, Tensor], bfloat16: bool) -> Step:
    """Our step on the same inputs, from the same weights."""
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

    def step(decode_prior: bool) -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = rsp_objective(model, source, target, randomness, config, decode_prior=decode_prior).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    return step


def _gumbel_that_picks(index: Tensor) -> Tensor:
    """Noise under which exactly the classes ``index`` (B, S) are drawn."""
    chosen = F.one_hot(index, PublishedSettings().discrete).bool()
    return torch.zeros(chosen.shape).masked_fill(~chosen, float("-inf"))


def run() -> dict[str, Result]:
    """Measures both precisions; the first losses must agree, else the comparison would mean nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        return _measure()
    finally:
        torch.set_num_threads(threads)


def _measure() -> dict[str, Result]:
    torch.manual_seed(0)
    source, target = torch.randn(2, BATCH, 3, 224, 224)
    reference, model = build_reference(source, target)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    ours = {name: build_ours(source, target, weights, name == "bf16") for name in _precisions()}
    peers = {name: build_peer(source, target, weights, name == "bf16") for name in ours}
    _check_losses(reference, ours, peers)
    published: list[float] = []
    fused: dict[str, list[float]] = {name: [] for name in ours}
    plain: dict[str, list[float]] = {name: [] for name in ours}
    with_prior: dict[str, list[float]] = {name: [] for name in ours}
    for _ in range(ROUNDS):
        published.append(_seconds(reference, True))
        for name, step in ours.items():
            plain[name].append(_seconds(step, False))
            with_prior[name].append(_seconds(step, True))
            fused[name].append(_seconds(peers[name], True))
    results = {name: _result(name, published, plain[name], with_prior[name]) for name in ours}
    for name, result in results.items():
        result["peer"] = f"torch {torch.__version__}"
        result["peer_ratio"] = statistics.median(fused[name]) / result["ours"]
        result["peer_how"] = f"the published computation with fused attention, fused AdamW and {name}"
    return {f"rsp_training_step_{name}": result for name, result in results.items()}


def _precisions() -> list[str]:
    """Those that this CPU has instructions for; emulated, a single step takes minutes."""
    usable = [name for name in LOSS_TOLERANCES if name != "bf16" or has_bfloat16(torch.device("cpu"))]
    for name in LOSS_TOLERANCES.keys() - usable:
        print(f"rsp_training_step_{name}: not on this CPU, which has no instructions for it")
    return usable


def _check_losses(reference: Step, *others: dict[str, Step]) -> None:
    """Makes one step each, which also warms up."""
    expected = reference(True)
    for steps in others:
        for name, step in steps.items():
            loss = step(True)
            if abs(loss - expected) > LOSS_TOLERANCES[name] * expected:
                raise RuntimeError(f"{name} computes a loss of {loss}, the reference {expected}")


def _seconds(step: Step, decode_prior: bool) -> float:
    start = time.perf_counter()
    step(decode_prior)
    return time.perf_counter() - start


def _result(name: str, published: list[float], plain: list[float], with_prior: list[float]) -> Result:
    share = 1 / RspObjectiveConfig().prior_decode_every
    ours = (1 - share) * statistics.median(plain) + share * statistics.median(with_prior)
    reference = statistics.median(published)
    return Result(
        ratio=reference / ours,
        ours=ours,
        reference=reference,
        unit="seconds per step",
        how=f"{HOW}; ours in {name}",
    )


if __name__ == "__main__":
    for benchmark, result in run().items():
        print(benchmark, result)

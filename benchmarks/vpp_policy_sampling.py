"""A chunk of actions from noise, goal and video read once, against reading them at every step."""

import time

import torch

from benchmarks.reference.vpp_published import published_actions
from benchmarks.timing import Result, interleave
from vidrep_pipelines.models.vpp.policy.inference import sample_chunk
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels
from vidrep_pipelines.models.vpp.policy.presets import PolicyPreset

ROUNDS = 9
HOW = (
    "CPU time of a chunk of 10 actions of 7 numbers, published sizes (width 384, 4 + 4 layers, 224 video "
    "tokens and a goal), DDIM in 10 steps, a batch of one, float32, one thread, in turns, medians of "
    "{rounds} rounds; outputs identical; reference: the same networks, goal and video tokens encoded at "
    "every step; the Video Former, which both run once, is left out of both"
)


@torch.no_grad()
def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    preset = PolicyPreset.named("calvin")
    model, sampling = PolicyModel(preset.model).eval(), preset.sampling
    former, sizes = preset.model.former, preset.model.denoiser
    video, goal = torch.randn(1, former.tokens, former.width), torch.randn(1, 1, sizes.goal)
    noise = torch.randn(1, sizes.chunk, sizes.actions)
    start = noise * sampling.sigma_max
    levels = policy_noise_levels(sampling.schedule, sampling.steps, sampling.sigma_min, sampling.sigma_max)

    def ours() -> torch.Tensor:
        return sample_chunk(model, model.denoiser.encode(video, goal), noise, sampling)

    def published() -> torch.Tensor:
        return published_actions(model, video, goal, start, levels)

    assert torch.equal(ours(), published())
    medians = interleave(ours, published, ROUNDS, time.process_time)
    torch.set_num_threads(threads)
    result = Result(
        ratio=medians.ratio,
        ours=1 / medians.ours,
        reference=1 / medians.reference,
        unit="chunks per second",
        how=HOW.format(rounds=ROUNDS),
    )
    return {"vpp_policy_sampling": result}

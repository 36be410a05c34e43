"""Videos from noise by our loop, against diffusers' scheduler in the published loop with the same weights."""

import time

import torch

from benchmarks.reference.vpp_published import published_video
from benchmarks.timing import Result, interleave
from vidrep_pipelines.models.vpp.video.config import (
    TextConfig,
    UnetConfig,
    VideoModelConfig,
    VideoSamplingConfig,
)
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.sampling import sample_video

STEPS, ROUNDS, SHAPE = 4, 7, (2, 8, 24, 8, 8)
HOW = (
    f"CPU time of a sampling step of {SHAPE[0]} videos of {SHAPE[1]} frames, UNet of 32 and 64 channels, "
    f"latents 24x8x8, guidance {{guidance}}, {STEPS} steps a run, float32, one thread, in turns, medians of "
    f"{ROUNDS} rounds; results equal; reference: the loop of diffusers' image-to-video pipeline around its "
    "EulerDiscreteScheduler and the same UNet"
)


@torch.no_grad()
def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = VideoDiffusion(_config()).eval()
    results = {
        "vpp_sampling": _compare(model, guidance=1.0),
        "vpp_sampling_guided": _compare(model, guidance=3.0),
    }
    torch.set_num_threads(threads)
    return results


def _compare(model: VideoDiffusion, guidance: float) -> Result:
    noise, first = torch.randn(SHAPE), torch.randn(SHAPE[0], *SHAPE[2:])
    text = torch.randn(SHAPE[0], 8, 64)
    config = VideoSamplingConfig(steps=STEPS, guidance=guidance)
    ours = sample_video(model, first, text, noise, config)
    theirs = published_video(model.unet, first, text, noise, STEPS, guidance)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    medians = interleave(
        lambda: sample_video(model, first, text, noise, config),
        lambda: published_video(model.unet, first, text, noise, STEPS, guidance),
        ROUNDS,
        time.process_time,
    )
    return Result(
        ratio=medians.ratio,
        ours=STEPS / medians.ours,
        reference=STEPS / medians.reference,
        unit="steps per second",
        how=HOW.format(guidance=guidance),
    )


def _config() -> VideoModelConfig:
    unet = UnetConfig(
        channels=(32, 64),
        attention=(True, False),
        layers_per_block=1,
        heads=(2, 4),
        cross_attention_dimension=64,
        time_embedding_dimension=32,
        latent_channels=SHAPE[2],
        sample_size=SHAPE[-1],
    )
    text = TextConfig(kind="own", tokens=8, width=32, depth=1, heads=2, vocabulary=("push", "left"))
    return VideoModelConfig(unet=unet, text=text, condition_scale=1.0)

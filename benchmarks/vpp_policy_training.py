"""A step of the policy's training on stored features, against computing the features in every step."""

import time

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import Result, interleave
from vidrep_pipelines.models.vpp.policy.config import (
    DenoiserConfig,
    PolicyModelConfig,
    PolicyObjectiveConfig,
    VideoFormerConfig,
)
from vidrep_pipelines.models.vpp.policy.features import FeatureReader
from vidrep_pipelines.models.vpp.policy.features_config import PolicyFeaturesConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.objective import draw_policy_randomness, policy_objective
from vidrep_pipelines.models.vpp.policy.presets import PolicyPreset
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.config import TextConfig, UnetConfig, VideoModelConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.text import text_tokenizer

BATCH, FRAMES, ROUNDS = 32, 4, 7
VIEWS, PUBLISHED_FRAMES = 2, 16
TINY = (
    f"CPU time of an update (forward, backward, AdamW) of {BATCH} items, the laptop's models: UNet of 32 "
    f"and 64 channels, latents 24x8x8, {FRAMES} frames, features pooled to 4x4; policy of width 128; "
    f"float32, one thread, in turns, medians of {ROUNDS} rounds; losses equal; reference: the same update "
    "after the features' forward pass, as the published training does"
)
COUNTED = (
    "floating point operations of an item's update at CALVIN's published sizes, counted on an outline "
    f"without weights: {VIEWS} views, {PUBLISHED_FRAMES} frames, latents 4x32x32, whole features of "
    "up-blocks 0 and 1; ours: the policy forward and backward (3 times forward); reference: that and the "
    "UNet's pass for features"
)


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    results = {"vpp_policy_training": _tiny(), "vpp_policy_training_flops": _counted()}
    torch.set_num_threads(threads)
    return results


def _tiny() -> Result:
    torch.manual_seed(0)
    reader = _reader()
    latents, text = torch.randn(BATCH, 1, 24, 8, 8), torch.randn(BATCH, 8, 64)
    seeds = list(range(BATCH))
    stored = reader.observe_told(latents, text, seeds)
    update = _Update()
    assert torch.equal(update.loss(stored), update.loss(reader.observe_told(latents, text, seeds)))
    medians = interleave(
        lambda: update(stored),
        lambda: update(reader.observe_told(latents, text, seeds)),
        ROUNDS,
        time.process_time,
    )
    return Result(
        ratio=medians.ratio,
        ours=1 / medians.ours,
        reference=1 / medians.reference,
        unit="updates per second",
        how=TINY,
    )


def _reader() -> FeatureReader:
    unet = UnetConfig(
        channels=(32, 64),
        attention=(True, False),
        layers_per_block=1,
        heads=(2, 4),
        cross_attention_dimension=64,
        time_embedding_dimension=32,
        latent_channels=24,
        sample_size=8,
    )
    told = TextConfig(kind="own", tokens=8, width=32, depth=1, heads=2, vocabulary=("push", "left"))
    model = VideoDiffusion(VideoModelConfig(unet=unet, text=told, condition_scale=1.0)).eval()
    config = PolicyFeaturesConfig(read=FeaturesConfig(block=1, all_layers=True))
    return FeatureReader(model, text_tokenizer(told), FRAMES, config)


class _Update:
    """An update of the laptop's policy on the same items."""

    def __init__(self) -> None:
        former = VideoFormerConfig(
            features=96, frames=FRAMES, width=64, tokens=16, depth=2, heads=4, head_width=16
        )
        denoiser = DenoiserConfig(
            width=128, encoder_layers=2, decoder_layers=3, heads=4, actions=4, goal=228, residual_dropout=0.0,
            attention_dropout=0.0, perceptron_dropout=0.0, cross_causal=False,
        )  # fmt: skip
        self._model = PolicyModel(PolicyModelConfig(former=former, denoiser=denoiser))
        self._optimizer = torch.optim.AdamW(self._model.parameters(), 1e-4)
        self._goal, self._actions = torch.randn(BATCH, 1, 228), torch.rand(BATCH, 10, 4) * 2 - 1
        self._drawn = draw_policy_randomness(torch.arange(BATCH), (10, 4), "cpu")

    def loss(self, features: Tensor) -> Tensor:
        rows = features[:, 0].flatten(-2).transpose(-1, -2)
        outputs = policy_objective(
            self._model, rows, self._goal, self._actions, self._drawn, PolicyObjectiveConfig()
        )
        return outputs.loss

    def __call__(self, features: Tensor) -> None:
        self._optimizer.zero_grad()
        torch.autograd.backward(self.loss(features))
        self._optimizer.step()


def _counted() -> Result:
    policy, features = _policy_flops(), VIEWS * _feature_flops()
    return Result(
        ratio=(3 * policy + features) / (3 * policy),
        ours=3 * policy / 1e9,
        reference=(3 * policy + features) / 1e9,
        unit="GFLOP an item",
        how=COUNTED,
    )


def _policy_flops() -> int:
    preset = PolicyPreset.named("calvin").model
    with torch.device("meta"):
        model = PolicyModel(preset)
        places = VIEWS * 16 * 16
        features = torch.empty(1, preset.former.frames, places, preset.former.features)
        goal, noisy, sigma = torch.empty(1, 1, 512), torch.empty(1, 10, 7), torch.ones(1)
        with FlopCounterMode(display=False) as counter:
            model.output(noisy, sigma, model.context(features, goal))
    return int(counter.get_total_flops())


def _feature_flops() -> int:
    """Of one picture, by the network's own pass with its later blocks left out."""
    config = VideoModelConfig(
        text=TextConfig(kind="own", tokens=20, vocabulary=("push",), width=1024, duplicate=False)
    )
    with torch.device("meta"):
        model = VideoDiffusion(config).to("meta").eval()
        read = SvdFeatures(model, FeaturesConfig(block=1, all_layers=True))
        noise = torch.empty(1, PUBLISHED_FRAMES, 4, 32, 32)
        text = torch.empty(1, 20, config.unet.cross_attention_dimension)
        with FlopCounterMode(display=False) as counter:
            read(torch.empty(1, 4, 32, 32), text, noise)
    return int(counter.get_total_flops())

"""What is measured of RSP while it is trained."""

import math
from typing import Any

import pytest
import torch

from tests.models.rsp.tiny import CONFIG, OBJECTIVE, make_model
from vidrep_pipelines.adapters.rsp_training_probe import RspTrainingProbe, unseen_pairs
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize, PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.settings import RunSettings
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspFuturesConfig
from vidrep_pipelines.models.rsp.model import RspModel

WORLD = SampleWorldConfig(seed=2, width=64, height=48, frames_min=24, frames_max=24)
DATA = RspDataConfig(sampling=PairSampling(max_distance=20, min_distance=16))


def probe(clips: int) -> RspTrainingProbe:
    return RspTrainingProbe(
        every=1,
        sequences=1,
        frames=3,
        settings=RunSettings(
            propagation=PropagationConfig(radius=3, context_frames=3),
            frame_size=FrameSize(rule="exact", sides=(48, 64)),
            normalization="published",
            stamp="fixed",
        ),
        futures=RspFuturesConfig(clips=clips, world=WORLD),
        data=DATA,
        objective=OBJECTIVE,
    )


def without_a_latent(model: RspModel) -> RspModel:
    """The model whose decoder does not hear of the latent."""
    for parameter in model.decoder.embed_latent.parameters():
        torch.nn.init.zeros_(parameter)
    return model


@pytest.fixture(scope="module")
def scores() -> dict[str, float]:
    return probe(3).measure(make_model().eval())


def test_futures_are_measured_beside_label_propagation(scores: dict[str, float]) -> None:
    propagation = set(probe(0).measure(make_model().eval()))
    assert "davis_j_and_f" in propagation and "latent_gain" not in propagation
    assert propagation < set(scores)
    assert all(math.isfinite(value) for value in scores.values())
    assert scores["latent_gain"] == pytest.approx(scores["prior_error"] - scores["posterior_error"])
    assert scores["latent_gain_low"] <= scores["latent_gain"] <= scores["latent_gain_high"]


def test_a_measurement_is_the_same_every_time(scores: dict[str, float]) -> None:
    assert probe(3).measure(make_model().eval()) == scores


def test_a_decoder_that_does_not_hear_of_the_latent_gains_nothing(scores: dict[str, float]) -> None:
    deaf = probe(3).measure(without_a_latent(make_model()).eval())
    silent = ("latent_gain", "latent_gain_low", "samples_apart_moving", "samples_apart_still")
    assert [deaf[name] for name in silent] == pytest.approx([0, 0, 0, 0], abs=1e-3)
    assert scores["samples_apart_moving"] > 0.01
    assert deaf["copied_error"] == scores["copied_error"]
    assert deaf["future_kl"] == pytest.approx(scores["future_kl"])


def test_pairs_are_those_of_rendered_clips_in_their_order() -> None:
    arguments: Any = (RspFuturesConfig(clips=2, world=WORLD), DATA, CONFIG.image_size)
    frames, seeds = unseen_pairs(*arguments)
    assert frames.shape == (4, 2, 3, 32, 32) and frames.dtype == torch.uint8
    assert len(set(seeds.tolist())) == 4
    unseen_pairs.cache_clear()
    assert torch.equal(unseen_pairs(*arguments)[0], frames)
    more, _ = unseen_pairs(RspFuturesConfig(clips=3, world=WORLD), DATA, CONFIG.image_size)
    assert torch.equal(more[:4], frames)

"""A trained policy as rollouts see it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.models.vpp.policy.trained import demonstrations, make_policy_task, publish_policy
from tests.models.vpp.video.spoken import TEXTS
from vidrep_pipelines.adapters.coded_actions import CodedMaker
from vidrep_pipelines.adapters.vpp_policy import ImaginingPolicy, PicturePolicy, VppPolicyMaker
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.floors import UniformMaker
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> VppPolicyMaker:
    folder = tmp_path_factory.mktemp("acting")
    sources = demonstrations(folder)
    task = make_policy_task(sources, folder / "features")
    policy = publish_policy(task, folder / "policy")
    folders = policy.directory, sources.checkpoint.directory, sources.codec.directory
    return VppPolicyMaker(*folders, cameras=("front", "side"))


def request(seed: int = 1, **pictures: int) -> PlanRequest:
    colors = pictures or {"front": 30, "side": 200}
    seen = {name: np.full((16, 16, 3), color, np.uint8) for name, color in colors.items()}
    return PlanRequest(Observation(seen, np.full(4, 101.0)), TEXTS[0], "episode", 0, seed)


def test_chunks_are_planned_for_every_request(maker: VppPolicyMaker) -> None:
    policy = maker.make()
    plans = policy.plan([request(), request(2), request(front=200, side=90)])
    assert plans.shape == (3, policy.chunk_length, 3) and np.isfinite(plans).all()
    assert not np.allclose(plans[0], plans[1], rtol=1e-3)
    np.testing.assert_allclose(policy.plan([request(2)])[0], plans[1], rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match=r"no picture of the camera 'side', but of \['front'\]"):
        policy.plan([request(front=3)])


def test_demonstrations_are_encoded_as_the_policy_learned_them(maker: VppPolicyMaker) -> None:
    """Ten times the largest action that was seen in training becomes the largest one."""
    far = CodedMaker(UniformMaker((1e3,) * 3, (1e3,) * 3, 2), maker.policy)
    farther = CodedMaker(UniformMaker((1e6,) * 3, (1e6,) * 3, 2), maker.policy)
    plan = far.make().plan([request()])
    assert plan.shape == (1, 2, 3) and plan.max() < 1e3
    np.testing.assert_array_equal(farther.make().plan([request()]), plan)
    assert far.identity != farther.identity


class Recorder:
    """Keeps what it is asked."""

    chunk_length = 2

    def plan(self, *asked: Any) -> np.ndarray[Any, Any]:
        self.asked = asked
        return np.zeros((len(asked[1]), 2, 3))


def test_cameras_are_looked_through_by_their_names() -> None:
    recorder: Any = Recorder()
    PicturePolicy(recorder, ("side", "front")).plan([request(7), request(8, front=1, side=2, above=3)])
    pictures, texts, states, seeds = recorder.asked
    assert [[int(one[0, 0, 0]) for one in views] for views in pictures] == [[200, 30], [2, 1]]
    assert texts == [TEXTS[0]] * 2 and seeds == [7, 8] and len(states) == 2


def test_an_untrained_policy_is_another_one(maker: VppPolicyMaker) -> None:
    untrained = replace(maker, untrained=True)
    ours, theirs = maker.make().plan([request()]), untrained.make().plan([request()])
    assert not np.allclose(ours, theirs, rtol=1e-3)
    np.testing.assert_array_equal(theirs, untrained.make().plan([request()]))


def test_the_identity_changes_with_all_that_counts(maker: VppPolicyMaker) -> None:
    others = [
        maker,
        replace(maker, untrained=True),
        replace(maker, sampling=ActionSamplingConfig(steps=3)),
        replace(maker, noise=FeatureNoiseConfig(kind="fresh")),
        replace(maker, cameras=("side", "front")),
    ]
    assert len({str(one.identity) for one in others}) == len(others)
    assert replace(maker, device="cuda").identity == maker.identity
    assert str(maker.policy) not in str(maker.identity)


def test_a_policy_for_films_imagines_what_its_first_camera_is_about_to_see(maker: VppPolicyMaker) -> None:
    sampling = VideoSamplingConfig(steps=1, guidance=1.0)
    policy = replace(maker, imagination=sampling).make()
    assert isinstance(policy, ImaginingPolicy) and not hasattr(maker.make(), "imagine")
    videos = policy.imagine([request(), request(2, front=200, side=30)])
    assert videos.shape == (2, 4, 16, 16, 3) and videos.dtype == np.uint8
    assert (videos[0] != videos[1]).any()
    assert replace(maker, imagination=sampling).identity == maker.identity
    np.testing.assert_array_equal(policy.plan([request()]), maker.make().plan([request()]))

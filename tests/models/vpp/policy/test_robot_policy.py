"""A policy on a robot sees and does what it was trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.vpp.policy.trained import demonstrations, make_policy_task, publish_policy
from tests.models.vpp.video.spoken import TEXTS
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig
from vidrep_pipelines.models.vpp.policy.robot_policy import (
    PublishedPolicyConfig,
    RobotPolicy,
    VideoModelFeatures,
)
from vidrep_pipelines.models.vpp.policy.statistics import action_coding
from vidrep_pipelines.models.vpp.policy.task import PolicyTask, features_of_items, state_of

Trained = tuple[FeatureSources, PolicyTask, Checkpoint]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("robot")
    sources = demonstrations(folder)
    task = make_policy_task(sources, folder / "features", sees_state=True)
    return sources, task, publish_policy(task, folder / "policy")


def features_of(trained: Trained, **fields: object) -> VideoModelFeatures:
    sources, _, checkpoint = trained
    folders = sources.checkpoint.directory, sources.codec.directory
    return VideoModelFeatures.load(checkpoint, *folders, **fields)  # type: ignore[arg-type]


def test_commands_are_those_of_the_stored_features(trained: Trained) -> None:
    """What a robot would do in a recorded moment is what the network does with the stored item."""
    sources, task, checkpoint = trained
    policy = RobotPolicy.load(checkpoint, features_of(trained))
    dataset, store = task.build_dataset(), sources.store
    items = [dataset[0, index] for index in (1, 5)]
    batch = torch.utils.data.default_collate(items)
    seeds = [3, 4]
    features = features_of_items(batch["features"])
    learned = policy.predictor.act(features, batch["goal"], seeds, state_of(batch)).double().numpy()
    places = [dataset.items.place(index) for index in (1, 5)]
    states = [dataset.recorded(place)[1] for place in places]
    coding = action_coding(task.items.actions, task.statistics)
    expected = np.stack([coding.decode(one, state) for one, state in zip(learned, states, strict=True)])
    pictures = [[store.frames_at(view)[place.frame] for view in place.views] for place in places]
    found = policy.plan(pictures, [place.text for place in places], states, seeds)
    assert found.shape == (2, policy.chunk_length, 3) and found.dtype == np.float64
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=2e-3 * scale)
    larger = [[np.repeat(np.repeat(one, 2, 0), 2, 1) for one in views] for views in pictures]
    np.testing.assert_allclose(
        policy.plan(larger, [place.text for place in places], states, seeds), found, atol=1e-6 * scale
    )


def test_a_plan_depends_on_its_own_moment_alone(trained: Trained) -> None:
    policy = RobotPolicy.load(trained[2], features_of(trained))
    rng = np.random.default_rng(0)
    pictures = [[rng.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(2)] for _ in range(2)]
    states = [np.full(4, 101.0), np.full(4, 104.0)]
    both = policy.plan(pictures, TEXTS[:2], states, [1, 2])
    alone = policy.plan(pictures[1:], TEXTS[1:2], states[1:], [2])
    np.testing.assert_allclose(both[1], alone[0], atol=1e-3 * np.abs(both).max())
    with_scene = [np.append(state, [7.0, 8.0]) for state in states]
    np.testing.assert_array_equal(policy.plan(pictures, TEXTS[:2], with_scene, [1, 2]), both)


def test_other_models_and_codecs_are_refused(trained: Trained, tmp_path: Path) -> None:
    sources, _, checkpoint = trained
    with pytest.raises(InputError, match="another video model"):
        VideoModelFeatures.load(checkpoint, sources.codec.directory, sources.codec.directory)
    with pytest.raises(InputError, match="another codec"):
        VideoModelFeatures.load(checkpoint, sources.checkpoint.directory, sources.checkpoint.directory)
    with pytest.raises(InputError, match=r"no policy that a robot could use.*pretrain_vpp_policy"):
        PublishedPolicyConfig.of(sources.checkpoint)


def test_features_of_something_else_are_refused(trained: Trained) -> None:
    class Others:
        digest = "others"

    with pytest.raises(InputError, match="trained on other features"):
        RobotPolicy.load(trained[2], Others())  # type: ignore[arg-type]


def test_noise_that_is_drawn_anew_follows_from_the_seed(trained: Trained) -> None:
    fresh = features_of(trained, noise=FeatureNoiseConfig(kind="fresh"))
    fixed = features_of(trained)
    pictures = torch.zeros(1, 2, 16, 16, 3, dtype=torch.uint8)
    one, again, other = (fresh(pictures, TEXTS[:1], [seed]) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.allclose(one, other)
    assert torch.equal(fixed(pictures, TEXTS[:1], [1]), fixed(pictures, TEXTS[:1], [2]))

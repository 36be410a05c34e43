import numpy as np
import pytest
import torch

from vidrep_pipelines.adapters.encoders import EncoderSource
from vidrep_pipelines.adapters.robot_inputs import embedder_of, looking, robot_inputs
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoders.config import PixelEncoderConfig, RandomEncoderConfig
from vidrep_pipelines.evaluation.robot_cloning.config import RobotEvaluationConfig, RobotFeatureConfig
from vidrep_pipelines.evaluation.rollouts.protocol import Observation

CPU = torch.device("cpu")
RANDOM = EncoderSource(
    name="random",
    config=RandomEncoderConfig(image_size=32, patch_size=8, dimension=16, depth=1, heads=2),
    digest="random",
)
PIXELS = EncoderSource(name="pixels", config=PixelEncoderConfig(patch_size=8), digest="pixels")


def frames(count: int = 3, side: int = 30) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def test_the_class_token_or_a_grid_of_any_size_is_taken() -> None:
    token = embedder_of(RANDOM, RobotFeatureConfig(), CPU)(frames())
    mean = embedder_of(RANDOM, RobotFeatureConfig(feature="grid"), CPU)(frames())
    grid = embedder_of(RANDOM, RobotFeatureConfig(feature="grid", token_grid=2), CPU)(frames())
    assert token.shape == mean.shape == (3, 16) and grid.shape == (3, 64)
    assert np.abs(token - mean).max() > 1e-3
    np.testing.assert_allclose(grid.reshape(3, 16, 4).mean(-1), mean, rtol=1e-4, atol=1e-5)
    larger = embedder_of(RANDOM, RobotFeatureConfig(feature="grid", token_grid=8, image_size=64), CPU)(
        frames()
    )
    assert larger.shape == (3, 16 * 64)


def test_a_frame_has_the_same_features_alone_and_among_others() -> None:
    embedder = embedder_of(RANDOM, RobotFeatureConfig(), CPU)
    together = embedder(frames())
    np.testing.assert_allclose(embedder(frames()[[1]])[0], together[1], rtol=1e-4, atol=1e-5)


def test_pixels_are_the_picture_itself_made_small() -> None:
    picture = np.full((1, 32, 32, 3), 51, np.uint8)
    picture[:, :16] = 255
    found = embedder_of(PIXELS, RobotFeatureConfig(pixel_grid=2), CPU)(picture)
    np.testing.assert_allclose(found, [[1.0] * 6 + [0.2] * 6], rtol=1e-6)


def test_a_policy_sees_what_its_input_is() -> None:
    config = RobotEvaluationConfig()
    encoder, felt, exact = robot_inputs([RANDOM], config)
    assert [one.name for one in (encoder, felt, exact)] == ["random", "proprioception", "state"]
    observed = [Observation({"front": frame}, np.arange(3.0)) for frame in frames(2)]
    expected = embedder_of(RANDOM, config.features, CPU)(frames(2))
    np.testing.assert_array_equal(looking(encoder, config.features, "front", CPU)(observed), expected)
    assert looking(felt, config.features, "front", CPU)(observed).shape == (2, 0)
    assert looking(exact, config.features, "front", CPU)(observed).tolist() == [[0, 1, 2]] * 2


def test_an_encoder_may_not_be_called_as_a_floor() -> None:
    taken = RANDOM.model_copy(update={"name": "state"})
    with pytest.raises(ConfigurationError, match="state is what eval_robot calls"):
        robot_inputs([taken], RobotEvaluationConfig())

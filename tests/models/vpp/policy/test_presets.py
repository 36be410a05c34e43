import pytest
import torch

from tests.helpers.published_names import published_names
from vidrep_pipelines.models.vpp.policy.checkpoint_io import original_policy_checkpoint
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.objective import part_loss
from vidrep_pipelines.models.vpp.policy.presets import XBOT_PARTS, PolicyPreset, xhand_parts


def _published(name: str) -> dict[str, list[int]]:
    """Names and shapes of a published policy without its frozen text models."""
    known = published_names("vpp")
    shapes = dict(known["checkpoint_dp_calvin_model"])
    shapes |= known["xbot_policy_differences"] if name == "xbot" else {}
    return {key: value for key, value in shapes.items() if key.startswith(("Video_Former.", "model."))}


@pytest.mark.parametrize("name", ["calvin", "xbot"])
def test_published_sizes_have_the_published_names_and_shapes(name: str) -> None:
    config = PolicyPreset.model_validate(PolicyPreset.named(name).model_dump()).model  # type: ignore[arg-type]
    with torch.device("meta"):
        weights = original_policy_checkpoint(config, PolicyModel(config).state_dict())["model"]
    assert {key: list(value.shape) for key, value in weights.items()} == _published(name)


@pytest.mark.parametrize(("parts", "actions"), [(XBOT_PARTS, 38), (xhand_parts(), 18)])
def test_parts_make_up_the_mean_over_all_numbers(parts: tuple, actions: int) -> None:  # type: ignore[type-arg]
    squares = torch.rand(2, 5, actions)
    total = sum(part_loss(squares, part) for part in parts)
    torch.testing.assert_close(total, squares.mean(dim=(1, 2)))
    assert [part.weight for part in parts] == [2.0, 2.0, 1.0]


def test_robots_differ_in_chunk_state_and_evaluation() -> None:
    calvin, xbot, xhand = (PolicyPreset.named(name) for name in ("calvin", "xbot", "xhand"))  # type: ignore[arg-type]
    assert (calvin.sampling.sigma_min, xbot.sampling.sigma_min) == (1.0, 0.001)
    states = [preset.model.denoiser.proprioception for preset in (calvin, xbot, xhand)]
    assert states == [None, 38, 19]
    assert [preset.model.denoiser.chunk for preset in (calvin, xbot, xhand)] == [10, 8, 10]
    assert xhand_parts(19)[1].ranges == ((3, 7),)

import dataclasses
import logging

import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import PolicyModelConfig
from vidrep_pipelines.models.vpp.policy.sizes import PolicyDataSizes, fitted_policy_model

SIZES = PolicyDataSizes(frames=4, features=96, chunk=10, actions=4, goal=228, state=5, places=32)


def test_sizes_are_those_of_the_data_and_the_rest_stays(caplog: pytest.LogCaptureFixture) -> None:
    given = PolicyModelConfig.model_validate(
        {"former": {"width": 64, "tokens": 16}, "denoiser": {"chunk": 8}}
    )
    with caplog.at_level(logging.INFO):
        fitted = fitted_policy_model(given, SIZES, sees_state=True)
    assert (fitted.former.frames, fitted.former.features, fitted.former.width) == (4, 96, 64)
    denoiser = fitted.denoiser
    assert (denoiser.chunk, denoiser.actions, denoiser.goal, denoiser.proprioception) == (10, 4, 228, 5)
    assert denoiser.width == given.denoiser.width
    assert caplog.messages == ["vpp_policy: chunk is 10, as in the data, not 8."]
    assert fitted_policy_model(given, SIZES, sees_state=False).denoiser.proprioception is None


def test_no_more_components_than_items_can_tell(caplog: pytest.LogCaptureFixture) -> None:
    flat = PolicyModelConfig.model_validate(
        {"former": {"kind": "flat", "places": 32, "components": 192, "tokens": 16, "frames": 4}}
    )
    few, many = (dataclasses.replace(SIZES, items=items) for items in (150, 1000))
    with caplog.at_level(logging.INFO):
        assert fitted_policy_model(flat, few, sees_state=False, knows_places=True).former.components == 149
    assert caplog.messages == ["vpp_policy: components is 149, as in the data, not 192."]
    for sizes in (many, SIZES):
        assert fitted_policy_model(flat, sizes, sees_state=False, knows_places=True).former.components == 192


def test_places_are_known_if_that_is_asked_for() -> None:
    plain = fitted_policy_model(PolicyModelConfig(), SIZES, sees_state=False)
    placed = fitted_policy_model(PolicyModelConfig(), SIZES, sees_state=False, knows_places=True)
    assert (plain.former.places, placed.former.places) == (None, 32)


def test_a_state_that_nobody_knows_cannot_be_seen() -> None:
    unknown = PolicyDataSizes(frames=4, features=96, chunk=10, actions=4, goal=228, state=0)
    with pytest.raises(ConfigurationError, match=r"sees_state.*Remedy"):
        fitted_policy_model(PolicyModelConfig(), unknown, sees_state=True)


def test_tokens_that_frames_cannot_share() -> None:
    uneven = PolicyModelConfig.model_validate({"former": {"tokens": 18, "frames": 9}})
    with pytest.raises(ConfigurationError, match="tokens=18 is not a multiple of frames=4"):
        fitted_policy_model(uneven, SIZES, sees_state=False)

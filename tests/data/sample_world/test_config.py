import pytest
from pydantic import ValidationError

from vidrep_pipelines.data.sample_world.config import SampleWorldConfig


def test_defaults_are_valid_and_frozen() -> None:
    config = SampleWorldConfig()
    with pytest.raises(ValidationError):
        config.clips = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames_min": 80, "frames_max": 40}, "frames_max"),
        ({"activities": ("push", "push")}, "twice"),
        ({"activities": ("juggle",)}, "activities"),
        ({"activities": ()}, "activities"),
        ({"width": 33}, "width"),
        ({"clips": 0}, "clips"),
        ({"clip": 3}, "clip"),
    ],
)
def test_bad_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SampleWorldConfig.model_validate(values)

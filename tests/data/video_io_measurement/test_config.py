import pytest
from pydantic import ValidationError

from vidrep_pipelines.data.video.profiles import PROFILES
from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig


def test_a_choice_is_its_profile_with_some_settings_changed() -> None:
    assert EncodingChoice(name="a", profile="small").encoding == PROFILES["small"]
    changed = EncodingChoice(name="a", profile="published", keyframe_interval=7, b_frames=0).encoding
    assert (changed.keyframe_interval, changed.b_frames) == (7, 0)
    assert changed.preset == PROFILES["published"].preset


@pytest.mark.parametrize("name", ["", "a b", "../up", "Upper", ".hidden"])
def test_names_are_fit_for_files(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        EncodingChoice(name=name, profile="train")


def test_names_are_distinct_and_there_is_one() -> None:
    twice = (EncodingChoice(name="a", profile="train"), EncodingChoice(name="a", profile="small"))
    with pytest.raises(ValidationError, match=r"measure_video_io\.encodings.*'a'"):
        MeasureVideoIoConfig(encodings=twice)
    with pytest.raises(ValidationError, match="encodings"):
        MeasureVideoIoConfig(encodings=())

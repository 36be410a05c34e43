"""Which recording an episode is a phase of."""

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.phases import recording_of, require_recordings_apart


@pytest.mark.parametrize(
    ("name", "phases", "expected"),
    [
        ("xbot/day/7/phase3", 5, ("xbot/day/7", 3)),
        ("xbot/day/7/phase0", 1, ("xbot/day/7", 0)),
        ("xhand/train/23", 5, ("xhand/train/4", 3)),
        ("xhand/train/23", 1, ("xhand/train/23", 0)),
        ("bridge/train/a_7", 5, ("bridge/train/a_7", 0)),
        ("alone", 5, ("alone", 0)),
    ],
)
def test_recordings(name: str, phases: int, expected: tuple[str, int]) -> None:
    assert recording_of(name, phases) == expected


def test_phases_must_stay_together() -> None:
    names = ["xhand/train/10", "xhand/train/11", "xhand/val/20"]
    views = pd.DataFrame({"trajectory": names, "split": ["train", "train", "validation"]})
    require_recordings_apart(views, 5)
    require_recordings_apart(views.assign(split=["train", "validation", "validation"]), 1)
    own = views.assign(trajectory=["tabletop/train/1", "tabletop/train/2", "tabletop/test/1"])
    require_recordings_apart(own, 1)
    torn = views.assign(trajectory=["xhand/train/10", "xhand/train/11", "xhand/val/12"])
    with pytest.raises(InputError, match=r"1 recordings, such as 'xhand/2'"):
        require_recordings_apart(torn, 5)

import pytest
from pydantic import ValidationError

from vidrep_pipelines.data.frame_store.config import FrameStoreConfig, SplitConfig


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (0.9, 0.2)])
def test_shares_must_leave_something(validation: float, test: float) -> None:
    with pytest.raises(ValidationError, match="nothing to train on"):
        FrameStoreConfig(split=SplitConfig(validation=validation, test=test))


def test_numbers_and_shares_may_be_mixed() -> None:
    assert FrameStoreConfig(split=SplitConfig(validation=0.5, test=300)).split.test == 300


def test_names_that_are_no_file_names_are_refused() -> None:
    with pytest.raises(ValidationError):
        FrameStoreConfig(name="a/b")

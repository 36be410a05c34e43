import pytest
from pydantic import ValidationError

from tests.fanout.jobs import value_job
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item, Job, check_items


def _job(*names: str) -> Job:
    items = [Item(name, None, "d") for name in names]
    return Job("resize", value_job([]).function, items, (), FanOutConfig())


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", ".", "./a", "a/..", "_parts", "_parts/x",
     "a\nb", "a\0b", "bad\udcff", "x/.clip.partial-1-2.mp4"],
)  # fmt: skip
def test_ids_that_would_leave_the_folder_or_break_the_bookkeeping(name: str) -> None:
    with pytest.raises(FanOutError, match="resize: 1 ids are not relative paths"):
        check_items(_job("fine", name))


@pytest.mark.parametrize(
    "name", ["a", "a/b", "a b", ".hidden", "...", "a..b", "_parts2", "日/本", "a/_parts", "-x"]
)
def test_fine_ids(name: str) -> None:
    check_items(_job(name))


def test_repeated_ids() -> None:
    with pytest.raises(FanOutError, match=r"more than once, such as \['a'\]"):
        check_items(_job("a", "b", "a"))


def test_job_digest_follows_items_order_and_products() -> None:
    digests = {_job("a", "b").digest, _job("b", "a").digest, _job("a").digest, value_job([1]).digest}
    assert len(digests) == 4
    assert _job("a", "b").digest == _job("a", "b").digest


@pytest.mark.parametrize(
    "fields",
    [
        {"engine": "spark"},
        {"workers": 0},
        {"deadline_seconds": 0},
        {"attempts": 0},
        {"max_failed_fraction": 2},
        {"x": 1},
    ],
)
def test_impossible_configurations(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FanOutConfig.model_validate(fields)

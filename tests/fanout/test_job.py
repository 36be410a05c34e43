import pytest
from pydantic import ValidationError

from tests.fanout.jobs import value_job
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.item_table import ItemTable, check_ids
from vidrep_pipelines.fanout.job import Item, Job


def check_items(job: Job) -> str:
    return check_ids(job.name, ItemTable.wrap(job.items))


def _digest(job: Job) -> str:
    return ItemTable.wrap(job.items).digest(job.suffixes)


def _job(*names: str) -> Job:
    items = [Item(name, None, "d") for name in names]
    return Job("resize", value_job([]).function, items, (), FanOutConfig())


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", ".", "./a", "a/..", "_parts", "_parts/x",
     "a\nb", "a\0b", "bad\udcff", "x/.clip.partial-1-2.mp4"],
)  # fmt: skip
def test_ids_that_would_leave_the_folder_or_break_the_bookkeeping(name: str) -> None:
    with pytest.raises(FanOutError, match="1 ids are not relative paths"):
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
    digests = {_digest(job) for job in (_job("a", "b"), _job("b", "a"), _job("a"), value_job([1]))}
    assert len(digests) == 4
    assert _digest(_job("a", "b")) == _digest(_job("a", "b"))


@pytest.mark.parametrize(
    "fields",
    [
        {"engine": "spark"},
        {"workers": 0},
        {"deadline_seconds": 0},
        {"attempts": 0},
        {"max_failed_fraction": 2},
        {"shard": "0/3"},
        {"shard": "4/3"},
        {"shard": "3"},
        {"shard": "1/1000000"},
        {"memory_limit": "much"},
        {"memory_limit": "0GB"},
        {"memory_limit": -5},
        {"x": 1},
    ],
)
def test_impossible_configurations(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FanOutConfig.model_validate(fields)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4_000_000_000), ("1.5 GiB", 3 * 2**29), ("512mb", 512_000_000), (1000, 1000), (None, None)],
)
def test_sizes(text: object, size: int | None) -> None:
    assert FanOutConfig.model_validate({"memory_limit": text}).memory_limit_bytes == size

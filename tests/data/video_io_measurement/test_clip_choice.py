import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video_io_measurement.clip_choice import choose_clips


def index_of(names: list[str], bad: set[str] = frozenset()) -> pd.DataFrame:  # type: ignore[assignment]
    return pd.DataFrame(
        {
            "id": names,
            "path": [f"/v/{name}.mp4" for name in names],
            "bytes": range(len(names)),
            "mtime_ns": range(len(names)),
            "etag": pd.array([None] * len(names), "string"),
            "error": pd.array(["broken" if name in bad else None for name in names], "string"),
        }
    )


NAMES = [f"clip_{number:03d}" for number in range(50)]


def test_the_choice_is_seeded_and_sorted() -> None:
    chosen = choose_clips(index_of(NAMES), 5, seed=3)
    assert chosen["id"].tolist() == sorted(set(chosen["id"])) and len(chosen) == 5
    pd.testing.assert_frame_equal(chosen, choose_clips(index_of(NAMES), 5, seed=3))
    assert chosen["id"].tolist() != choose_clips(index_of(NAMES), 5, seed=4)["id"].tolist()
    assert chosen["path"].tolist() == [f"/v/{name}.mp4" for name in chosen["id"]]


def test_other_videos_do_not_matter() -> None:
    chosen = choose_clips(index_of(NAMES), 5, seed=0)["id"].tolist()
    fewer = [name for name in NAMES if name in chosen or name.endswith("1")]
    assert choose_clips(index_of(fewer), 5, seed=0)["id"].tolist() == chosen


def test_videos_that_cannot_be_opened_are_not_chosen() -> None:
    bad = set(NAMES[:45])
    assert choose_clips(index_of(NAMES, bad), 10, seed=0)["id"].tolist() == NAMES[45:]
    with pytest.raises(InputError, match=r"ingest\.root"):
        choose_clips(index_of(NAMES, set(NAMES)), 10, seed=0)

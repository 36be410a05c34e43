import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError

from tests.models.voc.tiny import make_episodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesDataset


@pytest.fixture
def dataset(tmp_path: Path) -> TokenEpisodesDataset:
    return TokenEpisodesDataset(filepath=tmp_path / "deep" / "tokens.h5")


def test_what_is_saved_is_loaded(dataset: TokenEpisodesDataset) -> None:
    episodes = make_episodes()
    assert not dataset.exists() and dataset.preview() == {}
    dataset.save(episodes)
    loaded = dataset.load()
    assert dataset.exists() and loaded.path.is_file() and loaded.episodes.equals(episodes)
    assert loaded.episodes.names == episodes.names


def test_equal_episodes_leave_the_file_as_it_is(
    dataset: TokenEpisodesDataset, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.save(make_episodes())
    handle = dataset.load()
    written, digest = handle.path.stat().st_mtime_ns, handle.digest
    with caplog.at_level(logging.INFO):
        dataset.save(make_episodes())
    assert handle.path.stat().st_mtime_ns == written and "token episodes: up to date (3)" in caplog.text
    dataset.save(make_episodes(seed=1))
    assert dataset.load().digest != digest and dataset.load().episodes.equals(make_episodes(seed=1))


def test_a_damaged_file_is_named_and_written_anew(dataset: TokenEpisodesDataset) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        dataset.load()
    dataset.save(make_episodes())
    path = dataset.load().path
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="is no whole file of token episodes"):
        _ = dataset.load().episodes
    assert dataset.preview() == {}
    dataset.save(make_episodes())
    assert dataset.load().episodes.equals(make_episodes())


def test_preview_sums_up_the_splits(dataset: TokenEpisodesDataset) -> None:
    episodes = make_episodes()
    dataset.save(episodes)
    preview = dataset.preview()
    assert preview["columns"] == ["split", "episodes", "steps", "mean_return"]
    assert [row[:3] for row in preview["data"]] == [["train", 2, 8], ["validation", 1, 9]]
    held_out = episodes.rewards[episodes.outcomes_of(2)].sum()
    assert preview["data"][1][3] == pytest.approx(held_out)


@pytest.mark.parametrize("changed", ["codes", "rewards", "splits", "grid", "codebook"])
def test_every_part_counts(changed: str) -> None:
    episodes = make_episodes()
    others: dict[str, Any] = {
        "codes": (episodes.codes + 1) % np.int16(11),
        "rewards": episodes.rewards + 1,
        "splits": ("test",) * 3,
        "grid": (2, 1),
        "codebook": None,
    }
    assert not make_episodes(**{changed: others[changed]}).equals(episodes)

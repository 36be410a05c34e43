from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.models.voc.tiny import VOCABULARY, make_episodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes, join
from vidrep_pipelines.data.token_episodes.file import (
    read_published_latents,
    read_token_episodes,
    write_token_episodes,
)


def same(one: TokenEpisodes, other: TokenEpisodes) -> bool:
    return vars(one).keys() == vars(other).keys() and all(
        np.array_equal(value, vars(other)[name]) for name, value in vars(one).items()
    )


def test_states_repeat_the_first_frame_and_never_mix_episodes() -> None:
    episodes = make_episodes()
    first = episodes.offsets[1]
    found = episodes.states(np.array([1, 1, 1]), np.array([0, 1, 3]), 3)
    rows = [[0, 0, 0], [0, 0, 1], [1, 2, 3]]
    expected = [np.concatenate([episodes.codes[first + row] for row in stack]) for stack in rows]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(episodes.states_of(1, 3)[[0, 1, 3]], expected)


def test_outcomes_are_in_the_next_row() -> None:
    episodes = make_episodes()
    row = int(episodes.outcome_rows(np.array([2]), np.array([4]))[0])
    assert row == episodes.offsets[2] + 5
    assert episodes.rewards[episodes.outcomes_of(2)][4] == episodes.rewards[row]
    assert len(episodes.rewards[episodes.outcomes_of(1)]) == episodes.lengths[1] == 3


def test_discounted_returns() -> None:
    rewards = np.array([9, 1, 2, 4, 0, 8], np.float32)
    one = make_episodes((5,), rewards=rewards, splits=("train",))
    assert one.discounted_return(0, 0, 0.5) == pytest.approx(1 + 1 + 1 + 0 + 0.5)
    assert one.discounted_return(0, 1, 0.5, horizon=2) == pytest.approx(2 + 2)


def test_a_row_takes_a_few_dozen_bytes() -> None:
    assert make_episodes((500,), splits=("train",)).bytes_per_row < 2 * 2 + 4 * (2 + 1 + 1) + 1


def test_parts_are_chosen_by_name() -> None:
    episodes = make_episodes()
    assert episodes.in_split("validation").names == ("run_2",)
    train = episodes.in_split("train")
    assert train.names == ("run_0", "run_1") and train.lengths.tolist() == [5, 3]
    np.testing.assert_array_equal(episodes.select([2]).codes, episodes.codes[episodes.offsets[2] :])
    with pytest.raises(InputError, match=r"'test'; there are: train, validation"):
        episodes.in_split("test")


def test_files_are_joined_if_one_tokenizer_made_them() -> None:
    episodes = make_episodes()
    assert same(join([episodes.select([0]), episodes.select([1, 2])]), episodes)
    with pytest.raises(InputError, match="one tokenizer"):
        join([episodes, make_episodes(seed=1)])
    with pytest.raises(InputError, match="one tokenizer"):
        join([episodes, make_episodes(vocabulary=VOCABULARY + 1, codebook=None)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"codes": (7, 0, VOCABULARY)}, r"'run_1', row 1: code 11 is not in the vocabulary of 11 codes"),
        ({"codes": (0, 1, -1)}, r"'run_0', row 0: code -1"),
        ({"actions": (8, 1, np.nan)}, r"'run_1', row 2: an action that is not a finite number"),
        ({"rewards": (12, None, np.nan)}, r"'run_2', row 2: a missing or infinite reward"),
    ],
)
def test_faulty_rows_are_named(changed: dict[str, Any], message: str) -> None:
    (name, (row, column, value)), *_ = changed.items()
    array = vars(make_episodes())[name].copy()
    array[row if column is None else (row, column)] = value
    with pytest.raises(InputError, match=message):
        make_episodes(**{name: array})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rewards": np.zeros(3, np.float32)}, "rewards: found 3, expected 20"),
        ({"grid": (2, 2)}, "tokens of a frame"),
        ({"codebook": np.zeros((4, 3), np.float32)}, "4 vectors for 11 codes"),
        ({"offsets": np.array([0, 6, 7, 20])}, "two frames; there is run_1"),
        ({"vocabulary": 40_000}, "int16"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_episodes(**changed)


def test_files_keep_everything(tmp_path: Path) -> None:
    for name, episodes in (("with", make_episodes()), ("without", make_episodes(codebook=None))):
        path = tmp_path / f"{name}.h5"
        write_token_episodes(path, episodes)
        assert same(read_token_episodes(path), episodes)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    damaged, other = tmp_path / "damaged.h5", tmp_path / "other.h5"
    write_token_episodes(damaged, make_episodes())
    damaged.write_bytes(damaged.read_bytes()[:2000])
    with h5py.File(other, "w") as file:
        file["codes"] = np.zeros(3)
    for path in (damaged, other, tmp_path / "absent.h5"):
        with pytest.raises(InputError, match=f"{path.name} is no whole file of token episodes"):
            read_token_episodes(path)


def write_published(path: Path, kinds: list[int], **changed: Any) -> None:
    rows = len(kinds)
    columns = {
        "step_type": np.array(kinds),
        "action": np.zeros((rows, 6), np.float32),
        "reward": np.arange(rows, dtype=np.float32),
        "discount": np.ones(rows, np.float32),
        "vae_latents": np.arange(rows * 4).reshape(rows, 4) % 7,
        **changed,
    }
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            if column is not None:
                file[name] = column


def test_published_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "0_cheetah_run_expert_vq_latents.hdf5"
    write_published(path, [0, 1, 2, 0, 1, 1, 2])
    episodes = read_published_latents(path, vocabulary=7)
    assert episodes.lengths.tolist() == [2, 3] and episodes.grid == (2, 2)
    assert episodes.codes.dtype == np.int16 and episodes.splits == ("train", "train")
    with pytest.raises(InputError, match=rf"{path.name}: Episode 'episode_0000', row 1: code 6"):
        read_published_latents(path, vocabulary=6)


@pytest.mark.parametrize(("tokens", "grid"), [(1, (1, 1)), (5, (1, 5)), (12, (1, 12)), (9, (3, 3))])
def test_published_files_of_any_number_of_tokens_are_read(
    tokens: int, grid: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "latents.hdf5"
    codes = np.arange(3 * tokens).reshape(3, tokens)
    write_published(path, [0, 1, 2], vae_latents=codes)
    episodes = read_published_latents(path, vocabulary=3 * tokens)
    assert episodes.grid == grid
    np.testing.assert_array_equal(episodes.states_of(0, 2)[2], codes[1:].ravel())


@pytest.mark.parametrize(
    ("kinds", "changed", "message"),
    [
        ([0, 1, 2, 1, 0, 2], {}, "without gaps"),
        ([0, 1, 2, 0, 1], {}, "without gaps|no last row"),
        ([0, 1, 2], {"reward": None}, "lacks reward"),
        ([0, 1, 2], {"vae_latents": np.full((3, 4), 70_000)}, "not in the vocabulary"),
    ],
)
def test_faulty_published_files_are_refused(
    kinds: list[int], changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "latents.hdf5"
    write_published(path, kinds, **changed)
    with pytest.raises(InputError, match=message):
        read_published_latents(path, vocabulary=1024)
    with pytest.raises(InputError, match=r"absent\.hdf5"):
        read_published_latents(tmp_path / "absent.hdf5", vocabulary=1024)

"""What recorded reads of the published replay buffer must show, by (episode, step) and not by its indices."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.data.token_episodes.file import published_rows

Arrays = dict[str, NDArray[Any]]


def _read(folder: Path) -> tuple[dict[str, Any], Arrays, TokenEpisodes]:
    settings = json.loads((folder / "config.json").read_text())["buffer"]
    with np.load(folder / "buffer.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    latents = next(name for name in arrays if name.endswith("_latents"))
    episodes = published_rows(
        arrays[latents],
        arrays["data_action"],
        arrays["data_reward"],
        arrays["data_discount"],
        arrays["data_step_type"],
        vocabulary=int(arrays[latents].max()) + 1,
    )
    return settings, arrays, episodes


def check_layout(folder: Path) -> None:
    settings, _, episodes = _read(folder)
    assert len(episodes.names) == settings["episodes"]
    assert set(episodes.lengths.tolist()) == {settings["steps_per_episode"]}
    assert episodes.codes.shape[1] == settings["tokens_per_frame"]
    assert episodes.actions.shape[1] == settings["action_dim"]


def check_transitions(folder: Path) -> None:
    settings, arrays, episodes = _read(folder)
    episode, step, stack = arrays["episode"], arrays["t"], settings["frame_stack"]
    offset = arrays["nstep_k"]
    rows = episodes.outcome_rows(episode, step)
    for name, found in (
        ("nstep_obs", episodes.states(episode, step, stack)),
        ("nstep_next_obs", episodes.states(episode, step + settings["nstep"], stack)),
        ("nstep_obs_k", episodes.states(episode, step + offset, stack)),
        ("nstep_action", episodes.actions[rows]),
        ("nstep_action_k", episodes.actions[episodes.outcome_rows(episode, step + offset)]),
    ):
        np.testing.assert_array_equal(found, arrays[name], err_msg=name)
    np.testing.assert_allclose(episodes.rewards[rows], arrays["nstep_reward"][:, 0], rtol=1e-6)
    discounts = np.float32(settings["gamma"]) * episodes.discounts[rows]
    np.testing.assert_allclose(discounts, arrays["nstep_discount"][:, 0], rtol=1e-6)


def check_trajectories(folder: Path) -> None:
    settings, arrays, episodes = _read(folder)
    episode, step, stack = arrays["episode"], arrays["t"], settings["frame_stack"]
    jumps, gamma = settings["jumps"], settings["gamma"]
    assert len(arrays["spr_all_obs"]) == jumps + 1
    for jump, (states, actions) in enumerate(zip(arrays["spr_all_obs"], arrays["spr_all_act"], strict=True)):
        np.testing.assert_array_equal(episodes.states(episode, step + jump, stack), states)
        np.testing.assert_array_equal(episodes.actions[episodes.outcome_rows(episode, step + jump)], actions)
    returns = [
        episodes.discounted_return(int(number), int(place), gamma, jumps)
        for number, place in zip(episode, step, strict=True)
    ]
    np.testing.assert_allclose(returns, arrays["spr_values"][:, 0], rtol=1e-6)


CHECKS = (check_layout, check_transitions, check_trajectories)


def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    for part in CHECKS:
        part(folder)

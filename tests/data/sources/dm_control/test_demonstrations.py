import numpy as np
import pytest
from pydantic import ValidationError

from tests.helpers.dmc_world import HARD_SEEDS, needs_dmc, needs_rendering, use_fake_dmc, without_dmc
from vidrep_pipelines.common.errors import InputError, MissingExtraError
from vidrep_pipelines.data.frame_store.episode import EpisodeAnnotations, Segment
from vidrep_pipelines.data.sources.dm_control.controllers import controller_action
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig, DmcPicturesConfig
from vidrep_pipelines.data.sources.dm_control.demonstrations import DmcSource, dmc_source, list_dmc
from vidrep_pipelines.data.sources.dm_control.simulator import DmcSimulator

CONFIG = DmcEpisodesConfig(
    pictures=DmcPicturesConfig(width=16, height=16),
    control_steps=40,
    action_repeat=2,
    noise=0.0,
    train_layouts=6,
    validation_layouts=2,
    test_layouts=3,
)


def easy(config: DmcEpisodesConfig = CONFIG) -> DmcSource:
    return next(source for source in list_dmc(config) if source.seed % HARD_SEEDS)


def test_starts_of_all_parts_and_tasks_differ_and_are_found_again() -> None:
    sources = list_dmc(CONFIG)
    assert len(sources) == 2 * (6 + 2 + 3) == len({source.seed for source in sources})
    assert [source.split for source in sources[:11]] == ["train"] * 6 + ["validation"] * 2 + ["test"] * 3
    assert all(dmc_source(source.trajectory, CONFIG) == source for source in sources)
    with pytest.raises(InputError, match="no episode of reacher-easy, cartpole-balance in DM Control"):
        dmc_source("dmc/point_mass-easy/test/00000", CONFIG)


def test_digests_change_with_what_an_episode_depends_on_alone() -> None:
    def digests(config: DmcEpisodesConfig) -> dict[str, str]:
        return {source.trajectory: source.digest for source in list_dmc(config)}

    before, more = digests(CONFIG), digests(CONFIG.model_copy(update={"train_layouts": 9}))
    assert before.items() < more.items() and len(set(more.values())) == len(more)
    for update in (
        {"seed": 1},
        {"noise": 0.1},
        {"action_repeat": 4},
        {"control_steps": 20},
        {"success_score": 0.5},
        {"pictures": DmcPicturesConfig()},
    ):
        assert not before.items() & digests(CONFIG.model_copy(update=update)).items(), update


def test_an_episode_is_whole_and_says_what_each_action_earned(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    with easy().open() as episode:
        assert episode.robot == "dmc" and episode.states.shape == (21, 5) and episode.actions.shape == (20, 2)
        assert episode.outcomes.shape == (20, 2) and episode.outcomes[:, 0].sum() >= 0.8 * 40
        [view] = list(episode.views)
        assert view.camera == 0 and np.stack(list(view.pictures)).shape == (21, 16, 16, 3)
        assert episode.annotations == EpisodeAnnotations(
            segments=(Segment(0, 21, "bring the arm to the target", "reacher-easy"),),
            frames_per_second=25.0,
            success=True,
        )


def test_noise_is_executed_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    lenient = CONFIG.model_copy(update={"success_score": 0.001, "noise": 0.02})
    with easy().open() as quiet, easy(lenient).open() as noisy:
        assert (quiet.actions[0] != noisy.actions[0]).any() or (quiet.actions[3] != noisy.actions[3]).any()
        moved = noisy.states[1:, :2] - noisy.states[:-1, :2]
        np.testing.assert_allclose(moved, 0.4 * noisy.actions, atol=1e-6)


def test_an_episode_with_a_low_score_is_left_out_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    many = list_dmc(CONFIG.model_copy(update={"train_layouts": 30}))
    hard = next(source for source in many if source.seed % HARD_SEEDS == 0)
    with pytest.raises(InputError, match=r"the controller's score is 0\.00, not 0\.8\. Remedy"), hard.open():
        pass


def test_what_has_no_meaning_is_refused() -> None:
    for fields, message in (
        ({"tasks": ["cheetah-run"]}, "cheetah-run|reacher-easy"),
        ({"tasks": ["reacher-easy", "reacher-easy"]}, "listed twice"),
        ({"control_steps": 50, "action_repeat": 4}, "no multiple of action_repeat"),
        ({"instructions": {"reacher-easy": "balance the pole"}}, "two tasks are told the same"),
    ):
        with pytest.raises(ValidationError, match=message):
            DmcEpisodesConfig.model_validate(fields)


def test_controllers_push_the_right_way() -> None:
    leaning = np.array([0.0, np.cos(0.1), np.sin(0.1), 0.0, 0.0])
    assert controller_action("cartpole-balance", leaning) > 0
    there = np.array([0.3, 0.5, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(controller_action("reacher-easy", there), 0, atol=1e-9)
    np.testing.assert_allclose(controller_action("point_mass-easy", np.array([0.2, -0.2, 0, 0])), [-1, 1])


def test_without_dm_control_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_dmc(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install .*'\.\[robots\]'"), easy().open():
        pass


@needs_dmc
@needs_rendering
def test_its_pictures_follow_the_joints_and_starts_do_not_depend_on_the_one_before() -> None:
    simulator = DmcSimulator("reacher-easy", CONFIG)
    with pytest.raises(InputError, match="no episode has begun"):
        simulator.step(np.zeros(2))
    seen = []
    for seed in (3, 4, 3):
        simulator.reset(seed)
        before = simulator.pictures()["fixed"]
        for _ in range(CONFIG.episode_actions):
            simulator.step(np.array([1.0, 0.5]))
        after = simulator.pictures()["fixed"]
        assert before.shape == (16, 16, 3) and np.abs(before.astype(int) - after).max() > 20
        seen.append((before, after, simulator.exact_state))
    assert all(np.array_equal(seen[0][kind], seen[2][kind]) for kind in range(3))
    assert (seen[0][2] != seen[1][2]).any()
    with pytest.raises(InputError, match="the episode is over after 20 actions"):
        simulator.step(np.zeros(2))
    simulator.reset(0)
    for action in (np.zeros(1), np.array([0.0, np.nan])):
        with pytest.raises(InputError, match="2 finite numbers"):
            simulator.step(action)
    simulator.close()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.rollouts import LineWorld, Noisy, Steady, reach, rules
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.engine import (
    RolloutRules,
    roll_out_episodes,
    run_courses,
    run_episodes,
)
from vidrep_pipelines.evaluation.rollouts.protocol import Observation


def test_an_attempt_ends_as_soon_as_the_task_is_done() -> None:
    world, policy = LineWorld(), Steady()
    [record] = roll_out_episodes([reach(6)], lambda: world, policy, rules(), batch=1)
    assert record.success and (record.steps, record.plans, record.reward) == (6, 2, 6.0)
    assert (record.episode, record.task, record.instruction) == ("to-6", "reach/6", "go to 6")
    assert (record.renderer, record.settings) == ("line", "settings")
    assert world.closed


def test_an_attempt_is_given_up_after_the_most_steps() -> None:
    [record] = roll_out_episodes([reach(9)], LineWorld, Steady(), rules(most_steps=8), batch=1)
    assert not record.success and record.steps == 8
    [record] = roll_out_episodes([reach(8)], LineWorld, Steady(), rules(most_steps=8), batch=1)
    assert record.success


@pytest.mark.parametrize(("render", "renderings"), [("when_planning", 3), ("always", 6)])
def test_pictures_are_rendered_when_a_plan_is_asked_for(render: str, renderings: int) -> None:
    world, policy = LineWorld(), Steady()
    roll_out_episodes([reach(6)], lambda: world, policy, rules(execute_steps=2, render=render), batch=1)
    assert world.renderings == renderings
    assert [request.observation.pictures["front"][0, 0, 0] for [request] in policy.requests] == [0, 2, 4]


@pytest.mark.parametrize(("render", "steps"), [("when_planning", [0, 2, 4]), ("always", [*range(6)])])
def test_who_watches_sees_every_picture_and_how_the_attempt_ended(render: str, steps: list[int]) -> None:
    world, seen = LineWorld(), list[tuple[str, int, int]]()

    def watch(episode: str, step: int, observation: Observation) -> None:
        seen.append((episode, step, int(observation.pictures["front"][0, 0, 0])))

    watched = RolloutRules(rules(execute_steps=2, render=render).config, "settings", watch)
    policy = Steady()
    roll_out_episodes([reach(6)], lambda: world, policy, watched, batch=1)
    assert seen == [("to-6", step, step) for step in (*steps, 6)]
    assert [request.observation.pictures["front"][0, 0, 0] for [request] in policy.requests] == [0, 2, 4]


def test_all_that_want_a_plan_are_asked_about_at_once() -> None:
    policy = Steady()
    records = roll_out_episodes([reach(2), reach(10), reach(6)], LineWorld, policy, rules(), batch=3)
    assert [record.steps for record in records] == [2, 10, 6]
    assert [len(asked) for asked in policy.requests] == [3, 2, 1]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=7), st.integers(1, 4), st.integers(1, 4))
def test_results_do_not_depend_on_how_many_run_together(
    goals: list[int], batch: int, execute_steps: int
) -> None:
    starts = [reach(goal, f"{number}") for number, goal in enumerate(goals)]
    own = rules(execute_steps=execute_steps, most_steps=12)
    alone = roll_out_episodes(starts, LineWorld, Noisy(), own, batch=1)
    assert roll_out_episodes(starts, LineWorld, Noisy(), own, batch=batch) == alone
    assert [record.episode for record in alone] == [start.name for start in starts]


def test_environments_are_used_again_and_reset() -> None:
    worlds: list[LineWorld] = []

    def make() -> LineWorld:
        worlds.append(LineWorld())
        return worlds[-1]

    starts = [reach(3, f"{number}") for number in range(5)]
    roll_out_episodes(starts, make, Steady(), rules(), batch=2)
    assert [world.resets for world in worlds] == [3, 2] and all(world.closed for world in worlds)


def test_environments_are_closed_when_a_policy_fails() -> None:
    world = LineWorld()
    with pytest.raises(InputError, match="not finite"):
        roll_out_episodes([reach(3)], lambda: world, Steady((np.nan,) * 4), rules(), batch=1)
    assert world.closed


def test_the_execution_horizon_is_checked_before_anything_is_built() -> None:
    def make() -> LineWorld:
        raise AssertionError

    with pytest.raises(ConfigurationError, match="execute_steps is 5"):
        roll_out_episodes([reach(3)], make, Steady(), rules(execute_steps=5), batch=1)


def test_plans_of_another_shape_are_refused() -> None:
    class Wrong(Steady):
        def plan(self, requests):  # type: ignore[no-untyped-def]
            return super().plan(requests)[:, 0]

    course = run_episodes(LineWorld(), [reach(3)], rules())
    with pytest.raises(InputError, match=r"planned an array \(1, 1\) for 1"):
        run_courses([course], Wrong(), rules().config)

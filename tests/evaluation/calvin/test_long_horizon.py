import pytest

from tests.helpers.calvin_world import Unwilling
from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.long_horizon import (
    attempt_name,
    evaluate_sequences,
    place_of_attempt,
)
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.sequences import TaskSequence, initial_states
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord, RolloutRules

STATE = initial_states()[0]
TASKS = ("turn_on_led", "open_drawer", "move_slider_left", "turn_on_lightbulb", "lift_red_block_table")
SEQUENCES = [(number, TaskSequence(STATE, TASKS[number:] + TASKS[:number])) for number in range(3)]


class CountedWorld(MiniatureWorld):
    def reset(self, robot_obs, scene_obs) -> None:
        self.resets = getattr(self, "resets", -1) + 1
        super().reset(robot_obs, scene_obs)


def evaluate(
    policy: Unwilling, worlds: int = 1, **config: object
) -> tuple[list[EpisodeRecord], list[CountedWorld]]:
    made = [CountedWorld(MiniatureConfig()) for _ in range(worlds)]
    rules = RolloutRules(RolloutConfig.model_validate(config), "settings")
    environments = [CalvinEnvironment(world) for world in made]
    return evaluate_sequences(environments, SEQUENCES, policy, rules), made


def test_all_five_tasks_follow_without_resetting_the_robot() -> None:
    records, [world] = evaluate(Unwilling())
    assert [record.success for record in records] == [True] * 15
    assert [record.task for record in records[:5]] == list(TASKS)
    assert [place_of_attempt(record.episode) for record in records[4:7]] == [(0, 4), (1, 0), (1, 1)]
    assert world.resets == len(SEQUENCES)


def test_a_sequence_ends_at_its_first_failure() -> None:
    records, _ = evaluate(Unwilling(["move_slider_left"]), most_steps=80)
    names = [record.episode for record in records]
    assert names == [attempt_name(0, place, TASKS[place]) for place in range(3)] + [
        "0001/0-open_drawer", "0001/1-move_slider_left", "0002/0-move_slider_left"
    ]  # fmt: skip
    assert [record.success for record in records] == [True, True, False, True, False, False]
    assert [record.steps for record in records if not record.success] == [80] * 3


def test_the_policy_begins_every_task_anew() -> None:
    policy = Unwilling()
    records, _ = evaluate(policy, execute_steps=7)
    begun = [request for request in policy.requests if request.step == 0]
    assert [(one.episode, one.instruction) for one in begun] == [
        (record.episode, record.instruction) for record in records
    ]
    assert all(request.step % 7 == 0 for request in policy.requests)
    assert sum(record.plans for record in records) == len(policy.requests)


@pytest.mark.parametrize("worlds", [2, 3])
def test_the_result_does_not_depend_on_the_number_of_environments(worlds: int) -> None:
    alone, _ = evaluate(Unwilling(["turn_on_led"]), most_steps=60)
    together, _ = evaluate(Unwilling(["turn_on_led"]), worlds, most_steps=60)
    assert together == alone


def test_a_sequence_begins_in_its_own_scene() -> None:
    policy = Unwilling()
    evaluate(policy)
    robot, scene = initial_observations(STATE)
    first = policy.requests[0].observation.state
    assert first[:15].tolist() == robot.tolist() and first[15:21].tolist() == scene[:6].tolist()


def test_pictures_are_rendered_only_for_plans() -> None:
    records, [world] = evaluate(Unwilling())
    assert world.renderings == sum(record.plans for record in records) < sum(one.steps for one in records) / 5
    records, [world] = evaluate(Unwilling(), render="always")
    assert world.renderings == sum(record.steps for record in records)

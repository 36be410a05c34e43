"""The long-horizon protocol: five instructions one after the other, until the first failure.

As published with the benchmark (Mees et al. 2022, arXiv 2112.03227): a sequence begins in its own initial
state, every task has up to 360 control steps, at each of them the beginning of the task is compared with now,
the policy begins each task anew, the robot does not.
"""

from collections.abc import Iterable, Sequence

from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.sequences import TaskSequence
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment
from vidrep_pipelines.evaluation.rollouts.engine import (
    Course,
    EpisodeRecord,
    RolloutRules,
    attempt_task,
    run_courses,
)
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, EpisodeStart
from vidrep_pipelines.evaluation.rollouts.session import PolicySession

NumberedSequence = tuple[int, TaskSequence]
"""A sequence and its place among all."""


def attempt_name(sequence: int, place: int, task: str) -> str:
    """Name of the attempt at the task in this place, from 0, of a sequence."""
    return f"{sequence:04d}/{place}-{task}"


def place_of_attempt(name: str) -> tuple[int, int]:
    """Number of the sequence and place in it, from 0, that an attempt's name says."""
    sequence, _, rest = name.partition("/")
    return int(sequence), int(rest.partition("-")[0])


def run_sequences(
    environment: CalvinEnvironment, sequences: Iterable[NumberedSequence], rules: RolloutRules
) -> Course:
    """Sequences one after the other in one environment; see :func:`evaluate_sequences` for several.

    Args:
        environment: It is reset for every sequence, and not between tasks.
        sequences: What is to be done.
        rules: How attempts are made.

    Returns:
        The attempts: of each sequence all that succeeded, and the first that did not.
    """
    session, records = PolicySession(rules.config), list[EpisodeRecord]()
    for number, sequence in sequences:
        environment.place(*initial_observations(sequence.state))
        for place, name in enumerate(sequence.tasks):
            task = calvin_task(name)
            environment.begin(task)
            start = EpisodeStart(attempt_name(number, place, name), name, task.instruction, number)
            records.append((yield from attempt_task(environment, start, session, rules)))
            if not records[-1].success:
                break
    return records


def evaluate_sequences(
    environments: Sequence[CalvinEnvironment],
    sequences: Sequence[NumberedSequence],
    policy: ChunkPolicy,
    rules: RolloutRules,
) -> list[EpisodeRecord]:
    """Sequences dealt out to environments, which run in lock step.

    Args:
        environments: At least one.
        sequences: What is to be done.
        policy: What is evaluated.
        rules: How attempts are made.

    Returns:
        All attempts, in the order of sequences and places.

    Raises:
        ConfigurationError: More actions are to be executed than the policy plans.
    """
    lanes = len(environments)
    courses = [
        run_sequences(environment, sequences[lane::lanes], rules)
        for lane, environment in enumerate(environments)
    ]
    records = run_courses(courses, policy, rules.config)
    return sorted(records, key=lambda record: place_of_attempt(record.episode))

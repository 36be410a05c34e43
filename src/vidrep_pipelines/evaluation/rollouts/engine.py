"""Many episodes in lock step, so that a policy plans for all that want a chunk in one call.

An episode is a generator that yields what it asks its policy and is sent the chunk. What an episode is, one
attempt or a sequence of them, is written there line after line, as if it were alone.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import (
    ChunkPolicy,
    Environment,
    EpisodeStart,
    Observation,
    PlanRequest,
    score_of,
)
from vidrep_pipelines.evaluation.rollouts.session import PolicySession

Watch = Callable[[str, int, Observation], None]
"""Sees the attempt's name, its step and what was observed, at last after the last step: for films."""


@dataclass(frozen=True)
class EpisodeRecord:
    """One attempt at a task: a row.

    Attributes:
        episode: Its name.
        task: Which task.
        instruction: What the policy was told.
        seed: Of the environment's layout.
        success: Whether the task was done.
        steps: Control steps until it was done, or until it was given up.
        plans: Chunks that were planned.
        reward: Sum of the rewards; 0 where there are none.
        renderer: What made the pictures.
        settings: Digest of all that determines the result.
        score: Return over the longest possible one, 0..1; None where the environment has no such scale.
    """

    episode: str
    task: str
    instruction: str
    seed: int
    success: bool
    steps: int
    plans: int
    reward: float
    renderer: str
    settings: str
    score: float | None = None


Attempt = Generator[PlanRequest, FloatArray, EpisodeRecord]
Course = Generator[PlanRequest, FloatArray, list[EpisodeRecord]]
"""An episode of one attempt or several."""


@dataclass(frozen=True)
class RolloutRules:
    """How attempts are made.

    Attributes:
        config: Of the rollouts.
        settings: Digest of all that determines the result, for the rows.
        watch: Is shown every observation, and one more with pictures when an attempt has ended.
    """

    config: RolloutConfig
    settings: str
    watch: Watch | None = None


def attempt_task(
    environment: Environment, start: EpisodeStart, session: PolicySession, rules: RolloutRules
) -> Attempt:
    """One attempt in an environment that stands at its beginning.

    Success is looked for after every control step, as soon as it is there the attempt ends. The session
    begins anew.
    """
    session.reset(start.name, start.instruction)
    reward, success = 0.0, False
    while not success and session.step < rules.config.most_steps:
        if session.wants_plan:
            observation = _observed(environment, start, session, rules)
            session.receive((yield session.request(observation)))
        elif rules.config.render == "always":
            _observed(environment, start, session, rules)
        reward += environment.step(session.next_action())
        success = bool(environment.succeeded())  # not NumPy's, which no JSON takes
    if rules.watch is not None:
        _observed(environment, start, session, rules)
    return EpisodeRecord(
        episode=start.name,
        task=start.task,
        instruction=start.instruction,
        seed=start.seed,
        success=success,
        steps=session.step,
        plans=session.plans,
        reward=reward,
        renderer=environment.renderer,
        settings=rules.settings,
        score=score_of(environment),
    )


def _observed(
    environment: Environment, start: EpisodeStart, session: PolicySession, rules: RolloutRules
) -> Observation:
    observation = environment.observe(pictures=True)
    if rules.watch is not None:
        rules.watch(start.name, session.step, observation)
    return observation


def run_episodes(environment: Environment, starts: Iterable[EpisodeStart], rules: RolloutRules) -> Course:
    """For each start in turn resets the environment and makes one attempt."""
    session, records = PolicySession(rules.config), []
    for start in starts:
        environment.reset(start)
        records.append((yield from attempt_task(environment, start, session, rules)))
    return records


def run_courses(courses: Iterable[Course], policy: ChunkPolicy, config: RolloutConfig) -> list[EpisodeRecord]:
    """Runs courses in lock step until each has ended.

    Args:
        courses: Each needs an environment of its own.
        policy: Plans for all that want a chunk at one time.
        config: Checked against the policy's chunks.

    Returns:
        The records, course after course.

    Raises:
        ConfigurationError: More actions are to be executed than the policy plans.
        InputError: The policy answers with other chunks than it says.
    """
    config.check_chunk(policy.chunk_length)
    records: list[list[EpisodeRecord]] = []
    waiting: list[tuple[int, Course, PlanRequest]] = []
    for number, course in enumerate(courses):
        records.append([])
        _advance(number, course, None, waiting, records)
    while waiting:
        asking, waiting = waiting, []
        chunks = policy.plan([request for _, _, request in asking])
        _check_chunks(chunks, len(asking), policy.chunk_length)
        for (number, course, _), chunk in zip(asking, chunks, strict=True):
            _advance(number, course, chunk, waiting, records)
    return [record for own in records for record in own]


def _advance(
    number: int,
    course: Course,
    chunk: FloatArray | None,
    waiting: list[tuple[int, Course, PlanRequest]],
    records: list[list[EpisodeRecord]],
) -> None:
    """Lets a course go on to its next question or to its end."""
    try:
        request = next(course) if chunk is None else course.send(chunk)
    except StopIteration as ended:
        records[number] = ended.value
    else:
        waiting.append((number, course, request))


def _check_chunks(chunks: FloatArray, count: int, length: int) -> None:
    if chunks.ndim != 3 or chunks.shape[:2] != (count, length):
        raise InputError(
            f"The policy planned an array {chunks.shape} for {count} observations. Remedy: a plan is "
            f"({count}, {length}, numbers of an action)."
        )


def roll_out_episodes(
    starts: Sequence[EpisodeStart],
    make_environment: Callable[[], Environment],
    policy: ChunkPolicy,
    rules: RolloutRules,
    batch: int,
) -> list[EpisodeRecord]:
    """One attempt per start.

    Args:
        starts: What the episodes begin with; no name twice.
        make_environment: Makes an environment.
        policy: What is evaluated.
        rules: How attempts are made.
        batch: Environments, each with a share of the episodes, in lock step.

    Returns:
        In the order of ``starts``.

    Raises:
        ConfigurationError: More actions are to be executed than the policy plans.
    """
    rules.config.check_chunk(policy.chunk_length)
    lanes = min(batch, len(starts))
    environments: list[Environment] = []
    try:
        environments += (make_environment() for _ in range(lanes))
        courses = [
            run_episodes(environment, starts[lane::lanes], rules)
            for lane, environment in enumerate(environments)
        ]
        records = {record.episode: record for record in run_courses(courses, policy, rules.config)}
    finally:
        for environment in environments:
            environment.close()
    return [records[start.name] for start in starts]

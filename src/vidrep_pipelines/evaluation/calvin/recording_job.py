"""A few sequences attempted once more and rendered at every step: filmed, and kept where that is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.film import write_film
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig, CalvinRecordingConfig
from vidrep_pipelines.evaluation.calvin.contenders import Contender
from vidrep_pipelines.evaluation.calvin.evaluation_job import evaluation_settings, numbered_sequences
from vidrep_pipelines.evaluation.calvin.initial_scene import ROBOT_NUMBERS
from vidrep_pipelines.evaluation.calvin.long_horizon import NumberedSequence, evaluate_sequences
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment, CalvinWorldMaker
from vidrep_pipelines.evaluation.rollouts.engine import RolloutRules
from vidrep_pipelines.evaluation.rollouts.films import attempts_film
from vidrep_pipelines.evaluation.rollouts.lerobot_export import RobotDescription, export_attempts
from vidrep_pipelines.evaluation.rollouts.protocol import PolicyMaker
from vidrep_pipelines.evaluation.rollouts.recording import AttemptRecorder, save_attempts
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

FILM_SUFFIX, ATTEMPTS_SUFFIX = ".mp4", ".npz"

_RECORDING = 1
"""Version of what equal settings lead to: raised when the files change."""


@dataclass(frozen=True)
class RecordedSequence:
    """A sequence that is to be recorded.

    Attributes:
        sequence: With its number.
        world: Makes the environment.
        policy: Makes the policy.
        config: How it is evaluated; renders at every step.
        settings: Digest of all that determines the result.
        recording: What is kept.
    """

    sequence: NumberedSequence
    world: CalvinWorldMaker
    policy: PolicyMaker
    config: CalvinEvaluationConfig
    settings: str
    recording: CalvinRecordingConfig


def recording_job(
    world: CalvinWorldMaker,
    contender: Contender,
    recording: CalvinRecordingConfig,
    fanout: FanOutConfig,
    *,
    keep: bool,
) -> Job:
    """One item per recorded sequence: a film of its attempts and, if these are kept, the attempts.

    Args:
        world: Makes environments.
        contender: Whose attempts.
        recording: How many, and how they are shown.
        fanout: How items are executed.
        keep: Whether attempts are written whole, to be exported.
    """
    rollout = contender.config.rollout.model_copy(update={"render": "always"})
    config = contender.config.model_copy(update={"rollout": rollout})
    settings = digest_of(evaluation_settings(world, contender.maker(0), config))
    shown = recording.model_dump(exclude={"sequences"})
    digest = digest_of(_RECORDING, settings, shown, keep)
    items = [
        Item(
            f"{contender.name}/{sequence[0]:04d}",
            RecordedSequence(sequence, world, contender.maker(place), config, settings, recording),
            digest,
        )
        for place, sequence in enumerate(numbered_sequences(contender)[: recording.sequences])
    ]
    suffixes = (FILM_SUFFIX, ATTEMPTS_SUFFIX) if keep else (FILM_SUFFIX,)
    return Job("recorded sequences", record_sequence, items, suffixes, fanout)


def record_sequence(request: RecordedSequence, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Attempts a sequence in an environment of its own, and writes what happened.

    Returns:
        Number of the sequence, its tasks, how many were done, and the frames of the film.
    """
    recorder = AttemptRecorder(request.policy.make())
    rules = RolloutRules(request.config.rollout, request.settings, recorder.observe)
    environment = CalvinEnvironment(request.world.make())
    try:
        records = evaluate_sequences([environment], [request.sequence], recorder, rules)
    finally:
        environment.close()
    attempts = [recorder.taken(record) for record in records]
    recording = request.recording
    film = attempts_film(attempts, recording.panel, hold=recording.frames_per_second // 2)
    write_film(outputs[FILM_SUFFIX], film, recording.frames_per_second)
    if ATTEMPTS_SUFFIX in outputs:
        save_attempts(outputs[ATTEMPTS_SUFFIX], attempts)
    return {
        "sequence": request.sequence[0],
        "tasks": ",".join(request.sequence[1].tasks),
        "completed": sum(record.success for record in records),
        "frames": len(film),
    }


_ACTIONS = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")


def export_recordings(parts: Parts, folder: Path, frames_per_second: int) -> dict[str, int]:
    """Writes the recorded attempts as a LeRobotDataset.

    Args:
        parts: Of a job that kept them.
        folder: Of the data set.
        frames_per_second: Its rate.

    Returns:
        Numbers of episodes, frames and tasks.

    Raises:
        InputError: A sequence was not recorded, a file is damaged, there is none, or the folder holds
            something else.
    """
    if len(parts.failed):
        first = parts.failed.iloc[0]
        raise InputError(
            f"{len(parts.failed)} sequences were not recorded; {first['id']}: {first['error']}. Remedy: mend "
            "it and run again; what is done is kept."
        )
    description = RobotDescription("calvin", frames_per_second, ROBOT_NUMBERS, _ACTIONS)
    return export_attempts(folder, (parts.path(name, ATTEMPTS_SUFFIX) for name in parts.ids), description)
